"""What hooks, API and pages need: services and stores as Protocols, in one bundle."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.reporting.data_quality import DataQualityIssues
from bridge.domain.reporting.figures import CallFact, LatencyHour
from bridge.domain.routing.decision import RouteDecision, RouteQuestion, Rule
from bridge.ports.access import EndedSessions, OneCSignIn, PersonalLinks
from bridge.ports.alarms import ActiveAlarm
from bridge.ports.audit import Audit
from bridge.ports.clock import Clock
from bridge.ports.events import Event, EventPublisher, OneCAvailability
from bridge.ports.orders import PartnerPhones
from bridge.ports.pbx import RawEvent, Telephony
from bridge.ports.stores.calls import CallRecords, CallSearch
from bridge.ports.stores.directory import Directory
from bridge.ports.stores.event_log import EventLog
from bridge.ports.stores.missed_calls import MissedCallRecords
from bridge.ports.stores.number_memory import NumberMemoryStore
from bridge.ports.stores.outbox import OutboxCounts, OutboxEntries
from bridge.ports.stores.sync_runs import SyncRunList
from bridge.web.access import AdminAccess, HookAccess
from bridge.web.desk_state.state import DeskState
from bridge.web.shared.event_stream import StreamLimits, TextCache


class WebLedger(
    CallRecords, EventLog, OutboxEntries, MissedCallRecords, NumberMemoryStore, Protocol
):
    """The part of the ledger that pages and the API read and change."""


class RouteAnswers(Protocol):
    """Answers routing questions; a returned answer is recorded."""

    def answer(self, question: RouteQuestion, /) -> Awaitable[RouteDecision]:
        """Decide and record; one call asks several times and is answered once."""
        ...

    def fallback(self, question: RouteQuestion, /) -> RouteDecision:
        """Decide by the settings alone; never raises."""
        ...

    def explain(self, caller: str, did: str, /) -> tuple[RouteQuestion, RouteDecision]:
        """Return what the PBX would be answered, and why; records nothing."""
        ...


class EventIntake(Protocol):
    """Takes in PBX events."""

    def receive(self, event: RawEvent, /) -> Awaitable[None]:
        """Store *event*; done means durable. Raises StoreError when it is not."""
        ...

    def dismiss_unread(self) -> Awaitable[int]:
        """Delete the events that could not be read; return their number."""
        ...


class CallOrdering(Protocol):
    """Orders calls through the PBX."""

    async def order(self, extension: str, number: str, *, by: str) -> PhoneCall:
        """Ring *extension*, then *number*; the returned call has the order's outcome.

        Raises OrderRefused (OrderRepeated) where nothing was ordered.
        """
        ...


class CallNotes(Protocol):
    """Keeps what operators write about calls."""

    def annotate(self, key: str, by: str, text: str, /) -> Awaitable[PhoneCall | None]:
        """Add *text* to the call of *key* and to its 1C document; None: no such call."""
        ...


class EventFeed(Protocol):
    """Where pages listen to what happens."""

    @property
    def latest(self) -> str:
        """Return the id of the last event."""
        ...

    def subscribe(
        self, kinds: Collection[type[Event]], after: str = ""
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, Event | None]]]:
        """Listen, from behind the id *after* if given; None for an event marks a gap.

        The iterator ends when the service stops; cancelling a wait for its next loses nothing.
        """
        ...


class WebMetrics(Protocol):
    """Counts questions and events, and writes the metrics."""

    @property
    def content_type(self) -> str:
        """Return the content type of the exposition."""
        ...

    def routed(self, provider: str, rule: Rule, seconds: float, /) -> None:
        """Count one answered question."""
        ...

    def route_failed(self, provider: str, /) -> None:
        """Count a question that only the fallback could answer."""
        ...

    def event_stored(self, provider: str, /) -> None:
        """Count one stored PBX event."""
        ...

    def expose(self, counts: OutboxCounts | None, age: timedelta | None, numbers: int, /) -> bytes:
        """Return the exposition; the arguments are what stands in the stores now; None: unread."""
        ...


class RouteLatency(Protocol):
    """How long routing answers took since the service began."""

    def hours(self) -> Sequence[LatencyHour]:
        """Return every hour that had answers, the oldest first."""
        ...

    def day(self) -> LatencyHour | None:
        """Return the last 24 hours as one; None when there was no answer."""
        ...


class CallJournal(Protocol):
    """The ledger's calls as pages look for them and count them; may raise StoreError."""

    async def find(
        self, search: CallSearch, *, limit: int, after: str = ""
    ) -> tuple[Sequence[PhoneCall], str]:
        """Return calls, newest first, and the cursor of the next page; empty: no more."""
        ...

    async def facts(self, since: datetime, until: datetime) -> Sequence[CallFact]:
        """Return what figures are made of, for the calls received from *since* until *until*."""
        ...

    async def each(self, since: datetime, look: Callable[[PhoneCall], None]) -> None:
        """Show every call received since *since* to *look*, in a thread of its own."""
        ...


class DataQualityLists(Protocol):
    """What is wrong in the data pulled from 1C; may raise StoreError."""

    async def unmanaged_partners(self, costs: Mapping[Ref, int], limit: int) -> DataQualityIssues:
        """List partners for whom 1C names no main manager, those of *costs* first."""
        ...

    async def unreadable_phones(
        self, unknown_tails: Mapping[str, int], limit: int
    ) -> DataQualityIssues:
        """List owners with phone fields in which no number was found."""
        ...


class SyncStart(Protocol):
    """Where a person starts a sync run."""

    def __call__(self, *, accept_shrink: bool = False) -> None:
        """Start one as soon as the present one is over; *accept_shrink*: 1C is right."""
        ...


@dataclass(frozen=True, slots=True)
class WebServices:
    """Everything that hooks, API and pages use; ready to use when given.

    *zone* is the administrator's time zone. *public_url* is where browsers reach the pages; empty:
    where the request came to. *deliver_soon* lets the delivery run at once. *heartbeat_s* is the
    longest silence on a stream: proxies close streams that are silent for a minute.
    """

    telephony: Telephony
    route_answers: RouteAnswers
    event_intake: EventIntake
    call_notes: CallNotes
    ledger: WebLedger
    directory: Directory
    event_feed: EventFeed
    events: EventPublisher
    metrics: WebMetrics
    audit: Audit
    desk_keys: PersonalLinks
    onec_sign_in: OneCSignIn
    desk_state: DeskState
    latency: RouteLatency
    call_journal: CallJournal
    data_quality: DataQualityLists
    sync_runs: SyncRunList
    sync_now: SyncStart
    clock: Clock
    onec_availability: Callable[[], OneCAvailability | None]
    availability_since: Callable[[], datetime | None]
    alarms: Callable[[], Sequence[ActiveAlarm]]
    deliver_soon: Callable[[], None]
    hook_access: HookAccess = field(default_factory=HookAccess)
    admin_access: AdminAccess = field(default_factory=AdminAccess)
    phones: PhoneRules = field(default_factory=PhoneRules)
    lang: Language = "ru"
    public_url: str = ""
    zone: tzinfo = UTC
    heartbeat_s: float = 15.0
    stream_limits: StreamLimits = field(default_factory=StreamLimits)
    event_texts: TextCache = field(default_factory=TextCache)
    #: None: nothing opens the PBX's API, so nothing can be called through it.
    call_ordering: CallOrdering | None = None
    partner_phones: PartnerPhones | None = None
    #: Which sessions were signed out; None: known until a restart only.
    ended_sessions: EndedSessions | None = None
    #: A clock that cannot be set: for guesses and streams.
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
