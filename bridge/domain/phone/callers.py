"""The caller ID and the dialled number of a call, as PBXs send them."""

import re
from dataclasses import dataclass
from enum import StrEnum

from bridge.domain.phone.fast_reading import (
    normalise_characters,
    read_fast,
    strip_separators,
)
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.domain.phone.reading import (
    read_international,
    read_local,
    read_number,
    read_possible,
)

_DIGIT = re.compile(r"[0-9]")


class CallerKind(StrEnum):
    """What a caller ID turned out to be."""

    EXTERNAL = "external"
    SHORT = "short"  # from outside, too short to be called back: a service, a town without code
    INTERNAL = "internal"
    WITHHELD = "withheld"
    NONSENSE = "nonsense"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: *number* when EXTERNAL, *extension* when INTERNAL, neither otherwise.

    *raw* is what the PBX sent, at most 100 characters, safe to store and to show.
    """

    kind: CallerKind
    raw: str
    number: PhoneNumber | None = None
    extension: str | None = None

    @property
    def short_number(self) -> str:
        """Return the digits of an extension or of a short outside number, else ""."""
        return _few_digits(self.raw) if self.kind is CallerKind.SHORT else self.extension or ""


def read_caller(raw: str | None, rules: PhoneRules) -> Caller:
    """Read what a PBX sends as caller ID.

    Two to five digits are an extension (at Sipuni 200-9999). A number need only be possible: the
    carrier has delivered it. A lost "+" is tolerated, also where URL decoding made a blank of it.
    Never raises. Source: docs/facts/sipuni.md, 'Numbers'.
    """
    if raw is None:
        return Caller(CallerKind.WITHHELD, "")
    # Eleven bare digits are what nearly every call brings.
    if len(raw) == _USUAL_LENGTH and raw.isdigit() and (number := read_fast(raw, rules)):
        return Caller(CallerKind.EXTERNAL, raw, number)
    cut = raw[:_RAW_LENGTH]
    shown = _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", cut)
    user = _sip_user(cut)
    if user.strip().casefold() in _WITHHELD:
        return Caller(CallerKind.WITHHELD, shown)
    digits = strip_separators(user)
    plain = digits.isascii() and digits.isdigit()
    if plain and not digits.strip("0"):
        # Zeros are what some carriers send for a number that is withheld.
        return Caller(CallerKind.WITHHELD, shown)
    if plain and len(digits) in _EXTENSION_DIGITS:
        return Caller(CallerKind.INTERNAL, shown, extension=digits)
    number = _read_sent(user, rules)
    kind = CallerKind.NONSENSE if number is None else CallerKind.EXTERNAL
    return Caller(kind, shown, number=number)


def read_outside_caller(raw: str | None, rules: PhoneRules) -> Caller:
    """Read the caller ID of a call that is known to come from outside.

    What `read_caller` takes for an extension is then a number of the caller's town, where
    *rules* name one and it has that many digits, else a SHORT one. Never raises.
    """
    caller = read_caller(raw, rules)
    few = _few_digits(caller.raw)
    if caller.kind not in (CallerKind.INTERNAL, CallerKind.NONSENSE) or not few:
        return caller
    number = read_local(few, rules)
    if number is not None:
        return Caller(CallerKind.EXTERNAL, caller.raw, number)
    return Caller(CallerKind.SHORT, caller.raw)


def _few_digits(raw: str) -> str:
    """Return the digits of a caller ID that has one to five of them and nothing else, else ""."""
    digits = strip_separators(_sip_user(raw)).strip().removeprefix("+")
    few = len(digits) <= _MOST_FEW and digits.isascii() and digits.isdigit()
    return digits if few else ""


def read_did(raw: str | None, rules: PhoneRules) -> str:
    """Read the dialled number into digits: "74951234567", or "200" for an extension.

    A number is brought to E.164 without "+", so 8XXXXXXXXXX is 7XXXXXXXXXX; of anything
    unreadable its digits remain, 20 at most. Empty when absent. Never raises.
    """
    if raw is None:
        return ""
    user = _sip_user(raw[:_RAW_LENGTH])
    number = _read_sent(user, rules)
    if number is not None:
        return str(number)
    return "".join(_DIGIT.findall(normalise_characters(user)))[:_DID_LENGTH]


_RAW_LENGTH = 100

_USUAL_LENGTH = 11

_DID_LENGTH = 20

_EXTENSION_DIGITS = range(2, 6)

_MOST_FEW = 5

_WITHHELD = frozenset(
    {"", "anonymous", "anonymous.invalid", "unknown", "restricted", "private", "withheld"}
    | {"unavailable", "null", "none", "undefined", "скрыт", "скрытый номер", "не определен"}
)

#: Control characters, direction overrides (they turn a log line around) and lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_SCHEME = re.compile(r"\s*(?:sips?|tel):", re.IGNORECASE)

_CABINET_SUFFIX = re.compile(r"_id[0-9]+\s*$")  # Sipuni: docs/facts/sipuni.md, 'Numbers'


def _sip_user(sent: str) -> str:
    """Return the user part of "Name <sip:user@host;…>", of "user@host", or *sent* itself."""
    _, bracket, address = sent.partition("<")
    address = address if bracket else sent
    user = _SCHEME.sub("", address, count=1).partition("@")[0].partition(";")[0].partition(">")[0]
    return _CABINET_SUFFIX.sub("", user.replace("%2B", "+").replace("%2b", "+"))


def _read_sent(user: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read a number that came over the wire: whole, with the leniency a carrier deserves."""
    typed = normalise_characters(user)
    if len(strip_separators(typed)) in _EXTENSION_DIGITS:
        return None
    if typed.startswith(" "):
        # A "+" that URL decoding took: " 4930123456" is Berlin, not the Ivanovo of its ten digits.
        number = read_number("+" + typed.lstrip(), rules)
        if number is not None:
            return number
    return (
        read_fast(typed, rules)
        or read_number(typed, rules)
        or read_international(typed, rules)
        or read_possible(typed, rules)
    )
