"""What is written to 1C and read back: drafts of documents and reminders, as values."""

from dataclasses import dataclass
from datetime import datetime

from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref, Version


@dataclass(frozen=True, slots=True)
class ContactRef:
    """Whom the document points at: a contact person or a partner, never a counterparty."""

    kind: CandidateKind
    ref: Ref


@dataclass(frozen=True, slots=True)
class PhoneCallDraft:
    """One Телефонный звонок to be written. *at* is aware; the adapter turns it to 1C's clock.

    *proposed_ref* is derived from the key: where 1C honours it a double is impossible.
    *contact* None lets 1C make a string contact of *presentation*.
    """

    key: str
    proposed_ref: Ref
    at: datetime
    incoming: bool
    subject: str
    description: str
    presentation: str
    how_to_reach: str
    comment: str
    contact: ContactRef | None = None
    responsible: Ref | None = None


@dataclass(frozen=True, slots=True)
class ReminderDraft:
    """One reminder that pops up the card of *document* at *user*, due at once.

    The record's key is (user, event time, source): a repeat meets the same record.
    """

    user: Ref
    at: datetime
    document: Ref
    text: str


@dataclass(frozen=True, slots=True)
class WrittenPhoneCall:
    """A phone call document as it stands in 1C now; users may have changed it since.

    *version* changes with every write, whoever writes.
    """

    document: Ref
    subject: str
    description: str
    comment: str
    responsible: Ref | None
    deletion_mark: bool
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class PhoneCallChange:
    """Fields of a document to be changed; None leaves one as it is.

    *seen_version* is the version of the document that they were decided upon; None: any version.
    """

    subject: str | None = None
    description: str | None = None
    comment: str | None = None
    responsible: Ref | None = None
    seen_version: Version | None = None

    def __bool__(self) -> bool:
        """Return whether anything is to be changed at all."""
        return self != PhoneCallChange(seen_version=self.seen_version)


@dataclass(frozen=True, slots=True)
class WrittenReminder:
    """A reminder as it stands in 1C now; *due_at* later than its event: its user postponed it."""

    due_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class CallRequest:
    """An outgoing phone call document that a manager wrote in UT to have the call placed.

    *user* is its responsible, else its author; *how_to_reach* the number as typed; *contact* the
    partner or contact person it points at.
    """

    document: Ref
    at: datetime
    subject: str
    description: str
    user: Ref | None
    how_to_reach: str
    contact: ContactRef | None = None
