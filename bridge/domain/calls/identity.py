"""What makes two questions one call, and the idempotency key of a call."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.domain.routing.decision import RouteQuestion

#: Sipuni asks once per scheme node with one arrival time.
#: Source: docs/facts/sipuni.md, 'Ways to reach a manager'.
REPEAT_WINDOW = timedelta(seconds=120)

#: Without a time the same caller and line within this are the same call.
PAIR_WINDOW = timedelta(seconds=10)

#: A PBX clock further off than this does not show when the call came.
CLOCK_TOLERANCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """What the PBX repeats at every node of one call, and for how long it means the same call."""

    provider: str
    caller: str
    did: str
    pbx_time_text: str

    @property
    def window(self) -> timedelta:
        """Return for how long after the first question an equal one is still the same call."""
        return REPEAT_WINDOW if self.pbx_time_text else PAIR_WINDOW


def question_identity(question: RouteQuestion) -> CallIdentity:
    """Return what a later question of the same call is recognised by."""
    return CallIdentity(
        question.provider, question.caller.raw, question.did, question.pbx_time_text
    )


def believable_arrival(question: RouteQuestion) -> datetime | None:
    """Return the PBX's arrival time where it can be believed, else None."""
    at = question.arrived_at
    if at is None or abs(at - question.received_at) > CLOCK_TOLERANCE:
        return None
    return at


def call_key(question: RouteQuestion) -> str:
    """Derive the idempotency key of the call that *question* begins: 20 hex digits.

    With a believable arrival time the key is the same whenever the question is repeated, also
    after a restart; without one it holds the moment of the first question.
    """
    arrived = believable_arrival(question)
    moment = (
        f"@{int(arrived.timestamp())}"
        if arrived is not None
        else f"~{question.received_at.astimezone(UTC).isoformat()}"
    )
    parts = (question.provider, question.caller.raw, question.did, question.pbx_time_text, moment)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:20]
