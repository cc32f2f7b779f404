"""What one telephone has to do with a call: whose desk shows it, and in which words."""

from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.account import fate_of
from bridge.domain.call_events import Direction, EventKind
from bridge.domain.calls import PhoneCall
from bridge.domain.life import Disposition
from bridge.domain.orders import OrderState

#: A call that rings so long without another word is no longer said to ring: the PBX tells us
#: nothing, and no telephone rings for minutes.
SILENCE = timedelta(minutes=3)

#: How long a call stays on the desks after the last word about it; one that is talked about longer.
KEPT = timedelta(minutes=30)
LONGEST_TALK = timedelta(hours=3)


class Standing(StrEnum):
    """Where a call stands, seen from one telephone."""

    RINGING = "ringing"  # it rings here
    PASSED = "passed"  # it rang here, and rings elsewhere now
    CALLING = "calling"  # it dials, and nobody has answered yet
    TALKING = "talking"
    TAKEN = "taken"  # somebody else of the company talks
    TALKED = "talked"  # over, and talked about here
    ANSWERED = "answered"  # over, and talked about elsewhere
    MISSED = "missed"
    NOT_REACHED = "not_reached"
    IN_DOUBT = "in_doubt"  # ordered, and the PBX did not answer
    SILENT = "silent"  # nobody told how it went

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be waited for."""
        return self not in (
            Standing.RINGING,
            Standing.PASSED,
            Standing.CALLING,
            Standing.TALKING,
            Standing.TAKEN,
        )


def telephones(call: PhoneCall) -> frozenset[str]:
    """Give the extensions whose desks show *call*: it rang there, was to, was answered or dialled.

    Where the PBX never asked it was told of nobody, so only its events count. A test request of
    the PBX's cabinet is nobody's call.
    """
    if call.blank:
        return frozenset()
    ends = {call.placed_by, *call.life.rung, *call.life.talked}
    if call.order is not None:
        ends.add(call.order.extension)
    if call.asked and call.direction is not Direction.OUTBOUND and call.decision.extension:
        ends.add(call.decision.extension)
    return frozenset(ends - {""})


_LOST = {
    Disposition.MISSED: Standing.MISSED,
    Disposition.NOT_REACHED: Standing.NOT_REACHED,
    Disposition.UNKNOWN: Standing.SILENT,
}


def standing(call: PhoneCall, extension: str, now: datetime) -> Standing:
    """Tell where *call* stands at *now*, seen from *extension*."""
    life = call.life
    dials = bool(extension) and extension == _dialling(call)
    if life.disposition is Disposition.RINGING:
        return _before_answer(call, extension, now, dials=dials)
    if life.disposition is Disposition.TALKING:
        here = dials or extension == life.answered_by
        return Standing.TALKING if here else Standing.TAKEN
    if life.disposition is Disposition.ANSWERED:
        here = dials or extension in life.talked
        return Standing.TALKED if here else Standing.ANSWERED
    return Standing.IN_DOUBT if fate_of(call) is OrderState.UNKNOWN else _LOST[life.disposition]


def is_kept(call: PhoneCall, touched_at: datetime, now: datetime) -> bool:
    """Whether the desks still show *call*, of which the last word came at *touched_at*."""
    talked_about = call.life.disposition is Disposition.TALKING
    return now - touched_at <= (LONGEST_TALK if talked_about else KEPT)


def _before_answer(call: PhoneCall, extension: str, now: datetime, *, dials: bool) -> Standing:
    if now - call.received_at > SILENCE:
        return Standing.SILENT
    if dials:
        return Standing.CALLING
    return Standing.PASSED if _passed(call, extension) else Standing.RINGING


def _dialling(call: PhoneCall) -> str:
    return call.placed_by or ("" if call.order is None else call.order.extension)


def _passed(call: PhoneCall, extension: str) -> bool:
    """Whether the leg of *extension* is over although the call goes on."""
    legs = (EventKind.STARTED, EventKind.LEG_ENDED)
    said = [e.kind for e in call.heard if e.extension == extension and e.kind in legs]
    return bool(said) and said[-1] is EventKind.LEG_ENDED
