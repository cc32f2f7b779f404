"""One typed number into E.164: a fast path for what Russians type, phonenumbers for the rest.

Nothing here knows of fields, separators or callers; `bridge.domain.phone.fields` does. The decisions and
the measurements behind them are in facts/performance.md §3; each is a row of the tests' tables.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

if TYPE_CHECKING:
    #: E.164 digits as an integer, e.g. 74951234567.
    PhoneNumber = NewType("PhoneNumber", int)
else:
    # The call of a NewType is Python's: it took a tenth of the time in which a number is read.
    PhoneNumber = int


@dataclass(frozen=True, slots=True)
class PhoneRules:
    """How to read numbers written without country or city.

    *region* is an ISO 3166 code; *area_code* is digits, e.g. "495", and gives numbers of 5-7
    digits a city. Without it such numbers are not read: a guessed city is a stranger's phone.
    """

    region: str = "RU"
    area_code: str | None = None


_NATIONAL = 10  # digits of a national number in the plan of +7
_WITH_TRUNK = 11  # the same behind 7 or 8
_LOCAL = range(5, 8)  # digits of a number dialled within one city
_E164 = 15  # the longest number there is
_INTERNATIONAL = range(11, _E164 + 1)  # bare digits that may begin with a country code

#: Russia and Kazakhstan share +7, the trunk prefix 8 and the lengths.
_SEVENS = frozenset({"RU", "KZ"})

#: The first digit of Russian national numbers: land lines 3, 4, 8, mobiles 9. 6 and 7 are
#: Kazakhstan and go to phonenumbers; 0, 1, 2 and 5 begin nothing today.
_RUSSIAN = frozenset("3489")
_RUSSIAN_WITH_TRUNK = frozenset(f"{trunk}{first}".encode() for trunk in "78" for first in _RUSSIAN)

#: Of every line what follows the trunk prefix of a Russian number and nothing else stands there;
#: of another line nothing.
_RUSSIAN_LINES = re.compile(
    rb"^(?:\+?[78]([%b][0-9]{9})|.*)$" % "".join(sorted(_RUSSIAN)).encode(), re.MULTILINE
)

_TRUNK = 10**_NATIONAL
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
    for region in _SEVENS
}

#: Marks that copying from web pages leaves around numbers; nobody sees them.
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

#: What typists put between digits; "+" stays, for it tells a country code.
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

#: "8" alone before the area code: the trunk prefix, so ten digits in all are one too few.
_LONE_TRUNK = re.compile(r"[ (]*8[^0-9]")
#: The same behind whatever a field's reader leaves out: enough for the fast path to say nothing.
_MAY_BE_LONE_TRUNK = re.compile(r"[^0-9]*8[^0-9]")
_LOOKS_LIKE_TIME = re.compile(r"[^0-9]*[0-9]{1,2}\.[0-9]")
_MIGHT_BE_E164 = re.compile(r"\+?[0-9]{5,20}")  # room for an international prefix: "8 10 …"
_FULL = range(8, 21)  # digits of a number with all its codes and prefixes

#: A group of digits as typed; numbers are cut between groups, never at a dash or a dot.
_GROUP = re.compile(r"(?:\+[ (]{0,3}|\()?\d[\d.)-]*")
_GROUPS = 24  # that are looked at in one run: enough for four numbers typed pair by pair


def normalise_characters(text: str) -> str:
    """Return *text* with full-width and Arabic digits, odd spaces and dashes made ordinary."""
    return _FOREIGN_DIGIT.sub(lambda digit: str(int(digit[0])), text.translate(_PLAIN_SIGNS))


def strip_separators(text: str) -> str:
    """Drop what typists put between digits; a "+", letters and other signs stay."""
    return text.translate(_BETWEEN_DIGITS)


def read_fast(text: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read *text* if it is one number of unmistakable Russian form; None says nothing.

    +7, 8 or 7 before ten digits that begin as Russian numbers do is accepted without asking whether
    the range is assigned: carriers get new ranges earlier than libraries learn of them. "+8" before
    ten such digits is +7 (facts/performance.md §3): that shadows some Vietnamese mobiles, yet the
    caller and the stored number are misread alike and still meet.
    """
    if rules.region not in _SEVENS:
        return None
    plain = text if text.isascii() else text.translate(_BETWEEN_DIGITS)
    # "٧" is a digit to Python, and its place is the slow path.
    digits = plain.encode().translate(None, _BETWEEN_ASCII) if plain.isascii() else b""
    if digits[:1] == b"+" and len(digits) == _WITH_TRUNK + 1:
        digits = digits[1:]
    if not digits.isdigit():
        return None
    length = len(digits)
    if length == _WITH_TRUNK:
        if digits[:2] in _RUSSIAN_WITH_TRUNK:
            return PhoneNumber(int(digits) % _TRUNK + _SEVEN)
    elif length == _NATIONAL:
        known = digits[:1] == b"9" or digits[:3] in _AREA_CODES[rules.region]
        if known and not (_MAY_BE_LONE_TRUNK.match(text) or _LOOKS_LIKE_TIME.match(text)):
            return PhoneNumber(int(digits) + _SEVEN)
    elif length in _LOCAL:
        return _read_in_city(text, digits.decode(), rules)
    return None


def read_fast_many(texts: Sequence[str], rules: PhoneRules) -> list[PhoneNumber | None]:
    """Read each of *texts* as `read_fast` does where +7, 8 or 7 stands before ten digits.

    None says nothing. All go through the same three calls of C: one by one they take four times
    as long, and nearly half a million of them are in a large base.
    """
    if rules.region not in _SEVENS or not texts:
        return [None] * len(texts)
    lines = "\n".join(texts)
    if lines.count("\n") >= len(texts):
        # A line break of their own is no number's.
        lines = "\n".join([text.replace("\n", ";") for text in texts])
    found = _RUSSIAN_LINES.findall(lines.encode(errors="replace").translate(None, _BETWEEN_ASCII))
    return [_SEVEN + int(digits) if digits else None for digits in found]


def read_number(text: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read *text* (digits and punctuation only) as one number with country or area code.

    What the fast path leaves open must be valid for phonenumbers. Ten digits after a separate 8,
    "8 495 123 45 6", are a number that lost a digit and are not read.
    """
    digits = _without_idd(strip_separators(text))
    if not _MIGHT_BE_E164.fullmatch(digits) or _is_no_number(text, digits, rules):
        return None
    if len(digits) not in _LOCAL and (number := read_fast(digits, rules)) is not None:
        return number
    return _as_written(_parse(digits, rules.region, phonenumbers.is_valid_number), rules)


def split_numbers(run: str, rules: PhoneRules) -> tuple[list[PhoneNumber], list[str]]:
    """Cut a run of digits, blanks, brackets and dashes into full numbers.

    The fewest digits are left over, and all at the end: left-overs never stand before a number,
    so that «+1 (495) 123-45-67» does not become Moscow's. They come back as typed, in groups.
    Behind a "+" whatever may call is read.
    """
    if (number := read_number(run, rules)) is not None:
        return [number], []
    groups = _GROUP.findall(run)[:_GROUPS]
    if len(groups) > 1:
        # Trying every cut by phonenumbers costs 50 µs and more; most fields do not need it.
        for read in (read_fast, read_number):
            numbers, rest = _cut(groups, rules, read)
            if numbers and (not rest or read is read_number):
                return numbers, rest
    if (number := read_international(run, rules)) is not None:
        return [number], []
    return _cut_written(run, groups, rules)


def _cut_written(
    run: str, groups: list[str], rules: PhoneRules
) -> tuple[list[PhoneNumber], list[str]]:
    """Read behind a written "+" whatever may call, though no library knows its range."""
    if not run.startswith("+"):
        return [], groups
    if (number := read_possible(run, rules)) is not None:
        return [number], []
    # Only in the plan of +7 all numbers are of one length, so that a cut is no guess.
    if strip_separators(run).startswith("+7"):
        return _cut(groups, rules, _read_written)
    return [], groups


def _read_written(text: str, rules: PhoneRules) -> PhoneNumber | None:
    whole = text.startswith("+") and len(strip_separators(text)) == _WITH_TRUNK + 1
    return read_possible(text, rules) if whole else None


def _cut(
    groups: list[str],
    rules: PhoneRules,
    read: Callable[[str, PhoneRules], PhoneNumber | None],
) -> tuple[list[PhoneNumber], list[str]]:
    sizes = [len(strip_separators(group)) for group in groups]
    # best[i], for groups[i:]: digits left over, count of numbers, numbers, where the rest begins.
    best: dict[int, tuple[int, int, list[PhoneNumber], int]] = {}
    best[len(groups)] = (0, 0, [], len(groups))
    for start in range(len(groups) - 1, -1, -1):
        best[start] = (sum(sizes[start:]), 0, [], start)
        for end in range(len(groups), start, -1):
            if sum(sizes[start:end]) not in _FULL:
                continue
            number = read(" ".join(groups[start:end]), rules)
            if number is not None:
                left, count, numbers, rest = best[end]
                if (left, count + 1) < best[start][:2]:
                    best[start] = (left, count + 1, [number, *numbers], rest)
    _, _, numbers, rest = best[0]
    return numbers, groups[rest:]


def read_international(text: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read bare digits that begin with a country code whose "+" was lost: "375 29 123-45-67".

    1C's НомерТелефона and some PBXs drop the plus. From eleven digits on only: shorter ones
    would make a country out of a city (facts/telephony-apis.md §5).
    """
    digits = strip_separators(text)
    if len(digits) not in _INTERNATIONAL or not _MIGHT_BE_E164.fullmatch("+" + digits):
        return None
    return _as_written(_parse("+" + digits, None, phonenumbers.is_valid_number), rules)


def read_possible(text: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read a number that may well exist, though no library knows its range.

    Accepted are 7 or 8 before ten digits where +7 is at home, ten digits of Kazakhstan there, and a
    possible number after a written country code. Without a "+" only for what a carrier has sent: it
    has proved that the number exists, and that it is no tax number.
    """
    digits = _without_idd(strip_separators(text))
    if not _MIGHT_BE_E164.fullmatch(digits):
        return None
    if digits[0] == "+":
        return _as_written(_parse(digits, None, phonenumbers.is_possible_number), rules)
    at_home = rules.region in _SEVENS and not digits.startswith("810")
    if at_home and len(digits) == _WITH_TRUNK and digits[0] in "78":
        return PhoneNumber(int("7" + digits[1:]))
    if at_home and len(digits) == _NATIONAL and digits[0] == "7":
        return _parse("+7" + digits, None, phonenumbers.is_valid_number)
    return None


def read_local(
    text: str, rules: PhoneRules, neighbour: PhoneNumber | None = None
) -> PhoneNumber | None:
    """Read 5-7 digits: in the city of *neighbour*, the full number before them, else by the rules.

    A mobile or a toll-free number has no city to lend. "12.05.24" and "9.00-18.00" are a day and
    opening hours, not a number.
    """
    digits = strip_separators(text)
    if len(digits) not in _LOCAL or not _MIGHT_BE_E164.fullmatch(digits):
        return None
    if _LOOKS_LIKE_TIME.match(text):
        return None
    if neighbour is not None and _has_city(neighbour):
        lent = str(neighbour)[: -len(digits)] + digits
        if (number := _parse("+" + lent, None, phonenumbers.is_valid_number)) is not None:
            return number
    return _read_in_city(text, digits, rules)


def format_international(number: PhoneNumber) -> str:
    """Return *number* grouped as its country does: "+49 30 123456"."""
    try:
        parsed = phonenumbers.parse(f"+{number}", None)
    except NumberParseException:
        return f"+{number}"
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def _without_idd(digits: str) -> str:
    # 00 is nobody's prefix in the RU metadata, yet half of Europe types it; 8~10 is known there.
    return "+" + digits[2:] if digits.startswith("00") else digits


def _is_no_number(text: str, digits: str, rules: PhoneRules) -> bool:
    """Tell ten digits that are a number with one lost, a tax number, or a day and an hour."""
    if len(digits) != _NATIONAL or rules.region not in _SEVENS:
        return False
    if _LONE_TRUNK.match(text) or _LOOKS_LIKE_TIME.match(text):
        return True
    # Moscow's tax numbers begin with 77, and so do Kazakhstan's mobiles.
    return digits[0] == "7" and rules.region == "RU"


def _as_written(number: PhoneNumber | None, rules: PhoneRules) -> PhoneNumber | None:
    """Read +8… as the fast path would, so that one number has one reading however it came."""
    if number is None or rules.region not in _SEVENS:
        return number
    return read_fast(f"+{number}", rules) or number


def _read_in_city(text: str, digits: str, rules: PhoneRules) -> PhoneNumber | None:
    if not rules.area_code or _LOOKS_LIKE_TIME.match(text):
        return None
    national = rules.area_code + digits
    if rules.region not in _SEVENS:
        return _parse(national, rules.region, phonenumbers.is_valid_number)
    plausible = len(national) == _NATIONAL and national.isascii() and national.isdigit()
    return PhoneNumber(int("7" + national)) if plausible else None


def _has_city(number: PhoneNumber) -> bool:
    digits = str(number)
    if len(digits) == _WITH_TRUNK and digits[0] == "7" and digits[1] in _RUSSIAN:
        return digits[1] != "9" and digits[1:3] != "80"
    try:
        kind = phonenumbers.number_type(phonenumbers.parse(f"+{digits}", None))
    except NumberParseException:
        return False
    return kind in {PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


def _parse(
    digits: str, region: str | None, accept: Callable[[phonenumbers.PhoneNumber], bool]
) -> PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(digits, region)
    except NumberParseException:
        return None
    if not accept(parsed):
        return None
    return PhoneNumber(int(phonenumbers.format_number(parsed, PhoneNumberFormat.E164)))
