"""Asking 1C itself about a caller: when it may be asked, and how long its answer holds.

A question costs the caller on the line time and 1C a query, so both are spared where asking is of
no use: a breaker lets nothing through while 1C fails, and what it said is remembered for a while.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

#: So many failures in a row, late answers among them, and 1C is left alone.
FAILURES = 3

#: How long it is left alone; then one question tries whether it is back.
REST = timedelta(seconds=30)

#: The same where a person must act in 1C first (rights, publication): one question at a time is
#: enough to see that he did.
LONG_REST = timedelta(minutes=15)

#: An owner named by 1C is believed so long, unless the index is proven later (`still_holds`).
BELIEVED = timedelta(minutes=10)

#: A caller unknown to 1C may ring again within this without costing it another question.
UNKNOWN_BELIEVED = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Counts failures in a row; *resting_until* is set while nothing, or one try, goes through."""

    failures: int = 0
    resting_until: datetime | None = None

    @property
    def resting(self) -> bool:
        """Whether 1C is known to fail, be it that one question is trying just now."""
        return self.resting_until is not None

    def admits(self, now: datetime) -> bool:
        """Tell whether a question may go through now."""
        return self.resting_until is None or now >= self.resting_until

    def admitted(self, now: datetime) -> Self:
        """Give the breaker behind a question that was let through: of a rest's end only one is."""
        return self if self.resting_until is None else replace(self, resting_until=now + REST)

    def failed(self, now: datetime, *, needs_person: bool = False) -> Self:
        """Give the breaker after a failure; a late answer is one."""
        failures = self.failures + 1
        if needs_person:
            return replace(self, failures=failures, resting_until=now + LONG_REST)
        if failures >= FAILURES or self.resting:
            return replace(self, failures=failures, resting_until=now + REST)
        return replace(self, failures=failures)


def still_holds(found: bool, said_at: datetime, proven_at: datetime | None, now: datetime) -> bool:
    """Tell whether what 1C said at *said_at* may answer a call now that the index cannot.

    An index proven equal to 1C since then knows better: it does not have the number any more.
    """
    if not found:
        return now - said_at < UNKNOWN_BELIEVED
    if proven_at is not None and proven_at > said_at:
        return False
    return now - said_at < BELIEVED
