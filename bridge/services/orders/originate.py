"""Originate: somebody wants to call, and a telephone rings, once.

wish ─► may it be? ─► the call on disk, SENDING ─► the PBX, once ─► what became of it, on disk

A crash in between leaves the order SENDING; on the next start it is UNKNOWN, and never sent again:
a client rung twice is worse than one who is rung a minute later by hand. So an order bars its
repeat until it is known to be over, and what became of it is written down however often that fails.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bridge.domain.calls.call import PhoneCall, with_order
from bridge.domain.calls.events import Direction
from bridge.domain.calls.orders import (
    CallOrder,
    OrderProblem,
    OrderState,
    find_order_problem,
    order_key,
    read_dialled_number,
)
from bridge.domain.delivery.texts import Language, format_duration, format_text
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.callers import Caller
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.errors import OrderRefused, OrderRepeated, StoreError
from bridge.log_context import call_in_logs
from bridge.ports.clock import Clock
from bridge.ports.orders import OrderStore
from bridge.ports.pbx import PbxControl

_log = logging.getLogger(__name__)

_REPEATS = (OrderProblem.REPEATED, OrderProblem.IN_DOUBT)


class CallOriginator:
    """Orders calls through one PBX, named *provider*; *decide* tells who a number is."""

    def __init__(
        self,
        *,
        pbx: PbxControl,
        provider: str,
        order_store: OrderStore,
        decide: Callable[[RouteQuestion], RouteDecision],
        phones: PhoneRules,
        lang: Language,
        clock: Clock,
    ) -> None:
        self._pbx = pbx
        self._provider = provider
        self._book = order_store
        self._decide = decide
        self._phones = phones
        self._lang: Language = lang
        self._clock = clock
        self._one_wish = asyncio.Lock()
        self._sending: set[str] = set()
        #: What became of orders whose write failed, by key.
        self._unwritten: dict[str, CallOrder] = {}

    async def recover_after_crash(self) -> int:
        """Take what a stop left SENDING for UNKNOWN; for a start, before anything is ordered."""
        left = await self._book.orders_being_sent()
        for call in left:
            if call.order is not None:
                words = format_text(self._lang, "order.lost")
                order = replace(call.order, state=OrderState.UNKNOWN, reason=words)
                await self._book.save_order(call.key, order)
        if left:
            _log.warning("orders_in_doubt", extra={"count": len(left)})
        return len(left)

    async def save_unsaved_outcomes(self) -> int:
        """Write down what became of orders and could not be written before; return how many.

        Raises:
            StoreError: it still cannot be.
        """
        async with self._one_wish:
            return await self._write_outcomes()

    async def _write_outcomes(self) -> int:
        written = 0
        for key, order in list(self._unwritten.items()):
            await self._book.save_order(key, order)
            self._unwritten.pop(key, None)
            written += 1
        if written:
            _log.info("orders_written_late", extra={"count": written})
        return written

    async def order(self, extension: str, number: str, *, by: str) -> PhoneCall:
        """Ring *extension*, then *number*, typed in any way; the call tells what became of it.

        Raises:
            OrderRefused: the wish makes no sense; nothing was sent and nothing is kept.
            OrderRepeated: an order of this telephone for this number is not known to be over.
            StoreError: the order is not on disk, so it was not sent.
        """
        extension = extension.strip()
        called, now = read_dialled_number(number, self._phones), self._clock()
        async with self._one_wish:
            await self._write_outcomes()
            trouble, words = await self._trouble(extension, called, now)
            if trouble is not None:
                raise (OrderRepeated if trouble in _REPEATS else OrderRefused)(words)
            key = order_key(by, extension, str(called.number), now.isoformat())
            order = CallOrder(key, extension, called.number, now, ordered_by=by)
            call = await self._add(order, called)
            self._sending.add(key)
        return await self._send(call, order)

    async def order_from_document(
        self, document: Ref, extension: str, number: str, *, by: str, refusal: str = ""
    ) -> PhoneCall | None:
        """Place the call that a document in UT asks for, once for ever; None when it was before.

        A wish that makes no sense, or for which *words* already say so, is kept as a refused
        order, so that the document can be told.
        """
        called, now = read_dialled_number(number, self._phones), self._clock()
        key = order_key("document", document)
        order = CallOrder(key, extension, called.number, now, document=document, ordered_by=by)
        async with self._one_wish:
            await self._write_outcomes()
            _, trouble = await self._trouble(extension, called, now)
            refusal = refusal or trouble
            call = await self._add(order, called)
            if call.order != order or key in self._sending:
                return None
            if refusal:
                return await self._keep(
                    call, replace(order, state=OrderState.REFUSED, reason=refusal)
                )
            self._sending.add(key)
        return await self._send(call, order)

    async def _trouble(
        self, extension: str, called: Caller, now: datetime
    ) -> tuple[OrderProblem | None, str]:
        """Return why the call must not be ordered, and the same in words."""
        recent = None
        if called.number is not None:
            barring = await self._book.blocking_order(extension, called.number, now)
            recent = None if barring is None else barring.order
        trouble = find_order_problem(extension, called, recent)
        if trouble is None:
            return None, ""
        ago = "" if recent is None else format_duration(self._lang, now - recent.requested_at)
        fields = {"extension": extension, "number": called.raw, "ago": ago}
        return trouble, format_text(self._lang, f"order.{trouble}", **fields)

    async def _add(self, order: CallOrder, called: Caller) -> PhoneCall:
        """Have the order on disk; where that fails nobody knows whether it is, and it is not sent.

        Raises:
            StoreError: it failed.
        """
        try:
            return await self._book.add_order(self._begin(order, called))
        except BaseException:
            words = format_text(self._lang, "order.not_sent")
            self._unwritten[order.key] = replace(order, state=OrderState.REFUSED, reason=words)
            raise

    async def _send(self, call: PhoneCall, order: CallOrder) -> PhoneCall:
        try:
            with call_in_logs(order.key):
                reply = await self._pbx.originate(order)
        except BaseException:
            # Cut off: the order may have left, and nobody waits for its answer any more.
            words = format_text(self._lang, "order.lost")
            self._unwritten[order.key] = replace(order, state=OrderState.UNKNOWN, reason=words)
            raise
        finally:
            self._sending.discard(order.key)
        if reply.state is not OrderState.ACCEPTED:
            extra = {"call": order.key, "state": reply.state.value, "reason": reply.reason}
            _log.warning("order_not_accepted", extra=extra)
        return await self._keep(
            call, replace(order, state=reply.state, ref=reply.ref, reason=reply.reason)
        )

    async def _keep(self, call: PhoneCall, order: CallOrder) -> PhoneCall:
        """Write down what became of *order*; a disk that fails changes nothing of what happened."""
        self._unwritten[order.key] = order
        try:
            await self._book.save_order(order.key, order)
        except StoreError as error:
            _log.warning("order_unwritten", extra={"call": order.key, "reason": str(error)})
        else:
            self._unwritten.pop(order.key, None)
        return with_order(call, order)

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
            has_question=False,
            placed_by=order.extension,
            order=order,
        )
