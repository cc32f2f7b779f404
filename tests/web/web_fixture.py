"""The web application over small true services in memory, which can fail."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx
from fastapi import FastAPI
from starlette.types import Message, Scope

from bridge.adapters.event_hub import EventHub
from bridge.adapters.metrics import Metrics
from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.domain.calls.call import CallNote, PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import (
    EntityKind,
)
from bridge.domain.routing.decision import (
    RoutingRules,
)
from bridge.errors import OneCNotPublished
from bridge.ports.alarms import ActiveAlarm
from bridge.ports.events import CallChanged, OneCAvailability
from bridge.ports.orders import PartnerPhones
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.directory import EntitySync, SyncReport
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
from tests.web.services_in_memory import (
    AnsweringInMemory,
    DataQualityInMemory,
    DirectoryInMemory,
    HistoryInMemory,
    LedgerInMemory,
)

USER, PASSWORD, TOKEN, ADMIN = "pbx", "s3cret-pass", "t0ken-in-the-path", "admin-pass"


BASIC = (USER, PASSWORD)


AS_ADMIN = ("admin", ADMIN)


BASE = "http://127.0.0.1"


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
