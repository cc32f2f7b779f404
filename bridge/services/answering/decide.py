"""Decide: gather what is known about a caller and let `domain.routing` choose; records nothing."""

import logging
from collections.abc import Callable

from bridge.domain.calls.orders import read_dialled_number
from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.directory.entities import ExtensionOwner
from bridge.domain.phone.callers import (
    Caller,
    CallerKind,
    read_caller,
    read_did,
)
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.domain.routing.decision import (
    LiveLookupResult,
    NumberMemory,
    RouteDecision,
    RouteQuestion,
    RoutingRules,
)
from bridge.domain.routing.routing import decide_route
from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Clock
from bridge.ports.events import EventPublisher
from bridge.ports.stores.directory import CallerDirectory

_log = logging.getLogger(__name__)

#: What people taught about a number; must not touch the disk.
NumberMemoryLookup = Callable[[PhoneNumber], NumberMemory]


class RouteDecider:
    """Turns a question into a decision from the local index, in microseconds."""

    def __init__(
        self,
        *,
        directory: CallerDirectory,
        number_memory: NumberMemoryLookup,
        events: EventPublisher,
        rules: RoutingRules,
        phones: PhoneRules,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._memory = number_memory
        self._events = events
        self._rules = rules
        self._phones = phones
        self._clock = clock
        self._broken = ""

    def decide(
        self, question: RouteQuestion, asked: LiveLookupResult | None = None
    ) -> RouteDecision:
        """Tell where the call of *question* goes; a broken index sends it to the default.

        *asked* is what 1C itself said of the caller; what the index knows goes before it.
        """
        card: CallerCard | None = None
        memory: NumberMemory | None = None
        broken = ""
        number = question.caller.number
        if number is not None:
            memory = self._memory(number)
            try:
                card = self._directory.look_up(number)
            except StoreError as error:
                broken = str(error)
            # A withheld caller says nothing of the index: it was not asked.
            self._note(broken)
        return decide_route(
            question,
            card,
            self._directory.managers(),
            self._directory.owner_of,
            self._rules,
            memory=memory,
            age=self._directory.age(question.received_at),
            index_error=broken,
            live_lookup=asked,
        )

    def explain(self, caller: str, did: str = "") -> tuple[RouteQuestion, RouteDecision]:
        """Tell what the PBX would be told for *caller* on the line *did*, and why.

        *caller* is what a PBX sends, or typed in any way: copied from a card of 1C, say.
        """
        question = RouteQuestion(
            provider="explain",
            caller=_typed(caller, self._phones),
            did=read_did(did, self._phones),
            received_at=self._clock(),
        )
        return question, self.decide(question)

    def fallback(
        self, question: RouteQuestion, reason: str = "answering failed; see the log"
    ) -> RouteDecision:
        """Decide with nothing but the settings; for when answering itself broke."""
        return decide_route(
            question, None, {}, lambda _: ExtensionOwner(None), self._rules, index_error=reason
        )

    def _note(self, broken: str) -> None:
        """Log and alarm on the edge only: when the index breaks, and when it is back."""
        if broken == self._broken:
            return
        if broken and not self._broken:
            _log.error("index_broken", extra={"reason": broken})
            self._events.publish(Alarm("index_broken", broken))
        elif not broken:
            _log.info("index_back")
            self._events.publish(Alarm("index_broken", "the index answers again", clear=True))
        self._broken = broken


def _typed(caller: str, phones: PhoneRules) -> Caller:
    sent = read_caller(caller, phones)
    return read_dialled_number(caller, phones) if sent.kind is CallerKind.NONSENSE else sent
