"""Calls that are ordered: by a click, by a script, or by a document written in UT.

A PBX that did not answer in time may ring all the same, so an order is on disk before it leaves
and is never sent a second time by itself.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.directory.entities import Ref
from bridge.domain.phone.callers import (
    Caller,
    CallerKind,
    read_caller,
)
from bridge.domain.phone.emergency import is_emergency_number
from bridge.domain.phone.fields import read_phones
from bridge.domain.phone.phone import PhoneNumber, PhoneRules

#: A double click is one order, however fast its call was over; else the state of the call decides.
REPEAT_PAUSE = timedelta(seconds=10)


#: Sipuni's extensions have three or four digits, older cabinets' two.
#: Source: docs/facts/sipuni.md, 'Numbers'.
_EXTENSION = re.compile(r"[0-9]{2,5}")

#: How links and programs spell that a number follows.
_SCHEME = re.compile(r"\s*(?:tel|callto|sips?):(?://)?", re.IGNORECASE)


class OrderProblem(StrEnum):
    """Why a call is not even ordered."""

    NO_EXTENSION = "no_extension"
    NO_NUMBER = "no_number"
    NOT_A_NUMBER = "nonsense"
    OWN_EXTENSION = "own"
    COLLEAGUE = "colleague"
    EMERGENCY = "emergency"
    REPEATED = "repeated"  # an order of this pair is not over
    IN_DOUBT = "in_doubt"  # the outcome of an order of this pair is unknown
    NO_USER = "no_user"  # a document names no user whose telephone to use
    NO_TELEPHONE = "no_telephone"  # the user whom it names has no extension


class OrderState(StrEnum):
    """What is known of an order."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # sent, and no answer: it may ring, it is not repeated


@dataclass(frozen=True, slots=True)
class CallOrder:
    """An outgoing call that was ordered: ring *extension* first, then *number*.

    *ref* is the PBX's id of the order; *reason* why it failed; *document* the document in UT that
    asked for the call, which gets its outcome; *ordered_by* who ordered it. *number* is None only
    where a document names none, which is refused.
    """

    key: str
    extension: str
    number: PhoneNumber | None
    requested_at: datetime
    state: OrderState = OrderState.SENDING
    ref: str = ""
    reason: str = ""
    document: Ref | None = None
    ordered_by: str = ""


@dataclass(frozen=True, slots=True)
class OrderReply:
    """What the PBX made of an order: accepted with *ref*, or refused or unknown with *reason*."""

    state: OrderState
    ref: str = ""
    reason: str = ""


def order_key(*parts: str) -> str:
    """Derive the key of an order's call from what makes it one: 20 hex digits."""
    text = "\x1f".join(("order", *parts))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:20]


def read_dialled_number(typed: str, rules: PhoneRules) -> Caller:
    """Return the number that a person, a script or a link gives; of several the first.

    "tel:+79035550123" and "callto:…" are understood; an extension stays INTERNAL. A service code
    ("*21*…#" forwards a telephone) is no number to call.
    """
    number = without_scheme(typed)
    if number.lstrip().startswith(("*", "#")):
        return Caller(CallerKind.NONSENSE, read_caller(number, rules).raw)
    phones = read_phones(number, rules)
    if phones:
        shown = read_caller(number, rules).raw
        return Caller(CallerKind.EXTERNAL, shown, phones[0].number)
    return read_caller(number, rules)


def without_scheme(typed: str) -> str:
    """Return *typed* without the `tel:` or `callto:` before it."""
    return _SCHEME.sub("", typed, count=1)


def find_order_problem(
    extension: str, called: Caller, recent: CallOrder | None = None
) -> OrderProblem | None:
    """Return why the call from *extension* to *called* must not be ordered; None where it may be.

    *recent* is an order of this very pair that bars a repeat.
    """
    if not _EXTENSION.fullmatch(extension):
        return OrderProblem.NO_EXTENSION
    if called.number is None:
        return _trouble_of_number(extension, called)
    if recent is None:
        return None
    return OrderProblem.IN_DOUBT if recent.state is OrderState.UNKNOWN else OrderProblem.REPEATED


def _trouble_of_number(extension: str, called: Caller) -> OrderProblem:
    """Return why what was dialled is no number to call."""
    internal = called.kind is CallerKind.INTERNAL
    if internal and called.extension == extension:
        return OrderProblem.OWN_EXTENSION
    if is_emergency_number(without_scheme(called.raw)):
        return OrderProblem.EMERGENCY
    if internal:
        return OrderProblem.COLLEAGUE
    return OrderProblem.NOT_A_NUMBER if called.raw.strip() else OrderProblem.NO_NUMBER
