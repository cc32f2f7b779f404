"""What a PBX reports about a call after the question: its events in neutral form.

One PBX event becomes one `CallEvent`. A line of the PBX's history and our own giving up are events
too, so that the state of a call has one source (`domain.calls.state`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from bridge.domain.phone.callers import Caller


class Direction(StrEnum):
    """Which way a call goes, seen from the company."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class EventKind(StrEnum):
    """What an event reports; UNKNOWN is kept and shown, and changes nothing."""

    STARTED = "started"  # a leg began: the line is dialled, or a telephone rings
    ANSWERED = "answered"
    LEG_ENDED = "leg_ended"  # one leg is over, the call may go on
    ENDED = "ended"
    HISTORY = "history"  # the PBX's history reports how the call ended
    GIVEN_UP = "given_up"  # the PBX never reported how it ended
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How a call or a leg ended."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    CANCELLED = "cancelled"
    FAILED = "failed"


class DirectionSource(IntEnum):
    """How an event knows which way its call goes, the weakest first."""

    NONE = 0  # nothing in it shows that
    NUMBERS = 1  # only the form of its numbers does
    STATED = 2  # the PBX states what its parties are


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One report of a PBX about a call. Times are aware UTC, empty texts mean "not reported".

    *client* is the outside party, whichever way the call goes; on an internal call the one who
    dials. *extension* is the company's end of this leg: the telephone that rings or answers, or the
    one that dials outside; on an internal call the dialled one. *did* is digits only. *answered_at*
    is set only where the PBX can be believed. *leg* names the leg so that a repeated event can be
    distinguished from a second one. *rung_extensions* are in ringing order. *recording* is an
    address or an id, set only where there was a talk to record.

    *outcome* None on an event that ends the call: how it ended was not reported, or in
    an unknown form.
    """

    provider: str
    kind: EventKind
    at: datetime
    call_ref: str = ""
    code: str = ""
    direction: Direction | None = None
    client: Caller | None = None
    did: str = ""
    extension: str = ""
    leg: str = ""
    started_at: datetime | None = None
    answered_at: datetime | None = None
    outcome: Outcome | None = None
    talk_time: timedelta | None = None
    rung_extensions: tuple[str, ...] = ()
    transferred_by: str = ""
    recording: str = ""
    order_ref: str = ""
    scheme: str = ""
    direction_source: DirectionSource = DirectionSource.STATED

    @property
    def repeat_key(self) -> tuple[str, ...]:
        """Return what a repeated event is recognised by: Sipuni sends event 1 twice.

        Two that report different things are no repeat: neither may hide how the call ended, which
        way it goes, or with whom. Source: docs/facts/sipuni.md, 'Events'.
        """
        outcome, direction = self.outcome or "", self.direction or ""
        client = "" if self.client is None else self.client.kind
        reported = (outcome, direction, client, self.did)
        return (self.kind, self.call_ref, self.code, self.extension, self.leg, *reported)
