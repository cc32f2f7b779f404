"""Phone lines of 1C's contact information: their presentations, and the numbers in them.

The presentation, which users of 1C see, is read first. The column of digits is used where it has
the country code too: 1C drops the plus, and without it the German +49 30 123456 has the ten digits
of a Russian number. The storages (JSON, XML, or lines of an old release) have the parts apart; they
may be cut off in the middle, so they are read as text, and only their whole parts are used.
Source: docs/facts/ut11.md, 'Phones in contact information'.
"""

import re
from collections.abc import Sequence
from html import unescape
from typing import Final

from bridge.adapters.onec.reading.foreign_lines import find_numbers, strip_tags
from bridge.adapters.onec.schema import EXTENSION_SEPARATOR, PHONE_STORAGE_KEYS, PhoneLineRow
from bridge.domain.directory.entities import PhoneField
from bridge.domain.phone.callers import read_caller
from bridge.domain.phone.fields import read_phone_fields, read_phones
from bridge.domain.phone.phone import ParsedPhone, PhoneRules

#: Digits of a Russian number without its country code.
_NATIONAL_DIGITS: Final = 10
_TRUNK_PREFIX: Final = "8"
_XML_PART: Final = re.compile(r'([^\s"<=]+)="([^"]*)"')
_JSON_PART: Final = re.compile(
    r'"([^"\\:]{1,60})"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|([0-9]{5,15})(?![0-9.]))'
)
_XML_TEXT: Final = re.compile(r"<([^\s<>/!?]{1,60})[^<>]*>([^<]+)</")
_LINE_PART: Final = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)
_ESCAPED: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": ""}


def read_phone_lines(lines: Sequence[PhoneLineRow], rules: PhoneRules) -> list[PhoneField]:
    """Return the phone fields of *lines*, read from storages too where these were selected."""
    presentations = [line.presentation or "" for line in lines]
    # This runs a million times a pull, and tuple.__new__ takes half of the time of PhoneField().
    new = tuple.__new__
    return [
        new(PhoneField, (text, phones)) if phones else _read_other_columns(line, rules)
        for line, text, phones in zip(
            lines, presentations, read_phone_fields(presentations, rules), strict=True
        )
    ]


def _read_other_columns(line: PhoneLineRow, rules: PhoneRules) -> PhoneField:
    """Return the phone field of a line without a number in its presentation."""
    presentation = line.presentation or ""
    digits = line.number or ""
    candidates = [digits] if _has_country_code(digits) else []
    if "&" in presentation or "<" in presentation:
        candidates = [strip_tags(presentation), *candidates]
    storages = (line.json_storage, line.text_storage)
    stored = [text for storage in storages if storage for text in read_storage_texts(storage)]
    # Of «… 123-45-67, 765-43-21» the column of digits has the first number only, a storage both.
    for text in candidates + stored if presentation else stored + candidates:
        phones = read_phones(text, rules)
        if phones:
            return PhoneField(presentation or text, phones)
    if candidates and (caller := read_caller(digits, rules).number) is not None:
        # Without a plus, a number of a range unknown to the library is read as callers' numbers
        # are, which have no plus either.
        return PhoneField(presentation or digits, (ParsedPhone(caller),))
    return PhoneField(presentation or "".join(stored[:1]) or digits, _read_bare_digits(line, rules))


def _has_country_code(digits: str) -> bool:
    """Return whether *digits* have a country code: they have a plus, or more than ten digits."""
    count = sum(char.isdigit() for char in digits)
    return digits.lstrip().startswith("+") or count > _NATIONAL_DIGITS


def read_storage_texts(storage: str) -> tuple[str, ...]:
    """Return the texts of a storage's phone: as it was typed, then assembled from its parts."""
    head = storage.lstrip()
    if head.startswith("<"):
        found = {name: unescape(value) for name, value in _XML_PART.findall(head)}
        found |= {name: unescape(value) for name, value in _XML_TEXT.findall(head)}
    elif head.startswith("{"):
        found = {name: _unescaped(text) or bare for name, text, bare in _JSON_PART.findall(head)}
    else:
        found = {name: value.strip() for name, value in _LINE_PART.findall(head)}
        if not found:
            return (head.strip(),)
    if not any(name in found for names in PHONE_STORAGE_KEYS.values() for name in names):
        return find_numbers(found)
    parts = {
        part: next((found[name] for name in names if found.get(name)), "").strip()
        for part, names in PHONE_STORAGE_KEYS.items()
    }
    return tuple(text for text in (parts["whole"], _assembled(parts)) if text)


def _assembled(parts: dict[str, str]) -> str:
    country, area, number = parts["country"].lstrip("+"), parts["area"], parts["number"]
    if not (country or area or number):
        return ""
    # "8" is the trunk prefix that people type before the area code, not a country code.
    plus = "+" if country and country != _TRUNK_PREFIX else ""
    brackets = f"({area})" if area else ""
    text = " ".join(piece for piece in (f"{plus}{country}", brackets, number) if piece)
    return f"{text}{EXTENSION_SEPARATOR}{parts['extension']}" if parts["extension"] else text


def _unescaped(text: str) -> str:
    def undo(found: re.Match[str]) -> str:
        escape = found[1]
        return chr(int(escape[1:], 16)) if len(escape) > 1 else _CONTROL.get(escape, escape)

    return _ESCAPED.sub(undo, text) if "\\" in text else text


def _read_bare_digits(line: PhoneLineRow, rules: PhoneRules) -> tuple[ParsedPhone, ...]:
    """Return the phones in digits without a country code, if the storages are empty."""
    has_storages = line.json_storage is not None or line.text_storage is not None
    digits = line.number or ""
    if line.presentation or line.json_storage or line.text_storage or not has_storages:
        return ()
    return read_phones(digits, rules) if digits.isascii() and digits.isdigit() else ()
