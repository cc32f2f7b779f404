"""What tracks calls and orders them: built for the service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.onec.protocol.slots import RequestSlots, Urgency
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.bootstrap.pbx import PBX_NAME, build_event_feed, build_pbx_api
from bridge.bootstrap.shared import (
    LIVE_LOOKUP_TIMEOUT_S,
    build_odata_client,
    monotonic,
    now,
    onec_zone,
    phone_rules,
)
from bridge.loops import Loop
from bridge.ports.audit import Audit
from bridge.ports.pbx import PbxControl, RawEvent
from bridge.services.answering.decide import RouteDecider
from bridge.services.calls.active_calls import ActiveCalls
from bridge.services.calls.call_back_owners import CallBackOwners
from bridge.services.calls.call_store import CallStore
from bridge.services.calls.missed_calls import MissedCallRules, MissedCalls
from bridge.services.calls.retention import Retention
from bridge.services.calls.tracking import CallTracker
from bridge.services.calls.unfinished import UnfinishedCalls
from bridge.services.calls.unread_events import UnreadEvents
from bridge.services.health.clock_watch import ClockWatch
from bridge.services.health.system_state import EventFanOut
from bridge.services.orders.call_requests import CallRequestPoller
from bridge.services.orders.originate import CallOriginator
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.metrics import Metrics
    from bridge.adapters.onec.reading.call_requests import ODataCallRequests
    from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
    from bridge.adapters.pbx.sipuni.websocket import SipuniWebsocket

#: How often 1C is asked for call requests, and order outcomes that could not be saved are saved.
_POLL_EVERY = timedelta(seconds=5)


def build_missed_call_rules(settings: Settings) -> MissedCallRules:
    """Return how missed calls are reminded of."""
    minutes = settings.escalate_after_min
    return MissedCallRules(
        lang=settings.lang,
        zone=onec_zone(settings),
        keep_reminders=settings.keep_reminders,
        escalate_after=timedelta(minutes=minutes) if settings.escalation_extension else None,
        escalation_extension=settings.escalation_extension,
        work_hours=settings.work_hours,
    )


def build_call_handling(
    *,
    settings: Settings,
    ledger: SqliteLedger,
    directory: SqliteDirectory,
    decider: RouteDecider,
    telephony: "SipuniTelephony",
    events: EventFanOut,
    deliver_soon: Callable[[], None],
) -> tuple[CallStore, CallTracker, Loop]:
    """Build the store of calls, what applies events to them, and the loop for waiting events."""

    def later() -> None:
        loop.run_soon()

    active_calls = ActiveCalls(monotonic)
    missed_calls = MissedCalls(
        ledger=ledger,
        active_calls=active_calls,
        owner_of=directory.owner_of,
        owners=CallBackOwners(
            decide=decider.decide,
            managers=directory.managers,
            lang=settings.lang,
            clock=now,
        ),
        rules=build_missed_call_rules(settings),
        clock=now,
    )
    call_store = CallStore(
        ledger=ledger,
        active_calls=active_calls,
        missed_calls=missed_calls,
        owner_of=directory.owner_of,
        events=events,
        clock=now,
        deliver_soon=deliver_soon,
    )
    call_tracker = CallTracker(
        call_store=call_store,
        ledger=ledger,
        missed_calls=missed_calls,
        read_event=telephony.read_event,
        decide=decider.decide,
        clock=now,
        apply_soon=later,
        journal_internal=settings.internal_calls,
        unread_events=UnreadEvents(ledger=ledger, events=events),
        reparse=telephony.reparse_event,
    )
    loop = Loop("follow", call_tracker.apply_stored_events, timedelta(seconds=5))
    return call_store, call_tracker, loop


def build_periodic_loops(
    settings: Settings,
    ledger: SqliteLedger,
    audit: Audit,
    call_tracker: CallTracker,
    *,
    pbx: PbxControl | None,
    events: EventFanOut,
    clock_watch: ClockWatch,
) -> Sequence[Loop]:
    """Build the periodic work: clock, escalation, unfinished calls, retention."""
    unfinished_calls = UnfinishedCalls(
        tracker=call_tracker,
        pbx=pbx,
        events=events,
        clock=now,
        silent_for=timedelta(seconds=settings.settle_after_s),
    )
    retention = Retention(
        ledger=ledger,
        audit=audit,
        clock=clock_watch.now,
        keep_days=settings.keep_days,
        steady_for=clock_watch.steady_for,
        lang=settings.lang,
    )

    async def escalate() -> None:
        await clock_watch.check()  # a step just now must not make every escalation due
        await call_tracker.escalate_missed_calls()

    return (
        Loop("clock", clock_watch.check, timedelta(seconds=1)),
        Loop("escalate", escalate, timedelta(seconds=30)),
        Loop("settle", unfinished_calls.resolve, timedelta(seconds=60)),
        Loop("forget", retention.delete_old, timedelta(minutes=15)),
    )


@dataclass(frozen=True, slots=True)
class PbxConnection:
    """What goes out to the PBX: its API, orders, requests from 1C, the websocket; each optional."""

    pbx: PbxControl | None = None
    call_originator: CallOriginator | None = None
    call_requests: "ODataCallRequests | None" = None
    loops: tuple[Loop, ...] = ()
    websocket: "SipuniWebsocket | None" = None

    async def open(self) -> None:
        """Resolve what a stop left in doubt, then listen."""
        if self.call_originator is not None:
            await self.call_originator.recover_after_crash()
        if self.websocket is not None:
            self.websocket.start()

    async def aclose(self) -> None:
        """Close what was opened."""
        for part in (self.websocket, self.call_requests, self.pbx):
            if part is not None:
                await part.aclose()


def build_pbx_connection(
    settings: Settings,
    call_store: CallStore,
    call_tracker: CallTracker,
    decider: RouteDecider,
    directory: SqliteDirectory,
    *,
    events: EventFanOut,
    metrics: "Metrics",
    slots: RequestSlots,
) -> PbxConnection:
    """Build what the settings allow of the connection to the PBX."""

    async def receive(event: RawEvent) -> None:
        await call_tracker.receive(event)
        metrics.event_stored(event.provider)

    websocket, pbx = build_event_feed(settings, receive, events), build_pbx_api(settings)
    if pbx is None:
        return PbxConnection(websocket=websocket)
    originating = CallOriginator(
        pbx=pbx,
        provider=PBX_NAME,
        order_store=call_store,
        decide=decider.decide,
        phones=phone_rules(settings),
        lang=settings.lang,
        clock=now,
    )
    outcomes = Loop("orders", originating.save_unsaved_outcomes, _POLL_EVERY)
    if not settings.call_requests:
        return PbxConnection(pbx, originating, loops=(outcomes,), websocket=websocket)
    requests, loop = _requesting(settings, originating, directory, slots)
    return PbxConnection(pbx, originating, requests, (outcomes, loop), websocket)


def _requesting(
    settings: Settings, originating: CallOriginator, directory: SqliteDirectory, slots: RequestSlots
) -> tuple["ODataCallRequests", Loop]:
    """Build what polls 1C for call requests; no order waits behind a delivery."""
    from bridge.adapters.onec.reading.call_requests import ODataCallRequests

    source = ODataCallRequests(
        build_odata_client(
            settings, LIVE_LOOKUP_TIMEOUT_S, slots=slots.for_client(Urgency.INTERACTIVE)
        ),
        onec_zone(settings),
    )
    requesting = CallRequestPoller(
        call_requests=source,
        originator=originating,
        directory=directory,
        partner_phones=directory,
        phones=phone_rules(settings),
        mark=settings.call_request_mark,
        lang=settings.lang,
        clock=now,
        monotonic=monotonic,
    )
    return source, Loop("requests", requesting.poll, _POLL_EVERY)
