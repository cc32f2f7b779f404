"""Whether the wall clock agrees with the time that has passed.

    steady ──the wall moved otherwise than the seconds──► off ─┬─ it moved back again ─► steady
                                                               └─ nothing for an hour ──► steady

Which of two contradicting times is right cannot be known here. So a step is reported with its size
and direction, and after a while without another one the clock is taken for right.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

#: Two clocks that differ by less agree: NTP slews by less, and two readings are never one moment.
TOLERANCE = timedelta(seconds=2)

#: After so long without a step the clock is taken for right.
CALM_PERIOD = timedelta(hours=1)

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The wall clock and the seconds of a clock that only grows, read at one moment."""

    wall: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class ClockState:
    """What is known of the wall clock as of *reading*.

    *off* is by how much it has moved against the time that passed; *at_least*: it may be more.
    *stepped_at* are the seconds of the last step, None while nothing contradicts.
    """

    reading: ClockReading
    off: timedelta = _NOTHING
    stepped_at: float | None = None
    at_least: bool = False

    @property
    def is_off(self) -> bool:
        """Return whether the wall clock contradicts what was known before."""
        return self.stepped_at is not None


def find_clock_step(before: ClockReading, after: ClockReading) -> timedelta:
    """Return by how much the wall clock moved beyond the time that passed; zero where it agrees."""
    passed = timedelta(seconds=after.seconds - before.seconds)
    step = after.wall - before.wall - passed
    return step if abs(step) > TOLERANCE else _NOTHING


def state_at_start(reading: ClockReading, last_seen: datetime | None) -> ClockState:
    """Return the state at a start; *last_seen* is the wall clock of an earlier run, if any.

    A clock ahead of it proves nothing: it is not known how long the service was stopped.
    """
    if last_seen is None or reading.wall >= last_seen - TOLERANCE:
        return ClockState(reading)
    return ClockState(reading, reading.wall - last_seen, reading.seconds, at_least=True)


def state_after(state: ClockState, reading: ClockReading) -> ClockState:
    """Return the state once *reading* was taken."""
    step = find_clock_step(state.reading, reading)
    if step:
        off = state.off + step
        if abs(off) <= TOLERANCE:
            return ClockState(reading)
        return ClockState(reading, off, reading.seconds)
    if state.stepped_at is not None:
        calm = timedelta(seconds=reading.seconds - state.stepped_at) >= CALM_PERIOD
        if calm:
            return ClockState(reading)
    return replace(state, reading=reading)


def is_believable(moment: datetime, now: datetime) -> bool:
    """Return whether *moment*, which should be past, is: one from the future proves nothing."""
    return moment <= now + TOLERANCE


def describe_step(state: ClockState) -> str:
    """Return by how much and which way the wall clock is off, as a sentence for people."""
    least = "at least " if state.at_least else ""
    if state.off < _NOTHING:
        way = f"was set back by {least}{_span(-state.off)}"
    else:
        way = f"jumped ahead by {_span(state.off)}"
    return f"the clock of this machine {way}: it says {state.reading.wall:%Y-%m-%d %H:%M} UTC"


def _span(length: timedelta) -> str:
    hours, rest = divmod(length.seconds, 3600)
    parts = ((length.days, "d"), (hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    named = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(named[:2]) or "less than a second"


def age_by_wall(moment: datetime | None, now: datetime) -> timedelta | None:
    """Return how long ago *moment* was by the wall clock; None where it is in the future."""
    if moment is None or not is_believable(moment, now):
        return None
    return max(_NOTHING, now - moment)


def age_of(moment: datetime, recorded: ClockReading, now: ClockReading) -> timedelta | None:
    """Return how long ago *moment* was, recorded at *recorded*; None: not known.

    From then on it ages by the time that passes, whatever the wall clock does. Of a moment that was
    in the future when it was recorded, at least so much is known once the wall clock has passed it.
    """
    passed = timedelta(seconds=now.seconds - recorded.seconds)
    if is_believable(moment, recorded.wall):
        return max(_NOTHING, recorded.wall - moment) + passed
    if is_believable(moment, now.wall):
        return max(now.wall - moment, passed)
    return None
