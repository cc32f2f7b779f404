"""Numbers written for people: as 1C writes them, or masked for logs."""

import re

from bridge.domain.phone.fast_reading import (
    normalise_characters,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.phone.reading import (
    format_international,
)

_DIGIT = re.compile(r"[0-9]")
_LONGEST = 100  # signs that are looked at; no number is longer


def format_digits(number: PhoneNumber) -> str:
    """Return E.164 without the plus: "79035550123"."""
    return str(number)


def format_phone(number: PhoneNumber) -> str:
    """Write *number* as 1C does, "+7 (903) 555-01-23"; other countries in their own grouping.

    The area code always takes three digits: four- and five-digit ones cannot be recognised.
    """
    digits = str(number)
    if _SEVEN_PLAN.fullmatch(digits):
        return f"+7 ({digits[1:4]}) {digits[4:7]}-{digits[7:9]}-{digits[9:]}"
    return format_international(number)


def mask_phone(text: str | int) -> str:
    """Hide a number for logs: "+7903*****23".

    The last two digits stay, and as many first ones as leave five hidden, four at most. Anything
    that is not a digit is dropped, so names and addresses do not leak either.
    """
    sign, typed = ("+", str(abs(text))) if isinstance(text, int) else ("", text[:_LONGEST])
    digits = "".join(_DIGIT.findall(normalise_characters(typed)))
    if typed.lstrip().startswith("+"):
        sign = "+"
    if len(digits) <= _SHOWN_END:
        return "*" * max(len(digits), _HIDDEN if typed else 0)
    shown = min(max(len(digits) - _SHOWN_END - _HIDDEN, 0), _SHOWN_START)
    hidden = len(digits) - shown - _SHOWN_END
    return f"{sign}{digits[:shown]}{'*' * hidden}{digits[-_SHOWN_END:]}"


_SEVEN_PLAN = re.compile(r"7[0-9]{10}")

_SHOWN_START = 4

_SHOWN_END = 2

_HIDDEN = 5
