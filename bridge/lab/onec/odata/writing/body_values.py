"""Takes values from a request's body into a row, as leniently and as strictly as 1C does.

Accepted in silence: unknown fields, dangling references, long texts (cut), nonsense in a wide
number (kept as it was). Refused: a text for a guid or a boolean, a list for a text, lines of a
section without `LineNumber` from 1 without gaps (docs/facts/onec-odata.md, 'Writing').
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from bridge.lab.onec.infobase.schema import (
    EMPTY_DATE,
    EMPTY_REF,
    UNDEFINED,
    EntitySet,
    Property,
    ReleaseSchema,
)
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.odata import address, errors

#: What a client may send but never sets.
_SERVER_KEPT: Final = frozenset({"Ref_Key", "DataVersion", "Predefined", "PredefinedDataName"})
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\Z")
_BIND: Final = re.compile(r".*\(guid'([0-9a-fA-F-]{36})'\)\Z")
_PREFIX: Final = "StandardODATA."
_PRIMITIVES: Final = frozenset({"Edm.String", "Edm.Double", "Edm.Boolean", "Edm.DateTime"})


def body_of(raw: bytes, content_type: str) -> Row:
    """Decode a body.

    Raises:
        ODataRefusal: a form instead of JSON, or broken JSON (500/-1 both, as measured).
    """
    if "x-www-form-urlencoded" in content_type or "multipart" in content_type:
        raise errors.internal()
    try:
        body = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf") or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise errors.broken_json() from broken
    if not isinstance(body, dict):
        raise errors.internal()
    return body


def read_values(entity_set: EntitySet, body: Row, schema: ReleaseSchema, current: Row) -> Row:
    """Return the values of *body* as they will be kept.

    *current* is the complete row before the write; a wide number that cannot be read keeps it.

    Raises:
        ODataRefusal: see the module.
    """
    values: Row = {}
    body = {**body, **_bound(body, entity_set)}
    for name, prop in entity_set.properties.items():
        if name not in body or name in _SERVER_KEPT or prop.ref == "*type":
            continue
        if prop.composite:
            values |= _composite(prop, body, current, schema)
        else:
            values[name] = scalar(prop, body[name], current.get(name, prop.default), schema)
    for name, section in entity_set.sections.items():
        if name in body:
            values[name] = _section(section, body[name], schema)
    return values


def _bound(body: Row, entity_set: EntitySet) -> Row:
    """Read `Поле@odata.bind` references (PUT of the guide)."""
    found: Row = {}
    for name, target in body.items():
        field, at, kind = name.partition("@")
        if at and kind == "odata.bind" and f"{field}_Key" in entity_set.properties:
            bound = _BIND.match(str(target))
            if bound is None:
                raise errors.wrong_property(target, field)
            found[f"{field}_Key"] = bound[1].lower()
    return found


def scalar(  # noqa: PLR0911 - one line per type
    prop: Property, given: Any, current: Any, schema: ReleaseSchema
) -> Any:
    """Return one plain value as its column keeps it."""
    if isinstance(given, list | dict) and not prop.type.startswith(_PREFIX):
        raise errors.internal()
    match prop.type:
        case "String":
            return _text(prop, given, schema)
        case "Guid":
            return _guid(given)
        case "Boolean":
            return _boolean(given)
        case "DateTime":
            return _moment(given)
        case "Int16" | "Int32" | "Int64":
            return _whole(given, current)
        case "Double":
            is_number = isinstance(given, int | float) and not isinstance(given, bool)
            return given if is_number else current
    return given


def _text(prop: Property, given: Any, schema: ReleaseSchema) -> str:
    text = "" if given is None else str(given).lower() if isinstance(given, bool) else str(given)
    if prop.ref and prop.ref.startswith("Enum_"):
        values = schema.enums.get(prop.ref.removeprefix("Enum_"))
        if text and values and text not in values:
            raise errors.bad_value(text, "String")
        return text
    return text if prop.max is None else text[: prop.max]


def _guid(given: Any) -> str:
    if given is None or given == "":
        return EMPTY_REF
    if not isinstance(given, str) or not address.is_guid(given):
        raise errors.bad_value(given, "Guid")
    return given.lower()


def _boolean(given: Any) -> bool:
    if given is None:
        return False
    if not isinstance(given, bool):
        raise errors.bad_value(given, "Boolean")
    return given


def _moment(given: Any) -> str:
    if given is None:
        return EMPTY_DATE
    # Naive wall time to the second: a zone or fractions have no place in a 1C date.
    if not isinstance(given, str) or _MOMENT.match(given) is None:
        raise errors.bad_value(given, "DateTime")
    return given


def _whole(given: Any, current: Any) -> Any:
    if isinstance(given, bool):
        return current
    try:
        return int(given)
    except (TypeError, ValueError):
        return current


def _composite(prop: Property, body: Row, current: Row, schema: ReleaseSchema) -> Row:
    name, type_name = prop.name, f"{prop.name}_Type"
    given = body[name]
    kind = body.get(type_name, current.get(type_name, UNDEFINED))
    if isinstance(given, list | dict) or isinstance(kind, list | dict):
        raise errors.internal()
    if given in {None, ""}:
        return {name: "", type_name: UNDEFINED}
    if kind in _PRIMITIVES:
        return {name: given, type_name: kind}
    owner = str(kind).removeprefix(_PREFIX)
    if not str(kind).startswith(_PREFIX) or "_" not in owner:
        raise errors.wrong_composite(kind)
    if prop.ref_any_of and owner not in prop.ref_any_of:
        raise errors.wrong_composite(kind)
    if not prop.ref_any_of and owner.startswith("Catalog_") and owner not in schema.sets:
        raise errors.wrong_composite(kind)
    return {name: _guid(str(given)), type_name: kind}


def _section(section: EntitySet, given: Any, schema: ReleaseSchema) -> list[Row]:
    if not isinstance(given, list):
        raise errors.internal()
    lines = []
    for expected, line in enumerate(given, 1):
        if not isinstance(line, dict) or "LineNumber" not in line:
            raise errors.internal()
        if str(line["LineNumber"]) != str(expected):
            raise errors.wrong_property(line["LineNumber"], "LineNumber")
        inner = {k: v for k, v in line.items() if k != "LineNumber"}
        lines.append(read_values(section, inner, schema, section.template()))
    return lines
