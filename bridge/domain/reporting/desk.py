"""What one telephone has to do with a call: whose desk shows it, and with which status."""

from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction, EventKind
from bridge.domain.calls.orders import OrderState
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.outcome import unresolved_order_state

#: A call that rings so long without another event is no longer shown as ringing: the PBX reports
#: nothing, and no telephone rings for minutes.
RINGING_TIMEOUT = timedelta(minutes=3)

#: How long a call stays on the desks after its last event; one that goes on stays longer.
SHOWN_FOR = timedelta(minutes=30)
MAX_TALK_TIME = timedelta(hours=3)


class DeskStatus(StrEnum):
    """Where a call stands, seen from one telephone."""

    RINGING = "ringing"  # it rings here
    RINGS_COLLEAGUE = "passed"  # it rang here, and rings elsewhere now
    CALLING = "calling"  # it dials, and there is no answer yet
    TALKING = "talking"
    COLLEAGUE_TALKS = "taken"  # a colleague talks
    TALKED = "talked"  # over, and talked about here
    ANSWERED = "answered"  # over, and talked about elsewhere
    MISSED = "missed"
    NOT_REACHED = "not_reached"
    IN_DOUBT = "in_doubt"  # ordered, and the PBX did not answer
    SILENT = "silent"  # the PBX never reported how it went

    @property
    def is_over(self) -> bool:
        """Return whether nothing is to be waited for."""
        return self not in (
            DeskStatus.RINGING,
            DeskStatus.RINGS_COLLEAGUE,
            DeskStatus.CALLING,
            DeskStatus.TALKING,
            DeskStatus.COLLEAGUE_TALKS,
        )


def involved_extensions(call: PhoneCall) -> frozenset[str]:
    """Return the extensions whose desks show *call*: it rang or was to ring, talked or dialled.

    Where the PBX never asked it was answered nothing, so only its events count. A test request of
    the PBX's cabinet concerns no desk.
    """
    if call.is_test_request:
        return frozenset()
    ends = {call.placed_by, *call.state.rung_extensions, *call.state.talked_extensions}
    if call.order is not None:
        ends.add(call.order.extension)
    if call.has_question and call.direction is not Direction.OUTBOUND and call.decision.extension:
        ends.add(call.decision.extension)
    return frozenset(ends - {""})


_UNANSWERED = {
    Disposition.MISSED: DeskStatus.MISSED,
    Disposition.NOT_REACHED: DeskStatus.NOT_REACHED,
    Disposition.UNKNOWN: DeskStatus.SILENT,
}


def find_desk_status(call: PhoneCall, extension: str, now: datetime) -> DeskStatus:
    """Return where *call* stands at *now*, seen from *extension*."""
    state = call.state
    dials = bool(extension) and extension == _dialling(call)
    if state.disposition is Disposition.RINGING:
        return _before_answer(call, extension, now, dials=dials)
    if state.disposition is Disposition.TALKING:
        here = dials or extension == state.answered_by
        return DeskStatus.TALKING if here else DeskStatus.COLLEAGUE_TALKS
    if state.disposition is Disposition.ANSWERED:
        here = dials or extension in state.talked_extensions
        return DeskStatus.TALKED if here else DeskStatus.ANSWERED
    return (
        DeskStatus.IN_DOUBT
        if unresolved_order_state(call) is OrderState.UNKNOWN
        else _UNANSWERED[state.disposition]
    )


def is_shown_on_desk(call: PhoneCall, touched_at: datetime, now: datetime) -> bool:
    """Return whether the desks still show *call*, whose last event came at *touched_at*."""
    talked_about = call.state.disposition is Disposition.TALKING
    return now - touched_at <= (MAX_TALK_TIME if talked_about else SHOWN_FOR)


def _before_answer(call: PhoneCall, extension: str, now: datetime, *, dials: bool) -> DeskStatus:
    if now - call.received_at > RINGING_TIMEOUT:
        return DeskStatus.SILENT
    if dials:
        return DeskStatus.CALLING
    return DeskStatus.RINGS_COLLEAGUE if _rings_elsewhere(call, extension) else DeskStatus.RINGING


def _dialling(call: PhoneCall) -> str:
    return call.placed_by or ("" if call.order is None else call.order.extension)


def _rings_elsewhere(call: PhoneCall, extension: str) -> bool:
    """Return whether the leg of *extension* is over although the call goes on."""
    legs = (EventKind.STARTED, EventKind.LEG_ENDED)
    kinds = [e.kind for e in call.applied_events if e.extension == extension and e.kind in legs]
    return bool(kinds) and kinds[-1] is EventKind.LEG_ENDED
