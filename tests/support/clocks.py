"""A wall clock that is set during the test, over seconds that only grow."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.support import builders as b


@dataclass(slots=True)
class SteppingClock:
    """It is noon when the test begins."""

    seconds: float = 1_000.0
    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return b.NOON + timedelta(seconds=self.seconds - 1_000.0) + self.offset

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, **time: float) -> None:
        self.seconds += timedelta(**time).total_seconds()

    def step(self, **time: float) -> None:
        self.offset += timedelta(**time)


def seconds_of(clock: Callable[[], datetime]) -> Callable[[], float]:
    """Return the seconds of a clock that never steps."""
    return lambda: clock().timestamp()
