"""A circuit breaker as a value: after failures in a row nothing goes through for a while.

    closed ──failures in a row──► open ──the pause ends──► a trial ──failure──► open
       ▲                                                      │
       └──────────────────────── success ◄────────────────────┘

Open means, as in electricity, that nothing flows. Moments are seconds of a clock that only grows.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Self

_MAX_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """How many failures in a row open a breaker, and how long: doubling from failure to failure."""

    failures_to_open: int
    first_pause: timedelta
    max_pause: timedelta

    def pause_after(self, failures: int) -> timedelta:
        """Return the pause after so many failures in a row."""
        beyond = min(max(failures - self.failures_to_open, 0), _MAX_DOUBLINGS)
        return min(self.first_pause * (1 << beyond), self.max_pause)


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Counts failures in a row; *open_until* is set once they are too many, until a success."""

    rules: BreakerRules
    failures: int = 0
    open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the other side is known to fail, also while a trial is under way."""
        return self.open_until is not None

    def allows(self, now: float) -> bool:
        """Return whether a request may go through now."""
        return self.open_until is None or now >= self.open_until

    def with_trial(self, now: float) -> Self:
        """Return the breaker after a request was let through: at the end of a pause only one is."""
        if self.open_until is None:
            return self
        pause = self.rules.pause_after(self.failures)
        return replace(self, open_until=now + pause.total_seconds())

    def after_failure(self, now: float, *, pause: timedelta | None = None) -> Self:
        """Return the breaker after a failure; *pause* opens it at once, for so long."""
        failures = self.failures + 1
        if pause is None and failures < self.rules.failures_to_open and not self.is_open:
            return replace(self, failures=failures)
        pause = pause or self.rules.pause_after(failures)
        return replace(self, failures=failures, open_until=now + pause.total_seconds())

    def after_success(self) -> Self:
        """Return the breaker closed, with nothing counted."""
        return type(self)(self.rules)
