"""The board: whatever breaks, a desk that comes back gets what it missed, and nothing else."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Manager
from bridge.domain.reporting.desk import SHOWN_FOR
from bridge.ports.alarms import Alarm
from bridge.ports.events import CallChanged, CallRecorded, MissedCallChanged
from bridge.web.desk_state.desk_calls import DeskCalls
from bridge.web.desk_state.missed_call_list import MissedCallList
from tests.support.builders import NOON, NUMBER, call, manager, question, rows

pytestmark = pytest.mark.anyio


class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


def ring(count: int = 0) -> PhoneCall:
    return call(question(f"+7903555{count:04}", asked_time=str(count)))


def keys(board: DeskCalls, after: str = "", extension: str = "205") -> list[str]:
    return [posted.call.key for posted in board.updates_since(extension, after).updates]


def test_a_desk_gets_what_changed_behind_the_id_it_saw() -> None:
    board, (first, second) = DeskCalls("life1", Clock()), (ring(1), ring(2))
    board.publish(CallRecorded(first))
    seen = board.updates_since("205", "").last_id
    assert keys(board, seen) == []

    board.publish(CallRecorded(second))
    board.publish(CallChanged(first))
    board.publish(Alarm("store_slow", "slow"))

    assert keys(board, seen) == [second.key, first.key]
    assert not board.updates_since("205", seen).is_complete


@pytest.mark.parametrize("after", ["", "life0-1", "life1-99", "life1-x", "life1-" + "9" * 40, "-"])
def test_an_id_of_another_process_brings_everything(after: str) -> None:
    board = DeskCalls("life1", Clock())
    board.publish(CallRecorded(ring()))
    news = board.updates_since("205", after)
    assert news.is_complete
    assert len(news.updates) == 1


def test_other_telephones_get_nothing() -> None:
    board = DeskCalls("life1", Clock())
    board.publish(CallRecorded(ring()))
    assert keys(board, extension="207") == []
    assert board.find_call(ring().key, "207") is None
    assert board.find_call(ring().key, "205") is not None


@pytest.mark.parametrize("days", [-3, 365])
def test_a_step_of_the_clock_takes_nothing_down_and_keeps_nothing_up(days: int) -> None:
    clock, step = Clock(), timedelta(days=days)
    board = DeskCalls("life1", clock)
    board.publish(CallRecorded(ring(1)))

    clock.now += step
    board.shift_clock(step)
    assert keys(board) == [ring(1).key]

    clock.now += SHOWN_FOR + timedelta(minutes=2)
    assert keys(board) == []
    board.publish(CallRecorded(ring(2)))
    assert board.find_call(ring(1).key, "205") is None


def test_a_restart_remembers_what_still_counts() -> None:
    clock = Clock()
    clock.now = NOON + SHOWN_FOR + timedelta(minutes=1)
    board, fresh = DeskCalls("life2", clock), replace(ring(2), received_at=clock.now)
    board.load([ring(1), fresh])
    assert keys(board) == [fresh.key]


def test_what_is_long_over_goes() -> None:
    clock = Clock()
    board = DeskCalls("life1", clock)
    board.publish(CallRecorded(ring(1)))
    clock.now += SHOWN_FOR + timedelta(minutes=2)
    assert keys(board) == []
    board.publish(CallRecorded(ring(2)))
    assert board.find_call(ring(1).key, "205") is None


async def test_only_who_is_concerned_gets_a_change() -> None:
    board = DeskCalls("life1", Clock())
    with board.listen("205") as mine, board.listen("207") as other:
        assert board.count_listeners() == 2
        board.publish(CallRecorded(ring()))
        assert await mine.wait(5)
        assert not await other.wait(0)
    assert board.count_listeners() == 0


async def test_the_end_wakes_everybody() -> None:
    board = DeskCalls("life1", Clock())
    with board.listen("205") as mine:
        board.close()
        assert await mine.wait(5)
        assert board.closed


def missed_call(second: Manager | None = None) -> MissedCall:
    one = ring()
    return MissedCall(
        key=one.key,
        client="client",
        name="Иванов",
        numbers=(NUMBER,),
        call_keys=(one.key,),
        reminder_call=one.key,
        owner=one.decision.target,
        opened_at=NOON,
        last_missed_at=NOON,
        escalated_to=None if second is None else second.ref,
    )


async def test_a_missed_call_is_shown_to_its_owner_until_called_back_and_on_escalation() -> None:
    boss = manager("Борис Орлов", "207")
    board = DeskCalls("life1", Clock())
    missed_calls = MissedCallList(board, lambda: rows(boss))
    with board.listen("205") as owner, board.listen("207") as second:
        missed_calls.publish(MissedCallChanged(missed_call()))
        assert await owner.wait(5)
        assert [len(missed_calls.of_extension(extension)) for extension in ("205", "207")] == [1, 0]
        assert missed_calls.of_client("client") == missed_call()
        assert missed_calls.of_client("") is None

        missed_calls.publish(MissedCallChanged(missed_call(boss)))
        assert await second.wait(5)
        assert [len(missed_calls.of_extension(extension)) for extension in ("205", "207")] == [1, 1]

        missed_calls.publish(MissedCallChanged(replace(missed_call(boss), closed_at=NOON)))
        assert await second.wait(5)
        assert [len(missed_calls.of_extension(extension)) for extension in ("205", "207")] == [0, 0]
