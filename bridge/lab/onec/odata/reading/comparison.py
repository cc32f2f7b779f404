"""Compares two operands of a filter by the type rules of 1C's query language.

References know equality only; composite values are equal to a `cast` only; unlimited texts and
value storages cannot be compared at all (docs/facts/onec-odata.md, 'Filter').
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from bridge.lab.onec.infobase.schema import Property
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.odata import errors
from bridge.lab.onec.odata.reading.functions import Operand, folded

_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def compile_comparison(
    name: str, left: Operand, right: Operand, position: int, *, exact: bool = False
) -> Operand:
    """Compile `left name right`; *position* goes into the refusal's text.

    *exact* texts differ by the case of letters.

    Raises:
        ODataRefusal: these two cannot be compared this way (500/-1).
    """
    if left.literal and not right.literal:
        left, right = right, left
        name = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}.get(name, name)
    if any(side.prop is not None and _is_endless(side.prop) for side in (left, right)):
        raise errors.incomparable(position)
    equal = _sameness(left, right)
    if equal is not None:
        return _equality(name, equal, position)
    if left.type != right.type or (left.type == "Boolean" and name in _ORDER):
        raise errors.incomparable(position)
    one, other = left.get, right.get
    if left.type == "String":
        one, other = folded(one, exact=exact), folded(other, exact=exact)
    if name not in _ORDER:
        return _equality(name, lambda row: bool(one(row) == other(row)), position)
    order = _ORDER[name]

    def ordered(row: Row) -> bool:
        mine, theirs = one(row), other(row)
        return mine is not None and theirs is not None and order(mine, theirs)

    return Operand("Boolean", ordered)


def _sameness(left: Operand, right: Operand) -> Callable[[Row], bool] | None:
    """Return the only comparison some types have, equality; None for ordinary ones."""
    if right.type == "null":
        get = left.get
        return lambda row: get(row) is None
    if left.type == "Composite":
        return _composite_equals(left, right)
    if left.type == "Guid":
        return _guid_equals(left, right)
    return None


def _is_endless(prop: Property) -> bool:
    return prop.unlimited or _is_blob(prop)


def _is_blob(prop: Property) -> bool:
    return prop.type in {"Binary", "Stream"} or prop.type.startswith("StandardODATA.")


def _equality(name: str, equal: Callable[[Row], bool], position: int) -> Operand:
    if name in _ORDER:
        # No keyset paging: a reference is not ordered in 1C's query language.
        raise errors.incomparable(position)
    return Operand("Boolean", equal if name == "eq" else lambda row: not equal(row))


def _guid_equals(left: Operand, right: Operand) -> Callable[[Row], bool]:
    one, other = left.get, right.get
    if right.type == "Guid":
        return lambda row: bool(one(row) == other(row))
    if right.type == "Cast":
        owner = left.prop.ref if left.prop is not None else None
        return lambda row: bool((one(row), owner) == other(row))
    # A text beside a reference is not refused: it compares something else and finds nothing.
    return lambda _: False


def _composite_equals(left: Operand, right: Operand) -> Callable[[Row], bool]:
    value, kind, other = left.get, left.kind, right.get
    if kind is None:
        return lambda _: False
    if right.type == "Cast":

        def same(row: Row) -> bool:
            ref, owner = other(row)
            return bool(value(row) == ref and kind(row) == f"StandardODATA.{owner}")

        return same
    edm = {"String": "Edm.String", "Number": "Edm.Double", "Boolean": "Edm.Boolean"}
    type_name = edm.get(right.type, f"Edm.{right.type}" if right.type == "DateTime" else None)
    # A bare guid against a composite field is no error and finds nothing (docs/facts/onec-odata.md,
    # 'Filter').
    return lambda row: type_name is not None and kind(row) == type_name and value(row) == other(row)
