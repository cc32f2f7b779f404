"""The ledger as a whole: one change of it, and everything that one ledger serves."""

from dataclasses import dataclass
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.calls import CallRecords
from bridge.ports.stores.event_log import EventLog
from bridge.ports.stores.missed_calls import MissedCallRecords
from bridge.ports.stores.number_memory import NumberMemoryStore, Talk
from bridge.ports.stores.outbox import OutboxEntries, OutboxQueue
from bridge.ports.stores.retention import RetentionStore


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """What one transaction changes.

    *calls* replace those of their keys. *entries* are added where there is none of their key;
    *reopened* are keys of entries whose call changed. *new_events* are events to store, each with
    the key of the call it is applied to: empty where it is about none, None where it is not applied
    yet, UNREAD where it could not be read. *assigned_events* are the same for events stored before,
    by number.
    """

    calls: tuple[PhoneCall, ...] = ()
    entries: tuple[OutboxEntry, ...] = ()
    reopened: tuple[str, ...] = ()
    missed_calls: tuple[MissedCall, ...] = ()
    talks: tuple[Talk, ...] = ()
    new_events: tuple[tuple[RawEvent, str | None], ...] = ()
    assigned_events: tuple[tuple[int, str], ...] = ()


class ChangeWriter(Protocol):
    """Writes one change of calls, entries, missed calls, talks and events in one transaction."""

    async def apply_change(self, change: LedgerChange) -> None:
        """Write *change* in one transaction; return when it is durable. Raises StoreError."""
        ...


class CallLedger(CallRecords, EventLog, MissedCallRecords, OutboxEntries, ChangeWriter, Protocol):
    """The ledger as the tracking of calls needs it."""


class Ledger(CallLedger, OutboxQueue, NumberMemoryStore, RetentionStore, Protocol):
    """All that one ledger stores: calls, events, outbox entries, missed calls; with one writer.

    Async writes return when durable; several that wait share one commit, off the event loop.
    Every method may raise StoreError.
    """

    async def close(self) -> None:
        """Write what is pending and close the file."""
        ...
