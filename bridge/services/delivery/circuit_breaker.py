"""The circuit breaker of delivery towards 1C, and the alarms of what 1C refuses.

Both edges are published once: that 1C is away or refuses the bridge, and that it is back.
"""

import logging
import time
from datetime import timedelta
from typing import Final

from bridge.domain.circuit_breakers import BreakerRules, CircuitBreaker
from bridge.domain.delivery.entry import DeliveryStage
from bridge.errors import OneCError, OneCSessionsBlocked
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Monotonic
from bridge.ports.events import EventPublisher, OneCAvailability

_log = logging.getLogger(__name__)

#: The first pause is short, so that 1C's return is noticed soon.
_RULES: Final = BreakerRules(1, timedelta(seconds=1), timedelta(seconds=20))

#: The pause where 1C rejects our user, or a right or an entity set is missing: an administrator has
#: to act, and asking more often only fills 1C's log.
REFUSED_PAUSE: Final = timedelta(seconds=60)


class OneCCircuitBreaker:
    """Lets no request through for a while after a failure; open means that nothing is sent."""

    def __init__(self, events: EventPublisher, monotonic: Monotonic = time.monotonic) -> None:
        self._events = events
        self._monotonic = monotonic
        self._breaker = CircuitBreaker(_RULES)
        self._alarms: dict[DeliveryStage, type[OneCError]] = {}

    @property
    def is_failing(self) -> bool:
        """Return whether 1C failed last: it is tried with one request at a time."""
        return self._breaker.is_open

    def allows_requests(self) -> bool:
        """Return whether a request may be sent to 1C now."""
        return self._breaker.allows(self._monotonic())

    def record_failure(self, error: OneCError, pause: timedelta | None = None) -> None:
        """Open for *pause*, or for as long as the failures in a row demand."""
        if not self.is_failing:
            blocked = isinstance(error, OneCSessionsBlocked)
            _log.warning("onec_down", extra={"reason": str(error), "blocked": blocked})
            self._events.publish(OneCAvailability(False, str(error)))
        self._breaker = self._breaker.after_failure(self._monotonic(), pause=pause)

    def record_answer(self) -> None:
        """Close: 1C answered, be it by a refusal."""
        if self.is_failing:
            _log.info("onec_up")
            self._events.publish(OneCAvailability(True, "1C answers again"))
        self._breaker = self._breaker.after_success()

    def raise_alarm(self, stage: DeliveryStage, error: OneCError) -> None:
        """Raise the alarm that 1C refuses *stage*, once for each kind of *error*."""
        if self._alarms.get(stage) is type(error):
            return
        self._alarms[stage] = type(error)
        _log.error("onec_refuses", extra={"stage": stage.value, "reason": str(error)})
        self._events.publish(Alarm("onec_refuses", str(error), stage.value))

    def clear_alarm(self, stage: DeliveryStage) -> None:
        """Clear the alarm of *stage*: 1C accepted it."""
        if self._alarms.pop(stage, None) is not None:
            again = "1C accepts our writes again"
            self._events.publish(Alarm("onec_refuses", again, stage.value, clear=True))
