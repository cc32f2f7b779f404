"""A call is durable before its answer, or an alarm is up; the record follows."""

import asyncio
from datetime import timedelta

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.routing.decision import Target
from bridge.ports.alarms import Alarm
from bridge.ports.events import CallRecorded
from bridge.ports.stores.files import RescuedCall
from bridge.ports.stores.ledger import LedgerChange
from bridge.services.answering.record import SLOW_DISK, CallRecorder
from tests.support import builders as b
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents

pytestmark = pytest.mark.anyio


class Kept:
    """A rescue in memory."""

    def __init__(self) -> None:
        self.calls: list[RescuedCall] = []

    async def add(self, call: PhoneCall, entry: OutboxEntry | None) -> None:
        self.calls.append((call, entry))

    async def saved_calls(self) -> list[RescuedCall]:
        return list(self.calls)

    async def delete_first(self, calls: int) -> None:
        del self.calls[:calls]


class Desk:
    """CallRecorder over a ledger in memory."""

    def __init__(
        self,
        patience: timedelta = SLOW_DISK,
        most_in_memory: int = 100,
        first_pause_s: float = 0.001,
    ) -> None:
        self.ledger = MemoryLedger(lambda: b.NOON)
        self.events = RecordedEvents()
        self.rescue = Kept()
        self.recording = CallRecorder(
            self.ledger,
            self.events,
            rescue=self.rescue,
            patience=patience,
            first_pause_s=first_pause_s,
            max_in_memory=most_in_memory,
        )

    def alarms(self) -> list[bool]:
        """Tell of each alarm whether it took the earlier one back."""
        return [alarm.clear for alarm in self.events.of(Alarm)]


async def test_a_call_and_its_debt_are_written_together() -> None:
    desk = Desk()
    call = b.call()

    assert await desk.recording.record(call) is call

    assert desk.ledger.entries_by_key[call.key].due_at == call.received_at
    assert desk.events.published == [CallRecorded(call)]


async def test_a_call_that_is_there_already_is_the_one_that_counts() -> None:
    desk = Desk()
    first = await desk.recording.record(b.call())
    decided_anew = b.call(decided=b.decision(target=Target("300")))

    counts = await desk.recording.record(decided_anew)

    assert counts is first
    assert len(desk.events.of(CallRecorded)) == 1


async def test_on_a_slow_disk_the_record_follows_and_the_alarm_clears() -> None:
    desk = Desk(patience=timedelta(0))
    desk.ledger.disk_ready = asyncio.Event()
    assert await desk.recording.record(b.call()) == b.call()
    assert (desk.alarms(), desk.ledger.calls_by_key) == ([False], {})

    desk.ledger.disk_ready.set()
    await desk.recording.flush()

    assert desk.ledger.calls_by_key.keys() == {b.call().key}
    assert desk.alarms() == [False, True]


async def test_the_alarm_clears_when_one_commit_writes_all_that_waited() -> None:
    desk = Desk(patience=timedelta(0))
    desk.ledger.disk_ready = asyncio.Event()
    calls = [b.call(b.question(asked_time=str(second))) for second in range(3)]
    for call in calls:
        await desk.recording.record(call)

    desk.ledger.disk_ready.set()
    await desk.recording.flush()

    assert desk.ledger.calls_by_key.keys() == {call.key for call in calls}
    assert desk.alarms() == [False, True]


async def test_the_alarm_stays_while_a_record_still_waits() -> None:
    desk = Desk(patience=timedelta(0))
    slow = desk.ledger.disk_ready = asyncio.Event()
    await desk.recording.record(b.call())
    desk.ledger.disk_ready = None

    await desk.recording.record(b.call(b.question(asked_time="2")))
    assert desk.alarms() == [False]

    slow.set()
    await desk.recording.flush()
    assert desk.alarms() == [False, True]


async def test_a_disk_that_refuses_is_told_once_until_it_works_again() -> None:
    desk = Desk()
    desk.ledger.broken = True
    for second in range(3):
        call = b.call(b.question(asked_time=str(second)))
        assert await desk.recording.record(call) is call
    assert desk.alarms() == [False]
    assert "disk full" in desk.events.of(Alarm)[0].message

    desk.ledger.broken = False
    await desk.recording.record(b.call())
    await desk.recording.flush()

    assert desk.alarms() == [False, True]
    assert len(desk.ledger.calls_by_key) == 4  # who was answered meanwhile is not lost


async def test_a_stop_does_not_wait_for_a_disk_that_refuses_and_the_next_start_records_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.ledger.broken = True
    await desk.recording.record(b.call())

    await desk.recording.flush()
    kept = list(desk.rescue.calls)
    desk.ledger.broken = False
    taken = [await desk.recording.record_rescued() for _ in range(2)]

    assert [call for call, _ in kept] == [b.call()]
    assert kept[0][1] is not None
    assert taken == [1, 0]
    assert desk.ledger.calls_by_key.keys() == desk.ledger.entries_by_key.keys() == {b.call().key}
    assert caplog.records[0].message == "call_kept_in_rescue"


async def test_a_disk_that_is_well_again_is_written_to_at_once() -> None:
    desk = Desk(first_pause_s=3600)
    desk.ledger.broken = True
    for second in range(3):
        await desk.recording.record(b.call(b.question(asked_time=str(second))))

    desk.ledger.broken = False
    await desk.recording.retry_now()

    assert len(desk.ledger.calls_by_key) == 3
    assert desk.alarms() == [False, True]


async def test_what_memory_has_no_room_for_is_kept_elsewhere() -> None:
    desk = Desk(most_in_memory=2)
    desk.ledger.broken = True
    for second in range(5):
        await desk.recording.record(b.call(b.question(asked_time=str(second))))
    kept = len(desk.rescue.calls)

    desk.ledger.broken = False
    await desk.recording.flush()
    await desk.recording.record_rescued()

    assert kept >= 3  # two fit; on a slow machine one of them may have tried again meanwhile
    assert len(desk.ledger.calls_by_key) == len(desk.ledger.entries_by_key) == 5


async def test_a_call_whose_events_came_before_its_record_is_owed_all_the_same() -> None:
    desk = Desk()
    call = b.call()
    await desk.ledger.apply_change(LedgerChange(calls=(call,)))

    await desk.recording.record(call)

    assert desk.ledger.entries_by_key.keys() == {call.key}


async def test_a_cancelled_answer_does_not_take_its_record_along() -> None:
    desk = Desk(patience=timedelta(seconds=5))
    desk.ledger.disk_ready = asyncio.Event()
    answer = asyncio.create_task(desk.recording.record(b.call()))
    await asyncio.sleep(0)

    answer.cancel()
    desk.ledger.disk_ready.set()
    await desk.recording.flush()

    assert desk.ledger.calls_by_key.keys() == {b.call().key}
