"""Phone fields of 1C as people type them, read into E.164.

`read_phones` reads a number into the same digits as `callers.read_caller`, so that a caller is
found by the stored number. Nothing here raises, whatever the text: the worst field costs a match,
never a pull or a call.
"""

import re
from collections.abc import Sequence
from html import unescape
from typing import NamedTuple

from bridge.domain.phone.fast_reading import (
    normalise_characters,
    read_fast,
    read_fast_many,
    strip_separators,
)
from bridge.domain.phone.phone import ParsedPhone, PhoneNumber, PhoneRules
from bridge.domain.phone.reading import (
    read_local,
    split_numbers,
)
from bridge.domain.phone.short_numbers import (
    is_dialled_after_pause,
    is_separate_number,
    local_length,
    may_share_area_code,
)

_FIELD_LENGTH = 500  # docs/facts/ut11.md, 'Phones in contact information'
_SHORT_FIELD = 64  # one number and its extension; longer texts are not worth the fast path
_LOCAL = range(5, 8)  # digits of a number dialled within one city
_EXTENSION_LENGTH = 8
_BRACKETED = 6  # digits in brackets behind a number that are still its extension


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
    named = False  # and a label shows that it does
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
