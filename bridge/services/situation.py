"""What is the matter right now: 1C's mood and the alarms that are up, from the events."""

from bridge.ports import Alarm, AlarmName, Event, Events, OneCMood


class Situation:
    """Listens to the house and remembers what a person should know; lost on restart, as it may."""

    def __init__(self) -> None:
        self._mood: OneCMood | None = None
        self._alarms: dict[AlarmName, Alarm] = {}

    def publish(self, event: Event) -> None:
        """Take note of *event*."""
        if isinstance(event, OneCMood):
            self._mood = event
        elif isinstance(event, Alarm):
            if event.clear:
                self._alarms.pop(event.name, None)
            else:
                self._alarms[event.name] = event

    def mood(self) -> OneCMood | None:
        """Give 1C's last known mood; None before anything was heard of it."""
        return self._mood

    def alarms(self) -> tuple[Alarm, ...]:
        """Give the alarms that are up."""
        return tuple(self._alarms.values())


class FanOut:
    """Passes every event on to each listener, in order."""

    def __init__(self, *listeners: Events) -> None:
        self._listeners = listeners

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener.publish(event)
