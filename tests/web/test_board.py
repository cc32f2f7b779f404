"""The board: whatever breaks, a desk that comes back is told what it missed, and nothing else."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bridge.domain.calls import PhoneCall
from bridge.domain.desk import KEPT
from bridge.domain.directory import Manager
from bridge.domain.missed import MissedDebt
from bridge.ports import Alarm, CallChanged, CallRecorded, DebtChanged
from bridge.web.desk.board import Board
from bridge.web.desk.debts import DebtBook
from tests.support.builders import NOON, NUMBER, call, manager, question, rows

pytestmark = pytest.mark.anyio


class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


def ring(count: int = 0) -> PhoneCall:
    return call(question(f"+7903555{count:04}", asked_time=str(count)))


def keys(board: Board, after: str = "", extension: str = "205") -> list[str]:
    return [posted.call.key for posted in board.news(extension, after).posted]


def test_a_desk_is_told_what_changed_behind_the_id_it_saw() -> None:
    board, (first, second) = Board("life1", Clock()), (ring(1), ring(2))
    board.publish(CallRecorded(first))
    seen = board.news("205", "").id
    assert keys(board, seen) == []

    board.publish(CallRecorded(second))
    board.publish(CallChanged(first))
    board.publish(Alarm("store_slow", "slow"))

    assert keys(board, seen) == [second.key, first.key]
    assert not board.news("205", seen).whole


@pytest.mark.parametrize("after", ["", "life0-1", "life1-99", "life1-x", "life1-" + "9" * 40, "-"])
def test_an_id_of_another_life_brings_everything(after: str) -> None:
    board = Board("life1", Clock())
    board.publish(CallRecorded(ring()))
    news = board.news("205", after)
    assert news.whole
    assert len(news.posted) == 1


def test_other_telephones_are_told_nothing() -> None:
    board = Board("life1", Clock())
    board.publish(CallRecorded(ring()))
    assert keys(board, extension="207") == []
    assert board.call(ring().key, "207") is None
    assert board.call(ring().key, "205") is not None


@pytest.mark.parametrize("days", [-3, 365])
def test_a_step_of_the_clock_takes_nothing_down_and_keeps_nothing_up(days: int) -> None:
    clock, step = Clock(), timedelta(days=days)
    board = Board("life1", clock)
    board.publish(CallRecorded(ring(1)))

    clock.now += step
    board.clock_stepped(step)
    assert keys(board) == [ring(1).key]

    clock.now += KEPT + timedelta(minutes=2)
    assert keys(board) == []
    board.publish(CallRecorded(ring(2)))
    assert board.call(ring(1).key, "205") is None


def test_a_restart_remembers_what_still_counts() -> None:
    clock = Clock()
    clock.now = NOON + KEPT + timedelta(minutes=1)
    board, fresh = Board("life2", clock), replace(ring(2), received_at=clock.now)
    board.recall([ring(1), fresh])
    assert keys(board) == [fresh.key]


def test_what_is_long_over_goes() -> None:
    clock = Clock()
    board = Board("life1", clock)
    board.publish(CallRecorded(ring(1)))
    clock.now += KEPT + timedelta(minutes=2)
    assert keys(board) == []
    board.publish(CallRecorded(ring(2)))
    assert board.call(ring(1).key, "205") is None


async def test_only_who_is_concerned_is_woken() -> None:
    board = Board("life1", Clock())
    with board.listen("205") as mine, board.listen("207") as other:
        assert board.listening() == 2
        board.publish(CallRecorded(ring()))
        assert await mine.wait(5)
        assert not await other.wait(0)
    assert board.listening() == 0


async def test_the_end_wakes_everybody() -> None:
    board = Board("life1", Clock())
    with board.listen("205") as mine:
        board.close()
        assert await mine.wait(5)
        assert board.closed


def owed(second: Manager | None = None) -> MissedDebt:
    one = ring()
    return MissedDebt(
        key=one.key,
        client="client",
        name="Иванов",
        numbers=(NUMBER,),
        calls=(one.key,),
        holder=one.key,
        owner=one.decision.target,
        opened_at=NOON,
        last_at=NOON,
        escalated_to=None if second is None else second.ref,
    )


async def test_a_debt_is_shown_to_its_owner_until_it_is_paid_and_to_the_second_person() -> None:
    boss = manager("Борис Орлов", "207")
    board = Board("life1", Clock())
    book = DebtBook(board, lambda: rows(boss))
    with board.listen("205") as owner, board.listen("207") as second:
        book.publish(DebtChanged(owed()))
        assert await owner.wait(5)
        assert [len(book.of(extension)) for extension in ("205", "207")] == [1, 0]
        assert book.of_client("client") == owed()
        assert book.of_client("") is None

        book.publish(DebtChanged(owed(boss)))
        assert await second.wait(5)
        assert [len(book.of(extension)) for extension in ("205", "207")] == [1, 1]

        book.publish(DebtChanged(replace(owed(boss), closed_at=NOON)))
        assert await second.wait(5)
        assert [len(book.of(extension)) for extension in ("205", "207")] == [0, 0]
