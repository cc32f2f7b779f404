"""Originate calls: a telephone rings for each order, once.

order ─► may it be sent? ─► on disk, SENDING ─► the PBX, once ─► its outcome, on disk

A crash in between leaves the order SENDING; at the next start it is UNKNOWN, and is never sent
again: a client who is rung twice is worse than one who is called a minute later by hand. So an
order blocks its repeat until it is known to be over, and its outcome is saved however often that
fails.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

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

_REPEATS: Final = (OrderProblem.REPEATED, OrderProblem.IN_DOUBT)


class CallOriginator:
    """Orders calls through the PBX named *provider*; *decide* finds out whose number it is."""

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
        self._store = order_store
        self._decide = decide
        self._phones = phones
        self._lang: Language = lang
        self._clock = clock
        self._lock = asyncio.Lock()
        self._sending: set[str] = set()
        #: Orders whose outcome could not be saved, by key.
        self._unsaved: dict[str, CallOrder] = {}

    async def recover_after_crash(self) -> int:
        """Set orders that a stop left SENDING to UNKNOWN; at the start, before any is sent.

        Return their number.

        Raises:
            StoreError: they cannot be read or saved.
        """
        left = await self._store.orders_being_sent()
        for call in left:
            if call.order is not None:
                reason = format_text(self._lang, "order.lost")
                order = replace(call.order, state=OrderState.UNKNOWN, reason=reason)
                await self._store.save_order(call.key, order)
        if left:
            _log.warning("orders_in_doubt", extra={"count": len(left)})
        return len(left)

    async def save_unsaved_outcomes(self) -> int:
        """Save outcomes that could not be saved before; return how many.

        Raises:
            StoreError: they still cannot be.
        """
        async with self._lock:
            return await self._save_unsaved()

    async def _save_unsaved(self) -> int:
        saved = 0
        for key, order in list(self._unsaved.items()):
            await self._store.save_order(key, order)
            self._unsaved.pop(key, None)
            saved += 1
        if saved:
            _log.info("orders_written_late", extra={"count": saved})
        return saved

    async def order(self, extension: str, number: str, *, by: str) -> PhoneCall:
        """Ring *extension*, then *number*, typed in any way; return the call with its outcome.

        Raises:
            OrderRefused: the order makes no sense; nothing was sent and nothing is recorded.
            OrderRepeated: an order of this extension for this number is not known to be over.
            StoreError: the order is not on disk, so it was not sent.
        """
        extension = extension.strip()
        called, now = read_dialled_number(number, self._phones), self._clock()
        async with self._lock:
            await self._save_unsaved()
            problem, reason = await self._find_problem(extension, called, now)
            if problem is not None:
                raise (OrderRepeated if problem in _REPEATS else OrderRefused)(reason)
            key = order_key(by, extension, str(called.number), now.isoformat())
            order = CallOrder(key, extension, called.number, now, ordered_by=by)
            call = await self._add(order, called)
            self._sending.add(key)
        return await self._send(call, order)

    async def order_from_document(
        self, document: Ref, extension: str, number: str, *, by: str, refusal: str = ""
    ) -> PhoneCall | None:
        """Place the call that a document in UT asks for, once; None where it was placed before.

        An order that makes no sense, or that is refused for the reason *refusal*, is recorded as
        a refused one, so that the document gets the reason.

        Raises:
            StoreError: the order is not on disk, so it was not sent.
        """
        called, now = read_dialled_number(number, self._phones), self._clock()
        key = order_key("document", document)
        order = CallOrder(key, extension, called.number, now, document=document, ordered_by=by)
        async with self._lock:
            await self._save_unsaved()
            _, reason = await self._find_problem(extension, called, now)
            reason = refusal or reason
            call = await self._add(order, called)
            if call.order != order or key in self._sending:
                return None
            if reason:
                refused = replace(order, state=OrderState.REFUSED, reason=reason)
                return await self._save(call, refused)
            self._sending.add(key)
        return await self._send(call, order)

    async def _find_problem(
        self, extension: str, called: Caller, now: datetime
    ) -> tuple[OrderProblem | None, str]:
        """Return why the call must not be ordered, and the same as a sentence."""
        recent = None
        if called.number is not None:
            blocking = await self._store.blocking_order(extension, called.number, now)
            recent = None if blocking is None else blocking.order
        problem = find_order_problem(extension, called, recent)
        if problem is None:
            return None, ""
        ago = "" if recent is None else format_duration(self._lang, now - recent.requested_at)
        fields = {"extension": extension, "number": called.raw, "ago": ago}
        return problem, format_text(self._lang, f"order.{problem}", **fields)

    async def _add(self, order: CallOrder, called: Caller) -> PhoneCall:
        """Record the order; where that fails it may be on disk or not, and is not sent.

        Raises:
            StoreError: it failed.
        """
        try:
            return await self._store.add_order(self._call_of(order, called))
        except BaseException:
            reason = format_text(self._lang, "order.not_sent")
            self._unsaved[order.key] = replace(order, state=OrderState.REFUSED, reason=reason)
            raise

    async def _send(self, call: PhoneCall, order: CallOrder) -> PhoneCall:
        try:
            with call_in_logs(order.key):
                reply = await self._pbx.originate(order)
        except BaseException:
            # Cancelled: the order may have left, and nothing waits for its answer any more.
            reason = format_text(self._lang, "order.lost")
            self._unsaved[order.key] = replace(order, state=OrderState.UNKNOWN, reason=reason)
            raise
        finally:
            self._sending.discard(order.key)
        if reply.state is not OrderState.ACCEPTED:
            extra = {"call": order.key, "state": reply.state.value, "reason": reply.reason}
            _log.warning("order_not_accepted", extra=extra)
        return await self._save(
            call, replace(order, state=reply.state, ref=reply.ref, reason=reply.reason)
        )

    async def _save(self, call: PhoneCall, order: CallOrder) -> PhoneCall:
        """Save the outcome of *order*; a disk that fails changes nothing of what happened."""
        self._unsaved[order.key] = order
        try:
            await self._store.save_order(order.key, order)
        except StoreError as error:
            _log.warning("order_unwritten", extra={"call": order.key, "reason": str(error)})
        else:
            self._unsaved.pop(order.key, None)
        return with_order(call, order)

    def _call_of(self, order: CallOrder, called: Caller) -> PhoneCall:
        """Return the outgoing call of *order*; its client is found as that of an inbound call."""
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
