"""The writes of the ledger as values: what the store asks its writer's thread to do.

`writer` and `outbox_writes` do them; each comes out as one of `WriteResult`.
"""

from dataclasses import dataclass
from datetime import datetime

from bridge.adapters.sqlite.calls.rows import CallRow, EntryRow
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    OutboxEntry,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.stores.ledger import LedgerChange
from bridge.ports.stores.retention import DeletedRecords


@dataclass(frozen=True, slots=True)
class RecordCall:
    """Record a call and its outbox entry, once by its key; result: the call that stands."""

    call: PhoneCall
    call_row: CallRow
    entry_row: EntryRow | None


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Keep a PBX event as it came, until it is applied to its call."""

    document: str
    received_at: int


@dataclass(frozen=True, slots=True)
class ApplyChange:
    """Apply one change of calls and what belongs to them; all of it or nothing."""

    change: LedgerChange
    now: datetime


@dataclass(frozen=True, slots=True)
class SaveEntry:
    """Replace an entry; result: False where there is none any more.

    *guest*: another process delivers, so an entry that is being sent is not touched.
    """

    entry: OutboxEntry
    now: datetime
    guest: bool


@dataclass(frozen=True, slots=True)
class DropEntry:
    """Delete an entry; result: False where there was none."""

    key: str


@dataclass(frozen=True, slots=True)
class RetryEntry:
    """Make an entry due on request; result: the entry, None where it is gone."""

    key: str
    now: datetime


@dataclass(frozen=True, slots=True)
class RecoverEntries:
    """Make entries due again that a crash left in `sending`; result: their number."""

    now: datetime


@dataclass(frozen=True, slots=True)
class ResumeEntries:
    """Make paused entries of one stage, or of all, due again; result: their number.

    With *place* it is one, that at `ledger_rules.trial_index`.
    """

    now: datetime
    stage: DeliveryStage | None
    limit: int = 1
    place: float | None = None


@dataclass(frozen=True, slots=True)
class RescheduleEntries:
    """Reschedule waiting entries after a step of the wall clock; result: a `RescheduledBatch`.

    Few at once, behind the row *after*: callers' records wait behind it.
    """

    now: datetime
    rules: DeliveryRules
    after: int


@dataclass(frozen=True, slots=True)
class RescheduledBatch:
    """What one `RescheduleEntries` did; *last_row* is None where no more wait."""

    last_row: int | None
    changed: int


@dataclass(frozen=True, slots=True)
class SaveChoice:
    """Keep the owner that an operator chose for a number."""

    number: PhoneNumber
    document: str


@dataclass(frozen=True, slots=True)
class DeleteOldCalls:
    """Delete calls received before a moment that are done, with what belongs to them.

    Few at once, behind the row *after*: callers' records wait behind it. Result: a `DeletedBatch`.
    """

    before: datetime
    after: int


@dataclass(frozen=True, slots=True)
class DeleteOldEvents:
    """Delete old events and talks that no call needs any more, after all `DeleteOldCalls`."""

    before: datetime


@dataclass(frozen=True, slots=True)
class DeletedBatch:
    """What one write deleted; *last_row* is the last row read, None where no more are old."""

    last_row: int | None
    deleted: DeletedRecords


@dataclass(frozen=True, slots=True)
class RecordDay:
    """Record that the service runs on this day."""

    now: datetime


@dataclass(frozen=True, slots=True)
class CheckFile:
    """Check the file; *write*: also write something that changes nothing."""

    write: bool


LedgerWrite = (
    RecordCall
    | RecordEvent
    | ApplyChange
    | DeleteOldCalls
    | DeleteOldEvents
    | RecordDay
    | SaveEntry
    | DropEntry
    | RetryEntry
    | RecoverEntries
    | ResumeEntries
    | RescheduleEntries
    | SaveChoice
    | CheckFile
)
WriteResult = PhoneCall | OutboxEntry | DeletedBatch | RescheduledBatch | bool | int | None
