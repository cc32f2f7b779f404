"""Whoever is written in 1C and calls reaches the person the referee names, release by release."""

import re
from collections import defaultdict
from pathlib import Path
from random import Random
from urllib.parse import unquote

import pytest

from bridge.adapters.directory_reader import DirectoryReader
from bridge.domain.directory import EntityKind
from bridge.domain.routing import RoutingRules, Rule
from bridge.lab.company import phones
from bridge.lab.onec import OneCLab
from bridge.lab.schema import ZERO, Release
from bridge.lab.world import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    USERS,
    ExtensionStorage,
    PhoneTruth,
    Whims,
    World,
)
from bridge.ports import SyncReport
from bridge.services.decide import Deciding
from bridge.services.pull import PullRules
from tests.stories.house import Clock, deciding, sync

pytestmark = pytest.mark.anyio

_KINDS = {
    EntityKind.MANAGER: USERS,
    EntityKind.PARTNER: PARTNERS,
    EntityKind.CONTACT: CONTACT_PERSONS,
    EntityKind.COUNTERPARTY: COUNTERPARTIES,
}
_WORLDS: tuple[tuple[Release, ExtensionStorage, int], ...] = (
    ("11.4.2", "mixed", 1),
    ("11.5.8", "register", 2),
    ("11.5.20", "mixed", 3),
    ("11.5.27", "register", 4),
)
Versions = dict[str, dict[object, tuple[int, int]]]


def a_lab(release: Release, storage: ExtensionStorage, seed: int, partners: int = 400) -> OneCLab:
    whims = Whims(extension_storage=storage, control_characters=seed % 2 == 0)
    clock = Clock()
    return OneCLab(World.compose(partners, seed, release, whims), clock=clock, sleep=clock.sleep)


def partner_of(world: World, truth: PhoneTruth) -> str | None:
    """Whose customer the owner of a phone is; None when he must not be found at all."""
    row = world.row(truth.owner_set, truth.ref)
    if row["DeletionMark"] or row.get("Predefined"):
        return None
    if truth.owner_set == PARTNERS:
        return truth.ref
    return str(row["Owner_Key" if truth.owner_set == CONTACT_PERSONS else "Партнер_Key"])


def as_pbx_spells(e164: str, turn: int) -> str:
    """Spell a number as a carrier may; abroad there are fewer ways."""
    digits = e164.removeprefix("+")
    national = digits[1:]
    ways = [digits, e164, f" {digits}", f"sip:{e164}@carrier.example"]
    if digits.startswith("7"):
        ways += [f"8{national}", national, f"+7 {national[:3]} {national[3:]}", f"{digits};user=x"]
    return ways[turn % len(ways)]


def disagreements(world: World, ask: Deciding) -> list[str]:
    """Ask about every number of the company; tell where bridge and referee differ."""
    owners: dict[str, list[PhoneTruth]] = defaultdict(list)
    for truth in world.truth:
        owners[truth.e164].append(truth)
    wrong = []
    for turn, (e164, found) in enumerate(owners.items()):
        partners = [p for p in (partner_of(world, truth) for truth in found) if p is not None]
        spelled = as_pbx_spells(e164, turn)
        _, decision = ask.explain(spelled)
        reachable = {world.responsible_extension(p) for p in partners} - {None}
        expected = reachable or {None}
        known = bool(decision.candidates)
        right_rule = (decision.rule is Rule.NOBODY) == (not reachable)
        if decision.extension in expected and known == bool(partners) and right_rule:
            continue
        typed = "; ".join(f"{t.typed!r} ({t.manner}, {t.owner_set})" for t in found)
        wrong.append(f"{spelled!r}: {decision.extension} not in {expected}; typed {typed}")
    return wrong


def versions(world: World) -> Versions:
    return {
        name: {key: world.tables[name].version(key) for key in world.tables[name].rows}
        for name in _KINDS.values()
    }


def moved_refs(before: Versions, after: Versions) -> dict[str, set[str]]:
    return {
        name: {str(key) for key, version in rows.items() if before[name].get(key) != version}
        for name, rows in after.items()
    }


async def pulled(lab: OneCLab, path: Path) -> tuple[SyncReport, list[str]]:
    """Sync once; give the report and where the bridge is wrong now."""
    clock = Clock()
    # Sixty changes in a small firm may well bury more than a fifth of something.
    report = await sync(lab, path, clock, PullRules(max_shrink=0.9))
    directory = DirectoryReader(path, stale_after=report_age())
    try:
        return report, disagreements(lab.world, deciding(directory, clock, RoutingRules()))
    finally:
        directory.close()


def report_age():  # noqa: ANN201
    from datetime import timedelta

    return timedelta(days=1)


@pytest.mark.parametrize(("release", "storage", "seed"), _WORLDS)
async def test_every_number_of_the_company_rings_whom_the_referee_names(
    release: Release, storage: ExtensionStorage, seed: int, tmp_path: Path
) -> None:
    lab = a_lab(release, storage, seed)
    report, wrong = await pulled(lab, tmp_path / "directory.db")
    assert not wrong
    assert report.numbers > 500


# ---------------------------------------------------------------- a day of changes
class Clerk:
    """Changes sixty things at random, as a firm does in a busy hour."""

    def __init__(self, lab: OneCLab, seed: int) -> None:
        self.lab = lab
        self.rng = Random(f"clerk/{seed}")  # noqa: S311 - composed changes
        self.added = 0

    def one(self, set_name: str) -> str:
        rows = self.lab.world.tables[set_name].rows
        return str(self.rng.choice([k for k, row in rows.items() if not row.get("Predefined")]))

    def owner(self) -> tuple[str, str]:
        set_name = self.rng.choice((PARTNERS, CONTACT_PERSONS, COUNTERPARTIES))
        return set_name, self.one(set_name)

    def number(self) -> tuple[str, str | None]:
        """A number typed in some manner, one number at most (the truth keeps one a change)."""
        while True:
            typed = phones.compose(self.rng)
            if len(typed.meant) <= 1:
                return typed.text, typed.meant[0] if typed.meant else None

    def change(self) -> None:
        lab, rng = self.lab, self.rng
        world = lab.world
        match rng.randrange(13):
            case 0:
                user = rng.choice([*world.extensions, ZERO])
                lab.move_manager(self.one(PARTNERS), user)
            case 1:
                lab.mark(*self.owner())
            case 2:
                marked = world.find(PARTNERS, DeletionMark=True)
                if marked:
                    lab.mark(PARTNERS, rng.choice(marked), marked=False)
            case 3 | 4 | 5:
                text, e164 = self.number()
                lab.change_phone(*self.owner(), text, e164=e164, writer=phones.writer(rng))
            case 6:
                lab.end_contact(self.one(CONTACT_PERSONS), rng.choice(("", "2026-11-01T00:00:00")))
            case 7:
                lab.delete(*self.owner())
            case 8:
                user = self.one(USERS)
                lab.invalidate_user(user, invalid=rng.random() < 0.6)
            case 9:
                storage = rng.choice(("string", "number", "list", "text"))
                self.added += 1
                new = rng.choice(("", str(700 + self.added)))
                lab.set_extension(self.one(USERS), new, storage)
            case 10:
                self.added += 1
                text, e164 = self.number()
                manager = rng.choice(list(world.extensions))
                parent = rng.choice((ZERO, self.one(PARTNERS)))
                lab.add_partner(
                    f"Новый {self.added}", manager=manager, parent=parent, phone=text, e164=e164
                )
            case 11:
                self.added += 1
                text, e164 = self.number()
                add = rng.choice((lab.add_contact, lab.add_counterparty))
                add(self.one(PARTNERS), f"Новый {self.added}", phone=text, e164=e164)
            case _:
                self.added += 1
                lab.add_user(f"Новый сотрудник {self.added}", str(700 + self.added))


@pytest.mark.parametrize("seed", range(1, 11))
async def test_after_a_busy_hour_an_incremental_run_makes_every_number_right_again(
    seed: int, tmp_path: Path
) -> None:
    release = _WORLDS[seed % len(_WORLDS)][0]
    lab = a_lab(release, "mixed", seed, partners=150)
    path = tmp_path / "directory.db"
    await pulled(lab, path)
    clerk = Clerk(lab, seed)
    for _ in range(2):
        before = versions(lab.world)
        for _ in range(60):
            clerk.change()
        after = versions(lab.world)
        lab.journal.clear()
        report, wrong = await pulled(lab, path)
        assert not wrong

        moved = moved_refs(before, after)
        assert not report.full
        for entity in report.entities:
            name = _KINDS[entity.kind]
            assert entity.fetched == len(moved[name])
            assert entity.buried == len(before[name].keys() - after[name].keys())
            assert entity.listed == entity.held == len(after[name])
        # What is fetched by key is exactly what moved; users are few and may come as a page.
        asked = defaultdict(set)
        for request in lab.journal:
            asked[request.set] |= set(re.findall(r"guid'([0-9a-f-]{36})'", unquote(request.query)))
            if request.set in (PARTNERS, CONTACT_PERSONS, COUNTERPARTIES):
                assert "$skip" not in unquote(request.query)
        for name in (PARTNERS, CONTACT_PERSONS, COUNTERPARTIES):
            assert asked[name] == moved[name]


async def test_a_run_that_finds_nothing_new_asks_for_listings_only(tmp_path: Path) -> None:
    lab = a_lab("11.5.20", "mixed", 5, partners=60)
    path = tmp_path / "directory.db"
    await pulled(lab, path)
    lab.journal.clear()
    report, wrong = await pulled(lab, path)
    assert not wrong
    assert not report.changed
    listed = [r for r in lab.journal if r.set in _KINDS.values()]
    assert len(listed) == len(_KINDS)
    assert all("DataVersion" in r.query for r in listed)
