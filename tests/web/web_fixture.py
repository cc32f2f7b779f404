"""The web application over small true services in memory, which can fail."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx
from fastapi import FastAPI
from starlette.types import Message, Scope

from bridge.adapters.event_hub import EventHub
from bridge.adapters.metrics import Metrics
from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.domain.calls.call import CallNote, PhoneCall, call_from_question
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.outbox import retry_now
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionOwner,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    find_extension_owner,
)
from bridge.domain.phone.callers import read_caller, read_did
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.reporting.data_quality import DataQualityIssueKind, DataQualityIssues
from bridge.domain.reporting.figures import CallFact
from bridge.domain.reporting.search_names import normalise_name, searchable_names
from bridge.domain.routing.decision import (
    DataAge,
    NumberMemory,
    RouteDecision,
    RouteQuestion,
    RoutingRules,
)
from bridge.domain.routing.routing import decide_route
from bridge.domain.whole_numbers import read_whole_number
from bridge.errors import OneCNotPublished, StoreError
from bridge.ports.alarms import ActiveAlarm
from bridge.ports.events import CallChanged, OneCAvailability
from bridge.ports.orders import PartnerPhones
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.calls import CallFilter, CallSearch
from bridge.ports.stores.directory import EntitySync, SyncReport
from bridge.ports.stores.outbox import OutboxCounts
from bridge.ports.stores.sync_runs import SyncRun
from bridge.web.access import AdminAccess, HookAccess
from bridge.web.access.signed_tokens import EndedSessionsInMemory
from bridge.web.app import create_app
from bridge.web.desk_state.desk_calls import DeskCalls
from bridge.web.desk_state.missed_call_list import MissedCallList
from bridge.web.desk_state.state import DeskState
from bridge.web.shared.event_stream import StreamLimits
from bridge.web.web_services import CallOrdering, WebServices
from tests.support.builders import NOON, NUMBER, RULES, card, contact, manager, partner, rows
from tests.support.fakes.access import FakeOneCSignIn, MemoryAudit

USER, PASSWORD, TOKEN, ADMIN = "pbx", "s3cret-pass", "t0ken-in-the-path", "admin-pass"
BASIC = (USER, PASSWORD)
AS_ADMIN = ("admin", ADMIN)
BASE = "http://127.0.0.1"


@dataclass
class LedgerInMemory:
    """Keeps calls, outbox entries and events; *full_disk* makes every access fail."""

    stored: dict[str, PhoneCall] = field(default_factory=dict)
    outbox: dict[str, OutboxEntry] = field(default_factory=dict)
    kept_events: list[RawEvent] = field(default_factory=list)
    kept_unread: list[RawEvent] = field(default_factory=list)
    missed: list[MissedCall] = field(default_factory=list)
    choices: dict[PhoneNumber, Ref] = field(default_factory=dict)
    full_disk: bool = False

    def _touch(self) -> None:
        if self.full_disk:
            raise StoreError("ledger.db", "disk full")

    async def unread_events(self, limit: int, after: int = -1) -> list[tuple[int, RawEvent]]:
        self._touch()
        return list(enumerate(self.kept_unread))[after + 1 :][:limit]

    async def count_unread_events(self) -> int:
        self._touch()
        return len(self.kept_unread)

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        self._touch()
        if call.key in self.stored:
            return self.stored[call.key]
        self.stored[call.key] = call
        if entry is not None:
            self.outbox[entry.key] = entry
        return call

    async def record_event(self, event: RawEvent) -> None:
        self._touch()
        self.kept_events.append(event)

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        self._touch()
        if key in self.outbox:
            self.outbox[key] = retry_now(self.outbox[key], now)
        return self.outbox.get(key)

    async def save_entry(self, entry: OutboxEntry) -> bool:
        self._touch()
        if entry.key not in self.outbox:
            return False
        self.outbox[entry.key] = entry
        return True

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        due = [e for e in self.outbox.values() if e.is_due(now)]
        return [(e, self.stored[e.key]) for e in due[:limit]]

    async def recover_after_crash(self) -> int:
        return 0

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        self._touch()
        found = [e for e in self.outbox.values() if not states or e.state in states]
        found.sort(key=lambda e: e.created_at, reverse=True)
        return [(e, self.stored[e.key]) for e in found[:limit]]

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        self._touch()
        found = [e for e in self.outbox.values() if e.key.startswith(key)]
        return (found[0], self.stored[found[0].key]) if len(found) == 1 else None

    async def drop_entry(self, key: str) -> bool:
        self._touch()
        return self.outbox.pop(key, None) is not None

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        self._touch()
        return self.missed

    async def count_entries(self) -> OutboxCounts:
        self._touch()
        states = [e.state for e in self.outbox.values()]
        return OutboxCounts(
            due=states.count(EntryState.DUE),
            sending=states.count(EntryState.SENDING),
            dead=states.count(EntryState.DEAD),
            delivered=states.count(EntryState.DELIVERED),
            oldest_due=min(
                (e.created_at for e in self.outbox.values() if e.state is EntryState.DUE),
                default=None,
            ),
        )

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        matching: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        self._touch()
        filtered = matching or CallFilter()
        number = filtered.number if number is None else number
        found = [
            c
            for c in self.stored.values()
            if (before is None or c.received_at < before)
            and (number is None or c.caller.number == number)
            and filtered.client in (None, c.client_key)
            and filtered.direction in (None, c.direction)
            and (not filtered.dispositions or c.state.disposition in filtered.dispositions)
        ]
        return sorted(found, key=lambda c: c.received_at, reverse=True)[:limit]

    async def call(self, key: str) -> PhoneCall | None:
        self._touch()
        return self.stored.get(key)

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        return [
            c
            for c in self.stored.values()
            if c.received_at >= moment and (until is None or c.received_at < until)
        ]

    async def call_by_ref(self, ref: str) -> PhoneCall | None:
        return next((c for c in self.stored.values() if ref and c.state.call_ref == ref), None)

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        return list(enumerate(self.kept_events))[:limit]

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        del key
        return ()

    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        return NumberMemory(chosen_owner=self.choices.get(number))

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        self._touch()
        self.choices[number] = owner

    async def close(self) -> None:
        pass


@dataclass
class DirectoryInMemory:
    """Knows the cards it is given; *proven_at* and *stale* are its freshness."""

    cards: dict[PhoneNumber, CallerCard] = field(default_factory=dict)
    staff: dict[Ref, Manager] = field(default_factory=dict)
    proven_at: datetime | None = NOON - timedelta(minutes=1)
    stale: bool = False
    last_report: SyncReport | None = None
    broken: StoreError | None = None

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        return self.cards.get(number)

    def managers(self) -> Mapping[Ref, Manager]:
        return self.staff

    def owner_of(self, extension: str) -> ExtensionOwner:
        return find_extension_owner(extension, self.staff)

    def age(self, now: datetime) -> DataAge:
        del now
        return DataAge(self.proven_at, self.stale)

    def report(self) -> SyncReport | None:
        return self.last_report

    def error(self) -> StoreError | None:
        return self.broken

    def refresh(self) -> bool:
        return False

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        del text, limit
        return ()

    def partner(self, ref: Ref) -> Partner | None:
        del ref
        return None

    def count_numbers(self) -> int:
        return len(self.cards)

    def close(self) -> None:
        pass


@dataclass
class AnsweringInMemory:
    """Decides from the directory and records at once; *broken* makes it raise what it is."""

    ledger: LedgerInMemory
    directory: DirectoryInMemory
    clock: Callable[[], datetime]
    rules: RoutingRules = field(default_factory=RoutingRules)
    broken: Exception | None = None
    questions: list[RouteQuestion] = field(default_factory=list)

    async def answer(self, question: RouteQuestion) -> RouteDecision:
        self.questions.append(question)
        if self.broken is not None:
            raise self.broken
        decision = self._decide(question)
        call = call_from_question(question, decision)
        entry = OutboxEntry(call.key, call.received_at, call.received_at)
        await self.ledger.record_call(call, entry if call.needs_document else None)
        return decision

    def fallback(self, question: RouteQuestion) -> RouteDecision:
        return decide_route(
            question, None, {}, lambda _: ExtensionOwner(None), self.rules, index_error="broken"
        )

    def explain(self, caller: str, did: str) -> tuple[RouteQuestion, RouteDecision]:
        question = RouteQuestion(
            "explain", read_caller(caller, RULES), read_did(did, RULES), self.clock()
        )
        return question, self._decide(question)

    def _decide(self, question: RouteQuestion) -> RouteDecision:
        number = question.caller.number
        return decide_route(
            question,
            None if number is None else self.directory.look_up(number),
            self.directory.managers(),
            self.directory.owner_of,
            self.rules,
            memory=None if number is None else self.ledger.number_memory(number),
            age=self.directory.age(question.received_at),
        )


@dataclass
class HistoryInMemory:
    """Looks through the ledger's calls: by outcome, direction, extension, number, name, days."""

    ledger: LedgerInMemory

    async def find(
        self, filtered: CallSearch, *, limit: int, after: str = ""
    ) -> tuple[Sequence[PhoneCall], str]:
        found = [call for call in await self.ledger.calls(limit=10_000) if _matches(call, filtered)]
        begun = read_whole_number(after) or 0
        page = found[begun : begun + limit]
        return page, str(begun + limit) if len(found) > begun + limit else ""

    async def facts(self, since: datetime, until: datetime) -> Sequence[CallFact]:
        return [
            CallFact(
                c.received_at, c.direction, c.state.disposition, c.decision.rule, c.state.wait_time
            )
            for c in self.ledger.stored.values()
            if since <= c.received_at < until and not c.is_test_request
        ]

    async def each(self, since: datetime, look: Callable[[PhoneCall], None]) -> None:
        for call in self.ledger.stored.values():
            if call.received_at >= since:
                look(call)


def _matches(call: PhoneCall, search: CallSearch) -> bool:
    target, filtered = call.decision.target, search.filter
    return (
        (filtered.since is None or call.received_at >= filtered.since)
        and (filtered.until is None or call.received_at < filtered.until)
        and filtered.direction in {None, call.direction}
        and (not filtered.dispositions or call.state.disposition in filtered.dispositions)
        and (
            not filtered.extension
            or (target is not None and target.extension == filtered.extension)
        )
        and filtered.number in {None, call.caller.number}
        and search.digits in str(call.caller.number)
        and normalise_name(search.name) in searchable_names(call)
    )


@dataclass
class DataQualityInMemory:
    """Returns the issues it was given."""

    unmanaged: DataQualityIssues = field(
        default_factory=lambda: DataQualityIssues(DataQualityIssueKind.NO_MANAGER, 0, 0)
    )
    unreadable: DataQualityIssues = field(
        default_factory=lambda: DataQualityIssues(DataQualityIssueKind.UNREADABLE, 0, 0)
    )

    async def unmanaged_partners(self, costs: Mapping[Ref, int], limit: int) -> DataQualityIssues:
        del costs, limit
        return self.unmanaged

    async def unreadable_phones(
        self, unknown_tails: Mapping[str, int], limit: int
    ) -> DataQualityIssues:
        del unknown_tails, limit
        return self.unreadable


@dataclass
class WebFixture:
    """Everything behind the web application, to be asked by tests, and the application."""

    ledger: LedgerInMemory = field(default_factory=LedgerInMemory)
    directory: DirectoryInMemory = field(default_factory=DirectoryInMemory)
    event_feed: EventHub = field(default_factory=lambda: EventHub("life1"))
    metrics: Metrics = field(default_factory=Metrics)
    audit: MemoryAudit = field(default_factory=MemoryAudit)
    onec_sign_in: FakeOneCSignIn = field(default_factory=FakeOneCSignIn)
    rules: RoutingRules = field(default_factory=RoutingRules)
    answer: Literal["auto", "number", "text"] = "auto"
    hook_access: HookAccess = field(default_factory=lambda: HookAccess(USER, PASSWORD, TOKEN))
    admin_access: AdminAccess = field(default_factory=lambda: AdminAccess(ADMIN))
    lang: Language = "en"
    onec_availability: OneCAvailability | None = None
    alarms: tuple[ActiveAlarm, ...] = ()
    delivery_wakeups: int = 0
    data_quality: DataQualityInMemory = field(default_factory=DataQualityInMemory)
    sync_runs: list[SyncRun] = field(default_factory=list)
    syncs: list[bool] = field(default_factory=list)
    now: datetime = NOON
    heartbeat_s: float = 15.0
    public_url: str = ""
    call_ordering: CallOrdering | None = None
    partner_phones: PartnerPhones | None = None
    stream_limits: StreamLimits = field(default_factory=StreamLimits)
    #: Seconds that have passed by the clock nobody sets; who waits makes them pass.
    passed: float = 0.0
    ended: EndedSessionsInMemory = field(default_factory=EndedSessionsInMemory)
    desk_state: DeskState = field(init=False)
    answering: AnsweringInMemory = field(init=False)

    def __post_init__(self) -> None:
        board = DeskCalls("life1", self.clock)
        self.desk_state = DeskState(board, MissedCallList(board, self.directory.managers))
        self.answering = AnsweringInMemory(self.ledger, self.directory, self.clock, self.rules)

    def clock(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def request_delivery(self) -> None:
        self.delivery_wakeups += 1

    def sync_now(self, *, accept_shrink: bool = False) -> None:
        self.syncs.append(accept_shrink)

    async def runs(self, limit: int = 100, since: datetime | None = None) -> Sequence[SyncRun]:
        newest = reversed(self.sync_runs)
        return [run for run in newest if since is None or run.started_at >= since][:limit]

    async def annotate(self, key: str, by: str, text: str) -> PhoneCall | None:
        call = self.ledger.stored.get(key)
        if call is None:
            return None
        changed = replace(call, notes=(*call.notes, CallNote(self.clock(), by, text)))
        self.ledger.stored[key] = changed
        self.desk_state.publish(CallChanged(changed))
        return changed

    async def dismiss_unread(self) -> int:
        gone, self.ledger.kept_unread = len(self.ledger.kept_unread), []
        return gone

    async def receive(self, event: RawEvent) -> None:
        await self.ledger.record_event(event)

    def services(self) -> WebServices:
        return WebServices(
            telephony=SipuniTelephony(self.answer, RULES),
            route_answers=self.answering,
            event_intake=self,
            call_notes=self,
            desk_state=self.desk_state,
            ledger=self.ledger,
            directory=self.directory,
            event_feed=self.event_feed,
            events=self.event_feed,
            metrics=self.metrics,
            audit=self.audit,
            desk_keys=self.audit,
            latency=self.metrics.latency,
            call_journal=HistoryInMemory(self.ledger),
            data_quality=self.data_quality,
            sync_runs=self,
            sync_now=self.sync_now,
            onec_sign_in=self.onec_sign_in,
            clock=self.clock,
            onec_availability=lambda: self.onec_availability,
            availability_since=lambda: (
                None if self.onec_availability is None else self.now - timedelta(minutes=7)
            ),
            alarms=lambda: self.alarms,
            deliver_soon=self.request_delivery,
            hook_access=self.hook_access,
            admin_access=self.admin_access,
            phones=RULES,
            lang=self.lang,
            stream_limits=self.stream_limits,
            heartbeat_s=self.heartbeat_s,
            public_url=self.public_url,
            call_ordering=self.call_ordering,
            partner_phones=self.partner_phones,
            ended_sessions=self.ended,
            monotonic=self.monotonic,
            sleep=self.sleep,
        )

    def app(self) -> FastAPI:
        return create_app(self.services())

    def client(
        self,
        *,
        peer: str = "127.0.0.1",
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        app: FastAPI | None = None,
    ) -> httpx.AsyncClient:
        """Return a client that comes from *peer*."""
        # Errors end as 500 answers, as they do on a server.
        transport = httpx.ASGITransport(
            app or self.app(), client=(peer, 40000), raise_app_exceptions=False
        )
        return httpx.AsyncClient(transport=transport, base_url=BASE, auth=auth, headers=headers)

    def admin(self) -> httpx.AsyncClient:
        return self.client(auth=AS_ADMIN)

    def pbx(self) -> httpx.AsyncClient:
        return self.client(auth=BASIC, peer="203.0.113.7")

    def add_entry(self, call: PhoneCall, **changes: Any) -> OutboxEntry:
        """Put *call* into the journal with an outbox entry changed by *changes*."""
        entry = replace(OutboxEntry(call.key, call.received_at, call.received_at), **changes)
        self.ledger.stored[call.key] = call
        self.ledger.outbox[call.key] = entry
        return entry


async def send_raw_query(app: FastAPI, path: str, query: bytes) -> tuple[int, bytes]:
    """Ask as the PBX with a *query* of any bytes and length, past what clients refuse to send."""
    credentials = b64encode(f"{USER}:{PASSWORD}".encode())
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"authorization", b"Basic " + credentials)],
        "client": ("203.0.113.7", 40000),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    body = b"".join(m.get("body", b"") for m in messages)
    return messages[0]["status"], body


def partial_report() -> SyncReport:
    """A run at noon that could compare partners, but not contact persons, for a day now."""
    missing = OneCNotPublished("Catalog_КонтактныеЛицаПартнеров", "the entity set is not published")
    partners = EntitySync(
        EntityKind.PARTNER,
        listed=7,
        held=7,
        unread_phones=2,
        seconds=1.5,
        requests=3,
        bytes=4096,
        proven_at=NOON,
    )
    day_before = NOON - timedelta(days=1)
    contacts = EntitySync(EntityKind.CONTACT, held=5, proven_at=day_before, error=str(missing))
    return SyncReport(NOON, 2.0, False, False, 9, (partners, contacts))


def web_with_known_caller(**changes: Any) -> WebFixture:
    """Return an application that knows the number of Пётр Иванов, whose manager has 205."""
    boss = manager()
    web = WebFixture(**changes)
    web.directory.staff.update(rows(boss))
    web.directory.cards[NUMBER] = card(contact(), partners=[partner()])
    return web
