"""A wall clock that steps stops nothing that is under way, and doubles nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.domain.routing.decision import DataAge, Finding, Target
from bridge.errors import OneCUnavailable
from bridge.ports.audit import AuditAct
from bridge.ports.events import OneCAvailability
from bridge.ports.onec import FoundOwners
from bridge.ports.pbx import RawEvent
from bridge.services.answering.live_lookup import LiveLookup
from bridge.services.calls.retention import Retention
from bridge.services.delivery.deliver import Delivery
from bridge.services.health.clock_watch import ClockWatch
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.clocks import SteppingClock
from tests.support.fakes.access import MemoryAudit
from tests.support.fakes.directory import MemoryDirectory
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents
from tests.support.fakes.onec import FakeOneC, RequestOutcome

pytestmark = pytest.mark.anyio

STEPS = [
    timedelta(hours=-3),
    timedelta(hours=3),
    timedelta(days=-3),
    timedelta(days=365),
    timedelta(days=7300),
]


class DeliveryOnTwoClocks:
    """Delivery over a ledger in memory and a model of 1C, under two clocks."""

    def __init__(self) -> None:
        self.clocks = SteppingClock()
        self.events = RecordedEvents()
        # 1C's own clock is right.
        self.onec = FakeOneC(lambda: b.NOON + timedelta(seconds=self.clocks.seconds))
        self.ledger = MemoryLedger(self.clocks.now)
        self.starts()

    def starts(self) -> None:
        self.watch = ClockWatch(self.clocks.now, self.clocks.monotonic, self.events)
        self.delivery = Delivery(
            ledger=self.ledger,
            journal=self.onec,
            events=self.events,
            clock=self.watch.now,
            lang="ru",
            zone=UTC,
            monotonic=self.clocks.monotonic,
            clock_steps=lambda: self.watch.steps,
        )

    def add_entries(self) -> PhoneCall:
        asked = b.question(asked_time=str(len(self.ledger.calls_by_key)))
        call = b.call(asked, b.decision(target=Target("205", b.manager().ref)))
        self.ledger.add_entry(call, self.clocks.now())
        return call

    async def passes(self, seconds: float, every: float = 5) -> None:
        for _ in range(int(seconds / every)):
            self.clocks.advance(seconds=every)
            self.onec.commit_late_writes()
            await self.delivery.drain()

    def state(self, call: PhoneCall) -> EntryState:
        return self.ledger.entries_by_key[call.key].state


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("restarts", [False, True])
async def test_what_waits_for_a_retry_is_delivered_in_minutes(
    step: timedelta, restarts: bool
) -> None:
    env = DeliveryOnTwoClocks()
    call = env.add_entries()
    env.onec.set_outcomes([RequestOutcome.UNREACHABLE] * 6)
    await env.passes(30)
    env.clocks.offset = step
    if restarts:
        env.starts()

    await env.passes(120)

    assert len(env.onec.documents_of(call.key)) == 1
    assert env.state(call) is EntryState.DELIVERED
    assert [outcome.available for outcome in env.events.of(OneCAvailability)][-1] is True


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("restarts", [False, True])
async def test_the_quiet_period_before_creating_again_is_as_long_as_ever(
    step: timedelta, restarts: bool
) -> None:
    env = DeliveryOnTwoClocks()
    call = env.add_entries()
    env.onec.set_outcomes([RequestOutcome.COMMITTED_LATE])
    env.onec.commit_delay = timedelta(seconds=28)
    await env.delivery.drain()
    env.clocks.advance(seconds=3)
    env.clocks.offset = step
    if restarts:
        env.starts()

    await env.passes(60)

    assert len(env.onec.documents) == 1
    assert len(env.onec.documents_of(call.key)) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_the_verification_comes_after_ten_minutes_and_not_before(
    step: timedelta,
) -> None:
    env = DeliveryOnTwoClocks()
    call = env.add_entries()
    env.onec.set_outcomes([RequestOutcome.COMMITTED_LATE])
    env.onec.commit_delay = timedelta(minutes=8)
    await env.delivery.drain()
    await env.passes(120)
    assert env.ledger.entries_by_key[call.key].stage is DeliveryStage.VERIFY
    env.clocks.offset = step

    await env.passes(11 * 60, every=30)

    assert len(env.onec.documents) == 2  # the late one came
    assert len(env.onec.documents_of(call.key)) == 1  # and is marked
    assert env.state(call) is EntryState.DELIVERED


class Failing:
    """A 1C that fails every question until it is well."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_well = False

    async def find_owners(self, number: object) -> FoundOwners:
        del number
        self.asked += 1
        if not self.is_well:
            raise OneCUnavailable("Catalog_X", "connect error")
        return FoundOwners((b.contact(),), (b.partner(),))

    async def aclose(self) -> None: ...


class Proven(MemoryDirectory):
    """A directory proven as the test begins, whose age is true."""

    def __init__(self, clocks: SteppingClock) -> None:
        super().__init__()
        self._clocks, self._proven = clocks, clocks.seconds

    def age(self, now: datetime) -> DataAge:
        return DataAge(now - timedelta(seconds=self._clocks.seconds - self._proven))


@pytest.mark.parametrize("step", STEPS)
async def test_an_unknown_caller_is_looked_for_again_half_a_minute_after_a_failure(
    step: timedelta,
) -> None:
    clocks, onec = SteppingClock(), Failing()
    asking = LiveLookup(
        lookup=onec,
        directory=Proven(clocks),
        clock=clocks.now,
        patience=timedelta(seconds=5),
        monotonic=clocks.monotonic,
    )
    for _ in range(4):
        last = await asking.look_up(b.NUMBER)
    assert last.step.finding is Finding.ONEC_NOT_ASKED
    clocks.offset, onec.is_well = step, True
    clocks.advance(seconds=31)

    assert (await asking.look_up(b.NUMBER)).step.finding is Finding.ONEC_FOUND
    # Its answer is valid for ten minutes, and no longer.
    clocks.offset = timedelta(0)
    clocks.advance(minutes=5)
    await asking.look_up(b.NUMBER)
    assert onec.asked == 4
    clocks.advance(minutes=6)
    await asking.look_up(b.NUMBER)
    assert onec.asked == 5


def ringing(at: datetime) -> RawEvent:
    fields = {
        "event": "1",
        "call_id": f"{b.NOON.timestamp():.0f}.1",
        "src_num": "79035550123",
        "src_type": "1",
        "dst_num": "74951234567",
        "dst_type": "1",
        "timestamp": f"{b.NOON.timestamp():.0f}",
    }
    return RawEvent("sipuni", at, tuple(fields.items()))


@pytest.mark.parametrize("step", STEPS)
async def test_a_call_in_progress_is_neither_given_up_nor_deleted_early(step: timedelta) -> None:
    clocks = SteppingClock()
    ledger = MemoryLedger(clocks.now)
    call_store, calls = build_call_services(
        ledger, clocks.now, RecordedEvents(), monotonic=clocks.monotonic
    )
    await calls.receive(ringing(clocks.now()))
    clocks.offset = step
    clocks.advance(minutes=1)
    begun = b.question("+79161112233", received_at=clocks.now(), arrived_at=None, asked_time="")
    calls.open_call(begun, b.decision())

    assert calls.unfinished_calls(timedelta(minutes=10)) == []
    assert len(list(call_store.active_calls)) == 2
    clocks.advance(minutes=10)
    assert len(calls.unfinished_calls(timedelta(minutes=10))) == 2


@pytest.mark.parametrize("off", [timedelta(0), timedelta(hours=13), *STEPS])
@pytest.mark.parametrize("asked_first", [True, False])
@pytest.mark.parametrize("asked_time", ["", "1772625600"])
async def test_a_question_and_its_events_are_one_call_whatever_our_clock_says(
    off: timedelta, asked_first: bool, asked_time: str
) -> None:
    clocks = SteppingClock(offset=off)
    ledger = MemoryLedger(clocks.now)
    _, calls = build_call_services(ledger, clocks.now, RecordedEvents(), monotonic=clocks.monotonic)

    async def ask() -> None:
        asked = b.question(
            did="74951234567",
            asked_time=asked_time,
            received_at=clocks.now(),
            arrived_at=b.NOON if asked_time else None,
        )
        call = calls.open_call(asked, b.decision())
        calls.mark_recorded(await ledger.record_call(call, None))

    if asked_first:
        await ask()
    clocks.advance(seconds=1)
    await calls.receive(ringing(clocks.now()))
    if not asked_first:
        await ask()

    (call,) = ledger.calls_by_key.values()
    assert (call.has_question, len(call.applied_events)) == (True, 1)


@pytest.mark.parametrize("step", STEPS)
async def test_a_call_in_progress_is_taken_up_after_a_restart(step: timedelta) -> None:
    clocks = SteppingClock()
    ledger = MemoryLedger(clocks.now)
    _, calls = build_call_services(ledger, clocks.now, RecordedEvents(), monotonic=clocks.monotonic)
    await calls.receive(ringing(clocks.now()))
    clocks.offset = step
    call_store, _ = build_call_services(
        ledger, clocks.now, RecordedEvents(), monotonic=clocks.monotonic
    )

    await call_store.load()

    (call,) = call_store.active_calls
    assert call.state.disposition is Disposition.RINGING


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("keep_days", [1, 365])
async def test_a_jump_of_the_clock_deletes_nothing(step: timedelta, keep_days: int) -> None:
    clocks = SteppingClock()
    ledger = MemoryLedger(clocks.now)
    watch = ClockWatch(clocks.now, clocks.monotonic, RecordedEvents())
    retention = Retention(
        ledger=ledger,
        audit=MemoryAudit(),
        clock=watch.now,
        keep_days=keep_days,
        steady_for=watch.steady_for,
        lang="en",
    )
    for day in range(keep_days + 1):
        clocks.advance(days=1)
        last = b.call(b.question(asked_time=str(day), received_at=clocks.now()))
        ledger.calls_by_key[last.key] = last
        await retention.delete_old()
    kept = dict(ledger.calls_by_key)

    clocks.offset = step
    for _ in range(3):
        watch.now()
        clocks.advance(minutes=15)
        await retention.delete_old()
    assert len(ledger.calls_by_key) >= len(kept) - 1  # a day was seen, be it a wrong one
    clocks.offset = timedelta(0)
    watch.now()
    clocks.advance(minutes=15)
    await retention.delete_old()

    assert last.key in ledger.calls_by_key
    assert len(ledger.calls_by_key) >= len(kept) - 1


async def test_a_machine_that_begins_in_another_century_each_morning_has_not_seen_it() -> None:
    clocks = SteppingClock()
    ledger = MemoryLedger(clocks.now)
    for day in range(5):
        clocks.offset = timedelta(days=-9560)
        watch = ClockWatch(clocks.now, clocks.monotonic, RecordedEvents())
        retention = Retention(
            ledger=ledger,
            audit=MemoryAudit(),
            clock=watch.now,
            keep_days=1,
            steady_for=watch.steady_for,
            lang="en",
        )
        await retention.delete_old()
        clocks.advance(minutes=1)
        clocks.offset = timedelta(0)  # NTP has answered
        call = b.call(b.question(asked_time=str(day), received_at=watch.now()))
        ledger.calls_by_key[call.key] = call
        for _ in range(2):
            await retention.delete_old()
            clocks.advance(minutes=15)
        clocks.advance(hours=23, minutes=29)

    assert [call.pbx_time_text for call in ledger.calls_by_key.values()] == ["3", "4"]


async def test_what_is_pending_for_days_is_never_deleted_and_deletion_is_in_the_audit_list() -> (
    None
):
    clocks, audit = SteppingClock(), MemoryAudit()
    ledger = MemoryLedger(clocks.now)
    retention = Retention(
        ledger=ledger,
        audit=audit,
        clock=clocks.now,
        keep_days=1,
        steady_for=lambda: timedelta(hours=1),
        lang="en",
    )
    entry, done = b.call(b.question(asked_time="1")), b.call(b.question(asked_time="2"))
    ledger.add_entry(entry, clocks.now())
    ledger.calls_by_key[done.key] = done
    for _ in range(10):
        await retention.delete_old()
        clocks.advance(days=1)

    assert list(ledger.calls_by_key) == [entry.key]
    assert list(ledger.entries_by_key) == [entry.key]
    (record,) = audit.appended
    assert (record.act, record.who) == (AuditAct.OLD_CALLS_DELETED, "1C-bridge")
    assert record.subject == "2026-03-05"
    assert record.words == "calls 1, events 0, records 0; not done and kept 1"
