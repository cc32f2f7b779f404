"""A loss of what calls are routed by is seen, and daily work is not taken for one."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.directory.reconcile import exceeds_allowed_loss
from bridge.domain.directory.routing_facts import (
    DailyFacts,
    RoutingFact,
    count_facts,
    count_lost_extensions,
    find_losses,
    has_extension,
    update_daily_facts,
)
from tests.support import builders as b

DAY = date(2026, 3, 4)
EXTENSION, MANAGER = RoutingFact.EXTENSION, RoutingFact.MAIN_MANAGER


@pytest.mark.parametrize(
    ("before", "may_go"),
    # A guard that refuses one manager who left would be switched off; the last one never goes.
    [(1, 0), (2, 1), (3, 1), (4, 1), (5, 1), (9, 1), (10, 2), (15, 3), (100, 20)],
)
def test_how_many_managers_may_lose_their_extension_in_one_run(before: int, may_go: int) -> None:
    allowed = [
        n
        for n in range(before + 1)
        if not exceeds_allowed_loss(before, n, 0.2, EXTENSION.tolerated_loss)
    ]

    assert allowed == list(range(may_go + 1))


@pytest.mark.parametrize(("before", "may_go"), [(1, 0), (2, 1), (5, 2), (6, 3), (14, 3), (50, 10)])
def test_one_partner_with_his_numbers_may_go_in_a_small_company(before: int, may_go: int) -> None:
    allowed = [
        n
        for n in range(before + 1)
        if not exceeds_allowed_loss(before, n, 0.2, MANAGER.tolerated_loss)
    ]

    assert allowed == list(range(may_go + 1))


@given(st.integers(1, 10_000), st.floats(0.01, 0.49), st.integers(0, 5))
def test_nothing_may_go_whole_and_a_share_may_always(before: int, share: float, few: int) -> None:
    assert exceeds_allowed_loss(before, before, share, few)
    assert not exceeds_allowed_loss(before, int(before * share), share, few)


def test_a_person_who_set_the_share_to_nothing_is_asked_of_everything() -> None:
    assert exceeds_allowed_loss(100, 1, 0.0, 3)
    assert not exceeds_allowed_loss(100, 100, 1.0, 3)


def test_what_each_object_has_of_each_fact_is_counted() -> None:
    counts = count_facts(
        [
            b.manager(),
            b.manager("Без номера", None),
            b.manager("Ушёл", "206", invalid=True),
            b.partner(phones=["8 (4852) 55-01-02", "+7 495 123-45-67", "позже сообщит"]),
            b.partner("Ничей", manager=None),
            replace(b.partner("В корзине", phones=["+7 495 123-45-68"]), deletion_mark=True),
            b.contact(),
            b.contact("Сам по себе", partner=None, phones=["нет"]),
            b.counterparty(phones=["+7 495 123-45-69"]),
        ]
    )

    assert counts == {
        RoutingFact.EXTENSION: 1,
        RoutingFact.PARTNER_PHONE: 2,
        RoutingFact.MAIN_MANAGER: 2,
        RoutingFact.CONTACT_PHONE: 1,
        RoutingFact.CONTACT_OWNER: 1,
        RoutingFact.COUNTERPARTY_PHONE: 1,
        RoutingFact.COUNTERPARTY_OWNER: 1,
    }


@pytest.mark.parametrize(
    ("extension", "dialled"),
    [
        ("205", True),
        ("*21#", True),
        ("A-205", True),
        (None, False),
        ("менеджер", False),
        ("2026-11-25T00:00:00", False),
        ("8f7e6d5c-0000-4000-8000-000000000001", False),
    ],
)
def test_what_another_type_of_value_leaves_is_no_extension(
    extension: str | None, *, dialled: bool
) -> None:
    assert has_extension(b.manager(extension=extension)) is dialled


def test_an_extension_that_moved_within_its_attribute_is_no_loss() -> None:
    before = [b.manager("Анна", "201"), b.manager("Олег", "202"), b.manager("Ушёл", None)]
    renumbered = [b.manager("Анна", "3201"), b.manager("Олег", "202")]

    assert count_lost_extensions(before, renumbered, attribute_changed=False) == 0
    # Another attribute, with other values: the number of a desk, say.
    assert count_lost_extensions(before, renumbered, attribute_changed=True) == 1
    assert (
        count_lost_extensions(
            before, [b.manager("Олег", "202", deletion_mark=True)], attribute_changed=False
        )
        == 2
    )


def test_what_is_lost_a_little_in_every_run_is_lost_as_well() -> None:
    days: tuple[DailyFacts, ...] = ()
    before, runs = 100, 0
    while True:
        left = before - before * 19 // 100
        days = update_daily_facts(days, DAY + timedelta(days=runs // 2), {MANAGER: before})
        runs += 1
        if losses := find_losses({MANAGER: before}, days, {MANAGER: left}, 0.2):
            break
        before = left

    assert runs == 2
    assert (losses[0].what, losses[0].before, losses[0].now) == ("main_manager", 100, 66)


def test_the_highest_counts_of_seven_days_on_which_runs_were_done_are_remembered() -> None:
    days: tuple[DailyFacts, ...] = ()
    for n in range(9):
        days = update_daily_facts(days, DAY + timedelta(days=400 * n), {EXTENSION: 20 - n})
        days = update_daily_facts(days, DAY + timedelta(days=400 * n), {EXTENSION: 3})

    assert [day.facts[EXTENSION] for day in days] == [18, 17, 16, 15, 14, 13, 12]


def test_growth_and_a_first_run_are_no_loss() -> None:
    assert find_losses({}, (), {EXTENSION: 5}, 0.2) == ()
    assert find_losses({EXTENSION: 5}, (), {EXTENSION: 9, MANAGER: 1}, 0.0) == ()
