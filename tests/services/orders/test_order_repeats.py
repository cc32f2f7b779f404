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
class OrderSetup:
    store: MemoryOrderStore = field(default_factory=MemoryOrderStore)
    pbx: FakePbx = field(default_factory=FakePbx)
    now: datetime = b.NOON

    def __post_init__(self) -> None:
        self.originator = self.started()

    def started(self) -> CallOriginator:
        return CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.store,
            decide=lambda _: b.decision(),
            phones=b.RULES,
            lang="en",
            clock=lambda: self.now,
        )

    async def order(self, number: str = CLIENT) -> OrderState:
        call = await self.originator.order("205", number, by="env")
        assert call.order is not None
        return call.order.state

    def gets_event(self, kind: EventKind, outcome: Outcome | None = None) -> None:
        """Apply an event to every ordered call, now."""
        for key, call in self.store.calls.items():
            event = CallEvent("sipuni", kind, self.now, f"ref {key}", outcome=outcome)
            self.store.calls[key] = apply_event(call, event)


async def test_a_second_click_while_the_pbx_is_slow_reaches_it_once() -> None:
    pbx = SlowPbx()
    env = OrderSetup(pbx=pbx)
    first = asyncio.create_task(env.order())
    await pbx.left.wait()
    env.now += timedelta(seconds=12)

    with pytest.raises(OrderRepeated, match="ordered 12 s ago and is not over"):
        await env.order()

    pbx.answers.set()
    assert await first is OrderState.ACCEPTED
    assert len(pbx.orders) == 1


@pytest.mark.parametrize("minutes", [1, 25, 300])
async def test_an_accepted_order_blocks_its_repeat_until_the_call_is_over(minutes: int) -> None:
    env = OrderSetup()
    await env.order()
    env.gets_event(EventKind.STARTED)
    env.now += timedelta(minutes=minutes)
    with pytest.raises(OrderRepeated):
        await env.order()

    env.gets_event(EventKind.ENDED, Outcome.BUSY)
    assert await env.order() is OrderState.ACCEPTED


@pytest.mark.parametrize("end", [EventKind.ENDED, EventKind.HISTORY, EventKind.GIVEN_UP])
async def test_an_unknown_outcome_blocks_the_repeat_until_it_is_known(end: EventKind) -> None:
    env = OrderSetup()
    env.pbx.reply = OrderReply(OrderState.UNKNOWN, reason="no answer")
    await env.order()
    env.now += timedelta(minutes=5)
    with pytest.raises(OrderRepeated, match="look at the PBX"):
        await env.order()
    with pytest.raises(OrderRepeated):
        await env.started().order("205", CLIENT, by="api")

    env.gets_event(end, Outcome.NO_ANSWER)
    await env.order()
    assert len(env.pbx.orders) == 2


async def test_a_document_that_repeats_an_order_gets_that_as_its_reason() -> None:
    env = OrderSetup()
    await env.order()
    env.now += timedelta(minutes=2)

    call = await env.originator.order_from_document(b.ref("document"), "205", CLIENT, by="Anna")

    assert call is not None
    assert call.order is not None
    assert call.order.state is OrderState.REFUSED
    assert "is not over" in call.order.reason
    assert len(env.pbx.orders) == 1


# ---------------------------------------------------------------- what happened is written down


async def test_what_the_pbx_accepted_is_returned_though_the_disk_fails_and_saved_later() -> None:
    env = OrderSetup()
    env.pbx.before_reply = lambda: setattr(env.store, "broken", True)

    assert await env.order() is OrderState.ACCEPTED  # the telephone rings: that is the truth
    assert env.store.states() == [OrderState.SENDING]
    with pytest.raises(StoreError):
        await env.originator.save_unsaved_outcomes()

    env.store.broken = False
    assert await env.originator.save_unsaved_outcomes() == 1
    assert env.store.states() == [OrderState.ACCEPTED]
    assert await env.originator.save_unsaved_outcomes() == 0


async def test_a_repeat_of_what_could_not_be_written_is_barred() -> None:
    env = OrderSetup()
    env.pbx.before_reply = lambda: setattr(env.store, "broken", True)
    await env.order()
    env.now += timedelta(minutes=2)

    with pytest.raises((OrderRepeated, StoreError)):
        await env.order()
    env.store.broken = False
    with pytest.raises(OrderRepeated):
        await env.order()
    assert len(env.pbx.orders) == 1


async def test_whoever_is_cut_off_leaves_an_order_whose_outcome_is_unknown() -> None:
    pbx = SlowPbx()
    env = OrderSetup(pbx=pbx)
    first = asyncio.create_task(env.order())
    await pbx.left.wait()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first

    await env.originator.save_unsaved_outcomes()

    assert env.store.states() == [OrderState.UNKNOWN]
    with pytest.raises(OrderRepeated):
        await env.order()


async def test_an_order_of_which_nobody_knows_whether_it_is_on_disk_was_not_sent() -> None:
    env = OrderSetup()
    env.store.fails_after_write = True  # the row is there, and the write says it failed
    with pytest.raises(StoreError):
        await env.order()
    assert env.store.states() == [OrderState.SENDING]

    env.store.fails_after_write = False
    env.now += timedelta(seconds=1)
    assert await env.order() is OrderState.ACCEPTED
    assert env.store.states() == [OrderState.REFUSED, OrderState.ACCEPTED]
    assert len(env.pbx.orders) == 1


#: Emergency numbers as people type them, a prefix between some.
ALONE = ("112", "01", "02", "03", "04", "101", "102", "103", "104", "911", "tel:112")
PREFIXED = ("8-101", "9,112", "9112", "+112", "8(112)", "+7112", "007-112", "+7 112", "8 112")


@pytest.mark.parametrize("typed", [*ALONE, *PREFIXED, "0 112", "810 112", "+7 (101)"])
async def test_an_emergency_number_is_refused_as_what_it_is(typed: str) -> None:
    env = OrderSetup()

    with pytest.raises(OrderRefused, match="emergency number"):
        await env.order(typed)

    assert env.pbx.orders == []


@pytest.mark.parametrize(("typed", "text"), [("206", "is an extension"), ("811", "extension")])
async def test_an_extension_is_no_emergency_number(typed: str, text: str) -> None:
    with pytest.raises(OrderRefused, match=text):
        await OrderSetup().order(typed)
