"""Phone lines of 1C's contact information → what people see of them, and the numbers in them.

The text people see comes first. The column of digits is believed where it holds the country too: 1C
drops the plus, and without it the German +49 30 123456 becomes ten digits of Ivanovo. The storages
(JSON, XML, or lines of an old release) have the parts apart; they may be cut off in the middle, so
they are read as text, and of a damaged one only what is whole (facts/ut11-metadata.md §3).
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

_NATIONAL: Final = 10
_TRUNK: Final = "8"
_XML_PART: Final = re.compile(r'([^\s"<=]+)="([^"]*)"')
_JSON_PART: Final = re.compile(
    r'"([^"\\:]{1,60})"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|([0-9]{5,15})(?![0-9.]))'
)
_XML_TEXT: Final = re.compile(r"<([^\s<>/!?]{1,60})[^<>]*>([^<]+)</")
_LINE_PART: Final = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)
_ESCAPED: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": ""}


def read_phone_lines(lines: Sequence[PhoneLineRow], rules: PhoneRules) -> list[PhoneField]:
    """Read phone lines, their storages too where they were asked for."""
    shown = [line.presentation or "" for line in lines]
    # A million times a pull: tuple.__new__ takes half of the time of the named one's.
    new = tuple.__new__
    return [
        new(PhoneField, (text, phones)) if phones else _read_beside(line, rules)
        for line, text, phones in zip(lines, shown, read_phone_fields(shown, rules), strict=True)
    ]


def _read_beside(line: PhoneLineRow, rules: PhoneRules) -> PhoneField:
    """Read a line whose text tells no number from what stands beside the text."""
    shown = line.presentation or ""
    digits = line.number or ""
    told = [digits] if _holds_country(digits) else []
    if "&" in shown or "<" in shown:
        told = [strip_tags(shown), *told]
    storages = (line.json_storage, line.text_storage)
    stored = [text for storage in storages if storage for text in read_storage_texts(storage)]
    # Of «… 123-45-67, 765-43-21» the column holds the first number only, a storage both.
    for text in told + stored if shown else stored + told:
        phones = read_phones(text, rules)
        if phones:
            return PhoneField(shown or text, phones)
    if told and (caller := read_caller(digits, rules).number) is not None:
        # Without its plus a range that no library knows is read as of a caller, who has it too.
        return PhoneField(shown or digits, (ParsedPhone(caller),))
    return PhoneField(shown or "".join(stored[:1]) or digits, _last_resort(line, rules))


def _holds_country(digits: str) -> bool:
    """Tell whether the column of digits can be believed: 1C drops the plus, and ten are too few."""
    count = sum(sign.isdigit() for sign in digits)
    return digits.lstrip().startswith("+") or count > _NATIONAL


def read_storage_texts(storage: str) -> tuple[str, ...]:
    """Write the phone of a storage as people would: as it was typed, then put together."""
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
    # "8" is the trunk prefix that people type before the area code, no country's code.
    plus = "+" if country and country != _TRUNK else ""
    brackets = f"({area})" if area else ""
    text = " ".join(piece for piece in (f"{plus}{country}", brackets, number) if piece)
    return f"{text}{EXTENSION_SEPARATOR}{parts['extension']}" if parts["extension"] else text


def _unescaped(text: str) -> str:
    def undo(found: re.Match[str]) -> str:
        sign = found[1]
        return chr(int(sign[1:], 16)) if len(sign) > 1 else _CONTROL.get(sign, sign)

    return _ESCAPED.sub(undo, text) if "\\" in text else text


def _last_resort(line: PhoneLineRow, rules: PhoneRules) -> tuple[ParsedPhone, ...]:
    """Believe digits without their country when the storages were looked at and say nothing."""
    looked = line.json_storage is not None or line.text_storage is not None
    digits = line.number or ""
    if line.presentation or line.json_storage or line.text_storage or not looked:
        return ()
    return read_phones(digits, rules) if digits.isascii() and digits.isdigit() else ()
