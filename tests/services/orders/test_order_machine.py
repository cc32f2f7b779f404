"""Orders, replies of the PBX, kills and failing disks in any order: no client is rung twice.

The real services over a ledger in memory and a model of a PBX, which knows what really rang.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.calls.orders import CallOrder, OrderReply, OrderState
from bridge.domain.delivery.document_drafts import CallRequest
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.errors import OrderRefused, PbxUnavailable, StoreError
from bridge.ports.orders import OwnedPhone
from bridge.ports.pbx import RawEvent
from bridge.services.calls.active_calls import ACTIVE_FOR
from bridge.services.calls.unfinished import UnfinishedCalls
from bridge.services.orders.call_requests import CallRequestPoller
from bridge.services.orders.originate import CallOriginator
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.clocks import seconds_of
from tests.support.fakes.directory import MemoryDirectory
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents
from tests.support.fakes.onec import Crash, CrashTimer

#: No call of the model lasts longer: no employee lets a telephone ring, or talks, for ever.
LONGEST = timedelta(minutes=20)
CLIENTS = ("+79035550123", "+79035550124")
TELEPHONES = ("205", "206")
#: Few pairs, so that they meet again; most of what happens happens to the first.
PAIRS = st.sampled_from([("205", CLIENTS[0])] * 4 + [("205", CLIENTS[1]), ("206", CLIENTS[0])])


class Reply(Enum):
    """What the PBX does with the next order."""

    ACCEPTS = auto()
    ACCEPTS_WITHOUT_AN_ID = auto()
    REFUSES = auto()
    RINGS_AND_REPLY_IS_LOST = auto()
    REQUEST_IS_LOST = auto()
    KILLED_BEFORE = auto()
    KILLED_BEHIND = auto()


@dataclass(slots=True)
class Rung:
    """A call that the PBX placed."""

    order: CallOrder
    ref: str
    call_ref: str
    began: datetime
    ended: datetime | None = None


@dataclass(slots=True)
class ModelPbx:
    """A PBX with a memory of what rang; its statistics may be away."""

    clock: Callable[[], datetime]
    reply: Reply = Reply.ACCEPTS
    statistics: bool = True
    before_reply: Callable[[], None] = lambda: None
    rung: list[Rung] = field(default_factory=list)

    async def originate(self, order: CallOrder) -> OrderReply:
        await asyncio.sleep(0)
        reply = self.reply
        self.before_reply()
        if reply is Reply.KILLED_BEFORE:
            raise Crash
        if reply is Reply.REFUSES:
            return OrderReply(OrderState.REFUSED, reason="no money")
        if reply is Reply.REQUEST_IS_LOST:
            return OrderReply(OrderState.UNKNOWN, reason="no answer")
        rings = [r for r in self.rung if r.ended is None and _pair(r.order) == _pair(order)]
        assert not rings, "the client is rung twice"
        number = len(self.rung) + 1
        began = self.clock()
        call_ref = f"{int(began.timestamp())}.{number}0"
        self.rung.append(Rung(order, f"order{number}", call_ref, began))
        if reply is Reply.KILLED_BEHIND:
            raise Crash
        if reply is Reply.RINGS_AND_REPLY_IS_LOST:
            return OrderReply(OrderState.UNKNOWN, reason="no answer")
        return OrderReply(OrderState.ACCEPTED, f"order{number}" if reply is Reply.ACCEPTS else "")

    async def history(self, since: datetime, until: datetime) -> Sequence[CallEvent]:
        if not self.statistics:
            raise PbxUnavailable("statistic/export", "no answer")
        return [
            CallEvent(
                "sipuni",
                EventKind.HISTORY,
                rung.ended,
                rung.call_ref[:-1] + "1",  # seen to differ in the last digit
                direction=Direction.OUTBOUND,
                client=Caller(CallerKind.EXTERNAL, "", rung.order.number),
                extension=rung.order.extension,
                started_at=rung.began,
                outcome=Outcome.NO_ANSWER,
            )
            for rung in self.rung
            if rung.ended is not None and since <= rung.began <= until
        ]

    async def aclose(self) -> None:
        pass


class Ordering(RuleBasedStateMachine):
    """People click, managers write documents, the PBX answers or does not."""

    @initialize()
    def the_world_begins(self) -> None:
        self.now = b.NOON
        self.fuse = CrashTimer()
        self.memory = MemoryLedger(lambda: self.now, around_save=self.a_save_may_kill)
        self.pbx = ModelPbx(lambda: self.now)
        self.documents: list[CallRequest] = []
        self.loop = asyncio.Runner()
        self.starts()

    def starts(self) -> None:
        """Start the bridge: all it remembers is in the ledger."""
        clock = lambda: self.now  # noqa: E731 - a clock that the rules move
        self.fuse.steps = None
        broken, self.memory.broken = self.memory.broken, False
        self.call_store, self.following = build_call_services(self.memory, clock, RecordedEvents())
        self.originating = CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.call_store,
            decide=lambda _: b.decision(),
            phones=b.RULES,
            lang="en",
            clock=clock,
        )
        self.poller = CallRequestPoller(
            call_requests=self,
            originator=self.originating,
            directory=MemoryDirectory(),
            partner_phones=self,
            phones=b.RULES,
            mark="позвонить",
            lang="ru",
            clock=clock,
            monotonic=seconds_of(clock),
        )
        self.unfinished = UnfinishedCalls(
            tracker=self.following,
            pbx=self.pbx,
            events=RecordedEvents(),
            clock=clock,
            silent_for=timedelta(minutes=10),
        )
        self.restarted = self.now
        self.loop.run(self.call_store.load())
        self.loop.run(self.originating.recover_after_crash())
        self.memory.broken = broken

    # ------------------------------------------------------------ 1C, as far as it is asked
    async def find_call_requests(self, since: datetime, mark: str) -> Sequence[CallRequest]:
        del mark
        return [request for request in self.documents if request.at >= since]

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        del owner
        return None

    # ------------------------------------------------------------ what happens
    @rule(
        pair=PAIRS,
        after=st.sampled_from([0.001, 12, 61, 700]),
        clicks=st.integers(1, 2),
        reply=st.sampled_from(Reply),
        killed_after=st.sampled_from([None, None, None, 1, 3]),
        disk_fails=st.booleans(),
    )
    def somebody_clicks(
        self,
        pair: tuple[str, str],
        after: float,
        clicks: int,
        reply: Reply,
        killed_after: int | None,
        *,
        disk_fails: bool,
    ) -> None:
        """The *disk_fails* behind the order, before it is known what became of it."""
        self.time_passes(after)
        telephone, client = pair
        self.pbx.reply, self.fuse.steps = reply, killed_after
        self.pbx.before_reply = lambda: setattr(self.memory, "broken", disk_fails)

        async def click() -> None:
            with suppress(OrderRefused, StoreError):
                await self.originating.order(telephone, client, by="desk")

        async def all_click() -> None:
            await asyncio.gather(*(click() for _ in range(clicks)))

        self.survives(all_click())

    @precondition(lambda self: len(self.documents) < 4)
    @rule(client=st.sampled_from(CLIENTS), ahead=st.sampled_from([0, 60, 3600, 86_400]))
    def a_manager_writes_a_document(self, client: str, ahead: int) -> None:
        document = b.ref(f"wish {len(self.documents)}")
        at = self.now + timedelta(seconds=ahead)
        self.documents.append(CallRequest(document, at, "Позвонить", "", b.manager().ref, client))

    @rule(reply=st.sampled_from(Reply), killed_after=st.one_of(st.none(), st.integers(0, 4)))
    def the_bridge_looks_for_documents(self, reply: Reply, killed_after: int | None) -> None:
        self.now += timedelta(milliseconds=1)
        self.pbx.reply, self.fuse.steps = reply, killed_after
        self.pbx.before_reply = lambda: None
        self.survives(self.poller.poll())

    @rule(which=st.integers(0, 5), code=st.sampled_from(["1", "3", "2"]), lost=st.booleans())
    def the_pbx_goes_on(self, which: int, code: str, *, lost: bool) -> None:
        going = [rung for rung in self.pbx.rung if rung.ended is None]
        if not going:
            return
        rung = going[which % len(going)]
        if code == "2":
            rung.ended = self.now
        if not lost:
            self.sends_event(rung, code)

    def sends_event(self, rung: Rung, code: str) -> None:
        fields = {
            "event": code,
            "call_id": rung.call_ref,
            "timestamp": str(int(self.now.timestamp())),
            "src_num": f"012345{rung.order.extension}",
            "src_type": "2",
            "dst_num": str(rung.order.number),
            "dst_type": "1",
            "user_id": "012345",
            "callbackId": rung.ref,
            **({"status": "NOANSWER"} if code == "2" else {}),
        }
        self.survives(self.following.receive(RawEvent("sipuni", self.now, tuple(fields.items()))))

    @rule(seconds=st.sampled_from([61, 700, 1900, 90_000]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for rung in self.pbx.rung:
            if rung.ended is None and self.now - rung.began > LONGEST:
                rung.ended = rung.began + LONGEST

    @rule(statistics=st.booleans())
    def the_bridge_asks_the_statistics(self, *, statistics: bool) -> None:
        self.pbx.statistics = statistics
        self.survives(self.unfinished.resolve())

    @rule()
    def the_disk_is_well_again(self) -> None:
        self.memory.broken = False
        self.survives(self.originating.save_unsaved_outcomes())

    @rule()
    def the_bridge_restarts(self) -> None:
        self.starts()

    @rule()
    def old_calls_are_forgotten(self) -> None:
        self.loop.run(self.memory.delete_older_than(self.now - timedelta(days=1)))
        self.starts()

    # ------------------------------------------------------------ what must be true
    @invariant()
    def a_document_rings_once(self) -> None:
        documents = [rung.order.document for rung in self.pbx.rung if rung.order.document]
        assert len(documents) == len(set(documents))

    @invariant()
    def a_document_rings_at_its_own_date(self) -> None:
        dated = {request.document: request.at for request in self.documents}
        for rung in self.pbx.rung:
            if rung.order.document:
                assert abs(rung.began - dated[rung.order.document]) <= timedelta(minutes=15)

    @invariant()
    def no_outcome_is_invented(self) -> None:
        rang = {rung.order.key for rung in self.pbx.rung}
        for call in self.memory.calls_by_key.values():
            if call.order is not None and call.order.state is OrderState.REFUSED:
                assert call.key not in rang
            if call.order is not None and call.order.state is OrderState.ACCEPTED:
                assert call.key in rang

    def teardown(self) -> None:
        """Let time pass: the outcome of every order is known, and none blocks another any more."""
        with self.loop:
            self.memory.broken = False
            self.pbx.reply, self.pbx.statistics = Reply.ACCEPTS, True
            self.pbx.before_reply = lambda: None
            self.loop.run(self.originating.save_unsaved_outcomes())
            for _ in range(3):
                self.time_passes(1900)
                self.loop.run(self.unfinished.resolve())
            for call in self.memory.calls_by_key.values():
                assert call.order is None or call.order.state is not OrderState.SENDING
                # What a bridge that stood still for so long did not see end, it does not look for.
                assert not call.is_unfinished or self.restarted - call.received_at > ACTIVE_FOR
            before = len(self.pbx.rung)
            for telephone in TELEPHONES:
                self.loop.run(self.originating.order(telephone, CLIENTS[0], by="desk"))
            assert len(self.pbx.rung) == before + len(TELEPHONES)

    # ------------------------------------------------------------ how it works
    def survives(self, work: Coroutine[object, object, object]) -> None:
        """Do *work*; killed on the way, the bridge starts anew."""
        try:
            with suppress(StoreError):
                self.loop.run(work)
        except Crash:
            self.starts()
        self.fuse.steps = None

    def a_save_may_kill(self) -> None:
        self.fuse.step()


def _pair(order: CallOrder) -> tuple[str, object]:
    return order.extension, order.number


@pytest.mark.parametrize("disk_fails", [False, True])
def test_an_order_that_a_machine_slept_over_is_resolved(*, disk_fails: bool) -> None:
    """Another order comes first after the sleep; where the *disk_fails*, memory is reloaded."""
    world = Ordering()
    world.the_world_begins()

    def click(client: str, *, disk_fails: bool) -> None:
        world.somebody_clicks(("205", client), 0.001, 1, Reply.ACCEPTS, None, disk_fails=disk_fails)

    click(CLIENTS[1], disk_fails=False)
    world.time_passes(90_000)
    click(CLIENTS[0], disk_fails=disk_fails)

    world.teardown()


@pytest.mark.parametrize("killed_after", [None, 1])
def test_events_of_an_order_without_an_id_are_taken_for_those_of_no_order_that_stays(
    killed_after: int | None,
) -> None:
    """A second document asks for the same call: it is refused, or lost in a kill."""
    world = Ordering()
    world.the_world_begins()
    world.a_manager_writes_a_document(CLIENTS[0], 0)
    world.the_bridge_looks_for_documents(Reply.ACCEPTS_WITHOUT_AN_ID, None)
    world.a_manager_writes_a_document(CLIENTS[0], 0)
    world.the_bridge_looks_for_documents(Reply.ACCEPTS, killed_after)

    world.the_pbx_goes_on(0, "1", lost=False)

    world.teardown()


def test_events_that_an_order_lost_in_a_kill_was_given_end_it_by_the_history() -> None:
    world = Ordering()
    world.the_world_begins()
    world.a_manager_writes_a_document(CLIENTS[0], 0)
    world.the_bridge_looks_for_documents(Reply.ACCEPTS_WITHOUT_AN_ID, None)
    world.time_passes(700)
    world.a_manager_writes_a_document(CLIENTS[0], 0)
    world.the_bridge_looks_for_documents(Reply.ACCEPTS, 1)

    world.the_pbx_goes_on(0, "1", lost=False)  # long after the order, and without its beginning

    world.teardown()


TestOrdering = Ordering.TestCase
TestOrdering.settings = settings(
    max_examples=120,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
