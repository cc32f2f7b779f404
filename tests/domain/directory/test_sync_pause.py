"""A sync that fails is tried again, each trouble at its own pace."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bridge.domain.directory.sync_pause import SyncOutcome, pause_after_outcome

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def runs(outcome: SyncOutcome, usual: timedelta = MINUTE) -> Iterator[timedelta]:
    """Return the moments of the runs of one day, by a clock that only the pauses move."""
    now, count = timedelta(0), 0
    while now < DAY:
        yield now
        count += 1
        now += pause_after_outcome(usual, outcome, count)


@pytest.mark.parametrize(
    ("outcome", "code", "first_minutes", "a_day"),
    [
        (SyncOutcome.DONE, 0, [0, 1, 2, 3, 4, 5], 1440),
        (SyncOutcome.UNREACHABLE, 4, [0, 1, 3, 7, 12, 17], 290),
        (SyncOutcome.REFUSED, 3, [0, 1, 3, 7, 15, 30], 99),
        (SyncOutcome.FAILED, 1, [0, 1, 3, 7, 15, 30], 99),
        (SyncOutcome.UNAUTHORISED, 5, [0, 1, 5, 21, 81, 141], 27),
    ],
)
def test_each_trouble_is_tried_again_at_its_own_pace(
    outcome: SyncOutcome, code: int, first_minutes: list[int], a_day: int
) -> None:
    moments = list(runs(outcome))

    assert SyncOutcome.from_exit_code(code) is outcome
    assert [moment // MINUTE for moment in moments[:6]] == first_minutes
    assert len(moments) == a_day


@pytest.mark.parametrize("outcome", SyncOutcome)
def test_a_long_interval_is_never_shortened(outcome: SyncOutcome) -> None:
    usual = timedelta(hours=6)

    assert all(pause_after_outcome(usual, outcome, n) >= usual for n in range(1, 40))


@pytest.mark.parametrize("code", [1, 2, 6, -9, -15, 120])
def test_any_other_end_is_a_failure(code: int) -> None:
    assert SyncOutcome.from_exit_code(code) is SyncOutcome.FAILED
