"""A call as the bridge records it, and how questions, events and orders change it.

How it went is derived from the set of its events: their order and repetition change nothing
(`domain.calls.state`).
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from bridge.domain.calls.desired import DesiredReminder
from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.calls.identity import CallIdentity, believable_arrival, call_key
from bridge.domain.calls.orders import REPEAT_PAUSE, CallOrder, OrderState
from bridge.domain.calls.parties import Parties, derive_parties, fit_event, is_unknown_caller
from bridge.domain.calls.state import CallState, Disposition, add_event, derive_state
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.routing.decision import RouteDecision, RouteQuestion, Target

_NO_EVENTS = CallState()


@dataclass(frozen=True, slots=True)
class CallNote:
    """What an operator wrote about a call; goes into its document in 1C."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """One conversation, from the first question or event on. Times are aware UTC.

    *caller* is the outside party, also on a call that the company makes; on an internal call the
    one who dials.

    *key* is the idempotency key: the same call asked about again, after a restart too, has the
    same one.
    """

    key: str
    provider: str
    direction: Direction
    caller: Caller
    did: str
    arrived_at: datetime
    received_at: datetime
    decision: RouteDecision
    #: The PBX's own time text, part of what makes a later question the same call.
    pbx_time_text: str = ""
    #: A cabinet's test request without caller and number: journalled, never written to 1C.
    is_test_request: bool = False
    #: False where the PBX never asked: *decision* is then what it would have been answered.
    has_question: bool = True
    #: The extension of who dials, on an outgoing or internal call.
    placed_by: str = ""
    #: The 1C users behind the extensions that rang, talked or dialled, as of that moment.
    known_targets: tuple[Target, ...] = ()
    applied_events: tuple[CallEvent, ...] = ()
    state: CallState = _NO_EVENTS
    order: CallOrder | None = None
    notes: tuple[CallNote, ...] = ()
    #: What 1C should hold besides the document; None: the reminder of the ringing telephone.
    desired_reminders: tuple[DesiredReminder, ...] | None = None
    #: Counts the changes that 1C has to get; the outbox entry keeps which one it has written.
    revision: int = 0

    @property
    def client_key(self) -> str:
        """Return what identifies one client, whichever number rings: the partner, or the number.

        Empty where there is no client to be called back: a withheld number, a colleague.
        """
        number = self.caller.number
        if number is None:
            return ""
        candidate = self.decision.candidate
        partner = None if candidate is None else candidate.partner
        return f"+{number}" if partner is None else partner.partner

    @property
    def is_unfinished(self) -> bool:
        """Return whether the PBX may still be asked how the call ended.

        An order of unknown outcome is not over before the PBX's history was asked.
        """
        return self.state.needs_history or self._is_in_doubt

    @property
    def awaits_end(self) -> bool:
        """Return whether the bridge still has to find out how the call ended, or give it up.

        A cabinet's test request is no call: nothing ever ends it.
        """
        return self.is_unfinished and not self.is_test_request

    @property
    def _is_in_doubt(self) -> bool:
        in_doubt = self.order is not None and self.order.state is OrderState.UNKNOWN
        given_up = any(event.kind is EventKind.GIVEN_UP for event in self.applied_events)
        return in_doubt and self.state.disposition is Disposition.UNKNOWN and not given_up

    @property
    def identity(self) -> CallIdentity:
        """Return what a later question of this call is recognised by."""
        return CallIdentity(self.provider, self.caller.raw, self.did, self.pbx_time_text)

    @property
    def needs_document(self) -> bool:
        """Return whether 1C should get a document: the caller is from outside."""
        return self.direction is Direction.INBOUND and not self.is_test_request

    def target_of(self, extension: str) -> Target:
        """Return the target of *extension*, with its 1C user where one was known."""
        known = (*self.known_targets, *filter(None, (self.decision.target,)))
        return next((t for t in known if t.extension == extension), Target(extension))


def call_from_question(question: RouteQuestion, decision: RouteDecision) -> PhoneCall:
    """Return the call that *question* begins and *decision* answers."""
    internal = question.caller.kind is CallerKind.INTERNAL
    return PhoneCall(
        key=call_key(question),
        provider=question.provider,
        direction=Direction.INTERNAL if internal else Direction.INBOUND,
        caller=question.caller,
        did=question.did,
        arrived_at=believable_arrival(question) or question.received_at,
        received_at=question.received_at,
        decision=decision,
        pbx_time_text=question.pbx_time_text,
        is_test_request=question.is_blank,
    )


def call_from_event(
    event: CallEvent, decision: RouteDecision, *, received_at: datetime, caller: Caller
) -> PhoneCall:
    """Return the call that *event* is the first sign of; the PBX has not asked about it (yet).

    *decision* is what it would have been answered.
    """
    parts = (event.provider, "ref", event.call_ref)
    return PhoneCall(
        key=hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:20],
        provider=event.provider,
        direction=event.direction or Direction.INBOUND,
        caller=caller,
        did=event.did,
        arrived_at=event.started_at or event.at,
        received_at=received_at,
        decision=decision,
        has_question=False,
        placed_by=_dialling(event, caller),
    )


def _dialling(event: CallEvent, caller: Caller) -> str:
    if event.direction is Direction.INTERNAL:
        return caller.extension or ""
    return event.extension if event.direction is Direction.OUTBOUND else ""


def apply_event(call: PhoneCall, event: CallEvent) -> PhoneCall:
    """Return *call* with *event* applied; the same call when it brings nothing new.

    `revision` grows when 1C has to be changed: the call is over, or its outcome is another now.
    """
    events = add_event(call.applied_events, event)
    if events == call.applied_events:
        return call
    after = _with_events(call, events)
    ended = after.state.disposition.is_over and after.state != call.state
    moved = (after.direction, after.caller) != (call.direction, call.caller)
    return replace(after, revision=call.revision + (ended or moved))


def _with_events(call: PhoneCall, events: tuple[CallEvent, ...]) -> PhoneCall:
    """Return *call* with its parties and state derived from *events*."""
    initial = Parties(call.direction, call.caller, call.did, call.placed_by)
    parties = derive_parties(
        initial, events, has_question=call.has_question, is_ordered=call.order is not None
    )
    changed = replace(
        call,
        direction=parties.direction,
        caller=parties.caller,
        did=parties.did,
        placed_by=parties.placed_by,
        applied_events=events,
    )
    return replace(changed, state=_state_of(changed))


def with_order(call: PhoneCall, order: CallOrder) -> PhoneCall:
    """Return *call* with the outcome of its order; `revision` grows when 1C has to be changed."""
    changed = replace(call, order=order)
    state = _state_of(changed)
    changes_document = order != call.order and order.state in (
        OrderState.REFUSED,
        OrderState.UNKNOWN,
    )
    return replace(changed, state=state, revision=call.revision + changes_document)


def blocks_repeat_order(call: PhoneCall, now: datetime) -> bool:
    """Return whether the order of *call* bars another one of the same pair at *now*.

    The client may be rung again only when the first call is known to be over.
    """
    order = call.order
    if order is None or order.state is OrderState.REFUSED:
        return False
    if order.state is OrderState.SENDING or call.is_unfinished:
        return True
    return now - order.requested_at < REPEAT_PAUSE


def _state_of(call: PhoneCall) -> CallState:
    """Return the state of *call*; an order without events has its outcome alone."""
    parties = Parties(call.direction, call.caller, call.did, call.placed_by)
    fitted = [fit_event(event, parties) for event in call.applied_events]
    state = derive_state(call.direction, call.arrived_at, fitted)
    if call.order is None or call.applied_events:
        return state
    match call.order.state:
        case OrderState.REFUSED:
            return replace(state, disposition=Disposition.NOT_REACHED, outcome=Outcome.FAILED)
        case OrderState.UNKNOWN:
            return replace(state, disposition=Disposition.UNKNOWN)
    return state


def with_late_question(
    call: PhoneCall, question: RouteQuestion, decision: RouteDecision
) -> PhoneCall:
    """Return a call that began with its events, with the question that came after them."""
    return join_question(call, replace(call_from_question(question, decision), key=call.key))


def join_question(standing: PhoneCall, again: PhoneCall) -> PhoneCall:
    """Return *standing* with the question of *again*, the same call, where it had none.

    The events that were applied meanwhile stay.
    """
    if standing.has_question or not again.has_question:
        return standing
    joined = replace(
        standing,
        decision=again.decision,
        has_question=True,
        pbx_time_text=again.pbx_time_text,
        direction=again.direction,
        caller=standing.caller if is_unknown_caller(again.caller) else again.caller,
        did=again.did or standing.did,
        revision=standing.revision + 1,
    )
    return _with_events(joined, joined.applied_events) if joined.applied_events else joined
