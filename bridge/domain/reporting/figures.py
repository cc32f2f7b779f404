"""Calls counted: by hour and outcome, how many were answered, how long they waited.

Pure functions over `CallFact`s, the few columns of a call that figures are made of.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.routing.decision import Rule

#: Up to how long a caller waited, in classes people think in; None: longer.
WAIT_CLASSES = (5, 10, 20, 30, 60, None)


class CallFact(NamedTuple):
    """One call as figures see it; *wait_time* is until the answer, or until the caller gave up."""

    at: datetime
    direction: Direction
    disposition: Disposition
    rule: Rule
    wait_time: timedelta | None = None
    provider: str = ""


class LatencyHour(NamedTuple):
    """Routing answers of one stretch of time: how many, and how long they took, in seconds."""

    started_at: datetime
    answers: int
    p50: float
    p95: float


@dataclass(slots=True)
class DayFigures:
    """Inbound calls of one day whose end is known: how many, and how many of them were answered."""

    answered: int = 0
    missed: int = 0

    @property
    def answered_share(self) -> float | None:
        """Return the share answered; None where no call's end is known."""
        known = self.answered + self.missed
        return self.answered / known if known else None


@dataclass(frozen=True, slots=True)
class CallFigures:
    """The figures of a stretch of days, by the company's clock.

    *hours*: calls by hour of day and what became of them. *days*: every day of the stretch, also
    one without calls. *waits*: answered inbound calls by `WAIT_CLASSES`. *rules*: what decided.
    """

    total: int
    hours: Sequence[Mapping[Disposition, int]]
    days: Mapping[date, DayFigures]
    waits: Sequence[int]
    median_wait: timedelta | None
    p90_wait: timedelta | None
    rules: Mapping[Rule, int] = field(default_factory=dict)


def count_calls(facts: Iterable[CallFact], first: date, last: date, zone: tzinfo) -> CallFigures:
    """Count *facts* of the days from *first* to *last*; internal calls have no client."""
    hours: list[Counter[Disposition]] = [Counter() for _ in range(24)]
    days = {first + timedelta(days=n): DayFigures() for n in range(max((last - first).days, 0) + 1)}
    rules: Counter[Rule] = Counter()
    waited: list[timedelta] = []
    total = 0
    for fact in facts:
        local = fact.at.astimezone(zone)
        day = days.get(local.date())
        if day is None or fact.direction is Direction.INTERNAL:
            continue
        total += 1
        hours[local.hour][fact.disposition] += 1
        if fact.direction is not Direction.INBOUND:
            continue
        rules[fact.rule] += 1
        if fact.disposition in {Disposition.ANSWERED, Disposition.TALKING}:
            day.answered += 1
            if fact.wait_time is not None:
                waited.append(fact.wait_time)
        elif fact.disposition is Disposition.MISSED:
            day.missed += 1
    waited.sort()
    return CallFigures(
        total, hours, days, _classes(waited), quantile(waited, 0.5), quantile(waited, 0.9), rules
    )


def quantile(ordered: Sequence[timedelta], share: float) -> timedelta | None:
    """Return the value below which *share* of *ordered* lie; None of nothing."""
    if not ordered:
        return None
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _classes(waited: Sequence[timedelta]) -> list[int]:
    counts = [0] * len(WAIT_CLASSES)
    for wait in waited:
        seconds = wait.total_seconds()
        for place, limit in enumerate(WAIT_CLASSES):
            if limit is None or seconds <= limit:
                counts[place] += 1
                break
    return counts
