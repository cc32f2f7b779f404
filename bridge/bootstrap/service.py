"""The service: every part of it, and the order in which they open and close."""

import gc
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.adapters.onec.lookup import ODataLookup
from bridge.adapters.onec.slots import RequestSlots, Urgency
from bridge.bootstrap.calls import follow_calls, pbx_line, rounds
from bridge.bootstrap.pages import (
    admin_access_of,
    console_link,
    desk_parts,
    ended_sessions,
    ending,
    hook_access_of,
    remind_of_links,
    shelf_of,
)
from bridge.bootstrap.parts import (
    LIVE_TIMEOUT_S,
    deciding_of,
    directory_path,
    ledger_path,
    make_data_folder,
    now,
    odata,
    one_time_client,
    onec_slots,
    phone_rules,
    run_history,
    zone_of,
)
from bridge.domain.desk import LONGEST_TALK
from bridge.domain.outbox import OutboxEntry
from bridge.loops import Loop
from bridge.ports import (
    DirectoryChanged,
)
from bridge.services.answer import Answering
from bridge.services.ask import RESERVE, Asking
from bridge.services.deliver import Delivery
from bridge.services.follow import Following
from bridge.services.record import Recording
from bridge.services.situation import FanOut, Situation
from bridge.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class House:
    """The running service's parts that starting and stopping needs."""

    app: "FastAPI"
    end_streams: Callable[[], None]
    #: What signs sessions and links.
    secret: bytes


def build_service(settings: Settings) -> House:
    """Build the service; nothing is opened or started before the app's lifespan begins."""
    from bridge.adapters.event_hub import EventHub
    from bridge.adapters.metrics import Metrics
    from bridge.adapters.onec.journal import ODataJournal
    from bridge.adapters.onec.sign_in import ODataSignIn
    from bridge.adapters.sipuni import Sipuni
    from bridge.scheduler import Scheduler, Timetable, sync_command
    from bridge.web.app import create_app
    from bridge.web.surface import WebServices

    directory, ledger = _stores(settings)
    shelf = shelf_of(settings)
    hub, metrics, situation = EventHub(secrets.token_hex(4)), Metrics(), Situation(now)
    desk = desk_parts(settings, directory)
    end_streams = ending(hub, desk)
    events = FanOut(hub, metrics, situation, desk)
    remind_of_links(settings, events)
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
    recording = Recording(ledger, events)
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
        clock=now,
        lang=settings.lang,
        zone=zone,
        concurrency=settings.onec_concurrency,
        reminded=_reminding(following, follow),
    )
    scheduler = Scheduler(
        timetable=Timetable(timedelta(seconds=settings.sync_interval_s), settings.sync_max_duty),
        sync_command=sync_command(),
        drain=delivery.drain,
        refresh=_refreshing(directory, events),
        events=events,
        clock=now,
        loops=(follow, *rounds(settings, ledger, following, line.pbx), *line.loops),
    )
    asking = asking_of(settings, directory, slots)
    answering = Answering(
        deciding=deciding,
        recording=recording,
        ledger=ledger,
        clock=now,
        kick=scheduler.kick,
        following=following,
        asking=asking,
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
            await answering.remember()
            await book.remember()
            await line.open()
            desk.recall(await ledger.calls_since(now() - LONGEST_TALK), await ledger.open_debts())
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
        runs=run_history(settings),
        sync_now=scheduler.sync_now,
        desk=desk,
        onec_sign_in=ODataSignIn(one_time_client(settings, slots), now),
        clock=now,
        mood=situation.mood,
        mood_since=situation.mood_since,
        alarms=situation.alarms,
        kick=scheduler.kick,
        hook_access=hook_access_of(settings),
        admin_access=admin_access_of(settings),
        phones=phone_rules(settings),
        lang=settings.lang,
        public_url=settings.public_url or "",
        zone=zone,
        originating=line.originating,
        phone_book=directory,
        ended_sessions=ended_sessions(settings, events),
    )
    return House(create_app(services, lifespan=lifespan), end_streams, services.admin_access.secret)


def _stores(settings: Settings) -> tuple[DirectoryReader, LedgerStore]:
    """Open what the service cannot do without."""
    directory = DirectoryReader(directory_path(settings), stale_after=settings.stale_after)
    make_data_folder(settings)
    return directory, LedgerStore.open(ledger_path(settings), clock=now)


def _reminding(following: Following, follow: Loop) -> Callable[[OutboxEntry], None]:
    def reminded(entry: OutboxEntry) -> None:
        following.reminded(entry)
        follow.kick()

    return reminded


def _refreshing(directory: DirectoryReader, events: FanOut) -> Callable[[], None]:
    def refresh() -> None:
        if directory.refresh():
            events.publish(DirectoryChanged(directory.report()))

    return refresh


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
    )
    return Asking(lookup=lookup, directory=directory, clock=now, patience=patience)


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
    from bridge.web.server import run

    house = build_service(settings)

    def listening(port: int) -> None:
        if settings.admin_password is None:
            announce(console_link(settings, house.secret, port))

    run(
        house.app,
        house.end_streams,
        host=settings.host,
        port=settings.port,
        announce=listening,
    )
