"""The one file that names every concrete class and builds the house from the settings.

What only the service needs is imported where the service is built: it is half of the time that a
command like `route` would take.
"""

import gc
import logging
import math
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bridge.adapters.embedded.audit_store import AuditStore
from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.directory_store import DirectoryWriter
from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.adapters.embedded.own_secret import own_secret
from bridge.adapters.embedded.run_history import RunHistory
from bridge.adapters.onec.lookup import ODataLookup
from bridge.adapters.onec.odata import ODataClient, ODataConfig
from bridge.adapters.onec.probe import OneCProbe
from bridge.adapters.onec.source import ODataSource
from bridge.domain.calls import PhoneCall
from bridge.domain.checkup import Checkup, Verdict
from bridge.domain.desk import LONGEST_TALK
from bridge.domain.directory import Manager
from bridge.domain.outbox import EntryState, OutboxEntry
from bridge.domain.phone import PhoneRules, read_did
from bridge.domain.routing import NumberMemory, RouteDecision, RouteQuestion, RoutingRules
from bridge.errors import BridgeError, SettingsError, StoreError, SyncRefused
from bridge.logs import configure_logs
from bridge.loops import Loop
from bridge.ports import (
    AuditAct,
    AuditRecord,
    DirectoryChanged,
    PbxControl,
    PlacedCall,
    RawEvent,
    Shrink,
    SyncReport,
    SyncRun,
)
from bridge.services import diagnose
from bridge.services.answer import Answering
from bridge.services.ask import RESERVE, Asking
from bridge.services.debts import DebtRules, Debts
from bridge.services.decide import Deciding, Memory
from bridge.services.deliver import Delivery
from bridge.services.follow import Following, FollowRules
from bridge.services.open_calls import OpenCalls
from bridge.services.originate import Originating
from bridge.services.pull import Confirm, Progress, Pull, PullRules, nobody_confirms
from bridge.services.record import Recording
from bridge.services.requests import Requesting
from bridge.services.retain import Retention
from bridge.services.settle import Settling
from bridge.services.situation import FanOut, Situation
from bridge.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bridge.adapters.embedded.call_history import CallHistory
    from bridge.adapters.embedded.directory_flaws import DirectoryFlaws
    from bridge.adapters.event_hub import EventHub
    from bridge.adapters.metrics import Metrics
    from bridge.adapters.onec.requests import ODataRequests
    from bridge.adapters.sipuni import Sipuni
    from bridge.adapters.sipuni.api import SipuniApi
    from bridge.adapters.sipuni.websocket import SipuniWebsocket
    from bridge.web.access import AdminAccess, HookAccess
    from bridge.web.desk.parts import DeskParts

_log = logging.getLogger(__name__)

#: A question about a caller who has long been answered is given up after this.
_LIVE_TIMEOUT_S = 20.0

#: A person at the sign-in waits no longer for 1C's word on his password.
_SIGN_IN_TIMEOUT_S = 30.0
#: How often 1C is asked for calls that its users order.
_LOOK_EVERY = timedelta(seconds=5)


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def set_up_logs(settings: Settings) -> None:
    """Send logs to stderr in the form the settings ask for."""
    configure_logs(settings.log_format)


def step_aside() -> None:
    """Run with the lowest priority: callers are answered on the same processors.

    On Linux in the idle class besides: beside a full sync of 30 000 partners the p99 of answers
    was 1.3 × idle (median of 3), with nice alone 1.8.
    """
    if hasattr(os, "nice"):
        os.nice(19)
    if hasattr(os, "sched_setscheduler"):
        with suppress(OSError):  # a container may forbid it; nice remains
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


# ---------------------------------------------------------------- values from settings
def phone_rules(settings: Settings) -> PhoneRules:
    """How numbers without country or city are read."""
    return PhoneRules(settings.phone_region, settings.phone_area_code)


def routing_rules(settings: Settings) -> RoutingRules:
    """Where a caller goes whom nobody is responsible for; DIDs are read as the PBX's are."""
    phones = phone_rules(settings)
    by_did = {read_did(did, phones): ext for did, ext in settings.did_extensions.items()}
    return RoutingRules(settings.default_extension, by_did)


def debt_rules(settings: Settings) -> DebtRules:
    """How missed calls are reminded of."""
    minutes = settings.escalate_after_min
    return DebtRules(
        lang=settings.lang,
        zone=_zone(settings),
        keep_reminders=settings.keep_reminders,
        escalate_after=timedelta(minutes=minutes) if settings.escalation_extension else None,
        escalation_extension=settings.escalation_extension,
        work_hours=settings.work_hours,
    )


def _odata(
    settings: Settings,
    longest_s: float = math.inf,
    *,
    reuse_sessions: bool = False,
    as_user: tuple[str, str] | None = None,
) -> ODataClient:
    user, password = as_user or (settings.onec_user or "", _plain(settings.onec_password) or "")
    return ODataClient(
        ODataConfig(
            url=settings.onec_url or "",
            user=user,
            password=password,
            timeout_s=min(settings.onec_timeout_s, longest_s),
            concurrency=settings.onec_concurrency,
            ca_file=settings.onec_ca_file,
            reuse_sessions=reuse_sessions,
        )
    )


def _one_time_client(settings: Settings) -> Callable[[str, str], ODataClient]:
    return lambda name, password: _odata(settings, _SIGN_IN_TIMEOUT_S, as_user=(name, password))


def _zone(settings: Settings) -> ZoneInfo:
    if settings.onec_timezone is None:
        raise SettingsError("BRIDGE_ONEC_TIMEZONE", "is missing")
    return settings.onec_timezone


def _directory_path(settings: Settings) -> Path:
    return settings.data_dir / "directory.db"


def _audit(settings: Settings) -> AuditStore:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / "audit.db"
    return AuditStore(path, now, keep=timedelta(days=settings.audit_days))


def _runs(settings: Settings) -> RunHistory:
    return RunHistory(settings.data_dir / "runs.db")


def _ledger_path(settings: Settings) -> Path:
    return settings.data_dir / "ledger.db"


# ---------------------------------------------------------------- sync
async def sync(
    settings: Settings,
    rules: PullRules,
    progress: Progress,
    confirm: Confirm = nobody_confirms,
) -> SyncReport:
    """Run one sync, as `onec-bridge sync` and the scheduler do."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    client = _odata(settings, reuse_sessions=True)
    store = DirectoryWriter(_directory_path(settings))
    try:
        source = ODataSource(
            client,
            rules=phone_rules(settings),
            attribute=settings.extension_attribute,
            metadata_cache=settings.data_dir / "metadata.json",
        )
        pull = Pull(
            source=source,
            store=store,
            clock=now,
            rules=rules,
            progress=progress,
            confirm=confirm,
        )
        return await _kept(pull.run(store.report()), _runs(settings))
    finally:
        store.close()
        await client.aclose()


async def _kept(run: Awaitable[SyncReport], history: RunHistory) -> SyncReport:
    """Await *run* and keep what became of it; a history that cannot be written stops nothing."""
    started_at = now()
    outcome: SyncRun | None = None
    try:
        report = await run
        outcome = SyncRun(started_at, report.seconds, report)
    except BridgeError as error:
        outcome = SyncRun(started_at, (now() - started_at).total_seconds(), error=str(error))
        if isinstance(error, SyncRefused):
            shrink = Shrink(error.entity_set, error.held, error.listed)
            outcome = replace(outcome, refused=shrink)
        raise
    finally:
        if outcome is not None:
            try:
                history.add(outcome)
            except StoreError as error:
                _log.warning("run_not_kept", extra={"reason": str(error)})
    return report


# ---------------------------------------------------------------- route
def explain(settings: Settings, number: str, did: str) -> tuple[RouteQuestion, RouteDecision]:
    """Tell what the PBX would be told, from the files the service uses; writes nothing."""
    directory = DirectoryReader(_directory_path(settings), stale_after=settings.stale_after)
    try:
        deciding = Deciding(
            directory=directory,
            memory=_memory(settings),
            events=FanOut(),
            rules=routing_rules(settings),
            phones=phone_rules(settings),
            clock=now,
        )
        return deciding.explain(number, did)
    finally:
        directory.close()


def _memory(settings: Settings) -> Memory:
    path = _ledger_path(settings)
    if not path.exists():
        return lambda _: NumberMemory()
    ledger = LedgerStore.open(path, clock=now, shared=True)
    return ledger.memory


# ---------------------------------------------------------------- call
def call(
    settings: Settings, extension: str, number: str, ask_password: Callable[[], str]
) -> PlacedCall:
    """Have the running service ring *extension*, then *number*: the ledger has one writer.

    *ask_password* is asked where the settings hold the admin password as a hash only.
    """
    from bridge.adapters.own_service import OwnService
    from bridge.web.access.secrets import is_hash

    password = _plain(settings.admin_password)
    if password is not None and is_hash(password):
        password = ask_password()
    return OwnService(settings.host, settings.port, password).call(extension, number)


# ---------------------------------------------------------------- check
async def check(load: Callable[[], Settings]) -> Sequence[Checkup]:
    """Examine settings, secrets, 1C and the local data; a broken setting ends it."""
    try:
        settings = load()
    except SettingsError as error:
        return [Checkup("settings", Verdict.FAILURE, str(error), "see .env.example")]
    findings = [Checkup("settings", Verdict.WELL, "every setting can be read")]
    token = _plain(settings.hook_token) or ""
    findings += diagnose.examine_secrets(
        basic=settings.hook_user is not None,
        token_length=len(token),
        admin_password=settings.admin_password is not None,
        host=settings.host,
    )
    findings += diagnose.examine_fallback(
        default_extension=settings.default_extension, dids=len(settings.did_extensions)
    )
    findings += await _check_onec(settings)
    findings.append(await _check_pbx(settings))
    directory = DirectoryReader(_directory_path(settings), stale_after=settings.stale_after)
    try:
        moment = now()
        findings += diagnose.examine_directory(
            directory.report(), now=moment, stale=directory.age(moment).stale
        )
    finally:
        directory.close()
    return findings


async def _check_pbx(settings: Settings) -> Checkup:
    pbx = None if settings.onec_timezone is None else _pbx(settings)
    try:
        return await diagnose.examine_pbx(pbx, now())
    finally:
        if pbx is not None:
            await pbx.aclose()


async def _check_onec(settings: Settings) -> Sequence[Checkup]:
    try:
        settings.require_onec()
    except SettingsError as error:
        return [Checkup("settings", Verdict.FAILURE, str(error), "see .env.example")]
    client = _odata(settings)
    probe = OneCProbe(
        client, zone=_zone(settings), attribute=settings.extension_attribute, clock=now
    )
    try:
        return await diagnose.examine_onec(probe)
    finally:
        await client.aclose()


# ---------------------------------------------------------------- outbox
@asynccontextmanager
async def _shared_ledger(settings: Settings) -> AsyncIterator[LedgerStore]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    ledger = LedgerStore.open(_ledger_path(settings), clock=now, shared=True)
    try:
        yield ledger
    finally:
        await ledger.close()


async def outbox_entries(
    settings: Settings, states: Sequence[EntryState], limit: int
) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
    """List outbox entries, newest first."""
    async with _shared_ledger(settings) as ledger:
        return await ledger.entries(states, limit)


async def outbox_entry(settings: Settings, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
    """Find one entry by the beginning of its key."""
    async with _shared_ledger(settings) as ledger:
        return await ledger.entry(key)


async def outbox_retry(settings: Settings, key: str) -> OutboxEntry | None:
    """Make one entry due at once."""
    async with _shared_ledger(settings) as ledger:
        found = await ledger.entry(key)
        return None if found is None else await ledger.retry_entry(found[0].key, now())


async def outbox_drop(settings: Settings, key: str) -> str | None:
    """Forget one debt; give its key."""
    async with _shared_ledger(settings) as ledger:
        found = await ledger.entry(key)
        if found is None or not await ledger.drop_entry(found[0].key):
            return None
        return found[0].key


# ---------------------------------------------------------------- desk-link
async def desk_link(settings: Settings, extension: str, *, revoke: bool) -> tuple[str, str] | None:
    """Make a personal link: its owner's name and the address; None where nobody is meant.

    The audit list tells of it, as of one made in the console.
    """
    from bridge.web.access.gate import works_here
    from bridge.web.access.seals import ManagerPass, Seals

    directory = DirectoryReader(_directory_path(settings), stale_after=settings.stale_after)
    try:
        manager = directory.owner_of(extension).manager
    finally:
        directory.close()
    if manager is None or not works_here(manager):
        return None
    audit = _audit(settings)
    try:
        if revoke:
            await audit.revoke(manager.ref)
            await audit.note(_at_the_terminal(AuditAct.LINK_REVOKED, manager))
        await audit.note(_at_the_terminal(AuditAct.LINK_MADE, manager))
        claim = ManagerPass(manager.ref, audit.generation(manager.ref))
    finally:
        await audit.close()
    sealed = Seals(own_secret(settings.data_dir / "secret.key"), "").link(claim)
    root = settings.public_url or f"http://{settings.host}:{settings.port}"
    return manager.name, f"{root}/enter/{sealed}"


def _at_the_terminal(act: AuditAct, manager: Manager) -> AuditRecord:
    return AuditRecord(
        now(), act, "admin", address="terminal", subject=manager.ref, words=manager.name
    )


# ---------------------------------------------------------------- serve
@dataclass(frozen=True, slots=True)
class House:
    """The running service's parts that starting and stopping needs."""

    app: "FastAPI"
    end_streams: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The files that pages alone read and write."""

    audit: AuditStore
    history: "CallHistory"
    flaws: "DirectoryFlaws"

    async def aclose(self) -> None:
        """Let go of them."""
        await self.history.close()
        await self.flaws.close()
        await self.audit.close()


def _shelf(settings: Settings) -> _Shelf:
    from bridge.adapters.embedded.call_history import CallHistory
    from bridge.adapters.embedded.directory_flaws import DirectoryFlaws

    return _Shelf(
        _audit(settings),
        CallHistory(_ledger_path(settings)),
        DirectoryFlaws(_directory_path(settings)),
    )


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
    shelf = _shelf(settings)
    hub, metrics, situation = EventHub(secrets.token_hex(4)), Metrics(), Situation(now)
    desk = _desk(settings, directory)
    end_streams = _ending(hub, desk)
    events = FanOut(hub, metrics, situation, desk)
    client = _odata(settings)
    zone = _zone(settings)
    telephony = Sipuni(settings.sipuni_answer, phone_rules(settings))
    deciding = Deciding(
        directory=directory,
        memory=ledger.memory,
        events=events,
        rules=routing_rules(settings),
        phones=phone_rules(settings),
        clock=now,
    )

    def kick_delivery() -> None:
        scheduler.kick()

    following = _following(
        settings=settings,
        ledger=ledger,
        directory=directory,
        deciding=deciding,
        telephony=telephony,
        events=events,
        kick=kick_delivery,
    )
    follow = Loop("follow", following.follow, timedelta(seconds=5))
    recording = Recording(ledger, events, heard=follow.kick)
    line = _line(
        settings,
        following,
        deciding,
        directory,
        recording=recording,
        events=events,
        metrics=metrics,
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
        loops=(follow, *_rounds(settings, ledger, following, line.pbx), *line.loops),
    )
    asking = _asking(settings, directory)
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
            await following.remember()
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
        receiving=recording,
        noting=following,
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
        runs=_runs(settings),
        sync_now=scheduler.sync_now,
        desk=desk,
        onec_sign_in=ODataSignIn(_one_time_client(settings), now),
        clock=now,
        mood=situation.mood,
        mood_since=situation.mood_since,
        alarms=situation.alarms,
        kick=scheduler.kick,
        hook_access=_hook_access(settings),
        admin_access=_admin_access(settings),
        phones=phone_rules(settings),
        lang=settings.lang,
        public_url=settings.public_url or "",
        zone=zone,
        originating=line.originating,
        phone_book=directory,
    )
    return House(create_app(services, lifespan=lifespan), end_streams)


def _stores(settings: Settings) -> tuple[DirectoryReader, LedgerStore]:
    """Open what the service cannot do without."""
    directory = DirectoryReader(_directory_path(settings), stale_after=settings.stale_after)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return directory, LedgerStore.open(_ledger_path(settings), clock=now)


def _ending(hub: "EventHub", desk: "DeskParts") -> Callable[[], None]:
    """Give what ends the pages' streams: a stop would wait for them."""

    def end_streams() -> None:
        hub.close()
        desk.board.close()

    return end_streams


def _desk(settings: Settings, directory: DirectoryReader) -> "DeskParts":
    from bridge.adapters.onec.links import WebClient
    from bridge.web.desk.board import Board
    from bridge.web.desk.debts import DebtBook
    from bridge.web.desk.parts import DeskParts, no_web_client

    board = Board(secrets.token_hex(4), now)
    address = settings.onec_web_url
    return DeskParts(
        board,
        DebtBook(board, directory.managers),
        open_in_onec=no_web_client if address is None else WebClient(address).owner,
    )


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


def _following(
    *,
    settings: Settings,
    ledger: LedgerStore,
    directory: DirectoryReader,
    deciding: Deciding,
    telephony: "Sipuni",
    events: FanOut,
    kick: Callable[[], None],
) -> Following:
    open_calls = OpenCalls()
    debts = Debts(
        ledger=ledger,
        open_calls=open_calls,
        owner_of=directory.owner_of,
        rules=debt_rules(settings),
        clock=now,
    )
    return Following(
        ledger=ledger,
        open_calls=open_calls,
        debts=debts,
        read_event=telephony.read_event,
        decide=deciding.decide,
        owner_of=directory.owner_of,
        events=events,
        clock=now,
        kick=kick,
        rules=FollowRules(internal=settings.internal_calls),
    )


def _rounds(
    settings: Settings, ledger: LedgerStore, following: Following, pbx: PbxControl | None
) -> Sequence[Loop]:
    """Give the work that goes round by itself: escalation, settling, retention."""
    settling = Settling(
        following=following,
        pbx=pbx,
        clock=now,
        after=timedelta(seconds=settings.settle_after_s),
    )
    retention = Retention(ledger=ledger, clock=now, keep=timedelta(days=settings.keep_days))
    return (
        Loop("escalate", following.escalate, timedelta(seconds=30)),
        Loop("settle", settling.settle, timedelta(seconds=60)),
        Loop("forget", retention.forget, timedelta(hours=1)),
    )


@dataclass(frozen=True, slots=True)
class _Line:
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
        for part in (self.websocket, self.requests, self.pbx):
            if part is not None:
                await part.aclose()


def _line(
    settings: Settings,
    following: Following,
    deciding: Deciding,
    directory: DirectoryReader,
    *,
    recording: Recording,
    events: FanOut,
    metrics: "Metrics",
) -> _Line:
    from bridge.adapters.sipuni.websocket import SipuniWebsocket

    async def receive(event: RawEvent) -> None:
        await recording.receive(event)
        metrics.event_stored(event.provider)

    websocket = None
    ws_key, pbx = _plain(settings.sipuni_ws_key), _pbx(settings)
    if settings.sipuni_events == "websocket" and ws_key is not None:
        websocket = SipuniWebsocket(settings.sipuni_ws_url, ws_key, receive, events, now)
    if pbx is None:
        return _Line(websocket=websocket)
    originating = Originating(
        pbx=pbx,
        provider="sipuni",
        book=following,
        decide=deciding.decide,
        phones=phone_rules(settings),
        lang=settings.lang,
        clock=now,
    )
    if not settings.call_requests:
        return _Line(pbx, originating, websocket=websocket)
    requests, loop = _requesting(settings, originating, directory)
    return _Line(pbx, originating, requests, (loop,), websocket)


def _pbx(settings: Settings) -> "SipuniApi | None":
    """Build the cabinet's API; None where nothing is set that opens it."""
    from bridge.adapters.sipuni.api import SipuniAccount, SipuniApi

    key = _plain(settings.sipuni_key)
    if settings.sipuni_user is None or key is None:
        return None
    zone = settings.sipuni_timezone or _zone(settings)
    account = SipuniAccount(settings.sipuni_url, settings.sipuni_user, key, zone)
    return SipuniApi(account, phone_rules(settings))


def _requesting(
    settings: Settings, originating: Originating, directory: DirectoryReader
) -> tuple["ODataRequests", Loop]:
    """Build the look-out for calls ordered in 1C; no order must wait behind a delivery."""
    from bridge.adapters.onec.requests import ODataRequests

    source = ODataRequests(_odata(settings, _LIVE_TIMEOUT_S), _zone(settings))
    requesting = Requesting(
        requests=source,
        originating=originating,
        directory=directory,
        phone_book=directory,
        phones=phone_rules(settings),
        mark=settings.call_request_mark,
        lang=settings.lang,
        clock=now,
    )
    return source, Loop("requests", requesting.look, _LOOK_EVERY)


def _settle_heap() -> None:
    """Keep the collector from walking the whole house while a caller waits.

    What stands now stands until the end and is left alone; what comes is walked less often. With
    the defaults a full collection under load took 65-180 ms, the longest wait of all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _asking(settings: Settings, directory: DirectoryReader) -> Asking | None:
    """Build what asks 1C about unknown callers; None where it may not, or could never be in time.

    It has connections of its own: nobody rings behind a delivery.
    """
    patience = timedelta(milliseconds=settings.route_deadline_ms) - RESERVE
    if not settings.live_lookup or patience <= timedelta(0):
        return None
    lookup = ODataLookup(
        _odata(settings, _LIVE_TIMEOUT_S),
        rules=phone_rules(settings),
        known=directory.partner,
        metadata_cache=settings.data_dir / "metadata.json",
    )
    return Asking(lookup=lookup, directory=directory, clock=now, patience=patience)


def _hook_access(settings: Settings) -> "HookAccess":
    from bridge.web.access import HookAccess

    return HookAccess(
        user=settings.hook_user,
        password=_plain(settings.hook_password),
        token=_plain(settings.hook_token),
        allow=settings.hook_allow,
        trusted_proxies=settings.trusted_proxies,
    )


def _admin_access(settings: Settings) -> "AdminAccess":
    from bridge.web.access import AdminAccess
    from bridge.web.access.secrets import PasswordHash, is_hash

    password = _plain(settings.admin_password)
    if password is not None and is_hash(password):
        try:
            PasswordHash.read(password)
        except ValueError as error:
            raise SettingsError("BRIDGE_ADMIN_PASSWORD", str(error)) from None
    return AdminAccess(
        password,
        own_secret(settings.data_dir / "secret.key"),
        settings.trusted_proxies,
        settings.mask_phones,
    )


def _plain(secret: object) -> str | None:
    reveal = getattr(secret, "get_secret_value", None)
    return None if reveal is None else str(reveal())


def serve(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    from bridge.web.server import run

    house = build_service(settings)
    run(house.app, house.end_streams, host=settings.host, port=settings.port)
