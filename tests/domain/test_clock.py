"""A wall clock is believed as far as it agrees with the time that has passed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.clock import (
    CALM_PERIOD,
    TOLERANCE,
    ClockReading,
    ClockState,
    age_of,
    describe_step,
    find_clock_step,
    is_believable,
    state_after,
    state_at_start,
)

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def reading(wall: timedelta, seconds: float) -> ClockReading:
    return ClockReading(NOON + wall, seconds)


BEGUN = ClockState(reading(timedelta(0), 0))

STEPS = [
    -3 * HOUR,
    timedelta(days=-3),
    timedelta(days=365),
    timedelta(days=7300),
    timedelta(seconds=-60),
]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_seen_with_its_size_and_way(step: timedelta) -> None:
    state = state_after(BEGUN, reading(step + timedelta(seconds=1), 1))

    assert state.is_off
    assert state.off == step


@given(st.floats(0, 1e9), st.floats(-1.9, 1.9))
def test_time_that_passes_is_no_step(passed: float, jitter: float) -> None:
    after = reading(timedelta(seconds=passed + jitter), passed)

    assert find_clock_step(BEGUN.reading, after) == timedelta(0)
    assert not state_after(BEGUN, after).is_off


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_is_right_again_is_believed(step: timedelta) -> None:
    off = state_after(BEGUN, reading(step, 0))

    assert not state_after(off, reading(timedelta(seconds=5), 5)).is_off


def test_a_clock_that_goes_on_without_a_step_is_taken_for_right_after_a_while() -> None:
    off = state_after(BEGUN, reading(-3 * HOUR, 0))
    calm = CALM_PERIOD.total_seconds()

    assert state_after(off, reading(CALM_PERIOD - 3 * HOUR - timedelta(seconds=1), calm - 1)).is_off
    assert not state_after(off, reading(CALM_PERIOD - 3 * HOUR, calm)).is_off


@pytest.mark.parametrize("month", [3, 10])
def test_nights_on_which_people_change_their_clocks_are_none_of_ours(month: int) -> None:
    night = datetime(2026, month, 28 if month == 3 else 24, 22, tzinfo=UTC)
    state = ClockState(ClockReading(night, 0))
    for minute in range(1, 600):
        after = ClockReading(night + timedelta(minutes=minute), minute * 60)
        state = state_after(state, after)
        assert not state.is_off


def test_at_a_start_only_a_clock_behind_an_earlier_run_contradicts() -> None:
    now = reading(timedelta(0), 7)

    assert not state_at_start(now, None).is_off
    assert not state_at_start(now, NOON - timedelta(days=400)).is_off
    assert not state_at_start(now, NOON + TOLERANCE).is_off
    behind = state_at_start(now, NOON + 3 * HOUR)
    assert (behind.is_off, behind.off, behind.at_least) == (True, -3 * HOUR, True)


def test_the_message_says_by_how_much_and_which_way() -> None:
    back = state_after(BEGUN, reading(-3 * HOUR, 0))
    ahead = state_after(BEGUN, reading(timedelta(days=365, hours=2), 0))
    start = state_at_start(reading(timedelta(0), 0), NOON + timedelta(minutes=10, seconds=5))

    assert "was set back by 3 h: it says 2026-03-04 09:00 UTC" in describe_step(back)
    assert "jumped ahead by 365 d 2 h" in describe_step(ahead)
    assert "was set back by at least 10 min 5 s" in describe_step(start)


def test_a_moment_from_the_future_proves_nothing() -> None:
    assert is_believable(NOON, NOON)
    assert is_believable(NOON + TOLERANCE, NOON)
    assert not is_believable(NOON + 3 * HOUR, NOON)


@pytest.mark.parametrize("step", STEPS)
def test_a_proof_ages_by_the_time_that_passes(step: timedelta) -> None:
    proof = reading(timedelta(0), 0)

    assert age_of(NOON - HOUR, proof, reading(step, 60)) == HOUR + timedelta(minutes=1)


def test_a_proof_from_the_future_has_no_age_until_the_clock_is_behind_it() -> None:
    proof = reading(timedelta(0), 0)

    assert age_of(NOON + 3 * HOUR, proof, reading(HOUR, 3600)) is None
    assert age_of(NOON + 3 * HOUR, proof, reading(5 * HOUR, 60)) == 2 * HOUR
    # Nobody put the clock right, it only went on: at least this process knows that time passed.
    assert age_of(NOON + 3 * HOUR, proof, reading(3 * HOUR, 10_800)) == 3 * HOUR
