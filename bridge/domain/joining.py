"""Which call an event or a question belongs to, where the PBX gives no common id.

Sipuni's routing question has no call id (facts/telephony-apis.md §1.1): it and the call's events
are joined by caller, line and time. Two calls of one caller that overlap stay two.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bridge.domain.call_events import CallEvent, Direction
from bridge.domain.calls import PhoneCall, trusted_arrival
from bridge.domain.decision import RouteQuestion
from bridge.domain.phone import Caller

#: How far the PBX's clock of a question may stand from that of its events, one second off being
#: usual; without a time in the question our own clock and its delays come in.
SAME_MOMENT = timedelta(seconds=5)
ABOUT_THEN = timedelta(seconds=120)

#: A question without a time of its own may come late: a voice menu stood before its node.
MENU = timedelta(minutes=10)


def call_of_event(
    event: CallEvent, calls: Iterable[PhoneCall], received_at: datetime | None = None
) -> PhoneCall | None:
    """Choose among *calls* of this client the one that *event*, the first of its id, belongs to.

    An order is known by its id; else the call must not have heard of any id yet, and began at
    about the same time: the nearest one. The PBX's clock may be far from ours, by which the event
    came at *received_at*.
    """
    began = event.started_at or event.at
    fitting: list[tuple[timedelta, int, PhoneCall]] = []
    for place, call in enumerate(calls):
        if call.provider != event.provider:
            continue
        if event.order_ref and call.order is not None and call.order.ref == event.order_ref:
            return call
        away = abs(call.arrived_at - began)
        if received_at is not None and call.arrived_at == call.received_at:
            # The question had no time that could be believed: ours is compared with ours.
            away = min(away, abs(call.received_at - received_at))
        if call.life.call_ref or away > ABOUT_THEN or not _same_way(call, event):
            continue
        fitting.append((away, place, call))
    return min(fitting, default=(None, None, None))[2]


def call_of_question(question: RouteQuestion, calls: Iterable[PhoneCall]) -> PhoneCall | None:
    """Choose among *calls* the one that began with its events and whose question this is."""
    arrived = trusted_arrival(question)
    fitting: list[tuple[timedelta, int, PhoneCall]] = []
    for place, call in enumerate(calls):
        if call.asked or call.direction is not Direction.INBOUND or call.order is not None:
            continue
        known = not call.did or not question.did or call.did == question.did
        same = call.provider == question.provider and same_party(call.caller, question.caller)
        if not (known and same) or (arrived is None and call.life.disposition.is_over):
            continue
        # The PBX's clock with the PBX's, ours with ours: they may be far from one another.
        if arrived is None:
            away = abs(question.received_at - call.received_at)
        else:
            away = abs(arrived - call.arrived_at)
        if away <= (MENU if arrived is None else SAME_MOMENT):
            fitting.append((away, place, call))
    return min(fitting, default=(None, None, None))[2]


def same_party(one: Caller, other: Caller) -> bool:
    """Tell whether two callers are one: by number, by extension, else by what the PBX sent."""
    if one.kind is not other.kind:
        return False
    if one.number is not None or one.extension is not None:
        return (one.number, one.extension) == (other.number, other.extension)
    return one.raw == other.raw or not one.raw or not other.raw


def _same_way(call: PhoneCall, event: CallEvent) -> bool:
    if event.client is None or not same_party(call.caller, event.client):
        return False
    if event.direction is not None and event.direction is not call.direction:
        return False
    if call.direction is Direction.OUTBOUND:
        return not event.extension or not call.placed_by or event.extension == call.placed_by
    return not event.did or not call.did or event.did == call.did


def is_settling_time(call: PhoneCall, silent: timedelta, after: timedelta) -> bool:
    """Whether an unfinished *call* was *silent* for so long that the PBX must be asked."""
    if call.life.disposition.is_over or call.blank:
        return False
    return silent >= after


def call_of_history(record: CallEvent, calls: Iterable[PhoneCall]) -> PhoneCall | None:
    """Choose the unfinished call that a line of the statistics tells of.

    Its id may differ from the call's in the last digit (§1.2), so party and time decide where it
    is no one's.
    """
    calls = list(calls)
    for call in calls:
        if record.call_ref and call.life.call_ref == record.call_ref:
            return call
    fitting = [
        (abs(call.arrived_at - (record.started_at or record.at)), place, call)
        for place, call in enumerate(calls)
        if record.client is not None
        and same_party(call.caller, record.client)
        and (record.direction is None or record.direction is call.direction)
    ]
    if not fitting:
        return None
    away, _, nearest = min(fitting)
    return nearest if away <= ABOUT_THEN else None
