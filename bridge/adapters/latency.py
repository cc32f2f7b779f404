"""How long routing answers took, hour by hour for two days: counts in buckets, no samples.

Kept in memory alone: a restart begins anew, and the console shows since when.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.domain.reporting.figures import LatencyHour

_HOUR_S: Final = 3600
_KEPT_HOURS: Final = 48

#: Upper limits of buckets a fifth apart, 50 µs to half a minute: quantiles are right within 10 %.
_LIMITS: Final = tuple(50e-6 * 1.2**n for n in range(74))


class LatencyLog:
    """Counts answers; cheap enough to be called for each of them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._hours: dict[int, list[int]] = {}
        self._hour = -1
        self._counts: list[int] = []

    def observe(self, seconds: float) -> None:
        """Count one answer."""
        hour = int(self._clock()) // _HOUR_S
        if hour != self._hour:
            self._begin_hour(hour)
        self._counts[bisect_left(_LIMITS, seconds)] += 1

    def hours(self) -> Sequence[LatencyHour]:
        """Return every hour that had answers, the oldest first."""
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
        """Return the last 24 hours as one; None where there was no answer."""
        since = int(self._clock()) // _HOUR_S - 24
        recent = [counts for hour, counts in self._hours.items() if hour > since]
        if not recent:
            return None
        counts = [sum(column) for column in zip(*recent, strict=True)]
        started_at = datetime.fromtimestamp(self._clock(), UTC) - timedelta(hours=24)
        return LatencyHour(started_at, sum(counts), _quantile(counts, 0.5), _quantile(counts, 0.95))

    def _begin_hour(self, hour: int) -> None:
        self._hour = hour
        self._counts = self._hours.setdefault(hour, [0] * (len(_LIMITS) + 1))
        for old in [one for one in self._hours if one <= hour - _KEPT_HOURS]:
            del self._hours[old]


def _quantile(counts: Sequence[int], share: float) -> float:
    """Return the upper limit, in seconds, of the bucket in which the quantile lies."""
    rank = share * sum(counts)
    seen = 0
    for place, count in enumerate(counts):
        seen += count
        if count and seen >= rank:
            return _LIMITS[min(place, len(_LIMITS) - 1)]
    return 0.0
