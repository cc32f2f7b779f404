"""Phones as people type them into 1C and as PBXs send them, read into E.164.

`read_phones` is for stored fields, `read_caller` and `read_did` for a call; all of them give the
same number the same digits, which is what makes a caller meet his card. Nothing here raises,
whatever the text: the worst field costs a match, never a pull or a call.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import unescape
from typing import NamedTuple

from bridge.domain.phone.numbers import (
    PhoneNumber,
    PhoneRules,
    format_international,
    normalise_characters,
    read_fast,
    read_fast_many,
    read_international,
    read_local,
    read_number,
    read_possible,
    split_numbers,
    strip_separators,
)
from bridge.domain.phone.short_numbers import (
    is_dialled_after_pause,
    is_separate_number,
    local_length,
    may_share_area_code,
)

__all__ = [
    "Caller",
    "CallerKind",
    "ParsedPhone",
    "PhoneNumber",
    "PhoneRules",
    "format_digits",
    "format_phone",
    "mask_phone",
    "read_caller",
    "read_did",
    "read_outside_caller",
    "read_phone_fields",
    "read_phones",
]

_FIELD_LENGTH = 500  # Представление holds no more (facts/ut11-metadata.md §3)
_SHORT_FIELD = 64  # one number and its extension; longer texts are not worth the fast path
_LOCAL = range(5, 8)
_EXTENSION_LENGTH = 8
_BRACKETED = 6  # digits in brackets behind a number that are still its extension


class ParsedPhone(NamedTuple):
    """One number found in a typed field; *extension* is kept to be shown, never matched."""

    number: PhoneNumber
    extension: str | None = None


def read_phones(text: str, rules: PhoneRules) -> tuple[ParsedPhone, ...]:
    """Read every number of one contact field, in order, without repeats.

    Numbers may stand apart by ; , / line breaks, "и", words or blanks, and are never merged.
    Behind a land line a short number borrows its codes: «+7 495 123-45-67, 765-43-21» is two
    numbers of Moscow; digits that are dialled after a pause are none. Labels («моб.») and names
    are skipped. Empty when nothing is readable. Only the first 500 characters count, as many as
    1C stores. Never raises.
    """
    if len(text) <= _SHORT_FIELD:
        if (number := read_fast(text, rules)) is not None:
            # A million times a pull: tuple.__new__ takes half of the time of the named one's.
            return (tuple.__new__(ParsedPhone, (number, None)),)
        label, dot, rest = text.partition(". ")
        # "тел. 8 (495) …": what is behind the label must begin a number, and reads as if alone.
        if dot and label.casefold() in _LABELS and rest[:1] in _BEGINS_A_NUMBER:
            text = rest
        # 1C assembles "+7 (4852) 55-01-02, доб. 314"; a regex here costs three times as much.
        head, word, tail = text.partition("доб")
        extension = None
        if word:
            head = head.rstrip(", ")
            extension = _plain_extension(tail)
        if (not word or extension) and (number := read_fast(head, rules)) is not None:
            return (ParsedPhone(number, extension),)
    cut = text[:_FIELD_LENGTH]
    # "+7&nbsp;(903)…": a semicolon of the page's would tear the number apart.
    return _read_field(normalise_characters(unescape(cut) if "&" in cut else cut), rules)


def read_phone_fields(texts: Sequence[str], rules: PhoneRules) -> list[tuple[ParsedPhone, ...]]:
    """Read many fields, each as `read_phones` does, in less than half of the time."""
    new = tuple.__new__
    return [
        (new(ParsedPhone, (number, None)),)
        if number is not None and len(text) <= _SHORT_FIELD
        else read_phones(text, rules)
        for text, number in zip(texts, read_fast_many(texts, rules), strict=True)
    ]


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

    Two to five digits are an extension (Sipuni: 200-9999, facts/telephony-apis.md §5). A number
    need only be possible: the carrier has delivered it. A lost "+" is tolerated, also where
    URL decoding made a blank of it. Never raises.
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
    """Read the caller ID of somebody who is known to call from outside.

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


def format_digits(number: PhoneNumber) -> str:
    """Return E.164 without the plus: "79035550123"."""
    return str(number)


def format_phone(number: PhoneNumber) -> str:
    """Write *number* as 1C does, "+7 (903) 555-01-23"; other countries in their own grouping.

    The area code always takes three digits: four- and five-digit ones cannot be told apart.
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
    sign, typed = ("+", str(abs(text))) if isinstance(text, int) else ("", text[:_RAW_LENGTH])
    digits = "".join(_DIGIT.findall(normalise_characters(typed)))
    if typed.lstrip().startswith("+"):
        sign = "+"
    if len(digits) <= _SHOWN_END:
        return "*" * max(len(digits), _HIDDEN if typed else 0)
    shown = min(max(len(digits) - _SHOWN_END - _HIDDEN, 0), _SHOWN_START)
    hidden = len(digits) - shown - _SHOWN_END
    return f"{sign}{digits[:shown]}{'*' * hidden}{digits[-_SHOWN_END:]}"


# ---------------------------------------------------------------- a field of several numbers

#: Every branch is linear: no two neighbouring repeats share a character.
_TOKEN = re.compile(
    r"""
    (?P<extension> (?:доб(?:ав[^\W\d_]*)?|вн(?:утр[^\W\d_]*)?|ext(?:ension)?|x|х) [.]?
                   [ :№(=]{0,3} (?P<worded>\d{1,8}) (?!\d)
                 | [#*] [ ]? (?P<signed>\d{1,8}) (?!\d) )
  | (?P<run>       (?: \+ [ (]{0,3} | \( )? \d [\d ().-]* )
  | (?P<separator> [;,/|\n] )
  | (?P<word>      [^\W\d_]+ )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIGIT = re.compile(r"[0-9]")

_BEGINS_A_NUMBER = frozenset("+(0123456789")

#: A number that went through a spreadsheet; with the nought it would be one of another country.
_SPREADSHEET = re.compile(r"\s*\+?[0-9]{10,15}\.0+\s*")

_CODE_END = 8  # signs behind digits in which the end of a code is looked for

#: Words after which a short number may stand. Any other word makes of 12345 a flat or an order.
_LABELS = frozenset(
    {"и", "или", "and", "or", "т", "тел", "телефон", "телефоны", "tel", "phone", "ф", "факс", "fax"}
    | {"моб", "мобильный", "сот", "сотовый", "mob", "mobile", "cell", "раб", "рабочий", "office"}
    | {"дом", "домашний", "гор", "городской"}
)


_NOTHING = (None, None)


def _plain_extension(tail: str) -> str | None:
    digits = tail.strip(" .:")
    plain = len(digits) <= _EXTENSION_LENGTH and digits.isascii() and digits.isdigit()
    return digits if plain else None


def _read_field(text: str, rules: PhoneRules) -> tuple[ParsedPhone, ...]:
    if _SPREADSHEET.fullmatch(text):
        text = text.partition(".")[0]
    found: dict[PhoneNumber, str | None] = {}
    before: _Before | None = None
    local = True  # a short number may stand here
    named = False  # and a label says that it does
    run_end = since = 0
    for token in _TOKEN.finditer(text):
        if token["run"]:
            gap, between = text[since : token.start()], text[run_end : token.start()]
            run_end = since = token.end()
            behind = text[run_end : run_end + _CODE_END]
            if not (found and is_dialled_after_pause(between, behind)):
                place = _Place(gap, behind, local=local, named=named)
                read, length = _read_run(token["run"], before, place, rules)
                for number, extension in read:
                    found[number] = found.get(number) or extension
                before = _Before(read[-1].number, length) if read else before or _Before()
            local = named = False
        elif token["extension"]:
            if before is not None and before.number is not None:
                found[before.number] = found[before.number] or token["worded"] or token["signed"]
            local, since = False, token.end()
        elif token["separator"]:
            local = True
        else:
            local = named = token["word"].casefold() in _LABELS
            since = token.end()
    return tuple(ParsedPhone(number, extension) for number, extension in found.items())


class _Before(NamedTuple):
    """The digits before: the *number* in them, if any, and its *length* without its codes."""

    number: PhoneNumber | None = None
    length: int | None = None


class _Place(NamedTuple):
    """Where a run stands: what is between it and the digits before, and what follows."""

    gap: str
    behind: str
    local: bool
    named: bool


def _read_run(
    run: str, before: _Before | None, place: _Place, rules: PhoneRules
) -> tuple[list[ParsedPhone], int | None]:
    """Read one run of digits, blanks, brackets and dashes, and the last one's local length."""
    numbers, rest = split_numbers(run, rules)
    read = [ParsedPhone(number) for number in numbers]
    gap, behind, local, named = place
    if numbers:
        left_over = sum(len(strip_separators(group)) for group in rest)
        before, gap, named = _Before(numbers[-1], local_length(run, left_over)), "", False
    last, length = before or _NOTHING
    typed = " ".join(rest)
    if last is not None and typed.startswith("(") and len(strip_separators(typed)) <= _BRACKETED:
        read.append(ParsedPhone(last, strip_separators(typed)))
    elif local or numbers:
        pieces = [typed] if len(strip_separators(typed)) in _LOCAL else rest
        # Groups count one by one only where each is a number: "8 495 1234 56789" holds none.
        if all(len(strip_separators(piece)) in _LOCAL for piece in pieces):
            for piece in pieces:
                if before is not None and not is_separate_number(
                    piece, gap, behind, labelled=named, length=length or 0
                ):
                    continue
                count = len(strip_separators(piece))
                lender = last if may_share_area_code(count, length) else None
                short = read_local(piece, rules, lender)
                if short is not None:
                    read.append(ParsedPhone(short))
                    last, length = short, count
    return read, length


# ---------------------------------------------------------------- what a PBX sends

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
_CABINET_SUFFIX = re.compile(r"_id[0-9]+\s*$")  # Sipuni (facts/telephony-apis.md §5)
_SEVEN_PLAN = re.compile(r"7[0-9]{10}")

_SHOWN_START = 4
_SHOWN_END = 2
_HIDDEN = 5


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
