"""An outbox entry: one call that 1C has to hold, and how far its writes have come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.calls.desired import (
    DocumentText,
    SentReminder,
)
from bridge.domain.directory.entities import Ref


class EntryState(StrEnum):
    """Where an entry stands."""

    DUE = "due"
    SENDING = "sending"
    DELIVERED = "settled"
    DEAD = "dead"


class DeliveryStage(StrEnum):
    """The writes that journal one call, in their order."""

    DOCUMENT = "document"
    SUBJECT = "subject"
    REMINDER = "reminder"  # made, changed or withdrawn, one at a time
    OUTCOME = "outcome"  # the document tells how the call went
    CONSIDERED = "considered"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How patient delivery is. *quiet*: how long a lost create may still be committed in 1C."""

    #: 1C waits 20 s for a lock, and may finish a request that nobody waits for any more.
    quiet_period: timedelta = timedelta(seconds=30)
    #: The look for a late double, long after any request of ours can still be running.
    verify_after: timedelta = timedelta(minutes=10)
    first_backoff: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One call owed to 1C. *key* is the call's; *document* the reference once 1C gave it.

    *maybe_sent_at* is set once a create of the present stage was sent whose fate is unknown: the
    latest such moment. *doubtful* stays set once that happened to the document: it is verified
    at the end. *told* is what the document tells, and *telling* what it may tell instead, since
    a write of it left whose fate is unknown.
    """

    key: str
    created_at: datetime
    due_at: datetime
    state: EntryState = EntryState.DUE
    stage: DeliveryStage = DeliveryStage.DOCUMENT
    attempts: int = 0
    document: Ref | None = None
    maybe_sent_at: datetime | None = None
    needs_verification: bool = False
    last_error: str = ""
    delivered_at: datetime | None = None
    subject_written: bool = False
    written_text: DocumentText | None = None
    maybe_written_texts: tuple[DocumentText, ...] = ()
    considered_written: bool = False
    reminders: tuple[SentReminder, ...] = ()
    #: The revision of the call whose wishes were last fulfilled.
    revision: int = 0
    verify_at: datetime | None = None
    #: It was not sent, for 1C refuses its stage to all entries (`domain.stage_breaker`).
    paused: bool = False

    def is_due(self, now: datetime) -> bool:
        """Whether it may be attempted at *now*."""
        return self.state is EntryState.DUE and self.due_at <= now

    @property
    def is_pending(self) -> bool:
        """Whether 1C still lacks something of it (a final look is no debt)."""
        return (
            self.state in (EntryState.DUE, EntryState.SENDING)
            and self.stage is not DeliveryStage.VERIFY
        )
