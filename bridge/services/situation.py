"""What is the matter right now: 1C's mood and the alarms that are up, from the events."""

from datetime import datetime

from bridge.ports import Alarm, AlarmName, Clock, Event, Events, OneCMood, StandingAlarm


class Situation:
    """Listens to the house and remembers what a person should know; lost on restart, as it may."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mood: OneCMood | None = None
        self._mood_since: datetime | None = None
        self._alarms: dict[tuple[AlarmName, str], StandingAlarm] = {}

    def publish(self, event: Event) -> None:
        """Take note of *event*."""
        if isinstance(event, OneCMood):
            if self._mood is None or self._mood.up != event.up:
                self._mood_since = self._clock()
            self._mood = event
        elif isinstance(event, Alarm):
            if event.clear:
                self._alarms.pop((event.name, event.subject), None)
            else:
                key = event.name, event.subject
                before = self._alarms.get(key)
                since = self._clock() if before is None else before.since
                self._alarms[key] = StandingAlarm(event.name, event.words, since, event.subject)

    def mood(self) -> OneCMood | None:
        """Give 1C's last known mood; None before anything was heard of it."""
        return self._mood

    def mood_since(self) -> datetime | None:
        """Tell since when 1C is up, or away; None before anything was heard of it."""
        return self._mood_since

    def alarms(self) -> tuple[StandingAlarm, ...]:
        """Return the alarms that stand now, the oldest first."""
        return tuple(self._alarms.values())


class FanOut:
    """Passes every event on to each listener, in order."""

    def __init__(self, *listeners: Events) -> None:
        self._listeners = listeners

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener.publish(event)
