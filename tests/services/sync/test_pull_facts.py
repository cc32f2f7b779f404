"""A run whose rows are worth less for routing than before is refused, fact by fact."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bridge.domain.directory.entities import (
    AttributeValue,
    EntityKind,
    ExtensionSources,
    Version,
)
from bridge.errors import (
    OneCNotPublished,
    RoutingFactsLost,
    SyncRefused,
)
from bridge.services.sync.pull import PullRules
from tests.services.sync.pull_fixture import PROPERTY, PullSetup, of, user
from tests.support import builders as b

pytestmark = pytest.mark.anyio


@pytest.fixture
async def env() -> PullSetup:
    """Return an env after its first run."""
    env = PullSetup()
    await env.runs()
    return env


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


async def test_where_nothing_is_published_the_address_is_doubted_and_not_the_extensions(
    large: PullSetup,
) -> None:
    attribute_not_published(large)
    large.source.not_published = set(EntityKind)
    before = large.store.objects

    with pytest.raises(OneCNotPublished):
        await large.runs(confirm=lambda _: pytest.fail("there is no loss to be confirmed"))

    assert large.store.objects == before


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
