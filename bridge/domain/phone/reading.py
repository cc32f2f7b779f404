"""One typed number into E.164: the fast path first, phonenumbers for the rest.

Nothing here knows of fields, separators or callers. Every decision is a row of the tests' tables;
the measurements behind them are in docs/facts/performance.md, 'Reading numbers'.
"""

import re
from collections.abc import Callable

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from bridge.domain.phone.fast_reading import (
    LOCAL_LENGTHS,
    LOOKS_LIKE_TIME,
    NATIONAL_LENGTH,
    PLUS_SEVEN_REGIONS,
    RUSSIAN_FIRST_DIGITS,
    TRUNK_LENGTH,
    read_fast,
    read_in_city,
    strip_separators,
)
from bridge.domain.phone.phone import PhoneNumber, PhoneRules

_E164 = 15  # the longest number there is
_INTERNATIONAL = range(11, _E164 + 1)  # bare digits that may begin with a country code


#: "8" alone before the area code: the trunk prefix, so ten digits in all are one too few.
_LONE_TRUNK = re.compile(r"[ (]*8[^0-9]")
_MIGHT_BE_E164 = re.compile(r"\+?[0-9]{5,20}")  # with an international prefix: "8 10 …"
_FULL = range(8, 21)  # digits of a number with all its codes and prefixes

#: A group of digits as typed; numbers are cut between groups, never at a dash or a dot.
_GROUP = re.compile(r"(?:\+[ (]{0,3}|\()?\d[\d.)-]*")
_GROUPS = 24  # that are looked at in one run: enough for four numbers typed pair by pair


def read_number(text: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read *text* (digits and punctuation only) as one number with country or area code.

    What the fast path leaves open must be valid for phonenumbers. Ten digits after a separate 8,
    "8 495 123 45 6", are a number that lost a digit and are not read.
    """
    digits = _without_idd(strip_separators(text))
    if not _MIGHT_BE_E164.fullmatch(digits) or _is_no_number(text, digits, rules):
        return None
    if len(digits) not in LOCAL_LENGTHS and (number := read_fast(digits, rules)) is not None:
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
    whole = text.startswith("+") and len(strip_separators(text)) == TRUNK_LENGTH + 1
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
    would make a country out of a city. Source: docs/facts/telephony.md, 'Numbers and who is who'.
    """
    digits = strip_separators(text)
    if len(digits) not in _INTERNATIONAL or not _MIGHT_BE_E164.fullmatch("+" + digits):
        return None
    return _as_written(_parse("+" + digits, None, phonenumbers.is_valid_number), rules)


def read_possible(text: str, rules: PhoneRules) -> PhoneNumber | None:
    """Read a number that may well exist, though no library knows its range.

    Accepted are 7 or 8 before ten digits where +7 is dialled, ten digits of Kazakhstan there, and a
    possible number after a written country code. Without a "+" only for what a carrier has sent: it
    has proved that the number exists, and that it is no tax number.
    """
    digits = _without_idd(strip_separators(text))
    if not _MIGHT_BE_E164.fullmatch(digits):
        return None
    if digits[0] == "+":
        return _as_written(_parse(digits, None, phonenumbers.is_possible_number), rules)
    at_home = rules.region in PLUS_SEVEN_REGIONS and not digits.startswith("810")
    if at_home and len(digits) == TRUNK_LENGTH and digits[0] in "78":
        return PhoneNumber(int("7" + digits[1:]))
    if at_home and len(digits) == NATIONAL_LENGTH and digits[0] == "7":
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
    if len(digits) not in LOCAL_LENGTHS or not _MIGHT_BE_E164.fullmatch(digits):
        return None
    if LOOKS_LIKE_TIME.match(text):
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
    # The RU metadata does not have the prefix 00 of half of Europe; it has 8~10.
    return "+" + digits[2:] if digits.startswith("00") else digits


def _is_no_number(text: str, digits: str, rules: PhoneRules) -> bool:
    """Return whether ten digits are a number that lost one, a tax number, or a day and an hour."""
    if len(digits) != NATIONAL_LENGTH or rules.region not in PLUS_SEVEN_REGIONS:
        return False
    if _LONE_TRUNK.match(text) or LOOKS_LIKE_TIME.match(text):
        return True
    # Moscow's tax numbers begin with 77, and so do Kazakhstan's mobiles.
    return digits[0] == "7" and rules.region == "RU"


def _as_written(number: PhoneNumber | None, rules: PhoneRules) -> PhoneNumber | None:
    """Read +8… as the fast path would, so that one number has one reading however it came."""
    if number is None or rules.region not in PLUS_SEVEN_REGIONS:
        return number
    return read_fast(f"+{number}", rules) or number


def _read_in_city(text: str, digits: str, rules: PhoneRules) -> PhoneNumber | None:
    if rules.region in PLUS_SEVEN_REGIONS:
        return read_in_city(text, digits, rules)
    if not rules.area_code or LOOKS_LIKE_TIME.match(text):
        return None
    return _parse(rules.area_code + digits, rules.region, phonenumbers.is_valid_number)


def _has_city(number: PhoneNumber) -> bool:
    digits = str(number)
    if len(digits) == TRUNK_LENGTH and digits[0] == "7" and digits[1] in RUSSIAN_FIRST_DIGITS:
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
