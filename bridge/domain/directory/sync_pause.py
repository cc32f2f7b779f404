"""How long a background sync waits after one that failed, so that 1C is not asked without need.

Each failure has its own pause. A 1C that is restarted is back in minutes and must be found then. A
wrong password stays wrong until a person acts, and 1C may lock a user who fails too often. What the
guard refused costs 1C a whole listing each time, and may be over once it was corrected in 1C.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class SyncOutcome(StrEnum):
    """How a sync run ended, by its exit code."""

    DONE = "done"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNAUTHORISED = "unauthorised"
    FAILED = "failed"

    @classmethod
    def from_exit_code(cls, code: int) -> "SyncOutcome":
        """Return the outcome that exit code *code* stands for."""
        return _OUTCOMES.get(code, cls.FAILED)


_OUTCOMES: Final = {
    0: SyncOutcome.DONE,
    3: SyncOutcome.REFUSED,
    4: SyncOutcome.UNREACHABLE,
    5: SyncOutcome.UNAUTHORISED,
}


@dataclass(frozen=True, slots=True)
class _Backoff:
    """The pause grows *factor* times with every failure, up to *longest*."""

    factor: int
    longest: timedelta


_BACKOFF: Final = {
    SyncOutcome.REFUSED: _Backoff(2, timedelta(minutes=15)),
    SyncOutcome.UNREACHABLE: _Backoff(2, timedelta(minutes=5)),
    SyncOutcome.UNAUTHORISED: _Backoff(4, timedelta(hours=1)),
    SyncOutcome.FAILED: _Backoff(2, timedelta(minutes=15)),
}

#: More doublings than any pause of ours needs.
_MOST_STEPS: Final = 20


def pause_after_outcome(usual: timedelta, outcome: SyncOutcome, in_a_row: int) -> timedelta:
    """Return the pause after the *in_a_row*-th run with this outcome; never less than *usual*."""
    backoff = _BACKOFF.get(outcome)
    if backoff is None:
        return usual
    times = int(backoff.factor ** min(in_a_row - 1, _MOST_STEPS))
    enough = backoff.longest // usual + 1  # more would be no moment of any calendar
    return max(usual, min(usual * min(times, enough), backoff.longest))
