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
    """What one step of following the calls changes, in one transaction.

    *calls* replace what stands under their keys. *entries* are made where there is none, *woken*
    are keys of entries whose call has moved on. *arrived* are events to keep with the key of the
    call they were told to, empty where they speak of none, None where no call was told yet, UNREAD
    where they could not be read; *events* are numbers of events that were kept before.
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
        """Make one step of following the calls durable."""
        ...


class CallLedger(CallRecords, EventLog, MissedCallRecords, OutboxEntries, ChangeWriter, Protocol):
    """The ledger as the tracking of calls needs it."""


class Ledger(CallLedger, OutboxQueue, NumberMemoryStore, RetentionStore, Protocol):
    """All that one ledger stores: calls, events, outbox entries, missed calls; with one writer.

    Async writes return when durable; several that wait share one commit, off the event loop.
    Every method may raise StoreError.
    """

    async def close(self) -> None:
        """Write what waits and let go of the file."""
        ...
