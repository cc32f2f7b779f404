"""The whole service in one process: the real parts, both simulators, and a clock set by hand."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from starlette.applications import Starlette

from bridge.adapters.event_hub import EventHub
from bridge.adapters.latency import LatencyLog
from bridge.adapters.metrics import Metrics
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.reading.lookup import ODataLookup
from bridge.adapters.onec.reading.source import ODataSource
from bridge.adapters.onec.writing.journal import ODataJournal
from bridge.adapters.pbx.sipuni.api import SipuniAccount, SipuniApi
from bridge.adapters.pbx.sipuni.questions import AnswerForm, SipuniTelephony
from bridge.adapters.sqlite.calls.history import SqliteCallHistory
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.directory.data_quality import SqliteDataQuality
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.adapters.sqlite.sync_runs import SqliteSyncRuns
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.directory.entities import EntityKind
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import NumberMemory, RoutingRules
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.sipuni.calls import CallPlan, CallReport
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scenarios.playback import Playback, play_scenario
from bridge.lab.sipuni.scenarios.scenario import Scenario
from bridge.lab.sipuni.scheme import SchemeNode, SipuniScheme
from bridge.ports.stores.directory import SyncReport
from bridge.services.answering.answer import RouteAnswerer
from bridge.services.answering.decide import RouteDecider
from bridge.services.answering.live_lookup import LiveLookup
from bridge.services.answering.record import CallRecorder
from bridge.services.calls.missed_calls import MissedCallRules
from bridge.services.calls.unfinished import UnfinishedCalls
from bridge.services.delivery.deliver import Delivery
from bridge.services.health.system_state import EventFanOut, SystemState
from bridge.services.orders.originate import CallOriginator
from bridge.services.sync.pull import DirectoryPull, PullRules
from bridge.web.access import HookAccess
from bridge.web.app import create_app
from bridge.web.desk_state.desk_calls import DeskCalls
from bridge.web.desk_state.missed_call_list import MissedCallList
from bridge.web.desk_state.state import DeskState
from bridge.web.hooks import HookRoutes
from bridge.web.web_services import WebServices
from tests.stories.transports import InterruptibleTransport, ServiceTransport, SipuniTransport
from tests.support.call_services import build_call_services
from tests.support.fakes.access import FakeOneCSignIn, MemoryAudit
from tests.support.lab_transport import LabTransport
from tests.support.onec_lab import ATTRIBUTE

#: Seven-digit numbers are Moscow's, as in the lab's own truth.
PHONES = PhoneRules(area_code="495")


START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


DID = "74950000001"


USER, PASSWORD, TOKEN = "pbx", "composed-pass", "composed-token"


#: How long a call is silent before the bridge asks the cabinet what became of it.
ASK_HISTORY_AFTER = timedelta(minutes=10)


_STEP = timedelta(seconds=5)


@dataclass
class ManualClock:
    """Stands still until somebody lets time pass."""

    now: datetime = START
    #: By how much somebody has set it.
    stepped: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        """Return the time as the cabinet does."""
        return self.now.timestamp()

    def monotonic(self) -> float:
        """Return the seconds that have passed, whoever set the clock."""
        return (self.now - self.stepped).timestamp()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def step(self, step: timedelta) -> None:
        self.now += step
        self.stepped += step

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class SilentProgress:
    """A progress nobody watches."""

    def listing(self, kind: EntityKind) -> None: ...

    def fetching(self, kind: EntityKind, total: int) -> None: ...

    def fetched(self, kind: EntityKind, count: int) -> None: ...

    def indexing(self) -> None: ...


def build_onec_lab(clock: ManualClock, partners: int = 80, **lab: Any) -> OneCLab:
    """Compose the scenarios' company; the same arguments give the same company."""
    world = compose_infobase(partners=partners)
    return OneCLab(world, clock=clock, sleep=clock.sleep, **lab)


def connect(lab: OneCLab, transport: httpx.AsyncBaseTransport | None = None) -> ODataClient:
    """Make the bridge's own client of *lab*."""
    config = ODataConfig(url=f"http://lab{lab.publication}", user=lab.user, password=lab.password)
    return ODataClient(config, transport=transport or LabTransport(lab))


async def sync(
    lab: OneCLab, path: Path, clock: ManualClock, rules: PullRules | None = None
) -> SyncReport:
    """Run one sync as bootstrap does, over the lab's own transport."""
    source = ODataSource(
        connect(lab),
        rules=PHONES,
        extension_attribute=ATTRIBUTE,
        metadata_cache=path.with_name("metadata.json"),
    )
    store = SqliteDirectoryStore(path)
    try:
        pull = DirectoryPull(
            source=source,
            store=store,
            clock=clock,
            rules=rules or PullRules(),
            progress=SilentProgress(),
        )
        return await pull.run(store.report())
    finally:
        store.close()
        await source.aclose()


def build_decider(
    directory: SqliteDirectory, clock: ManualClock, rules: RoutingRules
) -> RouteDecider:
    """Make the decider of a directory whose numbers nobody taught us anything about."""
    return RouteDecider(
        directory=directory,
        number_memory=lambda _: NumberMemory(),
        events=EventFanOut(),
        rules=rules,
        phones=PHONES,
        clock=clock,
    )


@dataclass(frozen=True)
class ServiceOptions:
    """How the service of a test is built."""

    routing: RoutingRules = field(default_factory=lambda: RoutingRules(default_extension=None))
    answer: AnswerForm = "auto"
    nodes: tuple[SchemeNode, ...] = (SchemeNode(),)
    hook: str = f"http://{USER}:{PASSWORD}@bridge/sipuni/route"
    scheme: dict[str, Any] = field(default_factory=dict)
    #: Pages and API too, or the PBX's hooks alone.
    with_pages: bool = False
    #: Callers unknown to the index are looked for in 1C itself.
    live_lookup: bool = False
    missed_call_rules: MissedCallRules | None = None


def _no_sync(*, accept_shrink: bool = False) -> None:
    """The tests run their syncs themselves."""
    del accept_shrink


class InProcessService:
    """The service as bootstrap builds it, without its network and its clock."""

    def __init__(
        self, lab: OneCLab, directory: Path, folder: Path, clock: ManualClock, plan: ServiceOptions
    ) -> None:
        self.lab = lab
        self.clock = clock
        self.options = plan
        self.system_state = SystemState(clock)
        self._directory_path = directory
        self._folder = folder
        self._lives = 0
        self.clock_steps = 0
        self._draining: asyncio.Task[int] | None = None
        # The cabinet outlives every process of the bridge.
        self.transport = ServiceTransport()
        self._pbx = httpx.AsyncClient(transport=self.transport)
        scheme = SipuniScheme(hook_url=plan.hook, nodes=plan.nodes, **plan.scheme)
        self.sipuni = SipuniLab(scheme, self._pbx, clock=clock.monotonic)

    async def start(self) -> None:
        """Open the files and build the parts."""
        clock, plan = self.clock, self.options
        self._folder.mkdir(parents=True, exist_ok=True)
        self.system_state = SystemState(clock)
        self.onec_transport = InterruptibleTransport(self.lab)
        self._client = connect(self.lab, self.onec_transport)
        self.ledger = SqliteLedger.open(self._folder / "ledger.db", clock=clock)
        self.history = SqliteCallHistory(self._folder / "ledger.db")
        self.directory = SqliteDirectory(
            self._directory_path, stale_after=timedelta(days=1), monotonic=clock.monotonic
        )
        events = EventFanOut(self.system_state)
        decider = RouteDecider(
            directory=self.directory,
            number_memory=self.ledger.number_memory,
            events=events,
            rules=plan.routing,
            phones=PHONES,
            clock=clock,
        )
        self.call_store, self.following = build_call_services(
            self.ledger,
            clock,
            events,
            decide=decider.decide,
            owner_of=self.directory.owner_of,
            managers=self.directory.managers,
            missed_call_rules=plan.missed_call_rules
            or MissedCallRules(lang="ru", zone=self.lab.zone),
            monotonic=clock.monotonic,
        )
        self.delivery = Delivery(
            ledger=self.ledger,
            journal=ODataJournal(self._client, self.lab.zone),
            events=events,
            clock=clock,
            lang="ru",
            zone=self.lab.zone,
            reminder_changed=self.following.reminder_changed,
            monotonic=clock.monotonic,
            clock_steps=lambda: self.clock_steps,
        )
        account = SipuniAccount(
            "http://sipuni/api",
            self.sipuni.scheme.cabinet,
            self.sipuni.scheme.key,
            ZoneInfo(self.sipuni.scheme.zone),
        )
        self.pbx = SipuniApi(account, PHONES, transport=SipuniTransport(self.sipuni))
        self.unfinished_calls = UnfinishedCalls(
            events=events,
            tracker=self.following,
            pbx=self.pbx,
            clock=clock,
            silent_for=ASK_HISTORY_AFTER,
        )
        self.call_originator = CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.call_store,
            decide=decider.decide,
            phones=PHONES,
            lang="ru",
            clock=clock,
        )
        lookup = ODataLookup(
            connect(self.lab),
            rules=PHONES,
            clock=clock.monotonic,
            find_partner=self.directory.partner,
            metadata_cache=self._directory_path.with_name("metadata.json"),
        )
        # A busy test machine must not look like a slow 1C, nor like a slow disk.
        self._asking = LiveLookup(
            lookup=lookup,
            directory=self.directory,
            clock=clock,
            patience=timedelta(seconds=30),
            monotonic=clock.monotonic,
        )
        recording = CallRecorder(self.ledger, events, patience=timedelta(seconds=30))
        self.answering = RouteAnswerer(
            decider=decider,
            recorder=recording,
            ledger=self.ledger,
            clock=clock,
            deliver_soon=lambda: None,
            monotonic=clock.monotonic,
            call_opener=self.following,
            live_lookup=self._asking if plan.live_lookup else None,
        )
        await self.answering.load()
        await self.call_store.load()
        board = DeskCalls("story", clock)
        services = WebServices(
            telephony=SipuniTelephony(plan.answer, PHONES),
            route_answers=self.answering,
            event_intake=self.following,
            call_notes=self.call_store,
            desk_state=DeskState(board, MissedCallList(board, self.directory.managers)),
            ledger=self.ledger,
            directory=self.directory,
            event_feed=EventHub(epoch="story"),
            events=events,
            metrics=Metrics(),
            audit=MemoryAudit(),
            desk_keys=MemoryAudit(),
            latency=LatencyLog(),
            call_journal=self.history,
            data_quality=SqliteDataQuality(self._directory_path),
            sync_runs=SqliteSyncRuns(self._folder / "runs.db"),
            sync_now=_no_sync,
            onec_sign_in=FakeOneCSignIn(),
            clock=clock,
            onec_availability=self.system_state.availability,
            availability_since=self.system_state.availability_since,
            alarms=self.system_state.alarms,
            deliver_soon=lambda: None,
            hook_access=HookAccess(user=USER, password=PASSWORD, token=TOKEN),
            phones=PHONES,
            zone=self.lab.zone,
        )
        # The whole app takes 80 ms to build; callers need the hooks alone.
        app = (
            create_app(services)
            if plan.with_pages
            else Starlette(routes=HookRoutes(services).routes())
        )
        self.transport.connect(app)

    async def stop(self) -> None:
        """Close everything in order."""
        await self._stop_draining()
        await self._asking.aclose()
        await self.history.close()
        await self.pbx.aclose()
        await self.ledger.close()
        self.directory.close()
        await self._client.aclose()

    async def close(self) -> None:
        """End the service for good."""
        await self.stop()
        await self._pbx.aclose()

    async def lose_power(self) -> None:
        """Go on with the ledger as a power cut would leave it: its files of this very moment."""
        self._lives += 1
        after = self._folder.with_name(f"{self._folder.name}-{self._lives}")
        after.mkdir()
        for name in ("ledger.db", "ledger.db-wal"):
            if (self._folder / name).exists():
                shutil.copy(self._folder / name, after / name)
        await self.stop()
        self._folder = after
        await self.start()

    # ------------------------------------------------------------ what happens
    async def call(self, caller: str, did: str = DID, **plan: Any) -> CallReport:
        """Let somebody call, and a second pass."""
        report = await self.sipuni.place_call(CallPlan(caller=caller, did=did, **plan))
        self.clock.advance(1)
        return report

    async def sync(self, rules: PullRules | None = None) -> SyncReport:
        """Sync as the process beside does, and take up what it brought."""
        report = await sync(self.lab, self._directory_path, self.clock, rules)
        self.directory.refresh()
        return report

    def step_clock(self, step: timedelta) -> None:
        """Set the wall clock; the bridge notices."""
        self.clock.step(step)
        self.clock_steps += 1
        self.following.clock_stepped(step)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps, the delivery looking at each."""
        until = self.clock.now + timedelta(seconds=seconds)
        while self.clock.now < until:
            await self.run_delivery_soon()
            self.clock.now = min(until, self.clock.now + _STEP)

    async def run_delivery_soon(self) -> None:
        """Do what the loops do: apply the events, deliver, read what became of reminders."""
        await self.following.apply_stored_events()
        await self.delivery.drain()
        await self.following.apply_stored_events()

    async def play(self, scenario: Scenario, **callers: str) -> Playback:
        """Play *scenario* in the cabinet's time, the bridge at work between the steps."""
        return await play_scenario(scenario, self.sipuni, roles=callers, pause=self.pause)

    async def pause(self, seconds: float) -> None:
        """Let time pass in one leap."""
        await self.run_delivery_soon()
        self.clock.advance(seconds)
        await self.run_delivery_soon()

    async def resolve_unfinished_calls(self, after: timedelta = ASK_HISTORY_AFTER) -> None:
        """Let the time pass after which the bridge asks for the ends that never came."""
        await self.pause(after.total_seconds())
        await self.unfinished_calls.resolve()
        await self.run_delivery_soon()

    async def deliver_all(self, patience: timedelta = timedelta(hours=1)) -> list[OutboxEntry]:
        """Let time pass until nothing is left to do, or patience is over; return what is left."""
        until = self.clock.now + patience
        while True:
            await self.run_delivery_soon()
            entries = [entry for entry, _ in await self.ledger.entries()]
            waiting = [e for e in entries if e.state in (EntryState.DUE, EntryState.SENDING)]
            if not waiting or self.clock.now >= until:
                return entries
            self.clock.now = max(self.clock.now + _STEP, min(e.due_at for e in waiting))

    async def deliver_until_interrupted(self) -> None:
        """Have the delivery look, until the line stops one of its requests."""
        self._draining = asyncio.create_task(self.delivery.drain())
        async with asyncio.timeout(10):
            await self.onec_transport.stopped.wait()

    async def _stop_draining(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.wait((self._draining,))
            self._draining = None

    # ------------------------------------------------------------ what 1C has
    def documents(self) -> list[Row]:
        """Return the call documents that nobody marked."""
        return [row for row in self.lab.phone_calls() if not row["DeletionMark"]]

    def count_in_onec(self) -> tuple[int, int, int]:
        """Count unmarked documents, subjects of those, reminders of those."""
        kept = {row["Ref_Key"] for row in self.documents()}
        subjects = [r for r in self.lab.subjects() if r["Взаимодействие"] in kept]
        reminders = [r for r in self.lab.reminders() if r["Источник"] in kept]
        return len(kept), len(subjects), len(reminders)


@asynccontextmanager
async def run_service(
    lab: OneCLab,
    directory: Path,
    folder: Path,
    clock: ManualClock,
    plan: ServiceOptions | None = None,
) -> AsyncIterator[InProcessService]:
    """Run the service on a directory that was pulled from *lab*."""
    service = InProcessService(lab, directory, folder, clock, plan or ServiceOptions())
    await service.start()
    try:
        yield service
    finally:
        await service.close()
