"""The service: every part of it, and the order in which they open and close."""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.event_hub import EventHub
from bridge.adapters.metrics import Metrics
from bridge.adapters.onec.protocol.slots import Urgency
from bridge.adapters.onec.sign_in import ODataSignIn
from bridge.adapters.onec.writing.journal import ODataJournal
from bridge.adapters.sqlite.calls.recovery.rescue_file import RescueFile
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.file.set_aside import list_set_aside
from bridge.adapters.sqlite.service_secret import ServiceSecret
from bridge.bootstrap.alarms import build_alarm_loop
from bridge.bootstrap.call_handling import (
    build_call_handling,
    build_pbx_connection,
    build_periodic_loops,
)
from bridge.bootstrap.live_lookup import build_live_lookup
from bridge.bootstrap.pages import (
    build_admin_access,
    build_desk,
    build_hook_access,
    build_stream_end,
    open_ended_sessions,
    open_page_stores,
)
from bridge.bootstrap.pbx import build_telephony
from bridge.bootstrap.process import freeze_heap
from bridge.bootstrap.shared import (
    build_decider,
    build_odata_client,
    build_request_slots,
    build_user_client,
    monotonic,
    now,
    onec_zone,
    phone_rules,
)
from bridge.bootstrap.state_loader import CHECK_STORES_EVERY, StateLoader, open_pbx_connection
from bridge.bootstrap.stores import (
    open_run_history,
    open_service_stores,
)
from bridge.domain.delivery.entry import OutboxEntry
from bridge.loops import Loop
from bridge.ports.events import DirectoryChanged
from bridge.scheduler import Scheduler, Timetable, sync_command
from bridge.services.answering.answer import RouteAnswerer
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
    directory, ledger = open_service_stores(settings)
    page_stores = open_page_stores(settings)
    secret, runs = ServiceSecret(settings.data_dir / "secret.key"), open_run_history(settings)
    hub, metrics, system_state = EventHub(secrets.token_hex(4)), Metrics(), SystemState(now)
    desk = build_desk(settings, directory)
    end_streams = build_stream_end(hub, desk)
    events = EventFanOut(hub, metrics, system_state, desk)
    clock_watch = ClockWatch(now, monotonic, events)
    slots = build_request_slots(settings)
    client = build_odata_client(settings, slots=slots.for_client(Urgency.DELIVERY))
    zone = onec_zone(settings)
    telephony = build_telephony(settings)
    decider = build_decider(settings, directory, ledger.number_memory, events)

    def deliver_soon() -> None:
        scheduler.deliver_soon()

    call_store, call_tracker, follow = build_call_handling(
        settings=settings,
        ledger=ledger,
        directory=directory,
        decider=decider,
        telephony=telephony,
        events=events,
        deliver_soon=deliver_soon,
    )
    recording = CallRecorder(ledger, events, rescue=RescueFile(settings.data_dir))
    memory = StateLoader(
        ledger=ledger,
        call_store=call_store,
        recording=recording,
        desk=desk,
        clock=now,
        last_seen=clock_watch.compare_with_last_run,
    )
    stores = StoreWatch(
        (page_stores.audit, secret, runs),
        ledger=ledger,
        events=events,
        damaged_copies=lambda: list_set_aside(settings.data_dir),
        restore=memory.restore,
    )
    line = build_pbx_connection(
        settings,
        call_store,
        call_tracker,
        decider,
        directory,
        events=events,
        metrics=metrics,
        slots=slots,
    )
    delivery = Delivery(
        ledger=ledger,
        journal=ODataJournal(client, zone),
        events=events,
        clock=clock_watch.now,
        lang=settings.lang,
        zone=zone,
        concurrency=settings.onec_concurrency,
        reminder_changed=_on_reminder_changed(call_tracker, follow),
        monotonic=monotonic,
        clock_steps=lambda: clock_watch.steps,
    )
    alarms = build_alarm_loop(
        settings,
        directory=directory,
        ledger=ledger,
        history=page_stores.history,
        metrics=metrics,
        system_state=system_state,
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
                page_stores.audit,
                call_tracker,
                pbx=line.pbx,
                events=events,
                clock_watch=clock_watch,
            ),
            alarms,
            *line.loops,
        ),
        monotonic=monotonic,
    )
    _act_on_steps(clock_watch, scheduler, call_tracker, desk)
    live_lookup = build_live_lookup(settings, directory, slots)
    answering = RouteAnswerer(
        decider=decider,
        recorder=recording,
        ledger=ledger,
        clock=now,
        deliver_soon=scheduler.deliver_soon,
        call_opener=call_tracker,
        live_lookup=live_lookup,
        monotonic=monotonic,
    )

    @asynccontextmanager
    async def lifespan(_: "FastAPI") -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(directory.close)
            stack.push_async_callback(ledger.close)
            stack.push_async_callback(page_stores.aclose)
            stack.push_async_callback(client.aclose)
            stack.push_async_callback(recording.flush)
            stack.push_async_callback(line.aclose)
            if live_lookup is not None:
                stack.push_async_callback(live_lookup.aclose)
            await memory.load(answering.load)
            await stores.check()
            await open_pbx_connection(line)
            scheduler.start()
            stack.push_async_callback(scheduler.stop)
            freeze_heap()
            yield
            end_streams()

    services = WebServices(
        telephony=telephony,
        route_answers=answering,
        event_intake=call_tracker,
        call_notes=call_store,
        ledger=ledger,
        directory=directory,
        event_feed=hub,
        events=events,
        metrics=metrics,
        audit=page_stores.audit,
        desk_keys=page_stores.audit,
        latency=metrics.latency,
        call_journal=page_stores.history,
        data_quality=page_stores.data_quality,
        sync_runs=runs,
        sync_now=scheduler.sync_now,
        desk_state=desk,
        onec_sign_in=ODataSignIn(build_user_client(settings, slots), now),
        clock=now,
        onec_availability=system_state.availability,
        availability_since=system_state.availability_since,
        alarms=system_state.alarms,
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


def _act_on_steps(
    clock_watch: ClockWatch, scheduler: "Scheduler", call_tracker: CallTracker, desk: "DeskState"
) -> None:
    clock_watch.on_step(scheduler.clock_stepped)
    clock_watch.on_step(call_tracker.clock_stepped)
    clock_watch.on_step(desk.calls.shift_clock)
    # What was proven by another clock is proven again.
    clock_watch.on_step(lambda _: scheduler.sync_now())


def _on_reminder_changed(call_tracker: CallTracker, follow: Loop) -> Callable[[OutboxEntry], None]:
    def reminded(entry: OutboxEntry) -> None:
        call_tracker.reminder_changed(entry)
        follow.run_soon()

    return reminded


def _refreshing(
    directory: SqliteDirectory, events: EventFanOut, start_sync: Callable[[], None]
) -> Callable[[], None]:
    clock_watch = IndexWatch(
        index=directory, events=events, sync_now=start_sync, monotonic=time.monotonic
    )

    def refresh() -> None:
        if directory.refresh():
            directory.age(now())  # recorded by the clock of the proof, before that can step
            events.publish(DirectoryChanged(directory.report()))
        clock_watch.check()

    return refresh
