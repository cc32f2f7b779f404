"""Asking 1C itself about a caller: when it may be asked, and how long its answer holds.

A question costs the caller on the line time and 1C a query, so both are spared where asking is of
no use: a breaker lets nothing through while 1C fails, and what it said is remembered for a while.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

#: So many failures in a row, late answers among them, and 1C is left alone.
FAILURES_TO_OPEN = 3

#: How long it is left alone; then one question tries whether it is back.
OPEN_FOR = timedelta(seconds=30)

#: The same where a person must act in 1C first (rights, publication): one question at a time is
#: enough to see that he did.
OPEN_UNTIL_REPAIRED = timedelta(minutes=15)

#: An owner named by 1C is believed so long, unless the index is proven later (`still_holds`).
FOUND_VALID_FOR = timedelta(minutes=10)

#: A caller unknown to 1C may ring again within this without costing it another question.
UNKNOWN_VALID_FOR = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class LookupCircuitBreaker:
    """Counts failures in a row; *resting_until* is set while nothing, or one try, goes through.

    Moments are seconds of a clock that only grows.
    """

    failures: int = 0
    open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether 1C is known to fail, be it that one question is trying just now."""
        return self.open_until is not None

    def allows(self, now: float) -> bool:
        """Tell whether a question may go through now."""
        return self.open_until is None or now >= self.open_until

    def with_trial(self, now: float) -> Self:
        """Give the breaker behind a question that was let through: of a rest's end only one is."""
        if self.open_until is None:
            return self
        return replace(self, open_until=now + OPEN_FOR.total_seconds())

    def after_failure(self, now: float, *, needs_person: bool = False) -> Self:
        """Give the breaker after a failure; a late answer is one."""
        failures = self.failures + 1
        if needs_person:
            return replace(
                self, failures=failures, open_until=now + OPEN_UNTIL_REPAIRED.total_seconds()
            )
        if failures >= FAILURES_TO_OPEN or self.is_open:
            return replace(self, failures=failures, open_until=now + OPEN_FOR.total_seconds())
        return replace(self, failures=failures)


def is_still_valid(found: bool, age: timedelta, *, proven_since: bool) -> bool:
    """Tell whether what 1C said *age* ago may answer a call now that the index cannot.

    An index proven equal to 1C since then knows better: it does not have the number any more.
    """
    if not found:
        return age < UNKNOWN_VALID_FOR
    return not proven_since and age < FOUND_VALID_FOR
