"""Whoever is written in 1C and calls reaches the person the referee names, release by release."""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import unquote

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.domain.directory.entities import EntityKind
from bridge.domain.routing.decision import RoutingRules, Rule
from bridge.lab.onec.company import typed_phones as phones
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    USERS,
    ExtensionStorage,
    Infobase,
    IntendedPhone,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF, Release
from bridge.lab.onec.simulator import OneCLab
from bridge.ports.stores.directory import SyncReport
from bridge.services.answering.decide import RouteDecider
from bridge.services.sync.pull import PullRules
from tests.stories.in_process import ManualClock, build_decider, sync

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
_GUID = re.compile(r"guid'([0-9a-f-]{36})'")
Versions = dict[str, dict[object, tuple[int, int]]]


def a_lab(release: Release, storage: ExtensionStorage, seed: int, partners: int = 400) -> OneCLab:
    quirks = DataQuirks(extension_storage=storage, control_characters=seed % 2 == 0)
    clock = ManualClock()
    return OneCLab(
        compose_infobase(partners, seed, release, quirks), clock=clock, sleep=clock.sleep
    )


def partner_of(world: Infobase, truth: IntendedPhone) -> str | None:
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


def disagreements(world: Infobase, ask: RouteDecider) -> list[str]:
    """Ask about every number of the company; return where bridge and referee differ."""
    owners: dict[str, list[IntendedPhone]] = defaultdict(list)
    for truth in world.intended_phones:
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


def versions(world: Infobase) -> Versions:
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
    clock = ManualClock()
    # Sixty changes in a small firm may well delete more than a fifth of something.
    report = await sync(lab, path, clock, PullRules(max_shrink=0.9))
    directory = SqliteDirectory(path, stale_after=timedelta(days=1))
    try:
        return report, disagreements(lab.infobase, build_decider(directory, clock, RoutingRules()))
    finally:
        directory.close()


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

    def __init__(self, lab: OneCLab, seed: int, storage: ExtensionStorage) -> None:
        self.lab = lab
        # One attribute is kept in one way: with the users, or in the register.
        with_users: tuple[ExtensionStorage, ...] = ("string", "number", "list", "text")
        self.storages = with_users if storage == "mixed" else (storage,)
        self.rng = Random(f"clerk/{seed}")  # noqa: S311 - composed changes
        self.added = 0

    def one(self, set_name: str) -> str:
        rows = self.lab.infobase.tables[set_name].rows
        return str(self.rng.choice([k for k, row in rows.items() if not row.get("Predefined")]))

    def owner(self) -> tuple[str, str]:
        set_name = self.rng.choice((PARTNERS, CONTACT_PERSONS, COUNTERPARTIES))
        return set_name, self.one(set_name)

    def number(self) -> tuple[str, str | None]:
        """A number typed in some manner, one number at most (the truth keeps one a change)."""
        while True:
            typed = phones.draw_phone(self.rng)
            if len(typed.intended) <= 1:
                return typed.text, typed.intended[0] if typed.intended else None

    def change(self) -> None:
        """Do one thing of those people do, changed phones most often."""
        deeds: tuple[Callable[[], object], ...] = (
            self.move,
            self.mark,
            self.unmark,
            *(self.retype,) * 3,
            self.end,
            lambda: self.lab.delete(*self.owner()),
            lambda: self.lab.invalidate_user(self.one(USERS), invalid=self.rng.random() < 0.6),
            self.extend,
            self.add_partner,
            self.add_owner,
            self.hire,
        )
        self.rng.choice(deeds)()

    def fresh(self) -> int:
        self.added += 1
        return self.added

    def move(self) -> None:
        user = self.rng.choice([*self.lab.infobase.extensions, EMPTY_REF])
        self.lab.move_manager(self.one(PARTNERS), user)

    def mark(self) -> None:
        self.lab.mark(*self.owner())

    def unmark(self) -> None:
        marked = self.lab.infobase.find(PARTNERS, DeletionMark=True)
        if marked:
            self.lab.mark(PARTNERS, self.rng.choice(marked), marked=False)

    def retype(self) -> None:
        text, e164 = self.number()
        self.lab.change_phone(*self.owner(), text, e164=e164, writer=phones.draw_writer(self.rng))

    def end(self) -> None:
        day = self.rng.choice(("", "2026-11-01T00:00:00"))
        self.lab.end_contact(self.one(CONTACT_PERSONS), day)

    def extend(self) -> None:
        extension = self.rng.choice(("", str(700 + self.fresh())))
        self.lab.set_extension(self.one(USERS), extension, self.rng.choice(self.storages))

    def hire(self) -> None:
        user = self.lab.add_user(f"Новый сотрудник {self.fresh()}")
        self.lab.set_extension(user, str(700 + self.added), self.rng.choice(self.storages))

    def add_partner(self) -> None:
        text, e164 = self.number()
        self.lab.add_partner(
            f"Новый {self.fresh()}",
            manager=self.rng.choice(list(self.lab.infobase.extensions)),
            parent=self.rng.choice((EMPTY_REF, self.one(PARTNERS))),
            phone=text,
            e164=e164,
        )

    def add_owner(self) -> None:
        text, e164 = self.number()
        add = self.rng.choice((self.lab.add_contact, self.lab.add_counterparty))
        add(self.one(PARTNERS), f"Новый {self.fresh()}", phone=text, e164=e164)


@pytest.mark.parametrize("seed", range(1, 11))
async def test_after_a_busy_hour_an_incremental_run_makes_every_number_right_again(
    seed: int, tmp_path: Path
) -> None:
    release, storage, _ = _WORLDS[seed % len(_WORLDS)]
    lab = a_lab(release, storage, seed, partners=150)
    path = tmp_path / "directory.db"
    await pulled(lab, path)
    clerk = Clerk(lab, seed, storage)
    for _ in range(2):
        before = versions(lab.infobase)
        for _ in range(60):
            clerk.change()
        after = versions(lab.infobase)
        lab.request_log.clear()
        report, wrong = await pulled(lab, path)
        assert not wrong

        moved = moved_refs(before, after)
        assert not report.full
        for entity in report.entities:
            name = _KINDS[entity.kind]
            assert entity.fetched == len(moved[name])
            assert entity.buried == len(before[name].keys() - after[name].keys())
            assert entity.listed == entity.held == len(after[name])
        for name, asked in refs_asked_for(lab).items():
            assert asked <= moved[name]


def refs_asked_for(lab: OneCLab) -> dict[str, set[str]]:
    """Which bodies were asked for by key; small sets may come as one page instead."""
    asked: dict[str, set[str]] = defaultdict(set)
    for request in lab.request_log:
        if request.set in _KINDS.values():
            asked[request.set].update(_GUID.findall(unquote(request.query)))
    return asked


async def test_one_change_among_thousands_costs_one_request_beside_the_listings(
    tmp_path: Path,
) -> None:
    lab = a_lab("11.5.20", "mixed", 6)
    path = tmp_path / "directory.db"
    await pulled(lab, path)
    person = lab.infobase.find(CONTACT_PERSONS)[50]
    lab.rename(CONTACT_PERSONS, person, "Иванов Пётр Сергеевич")
    lab.request_log.clear()
    report, wrong = await pulled(lab, path)
    assert not wrong
    assert sum(entity.fetched for entity in report.entities) == 1
    assert refs_asked_for(lab) == {
        CONTACT_PERSONS: {person},
        USERS: set(),
        PARTNERS: set(),
        COUNTERPARTIES: set(),
    }
    assert not [r for r in lab.request_log if "$skip" in unquote(r.query)]


async def test_a_run_that_finds_nothing_new_asks_for_listings_only(tmp_path: Path) -> None:
    lab = a_lab("11.5.20", "mixed", 5, partners=60)
    path = tmp_path / "directory.db"
    await pulled(lab, path)
    lab.request_log.clear()
    report, wrong = await pulled(lab, path)
    assert not wrong
    assert not report.changed
    listed = [r for r in lab.request_log if r.set in _KINDS.values()]
    assert len(listed) == len(_KINDS)
    assert all("DataVersion" in r.query for r in listed)
