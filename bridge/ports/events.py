"""What services tell everybody who listens: pages, metrics, the journal of alarms."""

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
    """Something new is known of a call, and is on disk: an event, a note, an order's fate."""

    call: PhoneCall


@dataclass(frozen=True, slots=True)
class MissedCallChanged:
    """A client waits to be called back, or does no longer."""

    missed_call: MissedCall


@dataclass(frozen=True, slots=True)
class EntryChanged:
    """An outbox entry changed its state."""

    entry: OutboxEntry


@dataclass(frozen=True, slots=True)
class DirectoryChanged:
    """The web process took up a new directory."""

    report: SyncReport | None


@dataclass(frozen=True, slots=True)
class OneCAvailability:
    """1C went away or came back, in one sentence; sent on the edge only."""

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
    """Where services say what happened. Publishing never waits and never raises."""

    def publish(self, event: Event) -> None:
        """Tell everybody who listens."""
        ...
