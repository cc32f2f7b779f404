"""Outbox entries: what delivery takes, and what the administrator sees and changes."""

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
    """Outbox entries by state, and since when the oldest one waits."""

    due: int = 0
    sending: int = 0
    dead: int = 0
    delivered: int = 0
    oldest_due: datetime | None = None


class OutboxQueue(Protocol):
    """The outbox as delivery takes entries from it. Every method may raise StoreError."""

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Return due entries with their calls, as `ledger_rules.order_due_entries` orders them."""
        ...

    async def save_entry(self, entry: OutboxEntry) -> bool:
        """Save an entry as `ledger_rules.entry_to_save` decides.

        False where it was dropped meanwhile.
        """
        ...

    async def recover_after_crash(self) -> int:
        """Make entries that a crash left in `sending` due; return their number."""
        ...

    async def resume_entries(self, now: datetime, stage: DeliveryStage | None, limit: int) -> int:
        """Apply `outbox.resume_entry` to paused entries of *stage*, or of all; return their number.

        Those paused longest come first.
        """
        ...

    async def resume_trial(self, now: datetime, stage: DeliveryStage, place: float) -> bool:
        """Apply `outbox.resume_entry` to the paused entry of *stage* at `ledger_rules.trial_index`.

        False where none is paused.
        """
        ...

    async def reschedule_entries(self, now: datetime, rules: DeliveryRules) -> int:
        """Apply `outbox.reschedule_entry` to all entries; return how many changed."""
        ...


class OutboxEntries(Protocol):
    """The outbox as the administrator sees it. Every method may raise StoreError."""

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Return entries, newest first; of all states where none is named."""
        ...

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        """Return one entry by its key, or by an unambiguous beginning of it."""
        ...

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        """Apply `outbox.retry_now` to an entry in one step that no delivery can fall into.

        Return the entry as it stands then; None when it was dropped.
        """
        ...

    async def drop_entry(self, key: str) -> bool:
        """Delete an entry because the administrator asked for it; the call stays."""
        ...

    async def count_entries(self) -> OutboxCounts:
        """Count entries by state."""
        ...
