"""The lane to 1C: whether it may be asked now, and what people were told about it.

Both edges are told once: when 1C goes away or turns us down, and when it is back.
"""

import logging
import time
from datetime import timedelta

from bridge.domain.delivery.entry import DeliveryStage
from bridge.errors import OneCError, OneCSessionsBlocked
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Monotonic
from bridge.ports.events import EventPublisher, OneCAvailability

_log = logging.getLogger(__name__)

#: The pause after the first failure, doubling; short, so that 1C's return is noticed soon.
_FIRST_PAUSE = timedelta(seconds=1)
_MAX_PAUSE = timedelta(seconds=20)

#: A rejected user, a missing right or set needs a person; asking more often only fills 1C's log.
TURNED_DOWN_PAUSE = timedelta(seconds=60)


class OneCCircuitBreaker:
    """Closes for a while when 1C is away; remembers the alarms of each stage."""

    def __init__(self, events: EventPublisher, monotonic: Monotonic = time.monotonic) -> None:
        self._events = events
        self._monotonic = monotonic
        self._closed_until: float | None = None
        self._failures = 0
        self._alarms: dict[DeliveryStage, type[OneCError]] = {}

    @property
    def is_failing(self) -> bool:
        """Whether the last thing heard of 1C was a failure: ask with one request at a time."""
        return self._failures > 0

    def allows_requests(self) -> bool:
        """Tell whether 1C may be asked now."""
        return self._closed_until is None or self._monotonic() >= self._closed_until

    def record_failure(self, error: OneCError, pause: timedelta | None = None) -> None:
        """Stop asking for *pause*, or for as long as the failures in a row suggest."""
        if not self.is_failing:
            blocked = isinstance(error, OneCSessionsBlocked)
            _log.warning("onec_down", extra={"reason": str(error), "blocked": blocked})
            self._events.publish(OneCAvailability(False, str(error)))
        doubling = _FIRST_PAUSE * (1 << min(self._failures, 10))
        self._failures += 1
        rest = pause or min(doubling, _MAX_PAUSE)
        self._closed_until = self._monotonic() + rest.total_seconds()

    def record_answer(self) -> None:
        """Open again: 1C answered, be it a refusal."""
        if self.is_failing:
            _log.info("onec_up")
            self._events.publish(OneCAvailability(True, "1C answers again"))
        self._closed_until, self._failures = None, 0

    def clear_alarm(self, stage: DeliveryStage) -> None:
        """Take back the alarm of *stage*."""
        if self._alarms.pop(stage, None) is not None:
            again = "1C accepts our writes again"
            self._events.publish(Alarm("onec_refuses", again, stage.value, clear=True))

    def raise_alarm(self, stage: DeliveryStage, error: OneCError) -> None:
        """Tell a person, once for each kind of *error*, that *stage* is turned down."""
        if self._alarms.get(stage) is type(error):
            return
        self._alarms[stage] = type(error)
        _log.error("onec_refuses", extra={"stage": stage.value, "reason": str(error)})
        self._events.publish(Alarm("onec_refuses", str(error), stage.value))
