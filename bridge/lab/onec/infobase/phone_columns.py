"""The columns in which 1C keeps a typed phone: one row of contact information.

The algorithm is УправлениеКонтактнойИнформациейСлужебный of УТ 11.5.20 (docs/facts/ut11.md, 'Phones
in contact information'): a free text is split by groups of digits, and often wrongly.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple
from xml.sax.saxutils import quoteattr


class SplitPhone(NamedTuple):
    """A free text as 1C splits it: country, area, number, extension."""

    country: str
    area: str
    number: str
    ext: str


_PARTS: Final = re.compile(r"(\+?)(\d+)(?:[^\d]+(\d+))?(?:[^\d]+(\d[\d \-]*\d|\d))?(.*)", re.DOTALL)


def split_phone(text: str) -> SplitPhone:
    """Split a free text by groups of digits as 1C does, which is often wrong."""
    found = _PARTS.search(text)
    if found is None:
        return SplitPhone("", "", "", "")
    plus, first, second, third, rest = found.groups()
    if second is None:
        # One run of digits: with a plus 1C takes it for a country, without for the number.
        return SplitPhone(first, "", "", "") if plus else SplitPhone("", "", first, "")
    ext = "".join(ch for ch in rest if ch.isdigit())
    return SplitPhone(first, second, (third or "").strip(), ext)


def digit_columns(parts: SplitPhone) -> tuple[str, str]:
    """Return `НомерТелефона` and `НомерТелефонаБезКодов`, 20 characters at most each."""

    def clean(text: str) -> str:
        head = re.split("[,\n]", text, maxsplit=1)[0]
        return re.sub(r"[\-\s+]", "", head)[:20]

    return clean(f"{parts.country}{parts.area}{parts.number}"), clean(parts.number)


def as_xml(text: str, parts: SplitPhone) -> str:
    """Return the legacy storage of `ЗначенияПолей` (the only one in release 11.4.2)."""
    return (
        '<КонтактнаяИнформация xmlns="http://www.v8.1c.ru/ssl/contactinfo" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f"Представление={quoteattr(text)}>\n  <Комментарий/>\n"
        f'  <Состав xsi:type="НомерТелефона" КодСтраны="{parts.country}" КодГорода="{parts.area}" '
        f'Номер="{parts.number}" Добавочный="{parts.ext}"/>\n</КонтактнаяИнформация>'
    )


def as_json(text: str, parts: SplitPhone) -> str:
    """Return the storage of `Значение` (BSP 3)."""
    members = {
        "version": 4, "value": text, "type": "Телефон", "countryCode": parts.country,
        "areaCode": parts.area, "number": parts.number, "extNumber": parts.ext, "comment": "",
    }  # fmt: skip
    return json.dumps(members, ensure_ascii=False)


def columns_of(text: str, writer: str, *, has_json: bool) -> dict[str, str]:
    """Fill the phone columns of one row of contact information, as *writer* leaves them.

    *has_json* is false in release 11.4.2, which has no column `Значение`. Rows of a foreign
    writer keep only `Представление`; others lack the text or have damaged storages.
    """
    parts = split_phone(text)
    full, short = digit_columns(parts)
    shown, storage = {"Представление": text[:500]}, {"ЗначенияПолей": as_xml(text, parts)}
    if has_json:
        storage["Значение"] = as_json(text, parts)
    numbers = {"НомерТелефона": full, "НомерТелефонаБезКодов": short}
    match writer:
        case "foreign":
            found = shown
        case "exchange":
            found = shown | numbers
        case "key_value":
            found = shown | {"ЗначенияПолей": _key_value(text, parts)}
        case "storage":
            found = shown | storage
        case "no_text":
            found = storage if has_json else storage | numbers
        case "damaged":
            broken = {column: value[: len(value) * 2 // 3] for column, value in storage.items()}
            found = shown | broken
        case _:
            found = shown | storage | numbers
    return found


def _key_value(text: str, parts: SplitPhone) -> str:
    """Return the oldest storage: lines of `Ключ=Значение`."""
    return "\n".join(
        (
            f"КодСтраны={parts.country}",
            f"КодГорода={parts.area}",
            f"НомерТелефона={parts.number}",
            f"Добавочный={parts.ext}",
            f"Представление={text}",
        )
    )
