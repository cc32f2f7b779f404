"""The operands of a compiled filter, and the functions of texts, dates and numbers over them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bridge.lab.onec.infobase.schema import Property
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.odata import errors

RowGetter = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Operand:
    """A compiled part of the filter: its type, how to get it from a row, the field behind it."""

    type: str
    get: RowGetter
    prop: Property | None = None
    kind: RowGetter | None = None
    literal: bool = False


def folded(get: RowGetter, *, exact: bool = False) -> RowGetter:
    """Return *get* without the case of letters, unless this DBMS compares texts exactly."""
    if exact:
        return get

    def get_folded(row: Row) -> Any:
        text = get(row)
        return text.casefold() if isinstance(text, str) else text

    return get_folded


def _like(text: str, pattern: str) -> bool:
    parts = [
        ".*" if ch == "%" else "." if ch == "_" else ch if ch in "[]^-" else re.escape(ch)
        for ch in pattern
    ]
    try:
        return re.fullmatch("".join(parts), text, re.DOTALL) is not None
    except re.error as broken:
        raise errors.wrong_argument("like") from broken


_OF_TEXTS: Final[dict[str, tuple[int, str, Callable[..., Any]]]] = {
    "substringof": (2, "Boolean", lambda part, text: part in text),
    "startswith": (2, "Boolean", lambda text, part: text.startswith(part)),
    "endswith": (2, "Boolean", lambda text, part: text.endswith(part)),
    "like": (2, "Boolean", _like),
    "concat": (2, "String", lambda one, other: one + other),
}
_OF_DATES: Final[dict[str, Callable[[datetime], int]]] = {
    "year": lambda d: d.year,
    "quarter": lambda d: (d.month + 2) // 3,
    "month": lambda d: d.month,
    "day": lambda d: d.day,
    "dayofyear": lambda d: d.timetuple().tm_yday,
    "dayofweek": lambda d: d.isoweekday(),
    "hour": lambda d: d.hour,
    "minute": lambda d: d.minute,
    "second": lambda d: d.second,
}


def compile_call(name: str, found: list[Operand], *, exact: bool = False) -> Operand:
    """Apply a function to compiled arguments; *exact* texts differ by the case of letters.

    Raises:
        ODataRefusal: an argument of another type (500/-1), a function 1C does not have (400/21).
    """
    if name in _OF_TEXTS:
        count, type_name, apply = _OF_TEXTS[name]
        if len(found) != count or any(part.type != "String" for part in found):
            raise errors.wrong_argument(name)
        getters = [folded(part.get, exact=exact) for part in found]
        return Operand(type_name, lambda row: apply(*(get(row) or "" for get in getters)))
    if name in _OF_DATES:
        if len(found) != 1 or found[0].type != "DateTime":
            raise errors.wrong_argument(name)
        take, part = _OF_DATES[name], found[0].get
        return Operand("Number", _unless_null(part, lambda d: take(datetime.fromisoformat(d))))
    if name == "round":
        if not found or any(part.type != "Number" for part in found):
            raise errors.wrong_argument(name)
        number = found[0].get
        return Operand("Number", _unless_null(number, round))
    if name == "substring":
        return _substring(found)
    raise errors.ODataRefusal(400, "21", f"Функция {name} не реализована")


def _unless_null(get: RowGetter, apply: Callable[[Any], Any]) -> RowGetter:
    def computed(row: Row) -> Any:
        value = get(row)
        return None if value is None else apply(value)

    return computed


def _substring(found: list[Operand]) -> Operand:
    if [part.type for part in found] not in (["String", "Number"], ["String", "Number", "Number"]):
        raise errors.wrong_argument("substring")
    getters = [part.get for part in found]

    def get(row: Row) -> str:
        text, start, *length = (part(row) or 0 for part in getters)
        return str(text or "")[int(start) :][: int(length[0]) if length else None]

    return Operand("String", get)
