"""Calls that somebody orders: a click, a script, or a document written in UT.

A PBX that did not answer in time may ring all the same, so an order is on disk before it leaves
and is never sent a second time by itself.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.directory import Ref
from bridge.domain.phone import PhoneNumber

#: The same telephone is not rung for the same client again so soon: a double click is one wish.
REPEAT_PAUSE = timedelta(seconds=10)


class OrderState(StrEnum):
    """What is known of an order."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # sent, and no answer: it may ring, it is not repeated


@dataclass(frozen=True, slots=True)
class CallOrder:
    """An outgoing call that was ordered: ring *extension* first, then *number*.

    *ref* is the PBX's id of the order; *words* what it or we said of a failure; *document* the
    document in UT that asked for the call, in which its outcome is told; *by* who ordered it.
    """

    key: str
    extension: str
    number: PhoneNumber
    requested_at: datetime
    state: OrderState = OrderState.SENDING
    ref: str = ""
    words: str = ""
    document: Ref | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class OrderReply:
    """What the PBX made of an order: accepted with its *ref*, refused or unknown with *words*."""

    state: OrderState
    ref: str = ""
    words: str = ""


def order_key(*parts: str) -> str:
    """Derive the key of an order's call from what makes it one: 20 hex digits."""
    text = "\x1f".join(("order", *parts))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:20]
