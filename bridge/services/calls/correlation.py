"""Find the call that a question or an event belongs to, among the active calls.

What makes them one is decided in `domain.calls.correlation`; here the candidates are looked up, the
most certain first: the PBX's id, the caller, the other reading of a few digits, line and moment.
"""

from datetime import datetime
from typing import Final

from bridge.domain.calls import correlation
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import CallEvent, Direction
from bridge.domain.calls.parties import is_outside_line, is_unknown_caller
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import RouteQuestion
from bridge.ports.clock import Clock
from bridge.ports.stores.calls import CallRecords
from bridge.services.calls.active_calls import ACTIVE_FOR, ActiveCalls

_MAX_NUMBER_DIGITS: Final = 20
_WITHHELD: Final = Caller(CallerKind.WITHHELD, "")


class CallFinder:
    """Finds calls; changes none."""

    def __init__(self, *, active_calls: ActiveCalls, ledger: CallRecords, clock: Clock) -> None:
        self._active = active_calls
        self._ledger = ledger
        self._clock = clock

    def call_of_question(self, question: RouteQuestion) -> PhoneCall | None:
        """Return the call that began with its events and whose question this is."""
        caller, dialled = question.caller, []
        if is_outside_line(question.did) and len(question.did) <= _MAX_NUMBER_DIGITS:
            # Events alone may have read as an employee who dials out, to our own line.
            line = PhoneNumber(int(question.did))
            dialled = self._active.of_caller(Caller(CallerKind.EXTERNAL, question.did, line))
        calls = [*self._active.of_caller(caller), *dialled]
        found = correlation.find_call_of_question(question, calls)
        if found is not None:
            return found
        others = [*self._of_unnamed(caller), *dialled]
        return correlation.find_call_asked_at_moment(question, others)

    async def call_of_event(self, event: CallEvent, received_at: datetime) -> PhoneCall | None:
        """Return the call of *event*: by its id, by its order, by caller, line and time.

        Raises:
            StoreError: a call that is not active any more cannot be read.
        """
        if event.call_ref:
            found = self._active.by_ref(event.provider, event.call_ref)
            if found is not None:
                return found
            is_late = self._clock() - received_at > ACTIVE_FOR
            if is_late or received_at - (event.started_at or event.at) > ACTIVE_FOR:
                # Or our clock is that far ahead of the PBX's, and the call is a new one.
                found = await self._ledger.call_by_ref(event.call_ref)
                if found is not None:
                    return found
        found = self._of_caller(event, received_at)
        if found is not None or not event.order_ref:
            return found
        return next((c for c in self._active if c.order and c.order.ref == event.order_ref), None)

    def _of_caller(self, event: CallEvent, received_at: datetime) -> PhoneCall | None:
        calls = self._active.of_caller(event.client or _WITHHELD)
        found = correlation.find_call_of_event(event, calls, received_at)
        if found is None and (other := correlation.reread_as_inbound(event)) is not None:
            calls = self._active.of_caller(other.client or _WITHHELD)
            asked = [c for c in calls if c.has_question]
            found = correlation.find_call_of_event(other, asked, received_at)
        if found is None:
            # Outbound to a line of ours without an extension: an inbound call whose caller the
            # event does not name.
            is_nameless = event.direction is Direction.OUTBOUND and not event.extension
            others = self._of_unnamed(None if is_nameless else event.client)
            found = correlation.find_call_at_moment(event, others)
        return found

    def _of_unnamed(self, caller: Caller | None) -> list[PhoneCall]:
        """Return the calls that only line and moment may show to be this caller's."""
        recent = self._clock() - correlation.RECENT_WINDOW
        is_unnamed = caller is None or is_unknown_caller(caller)
        return self._active.since(recent, None if is_unnamed else _WITHHELD)
