"""Watch the wall clock: a step is noticed at the next reading, reported once, and acted upon.

reading ─► agrees with the time that has passed? ─ no ─► alarm, and everything that keeps wall times
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

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
_MAX_READING_S: Final = 0.5
_MAX_READINGS: Final = 5


class ClockWatch:
    """Compares *wall* with *monotonic* at every reading; `now` is a `Clock`.

    `check` acts on what the readings since the last one have shown.
    """

    def __init__(self, wall: Clock, monotonic: Monotonic, events: EventPublisher) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._events = events
        self._listeners: list[Callable[[timedelta], None]] = []
        self._state = ClockState(self._read())
        self._steady_since = self._state.reading.seconds
        self._unreported = timedelta(0)
        self._alarm_offset: timedelta | None = None
        #: How often the clock was seen to step: whatever keeps wall times compares it.
        self.steps = 0

    def on_step(self, listener: Callable[[timedelta], None]) -> None:
        """Have *listener* called after each step, with how far the clock stepped."""
        self._listeners.append(listener)

    def compare_with_last_run(self, last_seen: datetime | None) -> None:
        """Compare with the last moment that an earlier run recorded."""
        self._state = state_at_start(self._state.reading, last_seen)
        if self._state.is_off:
            self.steps += 1

    def now(self) -> datetime:
        """Return the time by the wall clock, and notice where it stepped."""
        reading = self._read()
        step = find_clock_step(self._state.reading, reading)
        self._state = state_after(self._state, reading)
        if step:
            self.steps += 1
            self._unreported += step
            self._steady_since = reading.seconds
        return reading.wall

    def steady_for(self) -> timedelta:
        """Return how long the clock has not stepped."""
        return timedelta(seconds=self._monotonic() - self._steady_since)

    async def check(self) -> None:
        """Take a reading; raise or clear the alarm, and call the listeners after a step."""
        self.now()
        state, step = self._state, self._unreported
        self._unreported = timedelta(0)
        if state.is_off and self._alarm_offset != state.off:
            self._alarm_offset = state.off
            message = describe_step(state)
            _log.warning("clock_off", extra={"reason": message})
            self._events.publish(Alarm("clock_off", message))
        elif not state.is_off and self._alarm_offset is not None:
            self._alarm_offset = None
            _log.info("clock_steady")
            message = "the clock has not stepped for a while"
            self._events.publish(Alarm("clock_off", message, clear=True))
        if step:
            for listener in self._listeners:
                listener(step)

    def _read(self) -> ClockReading:
        for _ in range(_MAX_READINGS):
            before = self._monotonic()
            wall, after = self._wall(), self._monotonic()
            if after - before < _MAX_READING_S:
                break
        return ClockReading(wall, after)
