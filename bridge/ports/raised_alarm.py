"""One alarm that is published when it begins and when it is over, and not in between."""

from bridge.ports.alarms import Alarm, AlarmName
from bridge.ports.events import EventPublisher


class RaisedAlarm:
    """The alarm *name* about *subject*, as the part of the service that watches for it keeps it."""

    def __init__(self, events: EventPublisher, name: AlarmName, subject: str = "") -> None:
        self._events = events
        self._name = name
        self._subject = subject
        self._message: str | None = None

    @property
    def is_raised(self) -> bool:
        """Return whether the alarm was raised and not cleared since."""
        return self._message is not None

    def raise_once(self, message: str) -> bool:
        """Publish the alarm unless it is raised already; return whether it was published."""
        return not self.is_raised and self.raise_or_update(message)

    def raise_or_update(self, message: str) -> bool:
        """Publish the alarm unless it is raised with *message*; return whether it was published."""
        if self._message == message:
            return False
        self._message = message
        self._events.publish(Alarm(self._name, message, self._subject))
        return True

    def clear(self, message: str) -> bool:
        """Clear the alarm if it is raised; return whether it was."""
        if self._message is None:
            return False
        self._message = None
        self._events.publish(Alarm(self._name, message, self._subject, clear=True))
        return True
