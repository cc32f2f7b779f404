"""Somebody wants to call: on disk before it leaves, sent once, told for what it became."""

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
class Desk:
    """The service with a book and a PBX that can be asked."""

    book: MemoryOrderStore = field(default_factory=MemoryOrderStore)
    pbx: FakePbx = field(default_factory=FakePbx)
    now: datetime = b.NOON
    asked: list[RouteQuestion] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.originating = self.started()

    def started(self) -> CallOriginator:
        return CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.book,
            decide=self.decide,
            phones=b.RULES,
            lang="en",
            clock=lambda: self.now,
        )

    def decide(self, question: RouteQuestion) -> RouteDecision:
        self.asked.append(question)
        return b.decision(b.candidate(b.contact(), [b.partner()]))


async def test_an_accepted_order_is_a_call_that_knows_whom_it_goes_to() -> None:
    desk = Desk()

    call = await desk.originating.order("205", "8 903 555-01-23", by="desk")

    assert desk.pbx.originated() == [("205", "79035550123")]
    assert (call.direction, call.placed_by, call.has_question) == (Direction.OUTBOUND, "205", False)
    assert call.caller.number == b.NUMBER
    assert call.decision.candidate is not None
    assert call.decision.candidate.name == "Иванов Пётр"
    assert call.order is not None
    assert (call.order.state, call.order.ref, call.order.ordered_by) == (
        OrderState.ACCEPTED,
        "00ff",
        "desk",
    )
    assert desk.book.calls == {call.key: call}


async def test_the_order_is_on_disk_before_it_leaves() -> None:
    desk = Desk()
    seen: list[list[OrderState]] = []
    desk.pbx.before_reply = lambda: seen.append(desk.book.states())

    await desk.originating.order("205", "+79035550123", by="desk")

    assert seen == [[OrderState.SENDING]]


async def test_what_is_not_on_disk_does_not_leave() -> None:
    desk = Desk()
    desk.book.broken = True

    with pytest.raises(StoreError):
        await desk.originating.order("205", "+79035550123", by="desk")

    assert desk.pbx.orders == []


@pytest.mark.parametrize("state", [OrderState.REFUSED, OrderState.UNKNOWN])
async def test_what_became_of_it_is_kept_with_its_words(state: OrderState) -> None:
    desk = Desk()
    desk.pbx.reply = OrderReply(state, reason="no money")

    call = await desk.originating.order("205", "+79035550123", by="desk")

    assert call.order is not None
    assert (call.order.state, call.order.reason) == (state, "no money")
    assert (desk.book.states(), desk.book.messages()) == ([state], ["no money"])


@pytest.mark.parametrize(
    ("extension", "number", "words"),
    [
        ("", "+79035550123", "is not an extension"),
        ("205", "205", "the very telephone"),
        ("205", "206", "dial it"),
        ("205", "nowhere", "“nowhere” is not a telephone number"),
        ("205", "", "no telephone number"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_and_leaves_nothing(
    extension: str, number: str, words: str
) -> None:
    desk = Desk()

    with pytest.raises(OrderRefused, match=words):
        await desk.originating.order(extension, number, by="desk")

    assert (desk.pbx.orders, desk.book.calls) == ([], {})


async def test_a_double_click_rings_once() -> None:
    desk = Desk()

    first, second = await asyncio.gather(
        desk.originating.order("205", "+79035550123", by="desk"),
        desk.originating.order("205", "8 903 555 01 23", by="api"),
        return_exceptions=True,
    )

    assert not isinstance(first, BaseException)
    assert isinstance(second, OrderRepeated)
    assert len(desk.pbx.orders) == 1


async def test_nor_does_it_ring_twice_across_a_restart() -> None:
    desk = Desk()
    await desk.originating.order("205", "+79035550123", by="desk")
    desk.now += REPEAT_PAUSE - timedelta(seconds=1)

    with pytest.raises(OrderRepeated):
        await desk.started().order("205", "+79035550123", by="desk")


async def test_another_telephone_may_ring_at_once() -> None:
    desk = Desk()
    await desk.originating.order("205", "+79035550123", by="desk")
    await desk.originating.order("206", "+79035550123", by="desk")

    assert len(desk.pbx.orders) == 2


async def test_a_refused_order_may_be_tried_again_at_once() -> None:
    desk = Desk()
    desk.pbx.reply = OrderReply(OrderState.REFUSED, reason="the PBX cannot be reached")
    await desk.originating.order("205", "+79035550123", by="desk")
    desk.now += timedelta(seconds=1)

    await desk.originating.order("205", "+79035550123", by="desk")

    assert len(desk.pbx.orders) == 2


async def test_what_a_crash_left_on_its_way_is_in_doubt_and_never_sent_again() -> None:
    desk = Desk()

    def crash() -> None:
        raise KeyboardInterrupt

    desk.pbx.before_reply = crash
    with pytest.raises(KeyboardInterrupt):
        await desk.originating.order("205", "+79035550123", by="desk")
    desk.pbx.before_reply = lambda: None

    assert await desk.started().recover_after_crash() == 1

    assert desk.book.states() == [OrderState.UNKNOWN]
    assert "may have been placed" in desk.book.messages()[0]
    assert len(desk.pbx.orders) == 1
    assert await desk.started().recover_after_crash() == 0


# ---------------------------------------------------------------- a document's wish


async def test_a_document_is_an_order_once_for_ever() -> None:
    desk = Desk()

    first = await desk.originating.order_from_document(DOCUMENT, "205", "+79035550123", by="Анна")
    desk.now += timedelta(hours=1)
    again = await desk.started().order_from_document(DOCUMENT, "205", "+79035550123", by="Анна")

    assert first is not None
    assert first.order is not None
    assert first.order.document == DOCUMENT
    assert again is None
    assert len(desk.pbx.orders) == 1


async def test_two_looks_at_one_document_ring_once() -> None:
    desk = Desk()

    made = await asyncio.gather(
        *(
            desk.originating.order_from_document(DOCUMENT, "205", "+79035550123", by="Анна")
            for _ in range(3)
        )
    )

    assert len(desk.pbx.orders) == 1
    assert len([call for call in made if call is not None]) == 1


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        ("", "", "no telephone number is given"),
        ("в офис", "", "“в офис” is not a telephone number"),
        ("+79035550123", "the user has no extension", "the user has no extension"),
    ],
)
async def test_a_document_s_senseless_wish_is_kept_so_that_it_can_be_told(
    number: str, words: str, told: str
) -> None:
    desk = Desk()

    call = await desk.originating.order_from_document(
        DOCUMENT, "205", number, by="Анна", refusal=words
    )

    assert call is not None
    assert (desk.book.states(), desk.book.messages()) == ([OrderState.REFUSED], [told])
    assert desk.pbx.orders == []
    assert await desk.originating.order_from_document(DOCUMENT, "205", number, by="Анна") is None
