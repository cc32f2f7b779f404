"""The ledger as the core sees it: calls, and what they owe to 1C, durable when a write returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.outbox import DeliveryRules, DeliveryStage, EntryState, OutboxEntry
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.fields import PhoneNumber
from bridge.domain.routing.decision import NumberMemory
from bridge.ports.pbx import RawEvent


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How much is owed: by state, and the oldest debt."""

    due: int = 0
    sending: int = 0
    dead: int = 0
    delivered: int = 0
    oldest_due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """Who of the company talked to a number last."""

    number: PhoneNumber
    extension: str
    at: datetime


#: Stands in place of a call's key where an event could not be read: no key looks like that.
UNREAD: Final = "?"


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


@dataclass(frozen=True, slots=True)
class DeletedRecords:
    """What a deletion by age deleted; *kept* calls are old, but something is owed for them."""

    calls: int = 0
    events: int = 0
    missed_calls: int = 0
    talks: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls a list shows; what is None does not count. *since* ≤ received < *until*.

    *client* is that of `PhoneCall.client`; *extension* one that rang, talked, dialled or was told.
    """

    number: PhoneNumber | None = None
    client: str | None = None
    extension: str | None = None
    direction: Direction | None = None
    dispositions: tuple[Disposition, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


class Ledger(Protocol):
    """Calls and what they owe to 1C, in one file with one writer.

    Async writes return when durable; several that wait share one commit, off the event loop.
    Every method may raise StoreError.
    """

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        """Write the call and its debt in one transaction, once.

        When a call of this key is there already nothing is written and that call is returned;
        but where that one began with its events, the question of *call* joins it.
        """
        ...

    async def record_event(self, event: RawEvent) -> None:
        """Keep a PBX event until its call is told of it."""
        ...

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        """Give kept events that no call was told of yet, with their numbers, oldest first."""
        ...

    async def unread_events(self, limit: int, after: int = -1) -> Sequence[tuple[int, RawEvent]]:
        """Return events that could not be read behind number *after*, each with its number."""
        ...

    async def count_unread_events(self) -> int:
        """Return how many events are kept that could not be read."""
        ...

    async def apply_change(self, change: LedgerChange) -> None:
        """Make one step of following the calls durable."""
        ...

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        """Give the events a call was told of, as they came, oldest first."""
        ...

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        """Give the clients who wait to be called back, the longest waiting first."""
        ...

    async def save_entry(self, entry: OutboxEntry) -> bool:
        """Replace an entry by its key; False when a person dropped it meanwhile."""
        ...

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        """Apply `outbox.retried` to an entry in one step that no delivery can fall into.

        Gives the entry as it stands then; None when it was dropped.
        """
        ...

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Give entries to deliver, fresh calls first, then the oldest; each with its call."""
        ...

    async def recover_after_crash(self) -> int:
        """Turn entries that a crash left in `sending` into due ones; give their number."""
        ...

    async def resume_entries(
        self, now: datetime, stage: DeliveryStage | None, limit: int, *, freshest: bool = False
    ) -> int:
        """Apply `outbox.released` to held entries of *stage*, or of all; return their number.

        Those held longest come first, or those of the *freshest* calls.
        """
        ...

    async def reschedule_entries(self, now: datetime, rules: DeliveryRules) -> int:
        """Apply `outbox.rearmed` to all entries; give the number of those that changed."""
        ...

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """List entries, newest first; all states when none is named."""
        ...

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        """Give one entry by its key, or by an unambiguous beginning of it."""
        ...

    async def drop_entry(self, key: str) -> bool:
        """Forget a debt on a person's word; the call stays in the journal."""
        ...

    async def count_entries(self) -> OutboxCounts:
        """Count what is owed."""
        ...

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        matching: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        """List calls, newest first by `received_at`; *before* is such a moment too."""
        ...

    async def call(self, key: str) -> PhoneCall | None:
        """Give one call."""
        ...

    async def call_by_ref(self, ref: str) -> PhoneCall | None:
        """Give the latest call that the PBX knows by *ref*."""
        ...

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        """Give the calls received since *moment*, and before *until*, oldest first.

        A wall clock that was wrong leaves calls of the future behind.
        """
        ...

    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        """Tell what people taught about a number; never touches the disk."""
        ...

    async def delete_older_than(self, before: datetime) -> DeletedRecords:
        """Delete what was received before that moment and is done (`domain.retention`).

        With a call go its entry, its events and its closed missed call. Events of which no call
        was told yet stay, and an operator's choice, which has no age.
        """
        ...

    async def record_day(self, now: datetime) -> None:
        """Note that the service runs on the day of *now*, and that it was *now* last."""
        ...

    async def days_seen(self) -> Sequence[date]:
        """Give the days that were noted, each once, the one noted last at the end."""
        ...

    async def last_seen(self) -> datetime | None:
        """Give the moment that was noted last; None before the first."""
        ...

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        """Keep an operator's word on whose number this is."""
        ...

    async def close(self) -> None:
        """Write what waits and let go of the file."""
        ...
