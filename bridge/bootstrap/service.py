"""The service: every part of it, and the order in which they open and close."""

import gc
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.event_hub import EventHub
from bridge.adapters.metrics import Metrics
from bridge.adapters.onec.protocol.slots import RequestSlots, Urgency
from bridge.adapters.onec.reading.lookup import ODataLookup
from bridge.adapters.onec.sign_in import ODataSignIn
from bridge.adapters.onec.writing.journal import ODataJournal
from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.adapters.sqlite.calls.recovery.rescue_file import RescueFile
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.file.set_aside import list_set_aside
from bridge.adapters.sqlite.service_secret import ServiceSecret
from bridge.bootstrap.alarms import build_alarm_loop
from bridge.bootstrap.call_handling import (
    build_call_handling,
    build_pbx_connection,
    build_periodic_loops,
)
from bridge.bootstrap.pages import (
    build_admin_access,
    build_console_link,
    build_desk,
    build_hook_access,
    build_stream_end,
    open_ended_sessions,
    open_page_stores,
)
from bridge.bootstrap.shared import (
    LIVE_LOOKUP_TIMEOUT_S,
    build_decider,
    build_odata_client,
    build_request_slots,
    build_user_client,
    directory_path,
    ledger_path,
    monotonic,
    now,
    onec_zone,
    open_run_history,
    phone_rules,
    try_make_data_folder,
)
from bridge.bootstrap.state_loader import CHECK_STORES_EVERY, StateLoader, open_pbx_connection
from bridge.domain.delivery.entry import OutboxEntry
from bridge.loops import Loop
from bridge.ports.events import DirectoryChanged
from bridge.scheduler import Scheduler, Timetable, sync_command
from bridge.services.answering.answer import RouteAnswerer
from bridge.services.answering.live_lookup import RECORD_RESERVE, LiveLookup
from bridge.services.answering.record import CallRecorder
from bridge.services.calls.tracking import CallTracker
from bridge.services.delivery.deliver import Delivery
from bridge.services.health.clock_watch import ClockWatch
from bridge.services.health.index_watch import IndexWatch
from bridge.services.health.store_watch import StoreWatch
from bridge.services.health.system_state import EventFanOut, SystemState
from bridge.settings import Settings
from bridge.web.app import create_app
from bridge.web.shared.event_stream import MAX_STREAMS, StreamLimits
from bridge.web.web_services import WebServices

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bridge.scheduler import Scheduler
    from bridge.web.desk_state.state import DeskState


@dataclass(frozen=True, slots=True)
class BridgeService:
    """The running service's parts that starting and stopping needs."""

    app: "FastAPI"
    end_streams: Callable[[], None]
    #: What signs sessions and links.
    secret: bytes


def build_service(settings: Settings, *, streams: int | None = None) -> BridgeService:
    """Build the service; nothing is opened or started before the app's lifespan begins.

    At most *streams* of pages, if given, are open at once.
    """
    directory, ledger = _stores(settings)
    shelf = open_page_stores(settings)
    secret, runs = ServiceSecret(settings.data_dir / "secret.key"), open_run_history(settings)
    hub, metrics, situation = EventHub(secrets.token_hex(4)), Metrics(), SystemState(now)
    desk = build_desk(settings, directory)
    end_streams = build_stream_end(hub, desk)
    events = EventFanOut(hub, metrics, situation, desk)
    watch = ClockWatch(now, monotonic, events)
    slots = build_request_slots(settings)
    client = build_odata_client(settings, slots=slots.for_client(Urgency.DELIVERY))
    zone = onec_zone(settings)
    telephony = SipuniTelephony(settings.sipuni_answer, phone_rules(settings))
    deciding = build_decider(settings, directory, ledger.number_memory, events)

    def kick_delivery() -> None:
        scheduler.deliver_soon()

    book, following, follow = build_call_handling(
        settings=settings,
        ledger=ledger,
        directory=directory,
        deciding=deciding,
        telephony=telephony,
        events=events,
        deliver_soon=kick_delivery,
    )
    recording = CallRecorder(ledger, events, rescue=RescueFile(settings.data_dir))
    memory = StateLoader(
        ledger=ledger,
        book=book,
        recording=recording,
        desk=desk,
        clock=now,
        last_seen=watch.compare_with_last_run,
    )
    stores = StoreWatch(
        (shelf.audit, secret, runs),
        ledger=ledger,
        events=events,
        damaged_copies=lambda: list_set_aside(settings.data_dir),
        restore=memory.restore,
    )
    line = build_pbx_connection(
        settings,
        book,
        following,
        deciding,
        directory,
        events=events,
        metrics=metrics,
        slots=slots,
    )
    delivery = Delivery(
        ledger=ledger,
        journal=ODataJournal(client, zone),
        events=events,
        clock=watch.now,
        lang=settings.lang,
        zone=zone,
        concurrency=settings.onec_concurrency,
        reminder_changed=_reminding(following, follow),
        monotonic=monotonic,
        clock_steps=lambda: watch.steps,
    )
    alarms = build_alarm_loop(
        settings,
        directory=directory,
        ledger=ledger,
        history=shelf.history,
        metrics=metrics,
        situation=situation,
        events=events,
    )
    scheduler = Scheduler(
        timetable=Timetable(timedelta(seconds=settings.sync_interval_s), settings.sync_max_duty),
        sync_command=sync_command(),
        deliver=delivery.drain,
        refresh=_refreshing(directory, events, lambda: scheduler.sync_now(accept_shrink=False)),
        events=events,
        clock=now,
        loops=(
            Loop("stores", stores.check, CHECK_STORES_EVERY),
            follow,
            *build_periodic_loops(
                settings,
                ledger,
                shelf.audit,
                following,
                pbx=line.pbx,
                events=events,
                watch=watch,
            ),
            alarms,
            *line.loops,
        ),
        monotonic=monotonic,
    )
    _act_on_steps(watch, scheduler, following, desk)
    asking = build_live_lookup(settings, directory, slots)
    answering = RouteAnswerer(
        decider=deciding,
        recorder=recording,
        ledger=ledger,
        clock=now,
        deliver_soon=scheduler.deliver_soon,
        call_opener=following,
        live_lookup=asking,
        monotonic=monotonic,
    )

    @asynccontextmanager
    async def lifespan(_: "FastAPI") -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(directory.close)
            stack.push_async_callback(ledger.close)
            stack.push_async_callback(shelf.aclose)
            stack.push_async_callback(client.aclose)
            stack.push_async_callback(recording.flush)
            stack.push_async_callback(line.aclose)
            if asking is not None:
                stack.push_async_callback(asking.aclose)
            await memory.load(answering.load)
            await stores.check()
            await open_pbx_connection(line)
            scheduler.start()
            stack.push_async_callback(scheduler.stop)
            _settle_heap()
            yield
            end_streams()

    services = WebServices(
        telephony=telephony,
        route_answers=answering,
        event_intake=following,
        call_notes=book,
        ledger=ledger,
        directory=directory,
        event_feed=hub,
        events=events,
        metrics=metrics,
        audit=shelf.audit,
        desk_keys=shelf.audit,
        latency=metrics.latency,
        call_journal=shelf.history,
        data_quality=shelf.data_quality,
        sync_runs=runs,
        sync_now=scheduler.sync_now,
        desk_state=desk,
        onec_sign_in=ODataSignIn(build_user_client(settings, slots), now),
        clock=now,
        onec_availability=situation.availability,
        availability_since=situation.availability_since,
        alarms=situation.alarms,
        deliver_soon=scheduler.deliver_soon,
        hook_access=build_hook_access(settings),
        admin_access=build_admin_access(settings, secret.value),
        phones=phone_rules(settings),
        lang=settings.lang,
        public_url=settings.public_url or "",
        stream_limits=StreamLimits(streams or MAX_STREAMS),
        zone=zone,
        call_ordering=line.call_originator,
        partner_phones=directory,
        ended_sessions=open_ended_sessions(settings, events),
    )
    return BridgeService(
        create_app(services, lifespan=lifespan), end_streams, services.admin_access.secret
    )


def _stores(settings: Settings) -> tuple[SqliteDirectory, SqliteLedger]:
    """Open what callers are answered from, and what is written of them; neither stops the start.

    Raises:
        StoreTaken: another service works in this folder.
    """
    directory = SqliteDirectory(
        directory_path(settings), stale_after=settings.stale_after, monotonic=monotonic
    )
    try_make_data_folder(settings)
    return directory, SqliteLedger.open(ledger_path(settings), clock=now)


def _act_on_steps(
    watch: ClockWatch, scheduler: "Scheduler", following: CallTracker, desk: "DeskState"
) -> None:
    watch.on_step(scheduler.clock_stepped)
    watch.on_step(following.clock_stepped)
    watch.on_step(desk.calls.shift_clock)
    # What was proven by another clock is proven again.
    watch.on_step(lambda _: scheduler.sync_now())


def _reminding(following: CallTracker, follow: Loop) -> Callable[[OutboxEntry], None]:
    def reminded(entry: OutboxEntry) -> None:
        following.reminder_changed(entry)
        follow.run_soon()

    return reminded


def _refreshing(
    directory: SqliteDirectory, events: EventFanOut, start_sync: Callable[[], None]
) -> Callable[[], None]:
    watch = IndexWatch(
        index=directory, events=events, sync_now=start_sync, monotonic=time.monotonic
    )

    def refresh() -> None:
        if directory.refresh():
            directory.age(now())  # noted by the clock of the proof, before that can step
            events.publish(DirectoryChanged(directory.report()))
        watch.check()

    return refresh


#: A question to 1C asks three sets at the same time: with fewer connections for each question it
#: would wait for other questions, and that would be taken for 1C's answering time.
_REQUESTS_OF_A_QUESTION = 3


def build_live_lookup(
    settings: Settings, directory: SqliteDirectory, slots: RequestSlots
) -> LiveLookup | None:
    """Build what asks 1C about unknown callers; None where it may not, or could never be in time.

    It has connections of its own and goes first at 1C: nobody rings behind a delivery.
    """
    patience = timedelta(milliseconds=settings.route_deadline_ms) - RECORD_RESERVE
    if not settings.live_lookup or patience <= timedelta(0):
        return None
    lookup = ODataLookup(
        build_odata_client(settings, LIVE_LOOKUP_TIMEOUT_S, slots=slots.for_client(Urgency.CALLER)),
        rules=phone_rules(settings),
        find_partner=directory.partner,
        metadata_cache=settings.data_dir / "metadata.json",
        is_crowded=lambda: asking.is_crowded(),  # noqa: PLW0108 - it is made below
    )
    asking = LiveLookup(
        lookup=lookup,
        directory=directory,
        clock=now,
        patience=patience,
        concurrency=max(1, settings.onec_concurrency // _REQUESTS_OF_A_QUESTION),
        monotonic=monotonic,
    )
    return asking


def _settle_heap() -> None:
    """Keep the collector from walking the whole house while a caller waits.

    What stands now stands until the end and is left alone; what comes is walked less often. With
    the defaults a full collection under load took 65-180 ms, the longest wait of all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the service until it is told to stop.

    Where no password opens the console, *announce* is called with a link that does, once.
    """
    from bridge.bootstrap.file_limit import raise_file_limit
    from bridge.web.connections.limits import limits_for_open_files
    from bridge.web.server import run

    limits = limits_for_open_files(raise_file_limit(), settings.trusted_proxies)
    house = build_service(settings, streams=limits.max_streams)

    def listening(port: int) -> None:
        if settings.admin_password is None:
            announce(build_console_link(settings, house.secret, port))

    run(
        house.app,
        house.end_streams,
        host=settings.host,
        port=settings.port,
        limits=limits,
        announce=listening,
    )
