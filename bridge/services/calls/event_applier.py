"""Apply one PBX event to its call: which call it belongs to, and what follows from it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from bridge.domain.calls.call import PhoneCall, apply_event, call_from_event
from bridge.domain.calls.events import CallEvent, Direction, EventKind
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.errors import StoreError, UnreadableEvent
from bridge.log_context import call_in_logs
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.event_log import UNREAD
from bridge.ports.stores.number_memory import Talk
from bridge.services.calls.call_store import CallStore
from bridge.services.calls.change_builder import ChangeBuilder
from bridge.services.calls.correlation import CallFinder
from bridge.services.calls.missed_calls import MissedCalls
from bridge.services.calls.unread_events import UnreadEvents

_log = logging.getLogger(__name__)

_WITHHELD: Final = Caller(CallerKind.WITHHELD, "")


class EventApplier:
    """Applies events to calls within one change of the ledger.

    *apply_soon* asks for another try soon. *journal_internal*: calls between colleagues get
    documents in 1C too.
    """

    def __init__(
        self,
        *,
        call_store: CallStore,
        finder: CallFinder,
        missed_calls: MissedCalls,
        read_event: Callable[[RawEvent], CallEvent | None],
        decide: Callable[[RouteQuestion], RouteDecision],
        apply_soon: Callable[[], None],
        journal_internal: bool,
        unread_events: UnreadEvents | None,
    ) -> None:
        self._call_store = call_store
        self._active_calls = call_store.active_calls
        self._finder = finder
        self._missed_calls = missed_calls
        self._read_event = read_event
        self._decide = decide
        self._apply_soon = apply_soon
        self._journal_internal = journal_internal
        self._unread_events = unread_events

    def is_readable(self, raw: RawEvent) -> bool:
        """Return whether *raw* can be read by now."""
        try:
            self._read_event(raw)
        except Exception as error:  # noqa: BLE001 - the event stays unread, and so does its alarm
            _log.debug("event_still_unread", extra={"reason": str(error)})
            return False
        return True

    async def apply_raw(
        self, changes: ChangeBuilder, raw: RawEvent, *, without_waiting: bool = False
    ) -> str | None:
        """Apply one event; return the key of its call, empty where it is about none.

        Return UNREAD where it cannot be read, and None where *without_waiting* its call is not
        recorded yet.

        Raises:
            StoreError: the ledger cannot be read.
        """
        try:
            event = self._read_event(raw)
            if event is None:
                return ""
            return await self._apply_found(
                changes, event, raw.received_at, without_waiting=without_waiting
            )
        except StoreError:
            raise
        except UnreadableEvent as error:
            return self._keep_unread(raw, error.reason)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, kept, and an alarm
            # One event that cannot be read must not stop all others.
            _log.exception("event_broken")
            return self._keep_unread(raw, f"reading it broke ({type(error).__name__})")

    def _keep_unread(self, raw: RawEvent, reason: str) -> str:
        if self._unread_events is not None:
            self._unread_events.add(raw, reason)
        return UNREAD

    async def _apply_found(
        self,
        changes: ChangeBuilder,
        event: CallEvent,
        received_at: datetime,
        *,
        without_waiting: bool,
    ) -> str | None:
        """Find the call of *event*, or begin it, and apply the event to it."""
        call = await self._finder.call_of_event(event, received_at)
        if call is None:
            if event.kind is EventKind.UNKNOWN:
                return ""
            if not event.call_ref:
                raise UnreadableEvent("no field names its call, and its order is not known")
            call = self._begin(changes, event, received_at)
        if without_waiting and not self._active_calls.is_recorded(call.key):
            self._apply_soon()
            return None
        await self._active_calls.wait_recorded(call.key)
        present = changes.calls.get(call.key) or self._active_calls.get(call.key) or call
        with call_in_logs(call.key):
            await self.apply(changes, present, event)
        return call.key

    def _begin(self, changes: ChangeBuilder, event: CallEvent, received_at: datetime) -> PhoneCall:
        """Begin the call whose first event is *event*."""
        caller = event.client or _WITHHELD
        question = RouteQuestion(
            event.provider, caller, event.did, received_at, arrived_at=event.started_at or event.at
        )
        call = call_from_event(
            event, self._decide(question), received_at=received_at, caller=caller
        )
        self._active_calls.put(call)
        changes.calls[call.key] = call
        return call

    async def apply(self, changes: ChangeBuilder, before: PhoneCall, event: CallEvent) -> None:
        """Apply *event* to the call *before*, with all that follows: entry, missed call, talk."""
        after = self._with_decision(before, apply_event(before, event))
        after = self._call_store.with_people(after)
        if after == before and before.key not in changes.calls:
            return
        is_first = not before.applied_events and not before.has_question
        has_turned = after.direction is not before.direction and not before.needs_document
        if (is_first or has_turned) and self._is_journalled(after, event):
            self._call_store.add_entry(changes, after)
        state = after.state
        if state.disposition.is_over and state.talked_extensions and after.caller.number:
            talked_at = state.ended_at or event.at
            changes.talks.append(Talk(after.caller.number, state.answered_by, talked_at))
        changes.calls[after.key] = after
        if after.revision != before.revision:
            changes.reopened[after.key] = None
        if state != before.state:
            await self._missed_calls.call_changed(changes, before, after)
        self._active_calls.put(changes.calls[after.key])

    def _with_decision(self, before: PhoneCall, after: PhoneCall) -> PhoneCall:
        """Return *after* decided anew, where its events name another caller than before."""
        if after.caller == before.caller:
            return after
        question = RouteQuestion(
            after.provider, after.caller, after.did, after.received_at, arrived_at=after.arrived_at
        )
        decision = self._decide(question)
        if after.has_question:  # what the PBX was answered stays
            decision = replace(after.decision, candidates=decision.candidates)
        return replace(after, decision=decision)

    def _is_journalled(self, call: PhoneCall, first: CallEvent) -> bool:
        """Return whether 1C gets a document of a call that began with *first* and no question."""
        if first.kind is EventKind.GIVEN_UP:
            # Nothing rang; only a document that asked for the call must show that.
            return call.order is not None and call.order.document is not None
        return call.direction is not Direction.INTERNAL or self._journal_internal
