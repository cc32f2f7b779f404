"""One change of the ledger while it is gathered."""

from dataclasses import dataclass, field

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.ledger import LedgerChange
from bridge.ports.stores.number_memory import Talk


@dataclass(slots=True)
class ChangeBuilder:
    """Gathers one `LedgerChange`; calls and missed calls by key as they will stand."""

    calls: dict[str, PhoneCall] = field(default_factory=dict)
    entries: list[OutboxEntry] = field(default_factory=list)
    reopened: dict[str, None] = field(default_factory=dict)
    missed_calls: dict[str, MissedCall] = field(default_factory=dict)
    talks: list[Talk] = field(default_factory=list)
    new_events: list[tuple[RawEvent, str | None]] = field(default_factory=list)
    assigned_events: list[tuple[int, str]] = field(default_factory=list)
    #: Whether the calls were published to the pages.
    published: bool = False

    def build(self) -> LedgerChange:
        """Return the change as the ledger takes it."""
        return LedgerChange(
            calls=tuple(self.calls.values()),
            entries=tuple(self.entries),
            reopened=tuple(self.reopened),
            missed_calls=tuple(self.missed_calls.values()),
            talks=tuple(self.talks),
            new_events=tuple(self.new_events),
            assigned_events=tuple(self.assigned_events),
        )

    def change_call(self, call: PhoneCall) -> None:
        """Add *call* to the change, and reopen its outbox entry."""
        self.calls[call.key] = call
        self.reopened[call.key] = None
