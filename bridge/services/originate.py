"""Originate: somebody wants to call, and a telephone rings, once.

wish ─► may it be? ─► the call on disk, SENDING ─► the PBX, once ─► what became of it, on disk

A crash in between leaves the order SENDING; on the next start it is UNKNOWN, and never sent again:
a client rung twice is worse than one who is rung a minute later by hand.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bridge.domain.call_events import Direction
from bridge.domain.calls import PhoneCall
from bridge.domain.decision import RouteDecision, RouteQuestion
from bridge.domain.directory import Ref
from bridge.domain.orders import (
    REPEAT_PAUSE,
    CallOrder,
    OrderState,
    OrderTrouble,
    order_key,
    read_dialled,
    trouble_of,
)
from bridge.domain.phone import Caller, PhoneRules
from bridge.domain.texts import Language, say
from bridge.errors import OrderRefused, OrderRepeated
from bridge.ports import Clock, OrderBook, PbxControl

_log = logging.getLogger(__name__)


class Originating:
    """Orders calls through one PBX, named *provider*; *decide* tells who a number is."""

    def __init__(
        self,
        *,
        pbx: PbxControl,
        provider: str,
        book: OrderBook,
        decide: Callable[[RouteQuestion], RouteDecision],
        phones: PhoneRules,
        lang: Language,
        clock: Clock,
    ) -> None:
        self._pbx = pbx
        self._provider = provider
        self._book = book
        self._decide = decide
        self._phones = phones
        self._lang: Language = lang
        self._clock = clock
        self._one_wish = asyncio.Lock()
        self._sending: set[str] = set()

    async def recover(self) -> int:
        """Take what a stop left SENDING for UNKNOWN; for a start, before anything is ordered."""
        left = await self._book.orders_open()
        for call in left:
            if call.order is not None:
                words = say(self._lang, "order.lost")
                order = replace(call.order, state=OrderState.UNKNOWN, words=words)
                await self._book.save_order(call.key, order)
        if left:
            _log.warning("orders_in_doubt", extra={"count": len(left)})
        return len(left)

    async def order(self, extension: str, number: str, *, by: str) -> PhoneCall:
        """Ring *extension*, then *number*, typed in any way; the call tells what became of it.

        Raises:
            OrderRefused: the wish makes no sense; nothing was sent and nothing is kept.
            OrderRepeated: this telephone was told to call this number seconds ago.
            StoreError: the order is not on disk, so it was not sent.
        """
        extension = extension.strip()
        called, now = read_dialled(number, self._phones), self._clock()
        async with self._one_wish:
            trouble = await self._trouble(extension, called, now)
            if trouble is not None:
                refusal = OrderRepeated if trouble is OrderTrouble.REPEATED else OrderRefused
                raise refusal(self._words(trouble, extension, called))
            key = order_key(by, extension, str(called.number), now.isoformat())
            order = CallOrder(key, extension, called.number, now, by=by)
            call = await self._book.add_order(self._begin(order, called))
        return await self._send(call, order)

    async def order_from(
        self, document: Ref, extension: str, number: str, *, by: str, words: str = ""
    ) -> PhoneCall | None:
        """Place the call that a document in UT asks for, once for ever; None when it was before.

        A wish that makes no sense, or for which *words* already say so, is kept as a refused
        order, so that the document can be told.
        """
        called, now = read_dialled(number, self._phones), self._clock()
        key = order_key("document", document)
        order = CallOrder(key, extension, called.number, now, document=document, by=by)
        async with self._one_wish:
            trouble = await self._trouble(extension, called, now)
            if not words and trouble is not None:
                words = self._words(trouble, extension, called)
            call = await self._book.add_order(self._begin(order, called))
            if call.order != order or key in self._sending:
                return None
            if words:
                return await self._keep(call, replace(order, state=OrderState.REFUSED, words=words))
        return await self._send(call, order)

    async def _trouble(self, extension: str, called: Caller, now: datetime) -> OrderTrouble | None:
        recent = None
        if called.number is not None:
            since = now - REPEAT_PAUSE
            ringing = await self._book.recent_order(extension, called.number, since)
            recent = None if ringing is None else ringing.order
        return trouble_of(extension, called, recent)

    async def _send(self, call: PhoneCall, order: CallOrder) -> PhoneCall:
        self._sending.add(order.key)
        try:
            reply = await self._pbx.originate(order)
        finally:
            self._sending.discard(order.key)
        if reply.state is not OrderState.ACCEPTED:
            extra = {"entry": order.key, "state": reply.state.value, "reason": reply.words}
            _log.warning("order_not_accepted", extra=extra)
        return await self._keep(
            call, replace(order, state=reply.state, ref=reply.ref, words=reply.words)
        )

    async def _keep(self, call: PhoneCall, order: CallOrder) -> PhoneCall:
        await self._book.save_order(order.key, order)
        return replace(call, order=order)

    def _begin(self, order: CallOrder, called: Caller) -> PhoneCall:
        """Make the outgoing call of *order*; who it goes to is looked up as for an incoming one."""
        question = RouteQuestion(self._provider, called, "", order.requested_at)
        return PhoneCall(
            key=order.key,
            provider=self._provider,
            direction=Direction.OUTBOUND,
            caller=called,
            did="",
            arrived_at=order.requested_at,
            received_at=order.requested_at,
            decision=self._decide(question),
            asked=False,
            placed_by=order.extension,
            order=order,
        )

    def _words(self, trouble: OrderTrouble, extension: str, called: Caller) -> str:
        return say(self._lang, f"order.{trouble}", extension=extension, number=called.raw)
