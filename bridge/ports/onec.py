"""1C as the core sees it: a source to pull from, a number to ask for, a journal to write, a probe.

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

#: What the pull brings for each kind.
DirectoryObject = Manager | Partner | ContactPerson | Counterparty


@dataclass(slots=True)
class Traffic:
    """What a run cost 1C so far; the source counts, the run reports."""

    requests: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete listing: references with their opaque versions.

    *versions* is None when the listing is the one whose fingerprint the asker knows. Equal
    fingerprints are those of equal listings; an empty one is like no other.
    """

    versions: Mapping[Ref, Version] | None
    fingerprint: str = ""


class OneCSource(Protocol):
    """1C as the pull reads it. Reads are retried once inside; a listing is proven complete.

    Every method may raise OneCUnavailable (also OneCBlocked), OneCUnauthorized, OneCNotPublished,
    OneCNonsense.
    """

    @property
    def traffic(self) -> Traffic:
        """Requests and bytes since this source was made."""
        ...

    async def listing(self, kind: EntityKind, known_fingerprint: str = "") -> Listing:
        """List every object of *kind*, complete or not at all.

        *known* is the fingerprint of a listing that need not be brought again.

        Raises OneCNonsense when completeness cannot be proven.
        """
        ...

    def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[DirectoryObject]]:
        """Bring the bodies of *refs* in batches, each exactly once, read into domain nouns.

        *listed* is the size of the whole listing: few of many are asked by key, many by whole
        pages. Objects that went away meanwhile are left out. A group row (IsFolder) comes as a
        noun without phones, so that its version is known and it is not fetched again.
        """
        ...

    async def extension_sources(self) -> ExtensionSources:
        """Find the extension attribute, and read what of it stands outside the users.

        Asked before managers are fetched: their `attribute` is read by the property found here.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...


@dataclass(frozen=True, slots=True)
class FoundOwners:
    """Whose a number is, as 1C says it now: the owners, and the partners above them."""

    owners: tuple[PhoneOwner, ...] = ()
    parent_partners: tuple[Partner, ...] = ()


class OneCLookup(Protocol):
    """1C as it is asked about one caller while he rings: narrowly, in two or three questions."""

    async def find_owners(self, number: PhoneNumber) -> FoundOwners:
        """Find the owners of *number*; none when 1C has no phone line with these digits.

        May raise OneCUnavailable (also OneCBlocked), OneCUnauthorized, OneCNotPublished,
        OneCNonsense. How long it takes is 1C's affair: who cannot wait goes on without.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A phone call document that carries our marker."""

    ref: Ref
    number: str
    at: datetime
    deletion_mark: bool


class OneCJournal(Protocol):
    """1C as the delivery writes it. One call of a method is one attempt; nothing repeats itself.

    Writes may raise OneCUnavailable: surely not done; OneCOutcomeUnknown: perhaps done;
    OneCBlocked, OneCUnauthorized, OneCNotPublished: not done, and the lane should stop;
    OneCRejected: refused for good; OneCAlreadyExists: a record of this key is there.
    Changes may also raise OneCGone: what is to be changed is not there any more; and
    OneCNotLetThrough, a OneCNotPublished: the web server refuses the verb or the address.
    """

    async def find_phone_calls(self, draft: PhoneCallDraft) -> Sequence[FoundDocument]:
        """Look for documents with the draft's marker, the oldest first, marked ones included."""
        ...

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        """Create the document; the reference is 1C's own, whatever was proposed."""
        ...

    async def set_deletion_mark(self, document: Ref) -> None:
        """Set the deletion mark on a document that doubles another."""
        ...

    async def create_subject(self, document: Ref) -> None:
        """Create the record without which the call is missing from the partner's list."""
        ...

    async def create_reminder(self, draft: ReminderDraft) -> None:
        """Create the reminder; a repeat meets OneCAlreadyExists."""
        ...

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        """Tell whether exactly this reminder is in 1C."""
        ...

    async def has_subject(self, document: Ref) -> bool:
        """Tell whether the call's subject record is in 1C."""
        ...

    async def read_phone_call(self, document: Ref) -> WrittenPhoneCall | None:
        """Read a document as it stands now; None when somebody deleted it."""
        ...

    async def change_phone_call(self, document: Ref, change: PhoneCallChange) -> None:
        """Change fields of a document; repeating it does no harm.

        Raises OneCChanged where 1C tells that the document is no longer as it was *seen*; many
        publications do not tell, so read it right before.
        """
        ...

    async def set_considered(self, document: Ref, *, considered: bool) -> None:
        """Set Рассмотрено in the call's subject record; repeating it does no harm."""
        ...

    async def read_reminder(self, draft: ReminderDraft) -> WrittenReminder | None:
        """Read the reminder of the draft's key; None when its user dismissed it."""
        ...

    async def change_reminder(self, draft: ReminderDraft) -> bool:
        """Give the reminder of the draft's key its text; when it is due stays as it is.

        False when it is gone: its user dismissed it.
        """
        ...

    async def delete_reminder(self, draft: ReminderDraft) -> bool:
        """Delete the reminder of the draft's key; False when it was gone already."""
        ...

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...


class OneCCallRequests(Protocol):
    """1C as it is watched for calls that managers order from inside UT."""

    async def find_call_requests(self, since: datetime, mark: str) -> Sequence[CallRequest]:
        """Give outgoing phone call documents dated since *since* whose subject asks for a call.

        *mark* is what asks (`requests.asks_for_call`).

        Those marked for deletion and those written by the bridge are left out; those dated in the
        future are not, and one that was given before is given again. Raises as reads do.
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
    """1C as the doctor sees it: reads only, never raises an OneCError."""

    async def run(self) -> Sequence[ProbeFinding]:
        """Look at everything; when 1C cannot be reached that is the only finding."""
        ...
