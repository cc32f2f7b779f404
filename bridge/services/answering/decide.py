"""Decide where a call goes: read what is known of the caller, then call `domain.routing`.

Nothing is recorded here.
"""

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
from bridge.ports.clock import Clock
from bridge.ports.events import EventPublisher
from bridge.ports.raised_alarm import RaisedAlarm
from bridge.ports.stores.directory import CallerDirectory

_log = logging.getLogger(__name__)

#: Returns what is remembered of a number; must not touch the disk.
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
        self._number_memory = number_memory
        self._index_alarm = RaisedAlarm(events, "index_broken")
        self._rules = rules
        self._phones = phones
        self._clock = clock

    def decide(
        self, question: RouteQuestion, live_lookup: LiveLookupResult | None = None
    ) -> RouteDecision:
        """Return where the call of *question* goes; a broken index sends it to the default.

        *live_lookup* is what 1C itself answered about the caller; the index goes before it.
        """
        card: CallerCard | None = None
        memory: NumberMemory | None = None
        index_error = ""
        number = question.caller.number
        if number is not None:
            memory = self._number_memory(number)
            try:
                card = self._directory.look_up(number)
            except StoreError as error:
                index_error = str(error)
            # For a withheld number the index is not asked.
            self._report_index(index_error)
        return decide_route(
            question,
            card,
            self._directory.managers(),
            self._directory.owner_of,
            self._rules,
            memory=memory,
            age=self._directory.age(question.received_at),
            index_error=index_error,
            live_lookup=live_lookup,
        )

    def explain(self, caller: str, did: str = "") -> tuple[RouteQuestion, RouteDecision]:
        """Return the answer the PBX would get for *caller* on the line *did*, with its evidence.

        *caller* is as a PBX sends it, or typed in any way: for example copied from a card of 1C.
        """
        question = RouteQuestion(
            provider="explain",
            caller=_read_typed(caller, self._phones),
            did=read_did(did, self._phones),
            received_at=self._clock(),
        )
        return question, self.decide(question)

    def fallback(
        self, question: RouteQuestion, reason: str = "answering failed; see the log"
    ) -> RouteDecision:
        """Return a decision by the settings alone, for when answering itself failed."""
        return decide_route(
            question, None, {}, lambda _: ExtensionOwner(None), self._rules, index_error=reason
        )

    def _report_index(self, index_error: str) -> None:
        if index_error:
            if self._index_alarm.raise_once(index_error):
                _log.error("index_broken", extra={"reason": index_error})
        elif self._index_alarm.clear("the index answers again"):
            _log.info("index_back")


def _read_typed(caller: str, phones: PhoneRules) -> Caller:
    sent = read_caller(caller, phones)
    return read_dialled_number(caller, phones) if sent.kind is CallerKind.NONSENSE else sent
