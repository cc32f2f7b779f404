"""Only what is old by days seen and not pending may go; a jump of the clock makes nothing old."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.calls.events import CallEvent, EventKind
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.calls.state import CallState, Disposition
from bridge.domain.delivery.entry import (
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.retention import is_done, oldest_kept
from tests.support import builders as b

TODAY = date(2026, 3, 4)
DAY = timedelta(days=1)


def days(count: int, last: date = TODAY) -> list[date]:
    return [last - DAY * back for back in range(count)][::-1]


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.parametrize("keep", [1, 30, 365])
def test_the_last_days_seen_are_kept_whole(keep: int) -> None:
    assert oldest_kept([], keep) is None
    assert oldest_kept(days(keep + 1), keep) is None
    assert oldest_kept(days(keep + 2), keep) == midnight(TODAY - DAY * keep)


@pytest.mark.parametrize("jump", [DAY * 365, DAY * 7300])
def test_a_clock_that_jumps_ahead_makes_one_day_older(jump: timedelta) -> None:
    seen = days(400)

    assert oldest_kept([*seen, TODAY + jump], 365) == midnight(TODAY - DAY * 364)
    # And put right again: the wrong day counts as one.
    assert oldest_kept([*seen, TODAY + jump, TODAY + DAY], 365) == midnight(TODAY - DAY * 363)


@pytest.mark.parametrize("jump", [DAY * 3, DAY * 7300])
def test_a_clock_that_jumps_back_makes_nothing_older(jump: timedelta) -> None:
    seen = [*days(400), TODAY - jump]

    before = oldest_kept(seen, 365)

    assert before is not None
    assert before <= midnight(TODAY - jump)
    assert before <= midnight(TODAY - DAY * 364)


@given(st.lists(st.dates(), max_size=40), st.integers(1, 10))
def test_what_was_recorded_on_the_last_days_seen_is_never_old(seen: list[date], keep: int) -> None:
    before = oldest_kept(seen, keep)

    kept = list(dict.fromkeys(reversed(seen)))[: keep + 1]
    assert before is None or all(midnight(day) >= before for day in kept)


def entry(state: EntryState, stage: DeliveryStage = DeliveryStage.DOCUMENT) -> OutboxEntry:
    return OutboxEntry("a", b.NOON, b.NOON, state=state, stage=stage)


@pytest.mark.parametrize(
    ("entry", "done"),
    [
        (None, True),
        (entry(EntryState.DELIVERED), True),
        (entry(EntryState.DUE), False),
        (entry(EntryState.SENDING), False),
        (entry(EntryState.DEAD), False),
        (entry(EntryState.DUE, DeliveryStage.VERIFY), False),
    ],
)
def test_what_is_pending_for_1c_is_not_done(entry: OutboxEntry | None, done: bool) -> None:
    assert is_done(b.call(), entry, is_client_waiting=False) is done


def test_a_call_whose_client_waits_is_not_done() -> None:
    assert not is_done(b.call(), None, is_client_waiting=True)


@pytest.mark.parametrize(
    ("state", "disposition", "done"),
    [
        (OrderState.SENDING, Disposition.RINGING, False),
        (OrderState.UNKNOWN, Disposition.RINGING, False),
        (OrderState.ACCEPTED, Disposition.TALKING, False),
        (OrderState.REFUSED, Disposition.RINGING, True),
        (OrderState.UNKNOWN, Disposition.UNKNOWN, False),
        (OrderState.ACCEPTED, Disposition.ANSWERED, True),
    ],
)
def test_an_order_not_known_to_be_over_is_not_done(
    state: OrderState, disposition: Disposition, done: bool
) -> None:
    order = CallOrder("a", "205", b.NUMBER, b.NOON, state)
    call = replace(b.call(), order=order, state=CallState(disposition))

    assert is_done(call, None, is_client_waiting=False) is done


def test_an_order_whose_end_never_came_is_done() -> None:
    order = CallOrder("a", "205", b.NUMBER, b.NOON, OrderState.UNKNOWN)
    given_up = CallEvent("sipuni", EventKind.GIVEN_UP, b.NOON, "")
    unknown = CallState(Disposition.UNKNOWN)
    call = replace(b.call(), order=order, state=unknown, applied_events=(given_up,))

    assert is_done(call, None, is_client_waiting=False)
