"""What the core needs from outside: small Protocols, read as contracts.

Everywhere: times are aware UTC unless a name says otherwise; `Ref` is lower case; errors are those
of `bridge.errors` only. Raw requests and replies are values, so a PBX adapter never meets the web
framework.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from bridge.domain.calls import PhoneCall
from bridge.domain.directory import (
    CallerCard,
    ContactPerson,
    Counterparty,
    EntityKind,
    ExtensionOwner,
    ExtensionSources,
    Manager,
    Owner,
    Partner,
    Ref,
    Version,
)
from bridge.domain.outbox import EntryState, OutboxEntry
from bridge.domain.phone import PhoneNumber
from bridge.domain.routing import DataAge, NumberMemory, RouteDecision, RouteQuestion
from bridge.domain.writeback import PhoneCallDraft, ReminderDraft

#: Tells the time: aware UTC.
Clock = Callable[[], datetime]

#: What the pull brings for each kind.
Noun = Manager | Partner | ContactPerson | Counterparty


# ---------------------------------------------------------------- telephony
@dataclass(frozen=True, slots=True)
class RawRequest:
    """A PBX's request as it came: *query* and *form* keep repeats and order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    form: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RawReply:
    """What the PBX gets."""

    status: int
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A PBX event kept as it came, until the life of a call is told from it."""

    provider: str
    received_at: datetime
    fields: tuple[tuple[str, str], ...]


class Telephony(Protocol):
    """One PBX's dialect: pure translation, nothing awaits, nothing raises on what a PBX sends."""

    @property
    def provider(self) -> str:
        """Name of the PBX in lower case, part of every call's identity."""
        ...

    def parse_route(self, request: RawRequest, received_at: datetime) -> RouteQuestion:
        """Read the routing question; what is missing or unreadable becomes empty."""
        ...

    def render_route(self, question: RouteQuestion, decision: RouteDecision) -> RawReply:
        """Say *decision* in the form the PBX follows; a reply exists for every decision."""
        ...

    def parse_event(self, request: RawRequest, received_at: datetime) -> RawEvent:
        """Keep the event's fields, from query and form alike."""
        ...

    def render_ack(self) -> RawReply:
        """Acknowledge an event that is safely stored."""
        ...


# ---------------------------------------------------------------- 1C, pull side
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

    async def listing(self, kind: EntityKind, known: str = "") -> Listing:
        """List every object of *kind*, complete or not at all.

        *known* is the fingerprint of a listing that need not be brought again.

        Raises OneCNonsense when completeness cannot be proven.
        """
        ...

    def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[Noun]]:
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

    owners: tuple[Owner, ...] = ()
    above: tuple[Partner, ...] = ()


class OneCLookup(Protocol):
    """1C as it is asked about one caller while he rings: narrowly, in two or three questions."""

    async def find(self, number: PhoneNumber) -> FoundOwners:
        """Find the owners of *number*; none when 1C has no phone line with these digits.

        May raise OneCUnavailable (also OneCBlocked), OneCUnauthorized, OneCNotPublished,
        OneCNonsense. How long it takes is 1C's affair: who cannot wait goes on without.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...


# ---------------------------------------------------------------- 1C, write side
@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A phone call document that carries our marker."""

    ref: Ref
    number: str
    at: datetime
    marked: bool


class OneCJournal(Protocol):
    """1C as the delivery writes it. One call of a method is one attempt; nothing repeats itself.

    Writes may raise OneCUnavailable: surely not done; OneCOutcomeUnknown: perhaps done;
    OneCBlocked, OneCUnauthorized, OneCNotPublished: not done, and the lane should stop;
    OneCRejected: refused for good; OneCAlreadyExists: a record of this key is there.
    """

    async def find_phone_calls(self, draft: PhoneCallDraft) -> Sequence[FoundDocument]:
        """Look for documents with the draft's marker, the oldest first, marked ones included."""
        ...

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        """Create the document; the reference is 1C's own, whatever was proposed."""
        ...

    async def mark_phone_call(self, document: Ref) -> None:
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

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...


class ProbeFinding(Protocol):
    """One thing seen in 1C: *name* of the look, how it went, and what was seen."""

    @property
    def name(self) -> str:
        """What was looked at."""
        ...

    @property
    def level(self) -> Literal["ok", "warn", "fail"]:
        """How it went."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """What was seen; `error` among them is a whole sentence."""
        ...


class OneCProbe(Protocol):
    """1C as the doctor sees it: reads only, never raises an OneCError."""

    async def run(self) -> Sequence[ProbeFinding]:
        """Look at everything; when 1C cannot be reached that is the only finding."""
        ...


# ---------------------------------------------------------------- directory
@dataclass(frozen=True, slots=True)
class EntitySync:
    """How one entity set fared in a run. *seconds* of wall time, *bytes* of decoded answers.

    *proven_at* is when its rows were last proven equal to 1C's: this run, or where *error* tells
    why they could not be compared, the last one that could. *fingerprint* is that of the listing
    with which the rows are level; empty when they are not.
    """

    kind: EntityKind
    listed: int = 0
    held: int = 0
    fetched: int = 0
    buried: int = 0
    unread_phones: int = 0
    seconds: float = 0.0
    requests: int = 0
    bytes: int = 0
    proven_at: datetime | None = None
    error: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One run as data: what was compared, what moved, what was found wrong on the way."""

    started_at: datetime
    seconds: float
    full: bool
    changed: bool
    numbers: int
    entities: tuple[EntitySync, ...]
    #: Extensions that several reachable users share: extension → names.
    shared_extensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The attribute that holds extensions; None when 1C has none of that title.
    extension_property: Ref | None = None
    managers_without_extension: int = 0
    unread_examples: tuple[str, ...] = ()

    @property
    def proven_at(self) -> datetime | None:
        """When the data were last proven equal: the oldest of the entity sets that ever were."""
        oldest = self.oldest
        return None if oldest is None else oldest.proven_at

    @property
    def oldest(self) -> EntitySync | None:
        """The entity set whose proof is the oldest; sets that were never there do not count."""
        proven = {e.proven_at: e for e in self.entities if e.proven_at is not None}
        return proven[min(proven)] if proven else None

    @property
    def behind(self) -> EntitySync | None:
        """The entity set that keeps the data from being as fresh as this run, if there is one."""
        oldest = self.oldest
        return oldest if oldest is not None and oldest.error else None

    def of(self, kind: EntityKind) -> EntitySync:
        """Tell how *kind* fared."""
        return next((e for e in self.entities if e.kind is kind), EntitySync(kind))


class DirectoryTransaction(Protocol):
    """All of one run's changes; they become visible together, or not at all."""

    def put(self, kind: EntityKind, nouns: Iterable[Noun]) -> None:
        """Insert or replace by reference."""
        ...

    def remove(self, kind: EntityKind, refs: Iterable[Ref]) -> None:
        """Bury objects that 1C no longer lists."""
        ...

    def managers(self) -> Sequence[Manager]:
        """Give all managers as this transaction leaves them; few."""
        ...

    def clear(self) -> None:
        """Forget everything: the run brings the world anew."""
        ...

    def reindex(self) -> int:
        """Recompute the cards of every number that the changes touch; give all numbers held."""
        ...

    def held(self, kind: EntityKind) -> int:
        """Count rows of *kind* as this transaction leaves them."""
        ...

    def unread(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        """Count phone fields from which no number was read, with up to ten examples."""
        ...

    def save_report(self, report: SyncReport) -> None:
        """Keep the run's report as the checkpoint."""
        ...


class DirectoryStore(Protocol):
    """The directory as the sync process writes it: one writer, blocking calls.

    Opening it raises SyncRunning while another process writes; every method may raise StoreError.
    """

    def versions(self, kind: EntityKind) -> dict[Ref, Version]:
        """Give what is held, to compare with a listing."""
        ...

    def report(self) -> SyncReport | None:
        """Give the last saved report; None before the first run."""
        ...

    def transaction(self) -> AbstractContextManager[DirectoryTransaction]:
        """Begin the run's transaction; leaving with an exception rolls everything back."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Directory(Protocol):
    """The directory as callers are answered from it: in microseconds, never blocked by a writer."""

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        """Find all owners of *number*; raises StoreError when the file cannot be read."""
        ...

    def managers(self) -> Mapping[int, Manager]:
        """Give the managers by row number, as of the last refresh."""
        ...

    def owner_of(self, extension: str) -> ExtensionOwner:
        """Find the 1C user behind an extension."""
        ...

    def age(self, now: datetime) -> DataAge:
        """Tell when the directory was last proven equal to 1C, and whether that is too long ago."""
        ...

    def report(self) -> SyncReport | None:
        """Give the report of the last run that proved it; None before the first."""
        ...

    def refresh(self) -> bool:
        """Take up what the sync process committed; True when something changed."""
        ...

    def find(self, words: str, limit: int = 20) -> Sequence[Owner | Manager]:
        """Search names by substring, in any letter case."""
        ...

    def numbers(self) -> int:
        """Count the numbers in the index."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


# ---------------------------------------------------------------- ledger
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


# ---------------------------------------------------------------- events, metrics
@dataclass(frozen=True, slots=True)
class CallRecorded:
    """A call began and is on disk."""

    call: PhoneCall


@dataclass(frozen=True, slots=True)
class EntryMoved:
    """An outbox entry changed its state."""

    entry: OutboxEntry


@dataclass(frozen=True, slots=True)
class DirectoryChanged:
    """The web process took up a new directory."""

    report: SyncReport | None


@dataclass(frozen=True, slots=True)
class OneCMood:
    """1C went away or came back, in one sentence; sent on the edge only."""

    up: bool
    words: str


AlarmName = Literal[
    "slow_disk", "onec_unauthorized", "answer_broken", "onec_not_published", "sync_failed"
]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person should see now; *clear* takes an earlier one of this name back."""

    name: AlarmName
    words: str
    clear: bool = False


Event = CallRecorded | EntryMoved | DirectoryChanged | OneCMood | Alarm


class Events(Protocol):
    """Where services say what happened. Publishing never waits and never raises."""

    def publish(self, event: Event) -> None:
        """Tell everybody who listens."""
        ...


__all__ = [
    "Alarm",
    "CallRecorded",
    "Clock",
    "Directory",
    "DirectoryChanged",
    "DirectoryStore",
    "DirectoryTransaction",
    "EntitySync",
    "EntryMoved",
    "Event",
    "Events",
    "FoundDocument",
    "FoundOwners",
    "Ledger",
    "Listing",
    "Noun",
    "OneCJournal",
    "OneCLookup",
    "OneCMood",
    "OneCProbe",
    "OneCSource",
    "OutboxCounts",
    "ProbeFinding",
    "RawEvent",
    "RawReply",
    "RawRequest",
    "SyncReport",
    "Telephony",
    "Traffic",
]
