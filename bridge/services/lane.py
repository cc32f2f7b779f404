"""The lane to 1C: whether it may be asked now, and what people were told about it.

Both edges are told once: when 1C goes away or turns us down, and when it is back.
"""

import logging
from datetime import datetime, timedelta

from bridge.domain.outbox import Stage
from bridge.errors import OneCBlocked, OneCError
from bridge.ports import Alarm, AlarmName, Clock, Events, OneCMood

_log = logging.getLogger(__name__)

#: The pause after the first failure, doubling; short, so that 1C's return is noticed soon.
_FIRST_PAUSE = timedelta(seconds=1)
_MAX_PAUSE = timedelta(seconds=20)

#: A rejected user, a missing right or set needs a person; asking more often only fills 1C's log.
TURNED_DOWN_PAUSE = timedelta(seconds=60)


class Lane:
    """Closes for a while when 1C is away; remembers the alarms of each stage."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._closed_until: datetime | None = None
        self._failures = 0
        self._alarms: dict[Stage, AlarmName] = {}

    @property
    def down(self) -> bool:
        """Whether the last thing heard of 1C was a failure: ask with one request at a time."""
        return self._failures > 0

    def is_open(self) -> bool:
        """Tell whether 1C may be asked now."""
        return self._closed_until is None or self._clock() >= self._closed_until

    def close(self, error: OneCError, pause: timedelta | None = None) -> None:
        """Stop asking for *pause*, or for as long as the failures in a row suggest."""
        if not self.down:
            blocked = isinstance(error, OneCBlocked)
            _log.warning("onec_down", extra={"reason": str(error), "blocked": blocked})
            self._events.publish(OneCMood(False, str(error)))
        doubling = _FIRST_PAUSE * (1 << min(self._failures, 10))
        self._failures += 1
        self._closed_until = self._clock() + (pause or min(doubling, _MAX_PAUSE))

    def answers(self) -> None:
        """Open again: 1C answered, be it a refusal."""
        if self.down:
            _log.info("onec_up")
            self._events.publish(OneCMood(True, "1C answers again"))
        self._closed_until, self._failures = None, 0

    def accepted(self, stage: Stage) -> None:
        """Take back the alarm of *stage*, unless another stage still has the same."""
        name = self._alarms.pop(stage, None)
        if name is not None and name not in self._alarms.values():
            self._events.publish(Alarm(name, "1C accepts our writes again", clear=True))

    def alarm(self, name: AlarmName, stage: Stage, words: str) -> None:
        """Tell a person, once, that *stage* is turned down."""
        if self._alarms.get(stage) == name:
            return
        self.accepted(stage)  # the trouble changed its name: the old one is over
        self._alarms[stage] = name
        _log.error(name, extra={"stage": stage.value, "reason": words})
        self._events.publish(Alarm(name, words))
