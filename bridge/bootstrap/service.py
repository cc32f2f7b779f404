"""The service: every part of it, and the order in which they open and close."""

import gc
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.embedded.aside import kept_aside
from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.adapters.embedded.own_secret import ServiceSecret
from bridge.adapters.embedded.rescue_file import RescueFile
from bridge.adapters.event_hub import EventHub
from bridge.adapters.metrics import Metrics
from bridge.adapters.onec.journal import ODataJournal
from bridge.adapters.onec.lookup import ODataLookup
from bridge.adapters.onec.sign_in import ODataSignIn
from bridge.adapters.onec.slots import RequestSlots, Urgency
from bridge.adapters.sipuni import Sipuni
from bridge.bootstrap.calls import follow_calls, pbx_line, rounds
from bridge.bootstrap.memory import STORES_EVERY, ServiceMemory, open_quietly
from bridge.bootstrap.pages import (
    admin_access_of,
    console_link,
    desk_parts,
    ended_sessions,
    ending,
    hook_access_of,
    shelf_of,
)
from bridge.bootstrap.parts import (
    LIVE_TIMEOUT_S,
    deciding_of,
    directory_path,
    ledger_path,
    make_what_folder_can_be_made,
    monotonic,
    now,
    odata,
    one_time_client,
    onec_slots,
    phone_rules,
    run_history,
    zone_of,
)
from bridge.bootstrap.watch import alarm_watch
from bridge.domain.outbox import OutboxEntry
from bridge.loops import Loop
from bridge.ports import (
    DirectoryChanged,
)
from bridge.scheduler import Scheduler, Timetable, sync_command
from bridge.services.answer import Answering
from bridge.services.ask import RESERVE, Asking
from bridge.services.clock_watch import ClockWatch
from bridge.services.deliver import Delivery
from bridge.services.follow import Following
from bridge.services.index_watch import IndexWatch
from bridge.services.record import Recording
from bridge.services.situation import FanOut, Situation
from bridge.services.store_watch import StoreWatch
from bridge.settings import Settings
from bridge.web.app import create_app
from bridge.web.stream_places import MOST_STREAMS, StreamPlaces
from bridge.web.surface import WebServices

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bridge.scheduler import Scheduler
    from bridge.web.desk.parts import DeskParts


@dataclass(frozen=True, slots=True)
class House:
    """The running service's parts that starting and stopping needs."""

    app: "FastAPI"
    end_streams: Callable[[], None]
    #: What signs sessions and links.
    secret: bytes


def build_service(settings: Settings, *, streams: int | None = None) -> House:
    """Build the service; nothing is opened or started before the app's lifespan begins.

    At most *streams* of pages, if given, are open at once.
    """
    directory, ledger = _stores(settings)
    shelf = shelf_of(settings)
    secret, runs = ServiceSecret(settings.data_dir / "secret.key"), run_history(settings)
    hub, metrics, situation = EventHub(secrets.token_hex(4)), Metrics(), Situation(now)
    desk = desk_parts(settings, directory)
    end_streams = ending(hub, desk)
    events = FanOut(hub, metrics, situation, desk)
    watch = ClockWatch(now, monotonic, events)
    slots = onec_slots(settings)
    client = odata(settings, slots=slots.of(Urgency.DELIVERY))
    zone = zone_of(settings)
    telephony = Sipuni(settings.sipuni_answer, phone_rules(settings))
    deciding = deciding_of(settings, directory, ledger.memory, events)

    def kick_delivery() -> None:
        scheduler.kick()

    book, following, follow = follow_calls(
        settings=settings,
        ledger=ledger,
        directory=directory,
        deciding=deciding,
        telephony=telephony,
        events=events,
        kick=kick_delivery,
    )
    recording = Recording(ledger, events, rescue=RescueFile(settings.data_dir))
    memory = ServiceMemory(
        ledger=ledger,
        book=book,
        recording=recording,
        desk=desk,
        clock=now,
        last_seen=watch.compare,
    )
    stores = StoreWatch(
        (shelf.audit, secret, runs),
        ledger=ledger,
        events=events,
        aside=lambda: kept_aside(settings.data_dir),
        restore=memory.restore,
    )
    line = pbx_line(
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
        reminded=_reminding(following, follow),
        monotonic=monotonic,
        clock_steps=lambda: watch.steps,
    )
    alarms = alarm_watch(
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
        drain=delivery.drain,
        refresh=_refreshing(directory, events, lambda: scheduler.sync_now(accept_shrink=False)),
        events=events,
        clock=now,
        loops=(
            Loop("stores", stores.look, STORES_EVERY),
            follow,
            *rounds(
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
    asking = asking_of(settings, directory, slots)
    answering = Answering(
        deciding=deciding,
        recording=recording,
        ledger=ledger,
        clock=now,
        kick=scheduler.kick,
        following=following,
        asking=asking,
        monotonic=monotonic,
    )

    @asynccontextmanager
    async def lifespan(_: "FastAPI") -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(directory.close)
            stack.push_async_callback(ledger.close)
            stack.push_async_callback(shelf.aclose)
            stack.push_async_callback(client.aclose)
            stack.push_async_callback(recording.settle)
            stack.push_async_callback(line.aclose)
            if asking is not None:
                stack.push_async_callback(asking.aclose)
            await memory.take_up(answering.remember)
            await stores.look()
            await open_quietly(line)
            scheduler.start()
            stack.push_async_callback(scheduler.stop)
            _settle_heap()
            yield
            end_streams()

    services = WebServices(
        telephony=telephony,
        answering=answering,
        receiving=following,
        noting=book,
        ledger=ledger,
        directory=directory,
        hub=hub,
        events=events,
        meter=metrics,
        audit=shelf.audit,
        desk_keys=shelf.audit,
        latency=metrics.latency,
        history=shelf.history,
        flaws=shelf.flaws,
        runs=runs,
        sync_now=scheduler.sync_now,
        desk=desk,
        onec_sign_in=ODataSignIn(one_time_client(settings, slots), now),
        clock=now,
        mood=situation.mood,
        mood_since=situation.mood_since,
        alarms=situation.alarms,
        kick=scheduler.kick,
        hook_access=hook_access_of(settings),
        admin_access=admin_access_of(settings, secret.value),
        phones=phone_rules(settings),
        lang=settings.lang,
        public_url=settings.public_url or "",
        streams=StreamPlaces(streams or MOST_STREAMS),
        zone=zone,
        originating=line.originating,
        phone_book=directory,
        ended_sessions=ended_sessions(settings, events),
    )
    return House(create_app(services, lifespan=lifespan), end_streams, services.admin_access.secret)


def _stores(settings: Settings) -> tuple[DirectoryReader, LedgerStore]:
    """Open what callers are answered from, and what is written of them; neither stops the start.

    Raises:
        StoreTaken: another service works in this folder.
    """
    directory = DirectoryReader(
        directory_path(settings), stale_after=settings.stale_after, monotonic=monotonic
    )
    make_what_folder_can_be_made(settings)
    return directory, LedgerStore.open(ledger_path(settings), clock=now)


def _act_on_steps(
    watch: ClockWatch, scheduler: "Scheduler", following: Following, desk: "DeskParts"
) -> None:
    watch.on_step(scheduler.clock_stepped)
    watch.on_step(following.clock_stepped)
    watch.on_step(desk.board.clock_stepped)
    # What was proven by another clock is proven again.
    watch.on_step(lambda _: scheduler.sync_now())


def _reminding(following: Following, follow: Loop) -> Callable[[OutboxEntry], None]:
    def reminded(entry: OutboxEntry) -> None:
        following.reminded(entry)
        follow.kick()

    return reminded


def _refreshing(
    directory: DirectoryReader, events: FanOut, start_sync: Callable[[], None]
) -> Callable[[], None]:
    watch = IndexWatch(
        index=directory, events=events, sync_now=start_sync, stopwatch=time.monotonic
    )

    def refresh() -> None:
        if directory.refresh():
            directory.age(now())  # noted by the clock of the proof, before that can step
            events.publish(DirectoryChanged(directory.report()))
        watch.look()

    return refresh


#: A question to 1C asks three sets at the same time: with fewer connections for each question it
#: would wait for other questions, and that would be taken for 1C's answering time.
_REQUESTS_OF_A_QUESTION = 3


def asking_of(settings: Settings, directory: DirectoryReader, slots: RequestSlots) -> Asking | None:
    """Build what asks 1C about unknown callers; None where it may not, or could never be in time.

    It has connections of its own and goes first at 1C: nobody rings behind a delivery.
    """
    patience = timedelta(milliseconds=settings.route_deadline_ms) - RESERVE
    if not settings.live_lookup or patience <= timedelta(0):
        return None
    lookup = ODataLookup(
        odata(settings, LIVE_TIMEOUT_S, slots=slots.of(Urgency.CALLER)),
        rules=phone_rules(settings),
        known=directory.partner,
        metadata_cache=settings.data_dir / "metadata.json",
        crowded=lambda: asking.crowded(),  # noqa: PLW0108 - it is made below
    )
    asking = Asking(
        lookup=lookup,
        directory=directory,
        clock=now,
        patience=patience,
        at_once=max(1, settings.onec_concurrency // _REQUESTS_OF_A_QUESTION),
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
    from bridge.web.connections.limits import limits_within
    from bridge.web.server import run

    limits = limits_within(raise_file_limit(), settings.trusted_proxies)
    house = build_service(settings, streams=limits.streams)

    def listening(port: int) -> None:
        if settings.admin_password is None:
            announce(console_link(settings, house.secret, port))

    run(
        house.app,
        house.end_streams,
        host=settings.host,
        port=settings.port,
        limits=limits,
        announce=listening,
    )
