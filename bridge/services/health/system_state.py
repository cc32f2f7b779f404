"""The state of the system now, from the published events: 1C's availability and active alarms."""

from datetime import datetime

from bridge.ports.alarms import ActiveAlarm, Alarm, AlarmName
from bridge.ports.clock import Clock
from bridge.ports.events import Event, EventPublisher, OneCAvailability


class SystemState:
    """Keeps the latest availability and the active alarms; begins anew with each start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._availability: OneCAvailability | None = None
        self._availability_since: datetime | None = None
        self._alarms: dict[tuple[AlarmName, str], ActiveAlarm] = {}

    def publish(self, event: Event) -> None:
        """Apply *event* to the state."""
        if isinstance(event, OneCAvailability):
            before = self._availability
            if before is None or before.available != event.available:
                self._availability_since = self._clock()
            self._availability = event
        elif isinstance(event, Alarm):
            key = event.name, event.subject
            if event.clear:
                self._alarms.pop(key, None)
            else:
                raised = self._alarms.get(key)
                since = self._clock() if raised is None else raised.since
                self._alarms[key] = ActiveAlarm(event.name, event.message, since, event.subject)

    def availability(self) -> OneCAvailability | None:
        """Return the last known availability of 1C; None before the first event about it."""
        return self._availability

    def availability_since(self) -> datetime | None:
        """Return since when 1C is available, or not; None before the first event about it."""
        return self._availability_since

    def alarms(self) -> tuple[ActiveAlarm, ...]:
        """Return the active alarms, the oldest first."""
        return tuple(self._alarms.values())


class EventFanOut:
    """Passes every event on to each listener, in order."""

    def __init__(self, *listeners: EventPublisher) -> None:
        self._listeners = listeners

    def publish(self, event: Event) -> None:
        """Pass *event* to all listeners."""
        for listener in self._listeners:
            listener.publish(event)
