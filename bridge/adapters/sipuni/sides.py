"""Which side of a Sipuni event is ours: types, numbers and short numbers weighed, in this order.

1. A number written as the cabinet's own number with an extension behind it is inside, whatever
   its type says; one that is a telephone number of some country is outside.
2. `src_type` and `dst_type`, where they say 1 or 2 in any spelling.
3. The form of the numbers: a channel, or a short number that is the tail of the long one, is
   inside; so are two to five digits. The rest is outside.

The trunk leg of an incoming call says `dst_type` 1 also where it names the telephone that rings
(facts/telephony-apis.md §1.2), so an extension may stand in a side's short number either way.
"""

import re
from dataclasses import dataclass
from typing import Final

from bridge.adapters.sipuni.fields import EventFields
from bridge.adapters.sipuni.words import read_is_outside
from bridge.domain.call_events import Direction, Trust

_CHANNEL: Final = re.compile(r"(?:SIP/)?(?P<party>[0-9]+)(?:-[0-9a-f]+)?", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"[0-9]{2,5}")
_CABINET_AND_EXTENSION: Final = re.compile(r"0[1-9][0-9]{4}[0-9]{2,5}")
_LONGEST_EXTENSION: Final = 5
_CABINET_DIGITS: Final = 6
_SHORTEST_CABINET: Final = 5
_OUTSIDE_DIGITS: Final = 10


def read_extension(party: str, cabinet: str = "") -> str:
    """Return the extension of an inner party: of "012345205", "205" and "SIP/012345205-0a" 205.

    *cabinet* is the number that stands before it. Empty for a SIP line, which names nobody, and
    for a number outside.
    """
    spelled = _CHANNEL.fullmatch(party.strip())
    if spelled is None:
        return ""
    digits = spelled["party"]
    if cabinet and len(digits) > len(cabinet) and digits.startswith(cabinet):
        digits = digits.removeprefix(cabinet)
    elif not cabinet and len(digits) > _CABINET_DIGITS:
        digits = digits[_CABINET_DIGITS:]
    return digits if _EXTENSION.fullmatch(digits) else ""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an event; *inside* None where nothing tells.

    *extension* is our telephone there, *trust* how *inside* is known.
    """

    inside: bool | None
    extension: str = ""
    trust: Trust = Trust.NOTHING


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of an event, and which way its call goes."""

    src: Side
    dst: Side
    direction: Direction | None
    trust: Trust


def read_sides(fields: EventFields) -> Sides:
    """Return which side of the event is ours, and what follows from it."""
    src, dst = _side(fields, "src"), _side(fields, "dst")
    called, dialled_by = fields.party("dst"), fields.party("src") or fields.short("src")
    if dst.inside is False and looks_of_a_cabinet(called) and not (src.inside and dialled_by):
        # No line of ours is spelled so; whom one of ours dials may be, in some country.
        dst = Side(True, read_extension(called), Trust.NUMBERS)
    direction = _direction(src, dst, ordered=bool(fields["callbackId"]))
    known = [side.trust for side in (src, dst) if side.inside is not None]
    # A caller from outside is one on whichever side he is rung: his own trust is enough.
    alone = direction is Direction.INBOUND and src.trust is Trust.STATED
    trust = Trust.NOTHING if direction is None else Trust.STATED if alone else min(known)
    return Sides(src, dst, direction, trust)


def _direction(src: Side, dst: Side, *, ordered: bool) -> Direction | None:
    match src.inside, dst.inside:
        case (True, True):
            # A type without a number is nobody who could have dialled.
            return Direction.INTERNAL if src.extension else None
        case (False, _):
            # Both parties outside is an order too: call_external, or a client rung first.
            return Direction.OUTBOUND if ordered else Direction.INBOUND
        case (True, False):
            return Direction.OUTBOUND
        case (None, False) if ordered:
            return Direction.OUTBOUND
    return None


def _side(fields: EventFields, side: str) -> Side:
    short, cabinet = fields.short(side), fields["user_id"]
    number = fields.party(side) or short
    few = short if _EXTENSION.fullmatch(short) else ""
    tail = bool(few) and number != few and number.endswith(few)
    if _is_of_cabinet(number, cabinet) or (tail and looks_of_a_cabinet(number)):
        return Side(True, few if tail else read_extension(number, cabinet), Trust.STATED)
    outside = read_is_outside(fields[f"{side}_type"])
    if outside is False and (tail or not _is_outside_number(number)):
        # A type without a number is soon contradicted.
        trust = Trust.STATED if number else Trust.NUMBERS
        return Side(True, few or read_extension(number, cabinet), trust)
    # An extension beside a long number is the telephone behind the trunk.
    behind = few if len(number) > _LONGEST_EXTENSION and number != few else ""
    if outside is not None:
        return Side(False, behind, Trust.STATED if outside else Trust.NUMBERS)
    if not number:
        return Side(None)
    if _is_outside_number(number) or not (tail or _looks_inner(number)):
        return Side(False, behind, Trust.NUMBERS)
    return Side(True, few or read_extension(number, cabinet), Trust.NUMBERS)


def _is_of_cabinet(number: str, cabinet: str) -> bool:
    """Return whether *number* is the cabinet's own with an extension behind it."""
    spelled = _CHANNEL.fullmatch(number)
    if spelled is None or len(cabinet) < _SHORTEST_CABINET:
        return False
    digits = spelled["party"]
    return digits.startswith(cabinet) and bool(_EXTENSION.fullmatch(digits[len(cabinet) :]))


def looks_of_a_cabinet(number: str) -> bool:
    """Return whether *number* has the form of a cabinet's own with an extension behind it."""
    return bool(_CABINET_AND_EXTENSION.fullmatch(number))


def _is_outside_number(number: str) -> bool:
    """Return whether *number* is too long for an extension, with a cabinet's number before it."""
    digits = number.lstrip("+ ")
    if not digits.isdigit():
        return False
    return number != digits or (len(digits) >= _OUTSIDE_DIGITS and not digits.startswith("0"))


def _looks_inner(number: str) -> bool:
    """Return whether a number of which nothing else is known has the form of an inner party."""
    if _EXTENSION.fullmatch(number) or (not number.isdigit() and _CHANNEL.fullmatch(number)):
        return True
    return looks_of_a_cabinet(number)
