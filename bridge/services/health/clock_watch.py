"""Watch the wall clock: a step is noticed at the next reading, told once, and acted upon.

reading ─► agrees with the time that passed? ─ no ─► alarm, and whoever keeps times on the wall
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from bridge.domain.clock import (
    ClockReading,
    ClockState,
    describe_step,
    find_clock_step,
    state_after,
    state_at_start,
)
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.events import EventPublisher

_log = logging.getLogger(__name__)

#: Two clocks are read one after the other; a pause between them must not look like a step.
_LONGEST_READING_S = 0.5
_MOST_READINGS = 5


class ClockWatch:
    """Compares *wall* with *monotonic* at every reading; `now` is a `Clock`.

    `look` acts on what the readings since the last one have shown.
    """

    def __init__(self, wall: Clock, monotonic: Monotonic, events: EventPublisher) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._events = events
        self._listeners: list[Callable[[timedelta], None]] = []
        self._state = ClockState(self._read())
        self._steady_since = self._state.reading.seconds
        self._untold = timedelta(0)
        self._alarmed: timedelta | None = None
        #: How often the clock was seen to step: whoever keeps wall times compares it.
        self.steps = 0

    def on_step(self, listener: Callable[[timedelta], None]) -> None:
        """Have *listener* told by how much the clock stepped, behind each step."""
        self._listeners.append(listener)

    def compare_with_last_run(self, last_seen: datetime | None) -> None:
        """Compare with the wall clock of an earlier run."""
        self._state = state_at_start(self._state.reading, last_seen)
        if self._state.is_off:
            self.steps += 1

    def now(self) -> datetime:
        """Tell the time by the wall clock, and notice where it stepped."""
        reading = self._read()
        step = find_clock_step(self._state.reading, reading)
        self._state = state_after(self._state, reading)
        if step:
            self.steps += 1
            self._untold += step
            self._steady_since = reading.seconds
        return reading.wall

    def steady_for(self) -> timedelta:
        """Tell how long the clock has not stepped."""
        return timedelta(seconds=self._monotonic() - self._steady_since)

    async def check(self) -> None:
        """Take a reading; raise or take back the alarm, and tell the listeners of a step."""
        self.now()
        state, step = self._state, self._untold
        self._untold = timedelta(0)
        if state.is_off and self._alarmed != state.off:
            self._alarmed = state.off
            words = describe_step(state)
            _log.warning("clock_off", extra={"reason": words})
            self._events.publish(Alarm("clock_off", words))
        elif not state.is_off and self._alarmed is not None:
            self._alarmed = None
            _log.info("clock_steady")
            words = "the clock has not stepped for a while"
            self._events.publish(Alarm("clock_off", words, clear=True))
        if step:
            for listener in self._listeners:
                listener(step)

    def _read(self) -> ClockReading:
        for _ in range(_MOST_READINGS):
            before = self._monotonic()
            wall, after = self._wall(), self._monotonic()
            if after - before < _LONGEST_READING_S:
                break
        return ClockReading(wall, after)
