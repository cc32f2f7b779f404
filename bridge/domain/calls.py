"""A call as the bridge knows it: what makes two questions one call, and its life as a table.

The life is a function of the set of events heard: their order and repetition change nothing
(`tell_life`).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bridge.domain.call_events import CallEvent, Direction, Outcome
from bridge.domain.decision import RouteDecision, RouteQuestion, Target
from bridge.domain.directory import Ref
from bridge.domain.orders import CallOrder
from bridge.domain.phone import Caller, CallerKind

#: Sipuni asks once per scheme node with one arrival time (facts/telephony-apis.md §1.4, mode A).
REPEAT_WINDOW = timedelta(seconds=120)

#: Without a time the same pair within this is the same call (contract.md §5).
PAIR_WINDOW = timedelta(seconds=10)

#: A PBX clock further off than this says nothing about when the call came.
CLOCK_TOLERANCE = timedelta(days=1)


class Disposition(StrEnum):
    """What became of a call."""

    RINGING = "ringing"
    TALKING = "talking"
    ANSWERED = "answered"
    MISSED = "missed"  # a client or a colleague called, and nobody talked to him
    NOT_REACHED = "not_reached"  # we called, and nobody talked to us
    UNKNOWN = "unknown"  # nobody ever told

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self not in (Disposition.RINGING, Disposition.TALKING)


@dataclass(frozen=True, slots=True)
class CallLife:
    """What the events tell: how the call went. Extensions are those of the company.

    *talked* are all who talked, in order, *answered_by* the last of them: who has the client now.
    *wait* is until somebody answered or the caller gave up. What is not known is None or empty.
    """

    disposition: Disposition = Disposition.RINGING
    outcome: Outcome | None = None
    call_ref: str = ""
    order_ref: str = ""
    rung: tuple[str, ...] = ()
    talked: tuple[str, ...] = ()
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    wait: timedelta | None = None
    talk: timedelta | None = None
    recording: str = ""
    scheme: str = ""

    @property
    def answered_by(self) -> str:
        """Give the extension of who talked last; empty when nobody did, or it is not known."""
        return self.talked[-1] if self.talked else ""


@dataclass(frozen=True, slots=True)
class Note:
    """What an operator wrote about a call; goes into its document in 1C."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class ReminderWish:
    """A reminder that 1C should hold for *user* about a call; *text* at most 255 characters.

    *unless_gone* names the user whose own reminder of this call comes first: where he dismissed
    it in 1C, this one is not made.
    """

    user: Ref
    text: str
    unless_gone: Ref | None = None


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """What the PBX repeats at every node of one call, and for how long it means the same call."""

    provider: str
    caller: str
    did: str
    asked_time: str

    @property
    def window(self) -> timedelta:
        """How long after the first question an equal one is still the same call."""
        return REPEAT_WINDOW if self.asked_time else PAIR_WINDOW


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """One conversation, from the first question or event on. Times are aware UTC.

    *caller* is the outside party, also where we call him; on an internal call the one who dials.

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
    asked_time: str = ""
    #: A cabinet's test request without caller and number: journalled, never written to 1C.
    blank: bool = False
    #: False where the PBX never asked: *decision* is then what it would have been told.
    asked: bool = True
    #: The extension of who dials, on an outgoing or internal call.
    placed_by: str = ""
    #: The 1C users behind the extensions that rang, talked or dialled, as of that moment.
    people: tuple[Target, ...] = ()
    heard: tuple[CallEvent, ...] = ()
    life: CallLife = CallLife()
    order: CallOrder | None = None
    notes: tuple[Note, ...] = ()
    #: What 1C should hold besides the document; None: the ringing reminder of `domain.writeback`.
    reminders: tuple[ReminderWish, ...] | None = None
    #: Counts the changes that 1C has to be told; the outbox entry keeps which one it has told.
    revision: int = 0

    @property
    def identity(self) -> CallIdentity:
        """By what a later question of this call is known."""
        return CallIdentity(self.provider, self.caller.raw, self.did, self.asked_time)

    @property
    def owed_to_onec(self) -> bool:
        """Whether 1C should get a document: a person called, from outside."""
        return self.direction is Direction.INBOUND and not self.blank


def identity_of(question: RouteQuestion) -> CallIdentity:
    """Tell by what a later question of the same call will be known."""
    return CallIdentity(question.provider, question.caller.raw, question.did, question.asked_time)


def trusted_arrival(question: RouteQuestion) -> datetime | None:
    """Give the PBX's arrival time where it can be believed, else None."""
    at = question.arrived_at
    if at is None or abs(at - question.received_at) > CLOCK_TOLERANCE:
        return None
    return at


def call_key(question: RouteQuestion) -> str:
    """Derive the idempotency key of the call that *question* begins: 20 hex digits.

    With a believable arrival time the key is the same whenever the question is repeated, also
    after a restart; without one it holds the moment of the first question.
    """
    arrived = trusted_arrival(question)
    moment = (
        f"@{int(arrived.timestamp())}"
        if arrived is not None
        else f"~{question.received_at.astimezone(UTC).isoformat()}"
    )
    parts = (question.provider, question.caller.raw, question.did, question.asked_time, moment)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:20]


def begin_call(question: RouteQuestion, decision: RouteDecision) -> PhoneCall:
    """Make the call that *question* begins and *decision* answers."""
    internal = question.caller.kind is CallerKind.INTERNAL
    return PhoneCall(
        key=call_key(question),
        provider=question.provider,
        direction=Direction.INTERNAL if internal else Direction.INBOUND,
        caller=question.caller,
        did=question.did,
        arrived_at=trusted_arrival(question) or question.received_at,
        received_at=question.received_at,
        decision=decision,
        asked_time=question.asked_time,
        blank=question.blank,
    )
