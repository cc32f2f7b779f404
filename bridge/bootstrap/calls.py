"""What follows calls and orders them: built for the service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.adapters.onec.slots import RequestSlots, Urgency
from bridge.bootstrap.parts import (
    LIVE_TIMEOUT_S,
    cabinet,
    monotonic,
    now,
    odata,
    phone_rules,
    plain,
    zone_of,
)
from bridge.loops import Loop
from bridge.ports import (
    Audit,
    PbxControl,
    RawEvent,
)
from bridge.services.call_book import CallBook
from bridge.services.clock_watch import ClockWatch
from bridge.services.debts import DebtRules, Debts
from bridge.services.decide import Deciding
from bridge.services.follow import Following
from bridge.services.open_calls import OpenCalls
from bridge.services.originate import Originating
from bridge.services.requests import Requesting
from bridge.services.responsible import Responsible
from bridge.services.retain import Retention
from bridge.services.settle import Settling
from bridge.services.situation import FanOut
from bridge.services.unread_events import UnreadEvents
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.metrics import Metrics
    from bridge.adapters.onec.requests import ODataRequests
    from bridge.adapters.sipuni import Sipuni
    from bridge.adapters.sipuni.websocket import SipuniWebsocket

#: How often 1C is asked for calls that its users order, and what could not be written is written.
_LOOK_EVERY = timedelta(seconds=5)


def debt_rules(settings: Settings) -> DebtRules:
    """How missed calls are reminded of."""
    minutes = settings.escalate_after_min
    return DebtRules(
        lang=settings.lang,
        zone=zone_of(settings),
        keep_reminders=settings.keep_reminders,
        escalate_after=timedelta(minutes=minutes) if settings.escalation_extension else None,
        escalation_extension=settings.escalation_extension,
        work_hours=settings.work_hours,
    )


def follow_calls(
    *,
    settings: Settings,
    ledger: LedgerStore,
    directory: DirectoryReader,
    deciding: Deciding,
    telephony: "Sipuni",
    events: FanOut,
    kick: Callable[[], None],
) -> tuple[CallBook, Following, Loop]:
    """Build the book of calls, what tells events to them, and the loop for those that waited."""

    def later() -> None:
        loop.kick()

    open_calls = OpenCalls(monotonic)
    debts = Debts(
        ledger=ledger,
        open_calls=open_calls,
        owner_of=directory.owner_of,
        responsible=Responsible(
            decide=deciding.decide,
            managers=directory.managers,
            lang=settings.lang,
            clock=now,
        ),
        rules=debt_rules(settings),
        clock=now,
    )
    book = CallBook(
        ledger=ledger,
        open_calls=open_calls,
        debts=debts,
        owner_of=directory.owner_of,
        events=events,
        clock=now,
        kick=kick,
    )
    following = Following(
        book=book,
        ledger=ledger,
        debts=debts,
        read_event=telephony.read_event,
        decide=deciding.decide,
        clock=now,
        later=later,
        internal=settings.internal_calls,
        unread=UnreadEvents(ledger=ledger, events=events),
        reparse=telephony.reparse_event,
    )
    loop = Loop("follow", following.follow, timedelta(seconds=5))
    return book, following, loop


def rounds(
    settings: Settings,
    ledger: LedgerStore,
    audit: Audit,
    following: Following,
    *,
    pbx: PbxControl | None,
    events: FanOut,
    watch: ClockWatch,
) -> Sequence[Loop]:
    """Give the work that goes round by itself: escalation, settling, retention."""
    settling = Settling(
        following=following,
        pbx=pbx,
        events=events,
        clock=now,
        after=timedelta(seconds=settings.settle_after_s),
    )
    retention = Retention(
        ledger=ledger,
        audit=audit,
        clock=watch.now,
        keep_days=settings.keep_days,
        steady_for=watch.steady_for,
        lang=settings.lang,
    )

    async def escalate() -> None:
        await watch.look()  # a step just now must not make everything ripe
        await following.escalate()

    return (
        Loop("clock", watch.look, timedelta(seconds=1)),
        Loop("escalate", escalate, timedelta(seconds=30)),
        Loop("settle", settling.settle, timedelta(seconds=60)),
        Loop("forget", retention.forget, timedelta(minutes=15)),
    )


@dataclass(frozen=True, slots=True)
class PbxLine:
    """What goes out to the PBX: its API, orders, requests from 1C, the websocket; each optional."""

    pbx: PbxControl | None = None
    originating: Originating | None = None
    requests: "ODataRequests | None" = None
    loops: tuple[Loop, ...] = ()
    websocket: "SipuniWebsocket | None" = None

    async def open(self) -> None:
        """Give up what a stop left in doubt, then listen."""
        if self.originating is not None:
            await self.originating.recover()
        if self.websocket is not None:
            self.websocket.start()

    async def aclose(self) -> None:
        """Let go of what was opened."""
        for part in (self.websocket, self.requests, self.pbx):
            if part is not None:
                await part.aclose()


def pbx_line(
    settings: Settings,
    book: CallBook,
    following: Following,
    deciding: Deciding,
    directory: DirectoryReader,
    *,
    events: FanOut,
    metrics: "Metrics",
    slots: RequestSlots,
) -> PbxLine:
    """Build what the settings allow of the line to the PBX."""
    from bridge.adapters.sipuni.websocket import SipuniWebsocket

    async def receive(event: RawEvent) -> None:
        await following.receive(event)
        metrics.event_stored(event.provider)

    websocket = None
    ws_key, pbx = plain(settings.sipuni_ws_key), cabinet(settings)
    if settings.sipuni_events == "websocket" and ws_key is not None:
        websocket = SipuniWebsocket(settings.sipuni_ws_url, ws_key, receive, events, now)
    if pbx is None:
        return PbxLine(websocket=websocket)
    originating = Originating(
        pbx=pbx,
        provider="sipuni",
        book=book,
        decide=deciding.decide,
        phones=phone_rules(settings),
        lang=settings.lang,
        clock=now,
    )
    outcomes = Loop("orders", originating.write_outcomes, _LOOK_EVERY)
    if not settings.call_requests:
        return PbxLine(pbx, originating, loops=(outcomes,), websocket=websocket)
    requests, loop = _requesting(settings, originating, directory, slots)
    return PbxLine(pbx, originating, requests, (outcomes, loop), websocket)


def _requesting(
    settings: Settings, originating: Originating, directory: DirectoryReader, slots: RequestSlots
) -> tuple["ODataRequests", Loop]:
    """Build the look-out for calls ordered in 1C; no order must wait behind a delivery."""
    from bridge.adapters.onec.requests import ODataRequests

    source = ODataRequests(
        odata(settings, LIVE_TIMEOUT_S, slots=slots.of(Urgency.PERSON)), zone_of(settings)
    )
    requesting = Requesting(
        requests=source,
        originating=originating,
        directory=directory,
        phone_book=directory,
        phones=phone_rules(settings),
        mark=settings.call_request_mark,
        lang=settings.lang,
        clock=now,
        monotonic=monotonic,
    )
    return source, Loop("requests", requesting.look, _LOOK_EVERY)
