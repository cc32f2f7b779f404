"""How long routing answers took, hour by hour for two days: counts in classes, no samples.

In memory alone: a restart begins anew, and the console says since when.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.domain.reporting.figures import LatencyHour

_HOUR_S: Final = 3600
_KEPT_HOURS: Final = 48

#: Classes a fifth apart, from 50 µs to half a minute: a quantile is right within a tenth.
_LIMITS: Final = tuple(50e-6 * 1.2**n for n in range(74))


class LatencyLog:
    """Counts answers; cheap enough for the ringing path."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._hours: dict[int, list[int]] = {}
        self._hour = -1
        self._counts: list[int] = []

    def observe(self, seconds: float) -> None:
        """Count one answer."""
        hour = int(self._clock()) // _HOUR_S
        if hour != self._hour:
            self._turn(hour)
        self._counts[bisect_left(_LIMITS, seconds)] += 1

    def hours(self) -> Sequence[LatencyHour]:
        """Give every hour that had answers, the oldest first."""
        return [
            LatencyHour(
                datetime.fromtimestamp(hour * _HOUR_S, UTC),
                sum(counts),
                _quantile(counts, 0.5),
                _quantile(counts, 0.95),
            )
            for hour, counts in sorted(self._hours.items())
        ]

    def day(self) -> LatencyHour | None:
        """Give the last 24 hours as one; None when there was no answer."""
        since = int(self._clock()) // _HOUR_S - 24
        recent = [counts for hour, counts in self._hours.items() if hour > since]
        if not recent:
            return None
        counts = [sum(column) for column in zip(*recent, strict=True)]
        begun = datetime.fromtimestamp(self._clock(), UTC) - timedelta(hours=24)
        return LatencyHour(begun, sum(counts), _quantile(counts, 0.5), _quantile(counts, 0.95))

    def _turn(self, hour: int) -> None:
        self._hour = hour
        self._counts = self._hours.setdefault(hour, [0] * (len(_LIMITS) + 1))
        for old in [one for one in self._hours if one <= hour - _KEPT_HOURS]:
            del self._hours[old]


def _quantile(counts: Sequence[int], share: float) -> float:
    """Give the upper limit of the class in which the quantile lies, in seconds."""
    wanted = share * sum(counts)
    seen = 0
    for place, count in enumerate(counts):
        seen += count
        if count and seen >= wanted:
            return _LIMITS[min(place, len(_LIMITS) - 1)]
    return 0.0
