"""The fast path: numbers of unmistakable Russian form, read without phonenumbers."""

import re
from collections.abc import Sequence

from bridge.domain.phone.phone import PhoneNumber, PhoneRules

NATIONAL_LENGTH = 10  # digits of a national number in the plan of +7

TRUNK_LENGTH = 11  # the same behind 7 or 8

LOCAL_LENGTHS = range(5, 8)  # digits of a number dialled within one city

#: Russia and Kazakhstan share +7, the trunk prefix 8 and the lengths.
PLUS_SEVEN_REGIONS = frozenset({"RU", "KZ"})

#: The first digit of Russian national numbers: land lines 3, 4, 8, mobiles 9. 6 and 7 are
#: Kazakhstan and go to phonenumbers; 0, 1, 2 and 5 begin nothing today.
RUSSIAN_FIRST_DIGITS = frozenset("3489")

_RUSSIAN_WITH_TRUNK = frozenset(
    f"{trunk}{first}".encode() for trunk in "78" for first in RUSSIAN_FIRST_DIGITS
)

#: Of every line what follows the trunk prefix of a Russian number and nothing else stands there;
#: of another line nothing.
_RUSSIAN_LINES = re.compile(
    rb"^(?:\+?[78]([%b][0-9]{9})|.*)$" % "".join(sorted(RUSSIAN_FIRST_DIGITS)).encode(),
    re.MULTILINE,
)

_TRUNK = 10**NATIONAL_LENGTH

_SEVEN = 7 * _TRUNK

#: The last digits of the area codes that ten bare digits may begin with, by their first two; a tax
#: number must not become a phone. An 8 that stands alone is no part of a code: see `_LONE_TRUNK`.
#: In Kazakhstan those of 8 are left to phonenumbers: its numbers that lost a digit begin alike.
_ASSIGNED = {
    "30": "12", "33": "6", "34": "1235679", "35": "123", "36": "5", "38": "12345", "39": "0145",
    "40": "1", "41": "1356", "42": "13467", "47": "12345", "48": "1234567", "49": "12345689",
    "80": "03489", "81": "12345678", "82": "01", "83": "13456", "84": "012345678", "85": "1567",
    "86": "01235679", "87": "123789",
}  # fmt: skip

_AREA_CODES = {
    region: frozenset(
        f"{first}{last}".encode()
        for first, lasts in _ASSIGNED.items()
        if region == "RU" or not first.startswith("8")
        for last in lasts
    )
    for region in PLUS_SEVEN_REGIONS
}

#: Marks that copying from web pages leaves around numbers; they are invisible.
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"

_SPACES = "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f"

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"

_FULL_WIDTH = {
    "＋": "+",
    "（": "(",
    "）": ")",
    "．": ".",
    "／": "/",
    "；": ";",
    "，": ",",
    "＃": "#",
}

#: What typists put between digits; "+" stays: it marks a country code.
_BETWEEN_DIGITS = str.maketrans("", "", " ()-." + _INVISIBLE + _SPACES + _DASHES)

#: The same of ASCII, as bytes: those are translated six times faster, and nearly all fields are.
_BETWEEN_ASCII = b" ()-.\t"

_PLAIN_SIGNS = str.maketrans(
    dict.fromkeys(_INVISIBLE)
    | dict.fromkeys(_SPACES, " ")
    | dict.fromkeys(_DASHES, "-")
    | dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n")
    | _FULL_WIDTH
)

_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")

#: The same behind whatever a field's reader leaves out: enough for the fast path to give up.
_MAY_BE_LONE_TRUNK = re.compile(r"[^0-9]*8[^0-9]")

LOOKS_LIKE_TIME = re.compile(r"[^0-9]*[0-9]{1,2}\.[0-9]")


def normalise_characters(text: str) -> str:
    """Return *text* with full-width and Arabic digits, odd spaces and dashes made ordinary."""
    return _FOREIGN_DIGIT.sub(lambda digit: str(int(digit[0])), text.translate(_PLAIN_SIGNS))


def strip_separators(text: str) -> str:
    """Drop what typists put between digits; a "+", letters and other signs stay."""
    return text.translate(_BETWEEN_DIGITS)


def read_fast(text: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read *text* if it is one number of unmistakable Russian form; None proves nothing.

    +7, 8 or 7 before ten digits that begin as Russian numbers do is accepted without asking whether
    the range is assigned: carriers get new ranges earlier than libraries learn of them. "+8" before
    ten such digits is +7 as well: that shadows some Vietnamese mobiles, yet the
    caller and the stored number are misread alike and still match.
    Source: docs/facts/performance.md, 'Reading numbers'.
    """
    if rules.region not in PLUS_SEVEN_REGIONS:
        return None
    plain = text if text.isascii() else text.translate(_BETWEEN_DIGITS)
    # "٧" is a digit to Python, and its place is the slow path.
    digits = plain.encode().translate(None, _BETWEEN_ASCII) if plain.isascii() else b""
    if digits[:1] == b"+" and len(digits) == TRUNK_LENGTH + 1:
        digits = digits[1:]
    if not digits.isdigit():
        return None
    length = len(digits)
    if length == TRUNK_LENGTH:
        if digits[:2] in _RUSSIAN_WITH_TRUNK:
            return PhoneNumber(int(digits) % _TRUNK + _SEVEN)
    elif length == NATIONAL_LENGTH:
        known = digits[:1] == b"9" or digits[:3] in _AREA_CODES[rules.region]
        if known and not (_MAY_BE_LONE_TRUNK.match(text) or LOOKS_LIKE_TIME.match(text)):
            return PhoneNumber(int(digits) + _SEVEN)
    elif length in LOCAL_LENGTHS:
        return read_in_city(text, digits.decode(), rules)
    return None


def read_in_city(text: str, digits: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read 5-7 *digits*, typed as *text*, with the area code of *rules*; a day or an hour is none.

    Only for regions of +7. None where the rules name no area code.
    """
    if not rules.area_code or LOOKS_LIKE_TIME.match(text):
        return None
    national = rules.area_code + digits
    plausible = len(national) == NATIONAL_LENGTH and national.isascii() and national.isdigit()
    return PhoneNumber(int("7" + national)) if plausible else None


def read_fast_many(texts: Sequence[str], rules: PhoneRules) -> list[PhoneNumber | None]:
    """Read each of *texts* as `read_fast` does where +7, 8 or 7 stands before ten digits.

    None proves nothing. All go through the same three calls of C: one by one they take four times
    as long, and nearly half a million of them are in a large base.
    """
    if rules.region not in PLUS_SEVEN_REGIONS or not texts:
        return [None] * len(texts)
    lines = "\n".join(texts)
    if lines.count("\n") >= len(texts):
        # A line break of their own is no number's.
        lines = "\n".join([text.replace("\n", ";") for text in texts])
    found = _RUSSIAN_LINES.findall(lines.encode(errors="replace").translate(None, _BETWEEN_ASCII))
    return [_SEVEN + int(digits) if digits else None for digits in found]
