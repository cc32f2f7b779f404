"""What is the matter right now: 1C's mood and the alarms that are up, from the events."""

from datetime import datetime

from bridge.ports.alarms import ActiveAlarm, Alarm, AlarmName
from bridge.ports.clock import Clock
from bridge.ports.events import Event, EventPublisher, OneCAvailability


class SystemState:
    """Listens to the house and remembers what a person should know; lost on restart, as it may."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mood: OneCAvailability | None = None
        self._mood_since: datetime | None = None
        self._alarms: dict[tuple[AlarmName, str], ActiveAlarm] = {}

    def publish(self, event: Event) -> None:
        """Take note of *event*."""
        if isinstance(event, OneCAvailability):
            if self._mood is None or self._mood.available != event.available:
                self._mood_since = self._clock()
            self._mood = event
        elif isinstance(event, Alarm):
            if event.clear:
                self._alarms.pop((event.name, event.subject), None)
            else:
                key = event.name, event.subject
                before = self._alarms.get(key)
                since = self._clock() if before is None else before.since
                self._alarms[key] = ActiveAlarm(event.name, event.message, since, event.subject)

    def availability(self) -> OneCAvailability | None:
        """Give 1C's last known mood; None before anything was heard of it."""
        return self._mood

    def availability_since(self) -> datetime | None:
        """Tell since when 1C is up, or away; None before anything was heard of it."""
        return self._mood_since

    def alarms(self) -> tuple[ActiveAlarm, ...]:
        """Return the alarms that stand now, the oldest first."""
        return tuple(self._alarms.values())


class EventFanOut:
    """Passes every event on to each listener, in order."""

    def __init__(self, *listeners: EventPublisher) -> None:
        self._listeners = listeners

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener.publish(event)
