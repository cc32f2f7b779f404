"""1C: a source to pull from, a lookup of one number, a journal to write to, a probe.

Errors are those of `bridge.errors` only.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from bridge.domain.delivery.document_drafts import (
    CallRequest,
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
    WrittenPhoneCall,
    WrittenReminder,
)
from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    EntityKind,
    ExtensionSources,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    Version,
)
from bridge.domain.phone.phone import PhoneNumber

#: What the pull fetches for each kind.
DirectoryObject = Manager | Partner | ContactPerson | Counterparty


@dataclass(slots=True)
class Traffic:
    """What a run cost 1C so far; the source counts it, the run reports it."""

    requests: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete listing: references with their opaque versions.

    *versions* is None when the listing is the one whose fingerprint was passed in. Equal
    fingerprints are those of equal listings; an empty one is like no other.
    """

    versions: Mapping[Ref, Version] | None
    fingerprint: str = ""


class OneCSource(Protocol):
    """1C as the pull reads it. Reads are retried once inside; a listing is proven complete.

    Every method may raise OneCUnavailable (also OneCSessionsBlocked), OneCUnauthorized,
    OneCNotPublished, OneCInvalidResponse.
    """

    @property
    def traffic(self) -> Traffic:
        """Return requests and bytes since this source was made."""
        ...

    async def listing(self, kind: EntityKind, known_fingerprint: str = "") -> Listing:
        """List every object of *kind*, complete or not at all.

        *known_fingerprint* is the fingerprint of a listing that need not be sent again.

        Raises OneCInvalidResponse when completeness cannot be proven.
        """
        ...

    def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[DirectoryObject]]:
        """Fetch the bodies of *refs* in batches, each exactly once, as objects of the domain.

        *listed* is the size of the whole listing: few of many are asked by key, many by whole
        pages. Objects deleted meanwhile are left out. A group row (IsFolder) comes as an
        object without phones, so that its version is known and it is not fetched again.
        """
        ...

    async def extension_sources(self) -> ExtensionSources:
        """Return the extension attribute, and its values that are outside the users.

        Asked before managers are fetched: their `attribute` is read by the property found here.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class FoundOwners:
    """The owners of a number in 1C now, and the partners above them."""

    owners: tuple[PhoneOwner, ...] = ()
    parent_partners: tuple[Partner, ...] = ()


class OneCLookup(Protocol):
    """1C, asked about one caller while the telephone rings: in two or three small requests."""

    async def find_owners(self, number: PhoneNumber) -> FoundOwners:
        """Return the owners of *number*; none when 1C has no phone line with these digits.

        May raise OneCUnavailable (also OneCSessionsBlocked), OneCUnauthorized, OneCNotPublished,
        OneCInvalidResponse. It has no time limit of its own: the caller of this method sets one.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A phone call document that carries our marker."""

    ref: Ref
    number: str
    at: datetime
    deletion_mark: bool


class PhoneCallDocuments(Protocol):
    """Phone call documents in 1C. Errors are those of `OneCJournal`."""

    async def find_phone_calls(self, draft: PhoneCallDraft) -> Sequence[FoundDocument]:
        """Return documents with the draft's marker, the oldest first, deleted ones included."""
        ...

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        """Create the document; the reference is 1C's own, whatever was proposed."""
        ...

    async def read_phone_call(self, document: Ref) -> WrittenPhoneCall | None:
        """Return a document as it is now; None where a user deleted it."""
        ...

    async def change_phone_call(self, document: Ref, change: PhoneCallChange) -> None:
        """Change fields of a document; a repeat does no harm.

        Raises OneCVersionConflict where 1C reports that the document changed since it was read;
        many publications do not, so read it right before.
        """
        ...

    async def set_deletion_mark(self, document: Ref) -> None:
        """Set the deletion mark on a document that doubles another."""
        ...


class PhoneCallSubjects(Protocol):
    """The subject records of phone calls. Errors are those of `OneCJournal`."""

    async def create_subject(self, document: Ref) -> None:
        """Create the record without which the call is missing from the partner's list."""
        ...

    async def has_subject(self, document: Ref) -> bool:
        """Return whether the call's subject record is in 1C."""
        ...

    async def set_considered(self, document: Ref, *, considered: bool) -> None:
        """Set Рассмотрено in the call's subject record; a repeat does no harm."""
        ...


class UserReminders(Protocol):
    """Reminders of 1C users. Errors are those of `OneCJournal`."""

    async def create_reminder(self, draft: ReminderDraft) -> None:
        """Create the reminder; a repeat meets OneCAlreadyExists."""
        ...

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        """Return whether exactly this reminder is in 1C."""
        ...

    async def read_reminder(self, draft: ReminderDraft) -> WrittenReminder | None:
        """Return the reminder of the draft's key; None where its user dismissed it."""
        ...

    async def change_reminder(self, draft: ReminderDraft) -> bool:
        """Set the text of the reminder of the draft's key; its due time stays.

        Return False where it is gone: its user dismissed it.
        """
        ...

    async def delete_reminder(self, draft: ReminderDraft) -> bool:
        """Delete the reminder of the draft's key; return False where it was gone already."""
        ...


class OneCJournal(PhoneCallDocuments, PhoneCallSubjects, UserReminders, Protocol):
    """1C, written to by the delivery. One call of a method is one attempt; nothing is repeated.

    Writes may raise OneCUnavailable: surely not done; OneCOutcomeUnknown: perhaps done;
    OneCSessionsBlocked, OneCUnauthorized, OneCNotPublished: not done, the circuit breaker opens;
    OneCRejected: refused for good; OneCAlreadyExists: a record of this key is there.
    Changes may also raise OneCObjectMissing: what is to be changed is not there any more; and
    OneCFilteredByWebServer, a OneCNotPublished: the web server refuses the verb or the address.
    """

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class OneCCallRequests(Protocol):
    """1C, watched for calls that managers order from inside UT."""

    async def find_call_requests(self, since: datetime, mark: str) -> Sequence[CallRequest]:
        """Return outgoing phone call documents dated since *since* whose subject asks for a call.

        *mark* is the text that asks (`asks_for_call`).

        Those marked for deletion and those written by the bridge are left out; those dated in the
        future are not, and one that was returned before is returned again. Raises as reads do.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """One thing seen in 1C: *name* of the check, how it went, and what was seen.

    `error` among *fields* is a whole sentence.
    """

    name: str
    level: Literal["ok", "warn", "fail"]
    fields: Mapping[str, str] = field(default_factory=dict)


class OneCProbe(Protocol):
    """1C, checked by `onec-bridge check`: reads only, never raises an OneCError."""

    async def run(self) -> Sequence[ProbeFinding]:
        """Return all findings; where 1C cannot be reached that is the only one."""
        ...
