"""Answer: the PBX's routing question, from the local index, with the evidence.

question ─► same call as before? ─► its decision
│ no
└─► look up ─► decide_route ─► record (durable) ─► decision
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bridge.domain.calls import (
    REPEAT_WINDOW,
    CallIdentity,
    begin_call,
    identity_of,
)
from bridge.domain.directory import CallerCard, ExtensionOwner
from bridge.domain.routing import (
    NumberMemory,
    RouteDecision,
    RouteQuestion,
    RoutingRules,
    decide_route,
)
from bridge.errors import StoreError
from bridge.ports import Alarm, Clock, Directory, Events, Ledger
from bridge.services.record import Recording

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _OpenCall:
    """A call whose further questions get the same answer; *recorded* is the first one's wait."""

    decision: RouteDecision
    received_at: datetime
    recorded: asyncio.Event


class Answering:
    """Answers every question, whatever breaks; one call is one decision and one record."""

    def __init__(
        self,
        *,
        directory: Directory,
        ledger: Ledger,
        recording: Recording,
        events: Events,
        rules: RoutingRules,
        clock: Clock,
        kick: Callable[[], None],
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._recording = recording
        self._events = events
        self._rules = rules
        self._clock = clock
        self._kick = kick
        self._open: dict[CallIdentity, _OpenCall] = {}
        self._broken = ""

    async def remember(self) -> None:
        """Take up the calls of before a restart, so that their further questions join them."""
        since = self._clock() - REPEAT_WINDOW
        for call in await self._ledger.calls_since(since):
            self._open_call(call.identity, call.decision, call.received_at).recorded.set()

    async def answer(self, question: RouteQuestion) -> RouteDecision:
        """Decide *question*, and have the call on disk before the answer leaves."""
        identity = identity_of(question)
        earlier = self._open.get(identity)
        if earlier and question.received_at - earlier.received_at <= identity.window:
            await earlier.recorded.wait()
            return earlier.decision
        decision = self.decide(question)
        open_call = self._open_call(identity, decision, question.received_at)
        try:
            call = await self._recording.record(begin_call(question, decision))
            open_call.decision = call.decision
        finally:
            open_call.recorded.set()
        self._kick()
        return open_call.decision

    def decide(self, question: RouteQuestion) -> RouteDecision:
        """Decide without recording: what the PBX would be told now, and why."""
        card: CallerCard | None = None
        memory: NumberMemory | None = None
        broken = ""
        number = question.caller.number
        if number is not None:
            try:
                card = self._directory.look_up(number)
            except StoreError as error:
                broken = str(error)
            memory = self._ledger.memory(number)
        self._note(broken)
        return decide_route(
            question,
            card,
            self._directory.managers(),
            self._directory.owner_of,
            self._rules,
            memory=memory,
            age=self._directory.age(question.received_at),
            broken=broken,
        )

    def fallback(self, question: RouteQuestion, reason: str) -> RouteDecision:
        """Decide with nothing but the settings; for when answering itself broke."""
        return decide_route(
            question, None, {}, lambda _: ExtensionOwner(None), self._rules, broken=reason
        )

    def _open_call(
        self, identity: CallIdentity, decision: RouteDecision, received_at: datetime
    ) -> _OpenCall:
        for old, known in list(self._open.items()):
            if received_at - known.received_at <= REPEAT_WINDOW:
                break
            del self._open[old]
        # Taken out first, so that the dict stays ordered by time and the loop above ends early.
        self._open.pop(identity, None)
        opened = self._open[identity] = _OpenCall(decision, received_at, asyncio.Event())
        return opened

    def _note(self, broken: str) -> None:
        """Log and alarm on the edge only: when the index breaks, and when it is back."""
        if broken == self._broken:
            return
        if broken and not self._broken:
            _log.error("index_broken", extra={"reason": broken})
            self._events.publish(Alarm("answer_broken", broken))
        elif not broken:
            _log.info("index_back")
            self._events.publish(Alarm("answer_broken", "the index answers again", clear=True))
        self._broken = broken
