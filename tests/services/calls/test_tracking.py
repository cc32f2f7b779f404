"""An event and all that it changes are one write; what must wait is stored and applied later."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.state import Disposition
from bridge.errors import StoreError
from bridge.ports.events import CallChanged
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.ledger import LedgerChange
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class FailingLedger(MemoryLedger):
    """*refuses*: so many steps are refused, single writes are not. *unreadable*: so many reads are.

    *slow* delays steps.
    """

    refuses: int = 0
    unreadable: int = 0
    mistaken: bool = False
    #: Delays the look back at the calls, when they were read already.
    looking: asyncio.Event | None = None
    slow: asyncio.Event | None = None
    steps: list[LedgerChange] = field(default_factory=list)

    async def apply_change(self, change: LedgerChange) -> None:
        if self.slow is not None:
            await self.slow.wait()
        if self.mistaken:
            raise TypeError("nobody thought of this")
        if self.refuses:
            self.refuses -= 1
            raise StoreError("ledger", "no")
        await MemoryLedger.apply_change(self, change)
        self.steps.append(change)

    async def call_by_ref(self, ref: str) -> None:
        """Nothing is found: only memory is asked here, but for very late events."""
        del ref
        if self.unreadable:
            self.unreadable -= 1
            raise StoreError("ledger", "cannot be read")

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreError("ledger", "cannot be read")
        calls = await MemoryLedger.calls_since(self, moment, until)
        if self.looking is not None:
            await self.looking.wait()
        return calls


class TrackingSetup:
    """Following over a ledger in memory."""

    def __init__(self) -> None:
        self.ledger = FailingLedger(lambda: b.NOON)
        self.events = RecordedEvents()
        self.asked_later = 0
        _, self.tracker = build_call_services(
            self.ledger, lambda: b.NOON, self.events, apply_soon=self._note_later
        )

    def _note_later(self) -> None:
        self.asked_later += 1

    def shown(self) -> list[Disposition]:
        """Return what was published of calls."""
        return [changed.call.state.disposition for changed in self.events.of(CallChanged)]


def event(code: str = "1", ref: str = "1741089600.1", **more: str) -> RawEvent:
    fields = {
        "event": code,
        "call_id": ref,
        "src_num": "79161234567",
        "src_type": "1",
        "dst_num": "74951234567",
        "dst_type": "1",
        "timestamp": "1741089600",
        **more,
    }
    return RawEvent("sipuni", b.NOON, tuple(fields.items()))


async def test_an_event_and_its_call_are_one_write() -> None:
    env = TrackingSetup()

    await env.tracker.receive(event())

    (step,) = env.ledger.steps
    (call,) = env.ledger.calls_by_key.values()
    assert step.new_events == ((event(), call.key),)
    assert step.calls == (call,)
    assert env.ledger.entries_by_key.keys() == {call.key}
    assert await env.ledger.unapplied_events(10) == []


async def test_the_call_is_published_while_the_disk_writes() -> None:
    env = TrackingSetup()
    env.ledger.slow = asyncio.Event()
    received = asyncio.create_task(env.tracker.receive(event()))

    await env.events.wait_for(CallChanged, lambda _: True)
    assert not received.done()
    assert not env.ledger.stored_events

    env.ledger.slow.set()
    await received
    assert env.shown() == [Disposition.RINGING]


async def test_events_that_come_meanwhile_are_the_next_write_together() -> None:
    env = TrackingSetup()
    env.ledger.slow = asyncio.Event()
    calls = [env.tracker.receive(event(ref=f"1741089600.{n}")) for n in range(20)]
    received = [asyncio.create_task(call) for call in calls]
    await env.events.wait_for(CallChanged, lambda _: True)

    env.ledger.slow.set()
    await asyncio.gather(*received)

    assert len(env.ledger.stored_events) == 20
    assert len(env.ledger.steps) <= 2


async def test_an_event_of_a_call_that_is_being_recorded_is_stored_and_applied_later() -> None:
    env = TrackingSetup()
    question = b.question()
    call = env.tracker.open_call(question, b.decision())

    await env.tracker.receive(event(src_num=question.caller.raw, dst_num=question.did))

    assert len(await env.ledger.unapplied_events(10)) == 1
    assert env.asked_later == 1
    assert env.shown() == []
    await env.ledger.record_call(call, None)
    env.tracker.mark_recorded(call)
    assert await env.tracker.apply_stored_events() == 1
    assert [call.key for call in env.ledger.calls_by_key.values() if call.applied_events] == [
        call.key
    ]
    assert await env.ledger.unapplied_events(10) == []


async def test_where_the_change_is_refused_the_event_is_stored_alone_and_applied_later() -> None:
    env = TrackingSetup()
    env.ledger.refuses = 1

    await env.tracker.receive(event())

    assert env.ledger.calls_by_key == {}
    assert len(await env.ledger.unapplied_events(10)) == 1
    assert env.asked_later == 1
    await env.tracker.apply_stored_events()
    (call,) = env.ledger.calls_by_key.values()
    assert call.state.call_ref == "1741089600.1"


@pytest.mark.parametrize("unreadable", [1, 2])
async def test_an_event_of_a_change_that_failed_is_applied_again(unreadable: int) -> None:
    env = TrackingSetup()
    env.ledger.unreadable = unreadable
    last_night = str(int(b.NOON.timestamp()) - 13 * 3600)

    await asyncio.gather(
        env.tracker.receive(event()),
        env.tracker.receive(
            event(ref="last.night", timestamp=last_night, call_start_timestamp=last_night)
        ),
    )
    assert env.ledger.calls_by_key == {}
    assert len(await env.ledger.unapplied_events(10)) == 2

    with suppress(StoreError):
        await env.tracker.apply_stored_events()
    await env.tracker.apply_stored_events()

    refs = {call.state.call_ref for call in env.ledger.calls_by_key.values()}
    assert refs == {"1741089600.1", "last.night"}


async def test_a_call_in_memory_outlives_a_ledger_that_cannot_be_read_for_a_while() -> None:
    env = TrackingSetup()
    question = b.question()
    call = env.tracker.open_call(question, b.decision())
    env.tracker.mark_recorded(await env.ledger.record_call(call, None))
    began = {"timestamp": question.pbx_time_text, "call_start_timestamp": question.pbx_time_text}
    answers = event("3", src_num="79035550123", dst_num="012345205", dst_type="2", **began)
    env.ledger.refuses, env.ledger.unreadable = 1, 1

    await env.tracker.receive(answers)
    with suppress(StoreError):
        await env.tracker.apply_stored_events()
    await env.tracker.apply_stored_events()

    (after,) = env.ledger.calls_by_key.values()
    assert after.key == call.key
    assert after.state.talked_extensions == ("205",)


async def test_a_call_recorded_while_memory_is_reloaded_is_not_lost() -> None:
    env = TrackingSetup()
    env.ledger.refuses, env.ledger.looking = 1, asyncio.Event()
    await env.tracker.receive(event())
    looks_back = asyncio.create_task(env.tracker.apply_stored_events())
    for _ in range(5):
        await asyncio.sleep(0)

    question = b.question()
    call = env.tracker.open_call(question, b.decision())
    env.tracker.mark_recorded(await env.ledger.record_call(call, None))
    env.ledger.looking.set()
    await looks_back
    began = {"timestamp": question.pbx_time_text, "call_start_timestamp": question.pbx_time_text}
    its_own = event(ref="its.own", src_num="79035550123", dst_num=question.did, **began)
    await env.tracker.receive(its_own)

    found = [
        kept.key for kept in env.ledger.calls_by_key.values() if kept.state.call_ref == "its.own"
    ]
    assert found == [call.key]


async def test_an_event_that_is_not_stored_is_not_taken() -> None:
    env = TrackingSetup()
    env.ledger.broken = True

    outcomes = await asyncio.gather(
        env.tracker.receive(event("1")),
        env.tracker.receive(event("3")),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [StoreError, StoreError]
    env.ledger.broken = False
    await env.tracker.receive(event("2", status="ANSWER"))
    assert len(env.ledger.stored_events) == 1


async def test_a_fault_of_ours_loses_no_event_and_keeps_no_request_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = TrackingSetup()
    env.ledger.mistaken = True

    async with asyncio.timeout(10):
        await env.tracker.receive(event())

    assert len(await env.ledger.unapplied_events(10)) == 1
    assert "step_broken" in caplog.text
    env.ledger.mistaken = False
    await env.tracker.apply_stored_events()
    assert len(env.ledger.calls_by_key) == 1


async def test_whoever_is_cut_off_takes_nobody_along() -> None:
    env = TrackingSetup()
    env.ledger.slow = asyncio.Event()
    first = asyncio.create_task(env.tracker.receive(event()))
    await env.events.wait_for(CallChanged, lambda _: True)
    second = asyncio.create_task(env.tracker.receive(event(ref="1741089600.2")))
    await asyncio.sleep(0)

    first.cancel()
    env.ledger.slow.set()
    await second

    assert len(env.ledger.stored_events) == 2


async def test_an_event_about_no_call_is_stored_and_begins_none() -> None:
    env = TrackingSetup()

    await env.tracker.receive(RawEvent("sipuni", b.NOON, (("event", "9"), ("say", "hello"))))

    assert len(env.ledger.stored_events) == 1
    assert await env.ledger.unapplied_events(10) == []
    assert env.ledger.calls_by_key == {}
