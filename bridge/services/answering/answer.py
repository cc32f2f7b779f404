"""Answer the PBX's routing questions: one decision and one record for each call.

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
    """Knows whether the call of a question has begun with its events already."""

    def open_call(self, question: RouteQuestion, decision: RouteDecision) -> PhoneCall:
        """Return the call to be recorded."""
        ...

    def mark_recorded(self, call: PhoneCall) -> None:
        """Record that *call* is on disk."""
        ...


@dataclass(slots=True)
class _AnsweredCall:
    """A call whose further questions get the same answer, once its first one is recorded."""

    decision: RouteDecision
    #: In the seconds of `RouteAnswerer.monotonic`.
    began: float
    is_being_recorded: bool
    #: Made by the first question that has to wait; few have.
    recorded: asyncio.Event | None = None

    async def wait(self) -> None:
        """Wait until the first question is recorded."""
        if self.is_being_recorded:
            if self.recorded is None:
                self.recorded = asyncio.Event()
            await self.recorded.wait()

    def set_recorded(self, decision: RouteDecision) -> None:
        """End the wait: *decision* is the final one."""
        self.decision = decision
        self.is_being_recorded = False
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
        self._decider = decider
        self._recorder = recorder
        self._ledger = ledger
        self._clock = clock
        self._deliver_soon = deliver_soon
        self._call_opener = call_opener
        self._live_lookup = live_lookup
        self._monotonic = monotonic
        self._answered: dict[CallIdentity, _AnsweredCall] = {}
        self.fallback = decider.fallback
        self.explain = decider.explain

    async def load(self) -> None:
        """Load the calls from before a restart, so that their further questions join them.

        Raises:
            StoreError: they cannot be read.
        """
        now, seconds = self._clock(), self._monotonic()
        # Not those from the future: how long ago they came is not known.
        for call in await self._ledger.calls_since(now - REPEAT_WINDOW, now + TOLERANCE):
            age = max(0.0, (now - call.received_at).total_seconds())
            answered = self._begin(call.identity, call.decision, seconds - age)
            answered.set_recorded(call.decision)

    async def answer(self, question: RouteQuestion) -> RouteDecision:
        """Decide *question*; the call is on disk before the answer is returned."""
        identity = question_identity(question)
        earlier = self._answered.get(identity)
        now = self._monotonic()
        if earlier and timedelta(seconds=now - earlier.began) <= identity.window:
            await earlier.wait()
            return earlier.decision
        decision = self._decider.decide(question)
        answered = self._begin(identity, decision, now)
        try:
            if self._live_lookup is not None and not decision.candidates:
                decision = await self._decide_live(self._live_lookup, question, decision)
            call = await self._recorder.record(self._call_opener.open_call(question, decision))
            self._call_opener.mark_recorded(call)
            decision = call.decision
        finally:
            answered.set_recorded(decision)
        self._deliver_soon()
        return decision

    async def _decide_live(
        self, live_lookup: LiveLookup, question: RouteQuestion, decision: RouteDecision
    ) -> RouteDecision:
        """Decide anew by what 1C itself answers about a caller whom the index does not know."""
        number = question.caller.number
        if number is None:
            return decision
        return self._decider.decide(question, await live_lookup.look_up(number))

    def _begin(
        self, identity: CallIdentity, decision: RouteDecision, began: float
    ) -> _AnsweredCall:
        while self._answered:
            oldest = next(iter(self._answered))
            if timedelta(seconds=began - self._answered[oldest].began) <= REPEAT_WINDOW:
                break
            del self._answered[oldest]
        # Taken out first, so that the dict stays ordered by time and the loop above ends early.
        self._answered.pop(identity, None)
        answered = _AnsweredCall(decision, began, is_being_recorded=True)
        self._answered[identity] = answered
        return answered
