"""What services publish to all listeners: pages, metrics, the list of alarms."""

from dataclasses import dataclass
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.ports.alarms import Alarm
from bridge.ports.stores.directory import SyncReport


@dataclass(frozen=True, slots=True)
class CallRecorded:
    """A call began and is on disk."""

    call: PhoneCall


@dataclass(frozen=True, slots=True)
class CallChanged:
    """A call changed, on disk too: an event, a note, the outcome of an order."""

    call: PhoneCall


@dataclass(frozen=True, slots=True)
class MissedCallChanged:
    """A client waits to be called back, or waits no longer."""

    missed_call: MissedCall


@dataclass(frozen=True, slots=True)
class EntryChanged:
    """An outbox entry changed its state."""

    entry: OutboxEntry


@dataclass(frozen=True, slots=True)
class DirectoryChanged:
    """The web process loaded a new directory."""

    report: SyncReport | None


@dataclass(frozen=True, slots=True)
class OneCAvailability:
    """1C became available or unavailable; *message* is a sentence. Published when it changes."""

    available: bool
    message: str


Event = (
    CallRecorded
    | CallChanged
    | MissedCallChanged
    | EntryChanged
    | DirectoryChanged
    | OneCAvailability
    | Alarm
)


class EventPublisher(Protocol):
    """Where services publish what happened. Publishing never waits and never raises."""

    def publish(self, event: Event) -> None:
        """Pass *event* to all listeners."""
        ...
