"""Which side of a Sipuni event is inside the company, by types, numbers and short numbers.

1. A number written as the cabinet's own number with an extension behind it is inside, whatever
   its type; one that is a telephone number of some country is outside.
2. `src_type` and `dst_type`, where they are 1 or 2 in any spelling.
3. The form of the numbers: a channel, or a short number that is the tail of the long one, is
   inside; so are two to five digits. The rest is outside.

The trunk leg of an incoming call has `dst_type` 1 also where it names the telephone that rings,
so an extension may stand in a side's short number either way. Source: docs/facts/sipuni.md,
'Events'.
"""

import re
from dataclasses import dataclass
from typing import Final

from bridge.adapters.pbx.sipuni.fields import EventFields
from bridge.adapters.pbx.sipuni.vocabulary import read_outside_flag
from bridge.domain.calls.events import Direction, DirectionSource

_CHANNEL: Final = re.compile(r"(?:SIP/)?(?P<party>[0-9]+)(?:-[0-9a-f]+)?", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"[0-9]{2,5}")
_CABINET_AND_EXTENSION: Final = re.compile(r"0[1-9][0-9]{4}[0-9]{2,5}")
_LONGEST_EXTENSION: Final = 5
_CABINET_DIGITS: Final = 6
_SHORTEST_CABINET: Final = 5
_OUTSIDE_DIGITS: Final = 10


def read_extension(party: str, cabinet: str = "") -> str:
    """Return the extension of an inner party: of "012345205", "205" and "SIP/012345205-0a" 205.

    *cabinet* is the number that stands before it. Empty for a SIP line, which is no extension, and
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
class EventSide:
    """One side of an event; *is_inside* is None where it is not known.

    *extension* is the company's phone there, *source* is how *is_inside* is known.
    """

    is_inside: bool | None
    extension: str = ""
    source: DirectionSource = DirectionSource.NONE


@dataclass(frozen=True, slots=True)
class EventSides:
    """Both sides of an event, and the direction of its call."""

    src: EventSide
    dst: EventSide
    direction: Direction | None
    source: DirectionSource


def read_sides(fields: EventFields) -> EventSides:
    """Return both sides of the event, and the direction that follows from them."""
    src, dst = _side(fields, "src"), _side(fields, "dst")
    called, dialled_by = (
        fields.party_number("dst"),
        fields.party_number("src") or fields.short_number("src"),
    )
    if dst.is_inside is False and has_cabinet_form(called) and not (src.is_inside and dialled_by):
        # No line of the company is spelled so; a number dialled from inside may be, abroad.
        dst = EventSide(True, read_extension(called), DirectionSource.NUMBERS)
    direction = _direction(src, dst, ordered=bool(fields["callbackId"]))
    known = [side.source for side in (src, dst) if side.is_inside is not None]
    # An outside caller is inbound whichever side rings: the caller's own side is enough.
    alone = direction is Direction.INBOUND and src.source is DirectionSource.STATED
    source = (
        DirectionSource.NONE
        if direction is None
        else DirectionSource.STATED
        if alone
        else min(known)
    )
    return EventSides(src, dst, direction, source)


def _direction(src: EventSide, dst: EventSide, *, ordered: bool) -> Direction | None:
    match src.is_inside, dst.is_inside:
        case (True, True):
            # A type without a number is no party that could have dialled.
            return Direction.INTERNAL if src.extension else None
        case (False, _):
            # Both parties outside may be an order too: call_external, or the client rung first.
            return Direction.OUTBOUND if ordered else Direction.INBOUND
        case (True, False):
            return Direction.OUTBOUND
        case (None, False) if ordered:
            return Direction.OUTBOUND
    return None


def _side(fields: EventFields, side: str) -> EventSide:
    short, cabinet = fields.short_number(side), fields["user_id"]
    number = fields.party_number(side) or short
    short_number = short if _EXTENSION.fullmatch(short) else ""
    is_tail = bool(short_number) and number != short_number and number.endswith(short_number)
    if _is_of_cabinet(number, cabinet) or (is_tail and has_cabinet_form(number)):
        return EventSide(
            True,
            short_number if is_tail else read_extension(number, cabinet),
            DirectionSource.STATED,
        )
    outside = read_outside_flag(fields[f"{side}_type"])
    if outside is False and (is_tail or not _is_outside_number(number)):
        # A type without a number is weak: a number may contradict it.
        source = DirectionSource.STATED if number else DirectionSource.NUMBERS
        return EventSide(True, short_number or read_extension(number, cabinet), source)
    # An extension beside a long number is the phone behind the trunk.
    is_beside = len(number) > _LONGEST_EXTENSION and number != short_number
    trunk_extension = short_number if is_beside else ""
    if outside is not None:
        return EventSide(
            False, trunk_extension, DirectionSource.STATED if outside else DirectionSource.NUMBERS
        )
    if not number:
        return EventSide(None)
    if _is_outside_number(number) or not (is_tail or _looks_inner(number)):
        return EventSide(False, trunk_extension, DirectionSource.NUMBERS)
    return EventSide(True, short_number or read_extension(number, cabinet), DirectionSource.NUMBERS)


def _is_of_cabinet(number: str, cabinet: str) -> bool:
    """Return whether *number* is the cabinet's own with an extension behind it."""
    spelled = _CHANNEL.fullmatch(number)
    if spelled is None or len(cabinet) < _SHORTEST_CABINET:
        return False
    digits = spelled["party"]
    return digits.startswith(cabinet) and bool(_EXTENSION.fullmatch(digits[len(cabinet) :]))


def has_cabinet_form(number: str) -> bool:
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
    return has_cabinet_form(number)
