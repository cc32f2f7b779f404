"""Which call an event or a question belongs to, where the PBX gives no common id.

Sipuni's routing question has no call id: it and the call's events are correlated by caller, line
and time. Two calls of one caller that overlap stay two.
Source: docs/facts/sipuni.md, 'The routing question'.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import CallEvent, Direction
from bridge.domain.calls.identity import believable_arrival
from bridge.domain.calls.orders import OrderState
from bridge.domain.calls.parties import is_unknown_caller
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.routing.decision import RouteQuestion

#: How far the PBX's clock of a question may stand from that of its events, one second off being
#: usual; without a time in the question our own clock and its delays come in.
SAME_MOMENT_WINDOW = timedelta(seconds=5)
CORRELATION_WINDOW = timedelta(seconds=120)

#: How long ago a call came, by our own clock, of which only line and moment show whose it is.
RECENT_WINDOW = timedelta(seconds=30)

#: A question without a time of its own may come late: a voice menu stood before its node.
VOICE_MENU_WINDOW = timedelta(minutes=10)


def find_call_of_event(
    event: CallEvent, calls: Iterable[PhoneCall], received_at: datetime | None = None
) -> PhoneCall | None:
    """Return the one of *calls* of this client that *event*, the first of its id, belongs to.

    An order is known by its id; else the call must have no id yet and have begun at about the same
    time: the nearest one. An order that was refused rang nothing and has no events. The PBX's clock
    may be far from ours, by which the event came at *received_at*.
    """
    began = event.started_at or event.at
    fitting: list[tuple[timedelta, int, PhoneCall]] = []
    for place, call in enumerate(calls):
        if call.provider != event.provider:
            continue
        if event.order_ref and call.order is not None and call.order.ref == event.order_ref:
            return call
        if call.order is not None and call.order.state is OrderState.REFUSED:
            continue
        away = abs(call.arrived_at - began)
        if received_at is not None and call.arrived_at == call.received_at:
            # The question had no time that could be believed: ours is compared with ours.
            away = min(away, abs(call.received_at - received_at))
        if call.state.call_ref or away > CORRELATION_WINDOW or not _same_way(call, event):
            continue
        fitting.append((away, place, call))
    return min(fitting, default=(None, None, None))[2]


def reread_as_inbound(event: CallEvent) -> CallEvent | None:
    """Return *event* with its few digits read as a caller from outside; None where it has none.

    "900 → 74951234567" may be a colleague who dials out, or a caller with a short number on one of
    our lines: a question that was asked about it decides, whatever the event states.
    """
    outbound = event.direction is Direction.OUTBOUND
    if not outbound or event.order_ref or not event.extension or event.client is None:
        return None
    number = event.client.number
    return replace(
        event,
        direction=Direction.INBOUND,
        client=Caller(CallerKind.SHORT, event.extension),
        did="" if number is None else str(number),
        extension="",
    )


def find_call_at_moment(event: CallEvent, calls: Iterable[PhoneCall]) -> PhoneCall | None:
    """Return the call that was asked about at the moment of *event*, which names no client.

    Nothing but line, moment and the telephone that rings joins them, so the call must be the only
    one that fits.
    """
    line, nobody = event.did, event.client is None or is_unknown_caller(event.client)
    if event.direction is Direction.OUTBOUND and not event.extension and event.client is not None:
        # Only a caller from outside dials our own line, and this event does not name the caller.
        line, nobody = str(event.client.number or ""), True
    elif event.direction in (Direction.OUTBOUND, Direction.INTERNAL):
        return None
    if event.order_ref:
        return None
    fitting = [
        call
        for call in calls
        if call.has_question
        and not call.is_test_request
        and not call.state.call_ref
        and call.provider == event.provider
        and (nobody or is_unknown_caller(call.caller))
        and (line == call.did if event.direction is Direction.OUTBOUND else _may_be(line, call.did))
        and abs(call.arrived_at - (event.started_at or event.at)) <= SAME_MOMENT_WINDOW
    ]
    return _only(fitting, event.extension)


def find_call_asked_at_moment(
    question: RouteQuestion, calls: Iterable[PhoneCall]
) -> PhoneCall | None:
    """Return the call that began with events that named no client, and whose question this is."""
    arrived = believable_arrival(question) or question.received_at
    fitting = [
        call
        for call in calls
        if not call.has_question
        and call.order is None
        and call.provider == question.provider
        and not question.is_blank
        and (_is_inbound_of(call, question) or _dials_line(call, question.did))
        and abs(call.arrived_at - arrived) <= SAME_MOMENT_WINDOW
    ]
    return _only(fitting, "")


def _is_inbound_of(call: PhoneCall, question: RouteQuestion) -> bool:
    inbound = call.direction is Direction.INBOUND
    one_named = is_unknown_caller(call.caller) != is_unknown_caller(question.caller)
    return inbound and one_named and _may_be(question.did, call.did)


def _dials_line(call: PhoneCall, did: str) -> bool:
    """Return whether *call* looks like an outgoing one to our own line without an extension."""
    outbound = call.direction is Direction.OUTBOUND and not call.placed_by
    return outbound and str(call.caller.number or "") == did != ""


def _may_be(line: str, other: str) -> bool:
    return not line or not other or line == other


def _only(fitting: list[PhoneCall], extension: str) -> PhoneCall | None:
    if len(fitting) > 1 and extension:
        fitting = [call for call in fitting if call.decision.extension == extension]
    return fitting[0] if len(fitting) == 1 else None


def find_call_of_question(question: RouteQuestion, calls: Iterable[PhoneCall]) -> PhoneCall | None:
    """Return the one of *calls* that began with its events and whose question this is."""
    arrived = believable_arrival(question)
    fitting: list[tuple[timedelta, int, PhoneCall]] = []
    for place, call in enumerate(calls):
        if call.has_question or call.order is not None or not _may_be_inbound(call, question):
            continue
        known = not call.did or not question.did or call.did == question.did
        same = call.provider == question.provider and _is_of(question, call)
        if not (known and same) or (arrived is None and call.state.disposition.is_over):
            continue
        # The PBX's clock with the PBX's, ours with ours: they may be far from one another.
        if arrived is None:
            away = abs(question.received_at - call.received_at)
        else:
            away = abs(arrived - call.arrived_at)
        if away <= (VOICE_MENU_WINDOW if arrived is None else SAME_MOMENT_WINDOW):
            fitting.append((away, place, call))
    return min(fitting, default=(None, None, None))[2]


def is_same_party(one: Caller, other: Caller) -> bool:
    """Return whether two callers are one: by number, by extension, else by what the PBX sent."""
    if one.short_number or other.short_number:
        # An extension and a short number from outside: which of them it is, the line decides.
        return one.short_number == other.short_number
    if one.kind is not other.kind:
        return False
    if one.number is not None or one.extension is not None:
        return (one.number, one.extension) == (other.number, other.extension)
    return one.raw == other.raw or not one.raw or not other.raw


def _may_be_inbound(call: PhoneCall, question: RouteQuestion) -> bool:
    """Return whether a call that began with its events may be an inbound one."""
    return call.direction is Direction.INBOUND or bool(question.caller.short_number)


def _is_of(question: RouteQuestion, call: PhoneCall) -> bool:
    """Return whether *call* has the caller of *question*; its events may show it as outbound."""
    if is_same_party(call.caller, question.caller):
        return True
    short = question.caller.short_number
    dialled_out = call.direction is Direction.OUTBOUND and bool(short) and call.placed_by == short
    return dialled_out and str(call.caller.number or "") == question.did != ""


def _same_way(call: PhoneCall, event: CallEvent) -> bool:
    if event.client is None or not is_same_party(call.caller, event.client):
        return False
    if event.direction is not None and event.direction is not call.direction:
        return False
    if call.direction is Direction.OUTBOUND:
        return not event.extension or not call.placed_by or event.extension == call.placed_by
    return not event.did or not call.did or event.did == call.did


def _same_telephone(call: PhoneCall, event: CallEvent) -> bool:
    """Return whether *event* of an outgoing call names the telephone that dials, or none."""
    if call.direction is not Direction.OUTBOUND or not call.placed_by:
        return True
    return event.extension in ("", call.placed_by)


def needs_history_now(call: PhoneCall, silent: timedelta, after: timedelta) -> bool:
    """Return whether an unfinished *call* was *silent* so long that the history must be asked."""
    return call.awaits_end and silent >= after


def find_call_of_history(record: CallEvent, calls: Iterable[PhoneCall]) -> PhoneCall | None:
    """Return the unfinished call that a line of the PBX's history is about.

    Its id may differ from the call's in the last digit, so party and time decide where no call has
    it. Of several that fit, one with such an id comes first, at whatever time its first event came.
    Source: docs/facts/sipuni.md, 'Statistics'.
    """
    calls = list(calls)
    for call in calls:
        if record.call_ref and call.state.call_ref == record.call_ref:
            return call
    fitting = [
        (
            not _is_id_alike(call.state.call_ref, record.call_ref),
            abs(call.arrived_at - (record.started_at or record.at)),
            place,
            call,
        )
        for place, call in enumerate(calls)
        if record.client is not None
        and is_same_party(call.caller, record.client)
        and (record.direction is None or record.direction is call.direction)
        and _same_telephone(call, record)
    ]
    if not fitting:
        return None
    is_other_id, away, _, nearest = min(fitting)
    return nearest if not is_other_id or away <= CORRELATION_WINDOW else None


def belongs_to_another_call(
    record: CallEvent, call: PhoneCall, others: Iterable[PhoneCall]
) -> bool:
    """Return whether a line of the history is of one of *others*, which are over, not of *call*.

    A second call to the same client begins within the time in which the first would fit.
    """
    if not record.call_ref or call.state.call_ref == record.call_ref:
        return False
    refs = (other.state.call_ref for other in others if not other.is_unfinished)
    return any(_is_id_alike(ref, record.call_ref) for ref in refs)


def _is_id_alike(ref: str, other: str) -> bool:
    """Return whether two ids of the PBX are one, or differ in the last digit alone."""
    return len(ref) > 1 and ref[:-1] == other[:-1]
