"""An ordered call: on disk before it is sent, sent once, with its outcome."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from bridge.domain.calls.events import Direction
from bridge.domain.calls.orders import REPEAT_PAUSE, OrderReply, OrderState
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.errors import OrderRefused, OrderRepeated, StoreError
from bridge.services.orders.originate import CallOriginator
from tests.support import builders as b
from tests.support.fakes.orders import FakePbx, MemoryOrderStore

pytestmark = pytest.mark.anyio

DOCUMENT = b.ref("document")


@dataclass
class OrderSetup:
    """The service with an order store and a PBX that a test can read."""

    store: MemoryOrderStore = field(default_factory=MemoryOrderStore)
    pbx: FakePbx = field(default_factory=FakePbx)
    now: datetime = b.NOON
    asked: list[RouteQuestion] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.originator = self.started()

    def started(self) -> CallOriginator:
        return CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.store,
            decide=self.decide,
            phones=b.RULES,
            lang="en",
            clock=lambda: self.now,
        )

    def decide(self, question: RouteQuestion) -> RouteDecision:
        self.asked.append(question)
        return b.decision(b.candidate(b.contact(), [b.partner()]))


async def test_an_accepted_order_is_a_call_that_knows_whom_it_goes_to() -> None:
    env = OrderSetup()

    call = await env.originator.order("205", "8 903 555-01-23", by="env")

    assert env.pbx.originated() == [("205", "79035550123")]
    assert (call.direction, call.placed_by, call.has_question) == (Direction.OUTBOUND, "205", False)
    assert call.caller.number == b.NUMBER
    assert call.decision.candidate is not None
    assert call.decision.candidate.name == "Иванов Пётр"
    assert call.order is not None
    assert (call.order.state, call.order.ref, call.order.ordered_by) == (
        OrderState.ACCEPTED,
        "00ff",
        "env",
    )
    assert env.store.calls == {call.key: call}


async def test_the_order_is_on_disk_before_it_leaves() -> None:
    env = OrderSetup()
    seen: list[list[OrderState]] = []
    env.pbx.before_reply = lambda: seen.append(env.store.states())

    await env.originator.order("205", "+79035550123", by="env")

    assert seen == [[OrderState.SENDING]]


async def test_what_is_not_on_disk_does_not_leave() -> None:
    env = OrderSetup()
    env.store.broken = True

    with pytest.raises(StoreError):
        await env.originator.order("205", "+79035550123", by="env")

    assert env.pbx.orders == []


@pytest.mark.parametrize("state", [OrderState.REFUSED, OrderState.UNKNOWN])
async def test_the_outcome_is_saved_with_its_reason(state: OrderState) -> None:
    env = OrderSetup()
    env.pbx.reply = OrderReply(state, reason="no money")

    call = await env.originator.order("205", "+79035550123", by="env")

    assert call.order is not None
    assert (call.order.state, call.order.reason) == (state, "no money")
    assert (env.store.states(), env.store.messages()) == ([state], ["no money"])


@pytest.mark.parametrize(
    ("extension", "number", "text"),
    [
        ("", "+79035550123", "is not an extension"),
        ("205", "205", "the very telephone"),
        ("205", "206", "dial it"),
        ("205", "nowhere", "“nowhere” is not a telephone number"),
        ("205", "", "no telephone number"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_and_leaves_nothing(
    extension: str, number: str, text: str
) -> None:
    env = OrderSetup()

    with pytest.raises(OrderRefused, match=text):
        await env.originator.order(extension, number, by="env")

    assert (env.pbx.orders, env.store.calls) == ([], {})


async def test_a_double_click_rings_once() -> None:
    env = OrderSetup()

    first, second = await asyncio.gather(
        env.originator.order("205", "+79035550123", by="env"),
        env.originator.order("205", "8 903 555 01 23", by="api"),
        return_exceptions=True,
    )

    assert not isinstance(first, BaseException)
    assert isinstance(second, OrderRepeated)
    assert len(env.pbx.orders) == 1


async def test_nor_does_it_ring_twice_across_a_restart() -> None:
    env = OrderSetup()
    await env.originator.order("205", "+79035550123", by="env")
    env.now += REPEAT_PAUSE - timedelta(seconds=1)

    with pytest.raises(OrderRepeated):
        await env.started().order("205", "+79035550123", by="env")


async def test_another_telephone_may_ring_at_once() -> None:
    env = OrderSetup()
    await env.originator.order("205", "+79035550123", by="env")
    await env.originator.order("206", "+79035550123", by="env")

    assert len(env.pbx.orders) == 2


async def test_a_refused_order_may_be_tried_again_at_once() -> None:
    env = OrderSetup()
    env.pbx.reply = OrderReply(OrderState.REFUSED, reason="the PBX cannot be reached")
    await env.originator.order("205", "+79035550123", by="env")
    env.now += timedelta(seconds=1)

    await env.originator.order("205", "+79035550123", by="env")

    assert len(env.pbx.orders) == 2


async def test_what_a_crash_left_on_its_way_is_in_doubt_and_never_sent_again() -> None:
    env = OrderSetup()

    def crash() -> None:
        raise KeyboardInterrupt

    env.pbx.before_reply = crash
    with pytest.raises(KeyboardInterrupt):
        await env.originator.order("205", "+79035550123", by="env")
    env.pbx.before_reply = lambda: None

    assert await env.started().recover_after_crash() == 1

    assert env.store.states() == [OrderState.UNKNOWN]
    assert "may have been placed" in env.store.messages()[0]
    assert len(env.pbx.orders) == 1
    assert await env.started().recover_after_crash() == 0


# ---------------------------------------------------------------- a document's request


async def test_a_document_is_an_order_once_for_ever() -> None:
    env = OrderSetup()

    first = await env.originator.order_from_document(DOCUMENT, "205", "+79035550123", by="Анна")
    env.now += timedelta(hours=1)
    again = await env.started().order_from_document(DOCUMENT, "205", "+79035550123", by="Анна")

    assert first is not None
    assert first.order is not None
    assert first.order.document == DOCUMENT
    assert again is None
    assert len(env.pbx.orders) == 1


async def test_two_looks_at_one_document_ring_once() -> None:
    env = OrderSetup()

    made = await asyncio.gather(
        *(
            env.originator.order_from_document(DOCUMENT, "205", "+79035550123", by="Анна")
            for _ in range(3)
        )
    )

    assert len(env.pbx.orders) == 1
    assert len([call for call in made if call is not None]) == 1


@pytest.mark.parametrize(
    ("number", "text", "message"),
    [
        ("", "", "no telephone number is given"),
        ("в офис", "", "“в офис” is not a telephone number"),
        ("+79035550123", "the user has no extension", "the user has no extension"),
    ],
)
async def test_a_senseless_order_of_a_document_is_recorded_with_its_reason(
    number: str, text: str, message: str
) -> None:
    env = OrderSetup()

    call = await env.originator.order_from_document(
        DOCUMENT, "205", number, by="Анна", refusal=text
    )

    assert call is not None
    assert (env.store.states(), env.store.messages()) == ([OrderState.REFUSED], [message])
    assert env.pbx.orders == []
    assert await env.originator.order_from_document(DOCUMENT, "205", number, by="Анна") is None
