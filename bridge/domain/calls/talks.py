"""Which talk ends which missed call: one with the client, and after it.

Moments of one call are compared with those of another only by the PBX's own clock, as far as its
events hold them: our clock and the PBX's may be minutes apart.
"""

from datetime import datetime

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.calls.state import Disposition

_FINAL = (EventKind.ENDED, EventKind.HISTORY)
_OURS = (EventKind.GIVEN_UP, EventKind.UNKNOWN)


def is_talk_with_client(call: PhoneCall) -> bool:
    """Return whether a manager talked, or talks, to the client of *call*.

    Of a call that the company made only its end proves that: what was answered may have been the
    company's own telephone, which rings first.
    """
    if call.direction is Direction.INTERNAL:
        return False
    if call.direction is Direction.OUTBOUND:
        finals = [event for event in call.applied_events if event.kind in _FINAL]
        answered = any(event.outcome is Outcome.ANSWERED for event in finals)
        # Given up: an answer was reported, and no event denied that it was a talk.
        unsaid = not finals and call.state.disposition is Disposition.ANSWERED
        return answered or unsaid
    talked = call.state.disposition in (Disposition.TALKING, Disposition.ANSWERED)
    return talked and not call.state.is_lost_in_transfer


def is_later_talk(talk: PhoneCall, missed: PhoneCall) -> bool:
    """Return whether *talk* came after the client was *missed*.

    It still goes on, it was answered when the missed call was over, or its call began later and
    lasted beyond. Equal moments prove nothing: one reminder too many is better than a client who
    waits for ever.
    """
    began, over = _began_at(missed), _ended_at(missed) or _began_at(missed)
    ends, answered = _ended_at(talk), talk.state.answered_at
    if answered is not None and (ends is None or answered > over):
        return True
    return _began_at(talk) > began and (ends is None or ends > over)


def _began_at(call: PhoneCall) -> datetime:
    begins = [event.started_at or event.at for event in _of_the_pbx(call)]
    return min(begins, default=call.arrived_at)


def _ended_at(call: PhoneCall) -> datetime | None:
    return max((event.at for event in _of_the_pbx(call) if event.kind in _FINAL), default=None)


def _of_the_pbx(call: PhoneCall) -> list[CallEvent]:
    return [event for event in call.applied_events if event.kind not in _OURS]
