"""Answer: the PBX's routing question, one decision and one record a call.

question ─► same call as before? ─► its decision
              │ no
              └─► decide ─► an unknown caller? ask 1C ─► record (durable) ─► decision
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.identity import (
    REPEAT_WINDOW,
    CallIdentity,
    question_identity,
)
from bridge.domain.clock import TOLERANCE
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.stores.calls import CallRecords
from bridge.services.answering.decide import RouteDecider
from bridge.services.answering.live_lookup import LiveLookup
from bridge.services.answering.record import CallRecorder


class CallOpener(Protocol):
    """Who knows whether a question's call has begun with its events already."""

    def open_call(self, question: RouteQuestion, decision: RouteDecision) -> PhoneCall:
        """Give the call to be recorded."""
        ...

    def mark_recorded(self, call: PhoneCall) -> None:
        """Take *call* for recorded."""
        ...


@dataclass(slots=True)
class _OpenCall:
    """A call whose further questions get the same answer, once the first one's wait is over."""

    decision: RouteDecision
    #: In the seconds of `Answering.monotonic`.
    began: float
    being_recorded: bool
    #: Made by the first question that has to wait; few have.
    recorded: asyncio.Event | None = None

    async def wait(self) -> None:
        """Wait until the first question is recorded."""
        if self.being_recorded:
            if self.recorded is None:
                self.recorded = asyncio.Event()
            await self.recorded.wait()

    def settle(self, decision: RouteDecision) -> None:
        """End the wait: *decision* is the one that counts."""
        self.decision = decision
        self.being_recorded = False
        if self.recorded is not None:
            self.recorded.set()
            self.recorded = None


class RouteAnswerer:
    """Answers every question; what the PBX asks again at the next node joins its call."""

    def __init__(
        self,
        *,
        decider: RouteDecider,
        recorder: CallRecorder,
        ledger: CallRecords,
        clock: Clock,
        deliver_soon: Callable[[], None],
        call_opener: CallOpener,
        live_lookup: LiveLookup | None = None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._deciding = decider
        self._recording = recorder
        self._ledger = ledger
        self._clock = clock
        self._kick = deliver_soon
        self._following = call_opener
        self._asking = live_lookup
        self._monotonic = monotonic
        self._open: dict[CallIdentity, _OpenCall] = {}
        self.fallback = decider.fallback
        self.explain = decider.explain

    async def load(self) -> None:
        """Take up the calls of before a restart, so that their further questions join them."""
        now, seconds = self._clock(), self._monotonic()
        # Not those from the future: nobody knows how long ago that was.
        for call in await self._ledger.calls_since(now - REPEAT_WINDOW, now + TOLERANCE):
            age = max(0.0, (now - call.received_at).total_seconds())
            begun = self._begin(call.identity, call.decision, seconds - age)
            begun.settle(call.decision)

    async def answer(self, question: RouteQuestion) -> RouteDecision:
        """Decide *question*, and have the call on disk before the answer leaves."""
        identity = question_identity(question)
        earlier = self._open.get(identity)
        now = self._monotonic()
        if earlier and timedelta(seconds=now - earlier.began) <= identity.window:
            await earlier.wait()
            return earlier.decision
        decision = self._deciding.decide(question)
        begun = self._begin(identity, decision, now)
        try:
            if self._asking is not None and not decision.candidates:
                decision = await self._ask(self._asking, question, decision)
            call = await self._recording.record(self._following.open_call(question, decision))
            self._following.mark_recorded(call)
            decision = call.decision
        finally:
            begun.settle(decision)
        self._kick()
        return decision

    async def _ask(
        self, asking: LiveLookup, question: RouteQuestion, decision: RouteDecision
    ) -> RouteDecision:
        """Decide anew with what 1C itself says of a caller whom the index does not know."""
        number = question.caller.number
        if number is None:
            return decision
        return self._deciding.decide(question, await asking.look_up(number))

    def _begin(self, identity: CallIdentity, decision: RouteDecision, began: float) -> _OpenCall:
        while self._open:
            oldest = next(iter(self._open))
            if timedelta(seconds=began - self._open[oldest].began) <= REPEAT_WINDOW:
                break
            del self._open[oldest]
        # Taken out first, so that the dict stays ordered by time and the loop above ends early.
        self._open.pop(identity, None)
        begun = self._open[identity] = _OpenCall(decision, began, being_recorded=True)
        return begun
