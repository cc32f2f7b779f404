"""After a run the directory is level with 1C, or exactly as it was."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.domain.directory.entities import (
    EntityKind,
    Version,
)
from bridge.errors import (
    OneCError,
    OneCNotPublished,
    OneCUnauthorized,
    OneCUnavailable,
    SyncRefused,
)
from bridge.services.sync.pull import PullRules
from bridge.services.sync.report import find_shared_extensions
from tests.services.sync.pull_fixture import PullSetup, of, user
from tests.support import builders as b

pytestmark = pytest.mark.anyio


OPTIONAL = [EntityKind.CONTACT, EntityKind.COUNTERPARTY]


@pytest.fixture
async def env() -> PullSetup:
    """Return an env after its first run."""
    env = PullSetup()
    await env.runs()
    return env


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
