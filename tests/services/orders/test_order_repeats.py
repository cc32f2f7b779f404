"""An order that is not known to be over bars its repeat, and what the PBX did is written down."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from bridge.domain.calls.call import apply_event
from bridge.domain.calls.events import CallEvent, EventKind, Outcome
from bridge.domain.calls.orders import CallOrder, OrderReply, OrderState
from bridge.errors import OrderRefused, OrderRepeated, StoreError
from bridge.services.orders.originate import CallOriginator
from tests.support import builders as b
from tests.support.fakes.orders import FakePbx, MemoryOrderStore

pytestmark = pytest.mark.anyio

CLIENT = "+79035550123"


@dataclass
class SlowPbx(FakePbx):
    """Answers an order only when it is let: `answers` is set."""

    answers: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def originate(self, order: CallOrder) -> OrderReply:
        self.orders.append(order)
        self.left.set()
        await self.answers.wait()
        return self.reply


@dataclass
class Desk:
    book: MemoryOrderStore = field(default_factory=MemoryOrderStore)
    pbx: FakePbx = field(default_factory=FakePbx)
    now: datetime = b.NOON

    def __post_init__(self) -> None:
        self.originating = self.started()

    def started(self) -> CallOriginator:
        return CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.book,
            decide=lambda _: b.decision(),
            phones=b.RULES,
            lang="en",
            clock=lambda: self.now,
        )

    async def order(self, number: str = CLIENT) -> OrderState:
        call = await self.originating.order("205", number, by="desk")
        assert call.order is not None
        return call.order.state

    def hears(self, kind: EventKind, outcome: Outcome | None = None) -> None:
        """Let every ordered call hear an event, now."""
        for key, call in self.book.calls.items():
            event = CallEvent("sipuni", kind, self.now, f"ref {key}", outcome=outcome)
            self.book.calls[key] = apply_event(call, event)


async def test_a_second_click_while_the_pbx_is_slow_reaches_it_once() -> None:
    pbx = SlowPbx()
    desk = Desk(pbx=pbx)
    first = asyncio.create_task(desk.order())
    await pbx.left.wait()
    desk.now += timedelta(seconds=12)

    with pytest.raises(OrderRepeated, match="ordered 12 s ago and is not over"):
        await desk.order()

    pbx.answers.set()
    assert await first is OrderState.ACCEPTED
    assert len(pbx.orders) == 1


@pytest.mark.parametrize("minutes", [1, 25, 300])
async def test_an_accepted_order_bars_its_repeat_until_the_call_is_over(minutes: int) -> None:
    desk = Desk()
    await desk.order()
    desk.hears(EventKind.STARTED)
    desk.now += timedelta(minutes=minutes)
    with pytest.raises(OrderRepeated):
        await desk.order()

    desk.hears(EventKind.ENDED, Outcome.BUSY)
    assert await desk.order() is OrderState.ACCEPTED


@pytest.mark.parametrize("end", [EventKind.ENDED, EventKind.HISTORY, EventKind.GIVEN_UP])
async def test_an_unknown_outcome_bars_until_somebody_knows(end: EventKind) -> None:
    desk = Desk()
    desk.pbx.reply = OrderReply(OrderState.UNKNOWN, reason="no answer")
    await desk.order()
    desk.now += timedelta(minutes=5)
    with pytest.raises(OrderRepeated, match="look at the PBX"):
        await desk.order()
    with pytest.raises(OrderRepeated):
        await desk.started().order("205", CLIENT, by="api")

    desk.hears(end, Outcome.NO_ANSWER)
    await desk.order()
    assert len(desk.pbx.orders) == 2


async def test_a_document_that_repeats_an_order_is_told_so() -> None:
    desk = Desk()
    await desk.order()
    desk.now += timedelta(minutes=2)

    call = await desk.originating.order_from_document(b.ref("document"), "205", CLIENT, by="Anna")

    assert call is not None
    assert call.order is not None
    assert call.order.state is OrderState.REFUSED
    assert "is not over" in call.order.reason
    assert len(desk.pbx.orders) == 1


# ---------------------------------------------------------------- what happened is written down


async def test_what_the_pbx_accepted_is_told_though_the_disk_fails_and_written_later() -> None:
    desk = Desk()
    desk.pbx.before_reply = lambda: setattr(desk.book, "broken", True)

    assert await desk.order() is OrderState.ACCEPTED  # the telephone rings: that is the truth
    assert desk.book.states() == [OrderState.SENDING]
    with pytest.raises(StoreError):
        await desk.originating.save_unsaved_outcomes()

    desk.book.broken = False
    assert await desk.originating.save_unsaved_outcomes() == 1
    assert desk.book.states() == [OrderState.ACCEPTED]
    assert await desk.originating.save_unsaved_outcomes() == 0


async def test_a_repeat_of_what_could_not_be_written_is_barred() -> None:
    desk = Desk()
    desk.pbx.before_reply = lambda: setattr(desk.book, "broken", True)
    await desk.order()
    desk.now += timedelta(minutes=2)

    with pytest.raises((OrderRepeated, StoreError)):
        await desk.order()
    desk.book.broken = False
    with pytest.raises(OrderRepeated):
        await desk.order()
    assert len(desk.pbx.orders) == 1


async def test_whoever_is_cut_off_leaves_an_order_whose_outcome_is_unknown() -> None:
    pbx = SlowPbx()
    desk = Desk(pbx=pbx)
    first = asyncio.create_task(desk.order())
    await pbx.left.wait()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first

    await desk.originating.save_unsaved_outcomes()

    assert desk.book.states() == [OrderState.UNKNOWN]
    with pytest.raises(OrderRepeated):
        await desk.order()


async def test_an_order_of_which_nobody_knows_whether_it_is_on_disk_was_not_sent() -> None:
    desk = Desk()
    desk.book.fails_after_write = True  # the row is there, and the write says it failed
    with pytest.raises(StoreError):
        await desk.order()
    assert desk.book.states() == [OrderState.SENDING]

    desk.book.fails_after_write = False
    desk.now += timedelta(seconds=1)
    assert await desk.order() is OrderState.ACCEPTED
    assert desk.book.states() == [OrderState.REFUSED, OrderState.ACCEPTED]
    assert len(desk.pbx.orders) == 1


#: Emergency numbers as people type them, a prefix between some.
ALONE = ("112", "01", "02", "03", "04", "101", "102", "103", "104", "911", "tel:112")
PREFIXED = ("8-101", "9,112", "9112", "+112", "8(112)", "+7112", "007-112", "+7 112", "8 112")


@pytest.mark.parametrize("typed", [*ALONE, *PREFIXED, "0 112", "810 112", "+7 (101)"])
async def test_an_emergency_number_is_refused_as_what_it_is(typed: str) -> None:
    desk = Desk()

    with pytest.raises(OrderRefused, match="emergency number"):
        await desk.order(typed)

    assert desk.pbx.orders == []


@pytest.mark.parametrize(("typed", "words"), [("206", "is an extension"), ("811", "extension")])
async def test_an_extension_is_no_emergency_number(typed: str, words: str) -> None:
    with pytest.raises(OrderRefused, match=words):
        await Desk().order(typed)
