"""The ledger as the core sees it: calls, and what they owe to 1C, durable when a write returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.calls import PhoneCall
from bridge.domain.decision import NumberMemory
from bridge.domain.directory import Ref
from bridge.domain.outbox import EntryState, OutboxEntry
from bridge.domain.phone import PhoneNumber
from bridge.ports.telephony import RawEvent


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How much is owed: by state, and the oldest debt."""

    due: int = 0
    sending: int = 0
    dead: int = 0
    settled: int = 0
    oldest_due: datetime | None = None


class Ledger(Protocol):
    """Calls and what they owe to 1C, in one file with one writer.

    Async writes return when durable; several that wait share one commit, off the event loop.
    Every method may raise StoreError.
    """

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        """Write the call and its debt in one transaction, once.

        When a call of this key is there already nothing is written and that call is returned.
        """
        ...

    async def record_event(self, event: RawEvent) -> None:
        """Keep a PBX event."""
        ...

    async def save_entry(self, entry: OutboxEntry) -> bool:
        """Replace an entry by its key; False when a person dropped it meanwhile."""
        ...

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        """Apply `outbox.retried` to an entry in one step that no delivery can fall into.

        Gives the entry as it stands then; None when it was dropped.
        """
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Give entries to deliver, fresh calls first, then the oldest; each with its call."""
        ...

    async def recover(self) -> int:
        """Turn entries that a crash left in `sending` into due ones; give their number."""
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

    async def counts(self) -> OutboxCounts:
        """Count what is owed."""
        ...

    async def calls(
        self, *, limit: int = 50, before: datetime | None = None, number: PhoneNumber | None = None
    ) -> Sequence[PhoneCall]:
        """List calls, newest first by `received_at`; *before* is such a moment too."""
        ...

    async def call(self, key: str) -> PhoneCall | None:
        """Give one call."""
        ...

    async def calls_since(self, moment: datetime) -> Sequence[PhoneCall]:
        """Give the calls received since *moment*, oldest first: what a restart must remember."""
        ...

    def memory(self, number: PhoneNumber) -> NumberMemory:
        """Tell what people taught about a number; never touches the disk."""
        ...

    async def remember_choice(self, number: PhoneNumber, owner: Ref) -> None:
        """Keep an operator's word on whose number this is."""
        ...

    async def close(self) -> None:
        """Write what waits and let go of the file."""
        ...
