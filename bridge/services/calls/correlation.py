"""Correlate: find the call that a question or an event belongs to, among those in memory.

What makes them one is decided in `domain.joining`; here the candidates are looked up, the most
certain first: the PBX's id, the party, the other reading of a few digits, line and moment.
"""

from datetime import datetime

from bridge.domain.calls import correlation as joining
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import CallEvent, Direction
from bridge.domain.calls.parties import is_outside_line, is_unknown_caller
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import RouteQuestion
from bridge.ports.clock import Clock
from bridge.ports.stores.calls import CallRecords
from bridge.services.calls.active_calls import ACTIVE_FOR, ActiveCalls

_LONGEST_NUMBER = 20
_WITHHELD = Caller(CallerKind.WITHHELD, "")


class CallFinder:
    """Finds calls; nothing here changes one."""

    def __init__(self, *, active_calls: ActiveCalls, ledger: CallRecords, clock: Clock) -> None:
        self._open = active_calls
        self._ledger = ledger
        self._clock = clock

    def call_of_question(self, question: RouteQuestion) -> PhoneCall | None:
        """Return the call that began with its events and whose question this is."""
        caller, dialled = question.caller, []
        if is_outside_line(question.did) and len(question.did) <= _LONGEST_NUMBER:
            # Events alone may have read as somebody of ours who dials out, to our own line.
            line = PhoneNumber(int(question.did))
            dialled = self._open.of_caller(Caller(CallerKind.EXTERNAL, question.did, line))
        found = joining.find_call_of_question(question, [*self._open.of_caller(caller), *dialled])
        if found is not None:
            return found
        others = [*self._other_end(caller), *dialled]
        return joining.find_call_asked_at_moment(question, others)

    async def call_of_event(self, event: CallEvent, received_at: datetime) -> PhoneCall | None:
        """Return the call of *event*: by its id, by its order, by party, line and time."""
        if event.call_ref:
            known = self._open.by_ref(event.provider, event.call_ref)
            if known is not None:
                return known
            late = self._clock() - received_at > ACTIVE_FOR
            if late or received_at - (event.started_at or event.at) > ACTIVE_FOR:
                # Or our clock is that far ahead of the PBX's, and the call is a new one.
                known = await self._ledger.call_by_ref(event.call_ref)
                if known is not None:
                    return known
        found = self._of_party(event, received_at)
        if found is not None or not event.order_ref:
            return found
        return next((c for c in self._open if c.order and c.order.ref == event.order_ref), None)

    def _of_party(self, event: CallEvent, received_at: datetime) -> PhoneCall | None:
        found = joining.find_call_of_event(
            event, self._open.of_caller(event.client or _WITHHELD), received_at
        )
        if found is None and (other := joining.reread_as_inbound(event)) is not None:
            asked = [c for c in self._open.of_caller(other.client or _WITHHELD) if c.has_question]
            found = joining.find_call_of_event(other, asked, received_at)
        if found is None:
            # Nobody who dials, to a line of ours: that is its caller's call, whom it does not name.
            nameless = event.direction is Direction.OUTBOUND and not event.extension
            others = self._other_end(None if nameless else event.client)
            found = joining.find_call_at_moment(event, others)
        return found

    def _other_end(self, caller: Caller | None) -> list[PhoneCall]:
        """Return calls of which only line and moment may tell that they are this caller's."""
        just_now = self._clock() - joining.RECENT_WINDOW
        nobody = caller is None or is_unknown_caller(caller)
        return self._open.since(just_now, None if nobody else _WITHHELD)
