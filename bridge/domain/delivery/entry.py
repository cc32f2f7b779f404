"""An outbox entry: one call that 1C has to hold, and how far its writes have come."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.calls.desired import DesiredState, DocumentText, ReminderState, SentReminder
from bridge.domain.directory.entities import Ref

_MAX_BACKOFF = timedelta(minutes=5)
_MAX_DOUBLINGS = 16


class EntryState(StrEnum):
    """Where an entry stands in the outbox; values are stored."""

    DUE = "due"
    SENDING = "sending"
    DELIVERED = "settled"
    DEAD = "dead"


class DeliveryStage(StrEnum):
    """The writes that bring one call to 1C, in their order."""

    DOCUMENT = "document"
    SUBJECT = "subject"
    REMINDER = "reminder"  # created, changed or withdrawn, one at a time
    OUTCOME = "outcome"  # the document gets the outcome of the call
    CONSIDERED = "considered"  # the call is marked as dealt with
    VERIFY = "verify"  # a last search for a late duplicate


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How long delivery waits, and for what."""

    #: How long 1C may still commit a create whose reply was lost: it waits 20 s for a lock, and may
    #: finish a request that is no longer waited for.
    quiet_period: timedelta = timedelta(seconds=30)
    #: When a late duplicate is searched for: long after any request of ours can still be running.
    verify_after: timedelta = timedelta(minutes=10)
    first_backoff: timedelta = timedelta(seconds=2)

    def backoff_after(self, attempts: int) -> timedelta:
        """Return the pause after so many attempts: doubling, at most five minutes.

        Doubling without jitter: one bridge talks to one 1C, so there is no crowd to spread.
        """
        doublings = min(max(attempts, 1) - 1, _MAX_DOUBLINGS)
        return min(self.first_backoff * (1 << doublings), _MAX_BACKOFF)


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One call to be written to 1C. *key* is the call's; *document* the reference once 1C gave it.

    *maybe_sent_at* is set once a create of the present stage was sent and its outcome is unknown:
    the latest such moment. *needs_verification* stays set once that happened to the document: a
    duplicate is searched for at the end. *written_text* is what the document holds by our last
    confirmed write; *maybe_written_texts* what it may hold instead, since the outcome of those
    writes is unknown. *considered_written* and *considered_maybe_sent_at* are the same of the flag:
    the latest moment at which one was sent of which no more is known.
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
    #: The revision of the call that 1C was last brought to.
    revision: int = 0
    verify_at: datetime | None = None
    #: It is not sent while the circuit breaker of its stage is open.
    paused: bool = False
    considered_maybe_sent_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Return whether it may be attempted at *now*."""
        return self.state is EntryState.DUE and self.due_at <= now

    @property
    def is_pending(self) -> bool:
        """Return whether 1C still lacks something of it; a verification lacks nothing."""
        return (
            self.state in (EntryState.DUE, EntryState.SENDING)
            and self.stage is not DeliveryStage.VERIFY
        )


def find_sent_reminder(entry: OutboxEntry, user: Ref) -> SentReminder | None:
    """Return the reminder of *user* as it was last written; None where there was none."""
    return next((reminder for reminder in entry.reminders if reminder.user == user), None)


def with_reminder(
    entry: OutboxEntry, user: Ref, text: str, state: ReminderState
) -> tuple[SentReminder, ...]:
    """Return the reminders of *entry* with that of *user* replaced."""
    others = tuple(reminder for reminder in entry.reminders if reminder.user != user)
    return (*others, SentReminder(user, text, state))


# A write of the flag "considered" may be committed late. Set again, that does no harm; taken back,
# it would stand again: so it is taken back once nothing can be committed late any more.
def needs_considered(entry: OutboxEntry, desired: DesiredState) -> bool:
    """Return whether 1C holds the other value, or may."""
    in_doubt = entry.considered_maybe_sent_at is not None and not desired.considered
    return in_doubt or entry.considered_written != desired.considered


def may_take_back_at(entry: OutboxEntry, rules: DeliveryRules) -> datetime | None:
    """Return when the flag may be taken back; None: at any time."""
    sent_at = entry.considered_maybe_sent_at
    return None if sent_at is None else sent_at + rules.verify_after


def doubt_considered(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Return *entry* after an attempt of which nobody knows whether it reached 1C."""
    if entry.stage is not DeliveryStage.CONSIDERED:
        return entry
    return replace(entry, considered_maybe_sent_at=now)


def confirm_considered(entry: OutboxEntry, desired: DesiredState) -> OutboxEntry:
    """Return *entry* after 1C took the flag; an earlier write may still be committed after it."""
    sent_at = entry.considered_maybe_sent_at if desired.considered else None
    return replace(entry, considered_written=desired.considered, considered_maybe_sent_at=sent_at)
