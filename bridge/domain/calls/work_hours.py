"""Working hours of a week, and when so much working time will have passed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RUSSIAN = ("пн", "вт", "ср", "чт", "пт", "сб", "вс")
_DAY_NUMBERS = {name: number for names in (_DAYS, _RUSSIAN) for number, name in enumerate(names)}
_PART = re.compile(
    r"(?P<first>[^\W\d]{2,3})(?:\s*[-–]\s*(?P<last>[^\W\d]{2,3}))?\s+"
    r"(?P<start>\d{1,2}:\d{2})\s*[-–]\s*(?P<end>\d{1,2}:\d{2})"
)
_DAY = timedelta(days=1)
#: Moments further ahead are not looked for: a week may have no working hours at all.
_HORIZON = 60


@dataclass(frozen=True, slots=True)
class WorkHours:
    """Spans of the day by weekday, Monday is 0; times of the company's own clock."""

    spans: Mapping[int, tuple[tuple[time, time], ...]] = field(default_factory=dict)

    def moment_after(self, start: datetime, worked: timedelta, zone: tzinfo) -> datetime | None:
        """Return the moment when *worked* working time has passed since *start*.

        With no hours set every hour counts. None when it lies too far ahead.
        """
        if not self.spans:
            return start + worked
        local, left = start.astimezone(zone), worked
        for day in range(_HORIZON):
            date = (local + day * _DAY).date()
            for opens, closes in self.spans.get(date.weekday(), ()):
                # Compared as instants: on the night the clocks change a span is not its length.
                begins = max(datetime.combine(date, opens, zone).astimezone(start.tzinfo), start)
                ends = datetime.combine(date, closes, zone).astimezone(start.tzinfo)
                if ends <= begins:
                    continue
                if ends - begins >= left:
                    return begins + left
                left -= ends - begins
        return None

    def worked_between(self, start: datetime, end: datetime, zone: tzinfo) -> timedelta:
        """Return how much working time lies between two moments; none where *end* is before.

        Beyond 60 days it is not counted on: longer is longer.
        """
        if not self.spans:
            return max(end - start, timedelta(0))
        total, first = timedelta(0), start.astimezone(zone).date()
        for day in range(min((end.astimezone(zone).date() - first).days + 1, _HORIZON)):
            date = first + day * _DAY
            for opens, closes in self.spans.get(date.weekday(), ()):
                begins = datetime.combine(date, opens, zone).astimezone(start.tzinfo)
                ends = datetime.combine(date, closes, zone).astimezone(start.tzinfo)
                total += max(min(ends, end) - max(begins, start), timedelta(0))
        return total


def read_work_hours(text: str) -> WorkHours:
    """Read "Mon-Fri 09:00-18:00, Sat 10:00-14:00" (or пн-пт); empty means all hours.

    Raises:
        ValueError: naming the part that cannot be read.
    """
    spans: dict[int, list[tuple[time, time]]] = {}
    for part in filter(None, (p.strip() for p in re.split(r"[,;]", text))):
        days, start, end = _read_part(part)
        for day in days:
            spans.setdefault(day, []).append((start, end))
    return WorkHours({day: tuple(sorted(found)) for day, found in spans.items()})


def _read_part(part: str) -> tuple[tuple[int, ...], time, time]:
    found = _PART.fullmatch(part)
    wrong = ValueError(f"“{part}” is not of the form Mon-Fri 09:00-18:00")
    if found is None:
        raise wrong
    first = _DAY_NUMBERS.get(found["first"].casefold())
    last = _DAY_NUMBERS.get((found["last"] or found["first"]).casefold())
    if first is None or last is None:
        raise wrong
    try:
        start, end = (time.fromisoformat(found[name].zfill(5)) for name in ("start", "end"))
    except ValueError:
        raise wrong from None
    if end <= start:
        raise wrong
    # "Fri-Mon" goes round the week.
    return tuple((first + step) % 7 for step in range((last - first) % 7 + 1)), start, end
