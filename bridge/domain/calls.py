"""A call as the bridge knows it, and what makes two questions one call."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bridge.domain.decision import RouteDecision, RouteQuestion
from bridge.domain.phone import Caller, CallerKind

#: Sipuni asks once per scheme node with one arrival time (facts/telephony-apis.md §1.4, mode A).
REPEAT_WINDOW = timedelta(seconds=120)

#: Without a time the same pair within this is the same call (contract.md §5).
PAIR_WINDOW = timedelta(seconds=10)

#: A PBX clock further off than this says nothing about when the call came.
CLOCK_TOLERANCE = timedelta(days=1)


class Direction(StrEnum):
    """Which way a call goes, seen from the company."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


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
    """One conversation, from the first question on. Times are aware UTC.

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
