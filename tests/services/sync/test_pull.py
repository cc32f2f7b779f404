"""After a run the directory is level with 1C, or exactly as it was."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bridge.domain.directory.entities import (
    AttributeValue,
    EntityKind,
    ExtensionSources,
    Manager,
    Ref,
    Version,
)
from bridge.errors import (
    OneCError,
    OneCNotPublished,
    OneCUnauthorized,
    OneCUnavailable,
    RoutingFactsLost,
    SyncRefused,
)
from bridge.ports.onec import DirectoryObject, Listing, Traffic
from bridge.ports.stores.directory import EntitySync, SyncReport
from bridge.services.sync.guard import ConfirmLoss
from bridge.services.sync.pull import DirectoryPull, PullRules, confirm_nothing
from bridge.services.sync.report import find_shared_extensions
from tests.support import builders as b
from tests.support.fakes.directory import MemoryDirectoryStore

pytestmark = pytest.mark.anyio

PROPERTY = b.ref("Внутренний номер")
OPTIONAL = [EntityKind.CONTACT, EntityKind.COUNTERPARTY]


class SourceOfObjects:
    """1C as a pull reads it: objects by kind, and a failure of the n-th request."""

    def __init__(self) -> None:
        self.objects: dict[EntityKind, dict[Ref, DirectoryObject]] = {
            kind: {} for kind in EntityKind
        }
        self.sources = ExtensionSources(attribute_ref=PROPERTY)
        self.no_sources: OneCNotPublished | None = None
        self.traffic = Traffic()
        self.fetched: list[Ref] = []
        self.not_published: set[EntityKind] = set()
        self.fails_at: int | None = None
        self.error: OneCError = OneCUnavailable("1c", "connection reset")
        #: Called between the listings and the bodies of the next run.
        self.meanwhile: Callable[[], object] = lambda: None
        self.listing_takes_time: Callable[[], None] = lambda: None

    def has(self, *objects: DirectoryObject) -> None:
        kinds = dict(
            zip(("Manager", "Partner", "ContactPerson", "Counterparty"), EntityKind, strict=True)
        )
        for one in objects:
            self.objects[kinds[type(one).__name__]][one.ref] = one

    async def listing(self, kind: EntityKind, known_fingerprint: str = "") -> Listing:
        self._request()
        if kind in self.not_published:
            raise OneCNotPublished(kind.value, "no such entity set")
        listed = {ref: one.version for ref, one in self.objects[kind].items()}
        fingerprint = repr(listed)
        self.listing_takes_time()
        return Listing(None if fingerprint == known_fingerprint else listed, fingerprint)

    async def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[DirectoryObject]]:
        assert listed >= len(refs)
        self.meanwhile()
        for start in range(0, len(refs), 2):
            self._request()
            batch = [
                self.objects[kind][r] for r in refs[start : start + 2] if r in self.objects[kind]
            ]
            self.fetched.extend(one.ref for one in batch)
            yield batch

    async def extension_sources(self) -> ExtensionSources:
        self._request()
        if self.no_sources is not None:
            raise self.no_sources
        return self.sources

    async def aclose(self) -> None:
        pass

    def _request(self) -> None:
        if self.traffic.requests == self.fails_at:
            raise self.error
        self.traffic.requests += 1
        self.traffic.bytes += 100


@dataclass(slots=True)
class Steps:
    """A progress bar that remembers."""

    steps: list[tuple[str, str, int]] = field(default_factory=list)

    def listing(self, kind: EntityKind) -> None:
        self.steps.append(("listing", kind.value, 0))

    def fetching(self, kind: EntityKind, total: int) -> None:
        self.steps.append(("fetching", kind.value, total))

    def fetched(self, kind: EntityKind, count: int) -> None:
        self.steps.append(("fetched", kind.value, count))

    def indexing(self) -> None:
        self.steps.append(("indexing", "", 0))


def user(name: str, extension: str | None, version: str = "1") -> Manager:
    attribute = None if extension is None else AttributeValue(extension)
    return Manager(b.ref(name), Version(version), name, attribute=attribute)


class PullSetup:
    """A source, a store, and runs between them."""

    def __init__(self) -> None:
        self.now = b.NOON
        self.source = SourceOfObjects()
        self.store = MemoryDirectoryStore()
        self.steps = Steps()
        self.source.has(
            user("Анна Петрова", "205"),
            user("Олег Ким", "207"),
            b.partner(phones=["8 (4852) 55-01-02"]),
            b.partner("ЗАО Клён", manager="Олег Ким"),
            *(b.partner(f"ООО Склад {n}", phones=[f"+7 495 123-45-{n}"]) for n in range(10, 18)),
            b.contact(),
            b.contact("Сидоров", phones=["позже сообщит"]),
            b.counterparty(),
        )

    async def runs(
        self, rules: PullRules | None = None, confirm: ConfirmLoss = confirm_nothing
    ) -> SyncReport:
        self.source.fetched.clear()
        self.steps.steps.clear()
        self.source.traffic.requests = 0
        self.now += timedelta(minutes=1)
        seconds = iter(range(1000))
        pull = DirectoryPull(
            source=self.source,
            store=self.store,
            clock=lambda: self.now,
            rules=rules or PullRules(),
            progress=self.steps,
            confirm_loss=confirm,
            stopwatch=lambda: float(next(seconds)),
        )
        return await pull.run(self.store.report())

    def extension(self, name: str) -> str | None:
        manager = self.store.objects[EntityKind.MANAGER][b.ref(name)]
        assert isinstance(manager, Manager)
        return manager.extension

    def names(self, kind: EntityKind) -> set[str]:
        return {one.name for one in self.store.objects[kind].values()}

    def loses(self, kind: EntityKind, share: float) -> None:
        rows = self.source.objects[kind]
        for ref in list(rows)[: round(len(rows) * share)]:
            del rows[ref]


@pytest.fixture
async def env() -> PullSetup:
    """Return an env after its first run."""
    env = PullSetup()
    await env.runs()
    return env


def of(report: SyncReport, kind: EntityKind) -> EntitySync:
    return next(entity for entity in report.entities if entity.kind is kind)


# ---------------------------------------------------------------- what moved
async def test_the_first_run_fetches_everything() -> None:
    env = PullSetup()

    report = await env.runs()

    assert (report.full, report.changed, report.numbers) == (True, True, 10)
    assert sum(entity.held for entity in report.entities) == 15
    assert len(env.source.fetched) == 15
    assert env.store.report() == report
    assert env.extension("Анна Петрова") == "205"


async def test_a_run_without_changes_fetches_and_writes_nothing(env: PullSetup) -> None:
    before = env.store.objects

    report = await env.runs()

    assert (report.full, report.changed, report.numbers) == (False, False, 10)
    assert not env.source.fetched
    assert env.store.objects == before
    assert not env.store.transactions[-1].reindexed
    assert report.proven_at == env.now


async def test_a_listing_like_the_last_one_is_not_even_compared(env: PullSetup) -> None:
    env.store.compared.clear()

    await env.runs()

    assert not env.store.compared


async def test_a_listing_in_another_order_is_compared_and_found_equal(env: PullSetup) -> None:
    partners = env.source.objects[EntityKind.PARTNER]
    env.source.objects[EntityKind.PARTNER] = dict(reversed(partners.items()))
    env.store.compared.clear()

    report = await env.runs()

    assert (env.store.compared, report.changed) == ([EntityKind.PARTNER], False)


async def test_a_body_newer_than_its_listing_has_the_next_listing_compared(env: PullSetup) -> None:
    listed = replace(b.contact(), version=Version("2"))
    env.source.has(listed)
    env.source.meanwhile = lambda: env.source.has(
        replace(b.contact(), version=Version("3"), position="директор")
    )
    await env.runs()
    # 1C was put back from a copy: its listing is once more the one that was never kept.
    env.source.meanwhile = lambda: None
    env.source.has(listed)

    await env.runs()

    assert env.store.objects[EntityKind.CONTACT][listed.ref].version == "2"


async def test_only_what_moved_is_fetched_and_what_vanished_is_deleted(env: PullSetup) -> None:
    env.source.has(
        replace(b.partner("ЗАО Клён"), version=Version("2")), b.partner("ИП Новый", code="9")
    )
    del env.source.objects[EntityKind.PARTNER][b.ref("ООО Склад 10")]

    report = await env.runs()

    assert set(env.source.fetched) == {b.ref("ЗАО Клён"), b.ref("ИП Новый")}
    partners = of(report, EntityKind.PARTNER)
    assert (partners.listed, partners.held, partners.fetched, partners.buried) == (10, 10, 2, 1)
    assert "ООО Склад 10" not in env.names(EntityKind.PARTNER)
    assert report.numbers == 9
    assert env.store.transactions[-1].reindexed


async def test_a_body_that_changed_during_the_run_is_not_fetched_for_ever(env: PullSetup) -> None:
    env.source.has(replace(b.contact(), version=Version("2")))
    env.source.meanwhile = lambda: env.source.has(
        replace(b.contact(), version=Version("3"), position="директор")
    )
    await env.runs()
    env.source.meanwhile = lambda: None

    report = await env.runs()

    assert not report.changed
    assert not env.source.fetched


async def test_what_vanished_between_listing_and_fetching_is_deleted_next_time(
    env: PullSetup,
) -> None:
    env.source.has(replace(b.partner("ЗАО Клён"), version=Version("2")))
    gone = env.source.objects[EntityKind.PARTNER]
    env.source.meanwhile = lambda: gone.pop(b.ref("ЗАО Клён"), None)

    first = await env.runs()
    second = await env.runs()

    assert (of(first, EntityKind.PARTNER).fetched, of(second, EntityKind.PARTNER).buried) == (0, 1)
    assert "ЗАО Клён" not in env.names(EntityKind.PARTNER)


async def test_a_full_run_fetches_all_again(env: PullSetup) -> None:
    del env.source.objects[EntityKind.PARTNER][b.ref("ООО Склад 10")]

    report = await env.runs(PullRules(full=True))

    assert (report.full, report.changed) == (True, True)
    assert len(env.source.fetched) == 14
    assert env.store.transactions[-1].cleared
    assert of(report, EntityKind.PARTNER).buried == 1
    assert len(env.names(EntityKind.PARTNER)) == 9


# ---------------------------------------------------------------- the guard
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", list(EntityKind))
async def test_a_shrunken_listing_is_refused_and_the_directory_stays(
    env: PullSetup, kind: EntityKind, *, full: bool
) -> None:
    before, report = env.store.objects, env.store.report()
    env.loses(kind, 1.0)

    with pytest.raises(SyncRefused) as refused:
        await env.runs(PullRules(full=full))

    assert refused.value.entity_set == kind.value
    assert (env.store.objects, env.store.report()) == (before, report)
    assert not env.source.fetched


@pytest.mark.parametrize("full", [False, True])
async def test_a_person_may_accept_the_loss(env: PullSetup, *, full: bool) -> None:
    env.loses(EntityKind.PARTNER, 1.0)

    report = await env.runs(PullRules(full=full, accept_shrink=True))

    assert of(report, EntityKind.PARTNER).buried == 10
    assert not env.names(EntityKind.PARTNER)


async def test_a_confirmed_loss_is_applied_in_the_same_run(env: PullSetup) -> None:
    env.loses(EntityKind.PARTNER, 0.5)
    asked: list[SyncRefused] = []

    def believes(refused: SyncRefused) -> bool:
        asked.append(refused)
        return True

    report = await env.runs(confirm=believes)

    assert [(a.entity_set, a.held, a.listed) for a in asked] == [("partner", 10, 5)]
    assert of(report, EntityKind.PARTNER).buried == 5


async def test_a_loss_that_is_not_confirmed_changes_nothing(env: PullSetup) -> None:
    before = env.store.objects
    env.loses(EntityKind.PARTNER, 0.5)

    with pytest.raises(SyncRefused):
        await env.runs(confirm=lambda _: False)

    assert env.store.objects == before


@pytest.mark.parametrize(("share", "refused"), [(0.2, False), (0.3, True)])
async def test_the_share_that_may_go_is_a_setting(
    env: PullSetup, share: float, *, refused: bool
) -> None:
    env.loses(EntityKind.PARTNER, share)

    if refused:
        with pytest.raises(SyncRefused):
            await env.runs(PullRules(max_shrink=0.2))
    else:
        assert (await env.runs(PullRules(max_shrink=0.2))).changed


# ---------------------------------------------------------------- what rows are worth
MANAGERS = ("Анна Петрова", "Олег Ким", "Вера Лис")


@pytest.fixture
async def large(env: PullSetup) -> PullSetup:
    """Return an env of three managers and twenty contact persons, after a run."""
    env.source.has(
        user("Вера Лис", "209"),
        *(b.contact(f"Лицо {n}", phones=[f"+7 903 555-02-{n}"]) for n in range(10, 30)),
        *(b.counterparty(f"Фирма {n}", phones=[f"+7 903 555-03-{n}"]) for n in range(10, 30)),
    )
    await env.runs()
    return env


def attribute_renamed(env: PullSetup) -> None:
    env.source.sources = ExtensionSources()
    for name in MANAGERS:  # versions stay as they were: nobody touched the users
        env.source.has(user(name, None))


def values_emptied(env: PullSetup) -> None:
    for name in MANAGERS:
        env.source.has(user(name, None, "2"))


def type_changed(env: PullSetup) -> None:
    for name in MANAGERS:
        env.source.has(user(name, "2026-11-25T00:00:00", "2"))


def another_attribute(env: PullSetup) -> None:
    env.source.sources = ExtensionSources(b.ref("Кабинет"))
    for n, name in enumerate(MANAGERS):
        env.source.has(user(name, str(n)))


def attribute_not_published(env: PullSetup) -> None:
    attribute_renamed(env)
    env.source.no_sources = OneCNotPublished("ДополнительныеРеквизитыИСведения", "no such set")


def managers_invalidated(env: PullSetup) -> None:
    for name in MANAGERS:
        env.source.has(replace(user(name, "205", "2"), invalid=True))


def main_managers_emptied(env: PullSetup) -> None:
    rewrite(env, EntityKind.PARTNER, manager=None)


def owners_emptied(env: PullSetup) -> None:
    rewrite(env, EntityKind.CONTACT, partner=None)


def firms_without_partner(env: PullSetup) -> None:
    rewrite(env, EntityKind.COUNTERPARTY, partner=None)


def phones_unreadable(env: PullSetup) -> None:
    rewrite(env, EntityKind.CONTACT, phone_fields=b.fields("см. визитку"))


def partners_marked(env: PullSetup) -> None:
    rewrite(env, EntityKind.PARTNER, deletion_mark=True)


def rewrite(env: PullSetup, kind: EntityKind, share: float = 1.0, **values: object) -> None:
    rows: Any = env.source.objects[kind]  # every kind has fields of its own
    for ref in list(rows)[: round(len(rows) * share)]:
        version = Version(str(int(rows[ref].version) + 1))
        env.source.has(replace(rows[ref], version=version, **values))


LOSSES = {
    attribute_renamed: "0 of 3 managers with an extension",
    values_emptied: "0 of 3 managers with an extension",
    type_changed: "0 of 3 managers with an extension",
    another_attribute: "0 of 3 managers with an extension",
    attribute_not_published: "0 of 3 managers with an extension",
    managers_invalidated: "0 of 3 managers with an extension",
    main_managers_emptied: "0 of 10 partners with a main manager",
    owners_emptied: "0 of 22 contact persons with a partner",
    firms_without_partner: "0 of 21 counterparties with a partner",
    phones_unreadable: "0 of 21 phone numbers of contact persons",
    partners_marked: "0 of 9 phone numbers of partners",
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("loses", "reason"), LOSSES.items())
async def test_rows_that_are_worth_nothing_any_more_are_refused(
    large: PullSetup, loses: Callable[[PullSetup], None], reason: str, *, full: bool
) -> None:
    before, report = large.store.objects, large.store.report()
    loses(large)

    for _ in range(2):  # what was refused once is refused again
        with pytest.raises(RoutingFactsLost) as refused:
            await large.runs(PullRules(full=full))
        assert reason in str(refused.value)
    assert (large.store.objects, large.store.report()) == (before, report)


@pytest.mark.parametrize("loses", LOSSES)
async def test_a_person_may_accept_what_rows_lost_and_is_asked_once(
    large: PullSetup, loses: Callable[[PullSetup], None]
) -> None:
    loses(large)
    asked: list[SyncRefused] = []

    def believes(refused: SyncRefused) -> bool:
        asked.append(refused)
        return True

    accepted = await large.runs(confirm=believes)
    again = await large.runs()

    assert len(asked) == 1
    assert accepted.changed
    assert (again.changed, again.nobody_reachable) == (False, False)


async def test_the_refusal_says_what_is_known_of_its_reason(large: PullSetup) -> None:
    attribute_renamed(large)
    with pytest.raises(RoutingFactsLost, match="BRIDGE_EXTENSION_ATTRIBUTE"):
        await large.runs()

    attribute_not_published(large)
    with pytest.raises(RoutingFactsLost, match="publish it in 1C"):
        await large.runs()


async def test_one_manager_of_three_may_leave(large: PullSetup) -> None:
    large.source.has(replace(user("Вера Лис", "209", "2"), invalid=True))

    assert (await large.runs()).facts["extension"] == 2


@pytest.mark.parametrize("share", [0.19])
async def test_what_is_lost_little_by_little_is_refused_and_grows_again_after_a_yes(
    large: PullSetup, share: float
) -> None:
    for _ in range(1):
        rewrite(large, EntityKind.CONTACT, share, partner=None)
        await large.runs()
    rewrite(large, EntityKind.CONTACT, 2 * share, partner=None)

    with pytest.raises(RoutingFactsLost, match="14 of 22 contact persons with a partner"):
        await large.runs()
    await large.runs(PullRules(accept_shrink=True))
    rewrite(large, EntityKind.CONTACT, 2 * share + 0.1, partner=None)
    assert (await large.runs()).changed


async def test_accepted_rows_are_not_asked_of_a_second_time(large: PullSetup) -> None:
    large.loses(EntityKind.CONTACT, 0.5)
    asked: list[SyncRefused] = []

    def accepts(refused: SyncRefused) -> bool:
        asked.append(refused)
        return True

    await large.runs(confirm=accepts)

    assert [type(refused) for refused in asked] == [SyncRefused]


async def test_one_yes_is_no_yes_to_everything(large: PullSetup) -> None:
    large.loses(EntityKind.CONTACT, 0.5)
    attribute_renamed(large)

    with pytest.raises(RoutingFactsLost, match="extension"):
        await large.runs(confirm=lambda refused: not isinstance(refused, RoutingFactsLost))


async def test_a_first_run_that_reaches_nobody_says_so_until_a_person_accepts_it() -> None:
    env = PullSetup()
    attribute_renamed(env)

    first = await env.runs()
    second = await env.runs()
    accepted = await env.runs(PullRules(accept_shrink=True))
    later = await env.runs()

    reported = [r.nobody_reachable for r in (first, second, accepted, later)]
    assert reported == [True, True, False, False]


async def test_a_first_run_without_the_attribute_published_fails_as_it_did() -> None:
    env = PullSetup()
    attribute_not_published(env)

    with pytest.raises(OneCNotPublished):
        await env.runs()


# ---------------------------------------------------------------- extensions outside the users
async def test_the_register_decides_where_1c_keeps_extensions_there(env: PullSetup) -> None:
    env.source.sources = ExtensionSources(
        PROPERTY, register_values={b.ref("Анна Петрова"): AttributeValue("305")}
    )

    report = await env.runs()

    assert report.changed
    assert not env.source.fetched
    assert (env.extension("Анна Петрова"), env.extension("Олег Ким")) == ("305", None)
    assert report.managers_without_extension == 1


async def test_a_renamed_list_value_moves_an_extension_without_its_user(env: PullSetup) -> None:
    value = b.ref("value")
    anna = replace(user("Анна Петрова", None, "2"), attribute=AttributeValue(value_ref=value))
    env.source.has(anna)
    env.source.sources = ExtensionSources(PROPERTY, list_values={value: "401"})
    await env.runs()
    assert env.extension("Анна Петрова") == "401"

    env.source.sources = ExtensionSources(PROPERTY, list_values={value: " 402 "})
    report = await env.runs()

    assert (report.changed, env.source.fetched) == (True, [])
    assert env.extension("Анна Петрова") == "402"


async def test_another_property_has_all_managers_read_again(env: PullSetup) -> None:
    env.source.sources = ExtensionSources(b.ref("Добавочный"))

    report = await env.runs()

    assert of(report, EntityKind.MANAGER).fetched == 2
    assert len(env.source.fetched) == 2
    assert report.extension_property == b.ref("Добавочный")
    assert not (await env.runs()).changed


async def test_without_the_property_nobody_has_an_extension(env: PullSetup) -> None:
    for name in ("Анна Петрова", "Олег Ким"):
        env.source.has(user(name, None))
    env.source.sources = ExtensionSources()

    report = await env.runs(PullRules(accept_shrink=True))

    assert env.extension("Анна Петрова") is None
    assert (report.extension_property, report.managers_without_extension) == (None, 2)


async def test_a_manager_read_again_keeps_the_extension_the_register_gives(env: PullSetup) -> None:
    env.source.sources = ExtensionSources(
        PROPERTY, register_values={b.ref("Анна Петрова"): AttributeValue("305")}
    )
    await env.runs()
    env.source.has(user("Анна Петрова", "205", version="2"))

    await env.runs()

    assert env.extension("Анна Петрова") == "305"


# ---------------------------------------------------------------- what is not published
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", OPTIONAL)
async def test_a_missing_set_keeps_its_old_rows_and_the_rest_goes_on(
    env: PullSetup, kind: EntityKind, *, full: bool
) -> None:
    before = env.names(kind)
    env.source.not_published = {kind}
    del env.source.objects[EntityKind.PARTNER][b.ref("ООО Склад 10")]
    env.source.has(b.partner("ИП Новый"))

    proven = env.now
    report = await env.runs(PullRules(full=full))

    assert "no such entity set" in of(report, kind).error
    assert of(report, kind).proven_at == report.proven_at == proven
    assert report.oldest_proof == of(report, kind)
    assert of(report, kind).fetched == 0
    assert env.names(kind) == before != set()
    assert "ИП Новый" in env.names(EntityKind.PARTNER)
    assert "ООО Склад 10" not in env.names(EntityKind.PARTNER)


@pytest.mark.parametrize("kind", OPTIONAL)
async def test_a_set_is_reported_missing_until_it_is_back(
    env: PullSetup, kind: EntityKind, caplog: pytest.LogCaptureFixture
) -> None:
    proven = env.now
    env.source.not_published = {kind}
    for _ in range(3):
        report = await env.runs()
        assert report.proven_at == proven
    env.source.not_published = set()

    report = await env.runs()

    assert (of(report, kind).error, report.proven_at) == ("", env.now)
    assert [r.message for r in caplog.records] == ["entity_set_lost", "entity_set_back"]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", OPTIONAL)
async def test_an_administrator_may_have_the_rows_of_a_missing_set_deleted(
    env: PullSetup, kind: EntityKind, *, full: bool
) -> None:
    env.source.not_published = {kind}

    forgotten = await env.runs(PullRules(full=full, accept_shrink=True))
    later = await env.runs()

    assert not env.names(kind)
    assert (of(forgotten, kind).held, of(forgotten, kind).proven_at) == (0, None)
    assert later.proven_at == env.now
    assert "no such entity set" in of(later, kind).error


@pytest.mark.parametrize("kind", [EntityKind.MANAGER, EntityKind.PARTNER])
async def test_without_managers_or_partners_nothing_runs(env: PullSetup, kind: EntityKind) -> None:
    before = env.store.objects
    env.source.not_published = {kind}

    with pytest.raises(OneCNotPublished):
        await env.runs()

    assert env.store.objects == before


async def test_a_company_without_contacts_published_has_a_first_run_too() -> None:
    env = PullSetup()
    env.source.not_published = set(OPTIONAL)

    report = await env.runs()

    assert of(report, EntityKind.PARTNER).held == 10
    assert of(report, EntityKind.CONTACT).held == 0


# ---------------------------------------------------------------- failures
REQUESTS_OF_A_FULL_RUN = 1 + 4 + 1 + 5 + 1 + 1


@pytest.mark.parametrize("request_number", range(REQUESTS_OF_A_FULL_RUN))
@pytest.mark.parametrize(
    "error", [OneCUnavailable("1c", "reset"), OneCUnauthorized("1c", "no rights")]
)
async def test_a_failure_at_any_request_changes_nothing(
    env: PullSetup, request_number: int, error: OneCError
) -> None:
    before, report = env.store.objects, env.store.report()
    env.source.fails_at, env.source.error = request_number, error

    with pytest.raises(type(error)):
        await env.runs(PullRules(full=True))

    assert (env.store.objects, env.store.report()) == (before, report)
    env.source.fails_at = None
    await env.runs(PullRules(full=True))
    assert env.source.traffic.requests == REQUESTS_OF_A_FULL_RUN


# ---------------------------------------------------------------- the report
async def test_the_report_counts_what_the_run_cost_and_found(env: PullSetup) -> None:
    env.source.has(
        replace(b.contact("Сидоров", phones=["позже сообщит"]), version=Version("2")),
        user("Пётр Без Номера", None),
        user("Двойник", "205"),
    )
    started = env.now + timedelta(minutes=1)

    report = await env.runs()

    contacts = of(report, EntityKind.CONTACT)
    assert report.started_at == contacts.proven_at == started
    assert (contacts.requests, contacts.bytes, contacts.unread_phones) == (2, 200, 1)
    assert contacts.seconds > 0
    assert report.seconds >= sum(entity.seconds for entity in report.entities)
    assert report.unread_examples == ("позже сообщит",)
    assert report.managers_without_extension == 1
    assert report.shared_extensions == {"205": ("Анна Петрова", "Двойник")}


async def test_a_run_reports_its_progress(env: PullSetup) -> None:
    env.source.has(*(b.contact(f"Новый {n}") for n in range(3)))

    await env.runs()

    assert [step for step in env.steps.steps if step[0] != "listing"] == [
        ("fetching", "contact", 3),
        ("fetched", "contact", 2),
        ("fetched", "contact", 1),
        ("indexing", "", 0),
    ]


async def test_the_proof_dates_from_before_the_listing_was_asked_for(env: PullSetup) -> None:
    asked = env.now + timedelta(minutes=1)

    def time_passes() -> None:
        env.now += timedelta(minutes=5)

    env.source.listing_takes_time = time_passes

    report = await env.runs()

    assert report.proven_at == asked


def test_only_reachable_users_share_an_extension() -> None:
    people = [
        b.manager("А", "205"),
        b.manager("Б", "205"),
        b.manager("В", "205", invalid=True),
        b.manager("Г", None),
        b.manager("Д", "207"),
    ]

    assert find_shared_extensions(people) == {"205": ("А", "Б")}
