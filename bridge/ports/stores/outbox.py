"""Outbox entries: what delivery takes, and what people see and change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
)


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How much is owed: by state, and the oldest debt."""

    due: int = 0
    sending: int = 0
    dead: int = 0
    delivered: int = 0
    oldest_due: datetime | None = None


class OutboxQueue(Protocol):
    """The outbox as delivery works it off. Every method may raise StoreError."""

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Give entries to deliver, fresh calls first, then the oldest; each with its call."""
        ...

    async def save_entry(self, entry: OutboxEntry) -> bool:
        """Replace an entry by its key; False when a person dropped it meanwhile."""
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


class OutboxEntries(Protocol):
    """The outbox as people see it. Every method may raise StoreError."""

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """List entries, newest first; all states when none is named."""
        ...

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        """Give one entry by its key, or by an unambiguous beginning of it."""
        ...

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        """Apply `outbox.retried` to an entry in one step that no delivery can fall into.

        Gives the entry as it stands then; None when it was dropped.
        """
        ...

    async def drop_entry(self, key: str) -> bool:
        """Forget a debt on a person's word; the call stays in the journal."""
        ...

    async def count_entries(self) -> OutboxCounts:
        """Count what is owed."""
        ...
