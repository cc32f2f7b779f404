"""Creates, changes and deletes objects and register records, with what 1C does on the way.

One request is one object is one transaction: everything is checked before anything is kept. Fill
checks do not run; nothing is filled for the client but `Ref_Key`, a number or code, an omitted
date and `DataVersion` (docs/facts/ut11.md, 'Writing a phone call').
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bridge.lab.onec.infobase.infobase import PARTNERS
from bridge.lab.onec.infobase.schema import EMPTY_DATE, EMPTY_REF, EntitySet
from bridge.lab.onec.infobase.tables import Key, Row, make_ref
from bridge.lab.onec.odata import errors
from bridge.lab.onec.odata.address import KeyValue
from bridge.lab.onec.odata.writing import body_values, event_handlers
from bridge.lab.onec.odata.writing.request import WriteRequest


def create(write: WriteRequest) -> Key:
    """Store a new object and return its key.

    Raises:
        ODataRefusal: the key is taken and honoured (400/15), a rule refuses it, a value cannot
            be read.
    """
    if write.entity_set.is_section:
        raise errors.rows_apart()
    if write.entity_set.is_register:
        return _create_record(write)
    table, given = write.table, write.body.get("Ref_Key")
    ref = make_ref(write.rng)
    if given is not None and write.publication.switches.honour_client_ref_key:
        ref = body_values.scalar(
            write.entity_set.properties["Ref_Key"], given, EMPTY_REF, _schema(write)
        )
        if ref in table.rows:
            raise errors.exists(write.entity_set.name)
    values = _values(write, write.entity_set.template())
    row = {"Ref_Key": ref, **values}
    _number(write, row)
    _check_posting(write, row, posted=bool(row.get("Posted")))
    event_handlers.before_write(write, row)
    key = table.put(row, version=0)
    event_handlers.on_write(write, row)
    return key


def change(write: WriteRequest, key: Key, *, reset: bool = False) -> Key:
    """Apply the body to an object or record; *reset* is PUT, which empties what is not given.

    Raises:
        ODataRefusal: no such key (404/9), a stale version where it is enforced (412), a rule
            refuses it.
    """
    table = write.table
    if key not in table.rows:
        if write.entity_set.is_register and write.publication.switches.register_patch == "upsert":
            return _revive_record(write, key)
        raise errors.no_instance(write.entity_set.name)
    before = table.rows[key]
    _check_version(write, before)
    if write.entity_set.is_register:
        return _change_record(write, key, reset=reset)
    values = _values(write, table.complete(before))
    kept = {"Ref_Key", "Predefined", "PredefinedDataName", "IsFolder", "Posted"}
    row = {k: v for k, v in before.items() if not reset or k in kept} | values
    wants_posting = values.get("Posted", before.get("Posted", False))
    row["Posted"] = before.get("Posted", False)
    if write.entity_set.kind != "Document":
        del row["Posted"]
    elif row.get("DeletionMark") and row["Posted"] and wants_posting:
        raise errors.by_handler("Проведенный документ нельзя пометить на удаление")
    if reset:
        _number(write, row)
    event_handlers.before_write(write, row)
    if wants_posting != row.get("Posted", False) or "Posted" in values:
        _check_posting(write, row, posted=bool(wants_posting))
        if "Posted" in row:
            row["Posted"] = bool(wants_posting)
    table.replace(key, row)
    event_handlers.on_write(write, row)
    return key


def delete(write: WriteRequest, key: Key) -> None:
    """Delete physically; references elsewhere are left dangling.

    Raises:
        ODataRefusal: no such key (404/9), or a predefined object.
    """
    table = write.table
    if key not in table.rows:
        raise errors.no_instance(write.entity_set.name)
    row = table.rows[key]
    _check_version(write, row)
    if row.get("Predefined"):
        raise errors.by_handler("Предопределенный элемент нельзя удалить", "ПередУдалением")
    event_handlers.on_delete(write, table.remove(key))


def post(write: WriteRequest, ref: str, *, posted: bool) -> None:
    """Post or unpost a document; posting twice is no error.

    Raises:
        ODataRefusal: the configuration denies posting (no such method), or the document is marked.
    """
    table = write.table
    if ref not in table.rows:
        raise errors.no_instance(write.entity_set.name)
    row = {**table.rows[ref], "Posted": posted}
    _check_posting(write, row, posted=posted)
    table.replace(ref, row)


def key_from(write_set: EntitySet, given: dict[str, KeyValue]) -> Key:
    """Return the key a parenthesis names.

    Raises:
        ODataRefusal: a part is missing (400/7), the type half lacks its namespace, no guid (400/1).
    """
    if not write_set.is_register and not write_set.is_section:
        value = given.get("Ref_Key", given.get(""))
        if value is None:
            raise errors.missing_key("Ref_Key")
        return str(
            body_values.scalar(write_set.properties["Ref_Key"], value, EMPTY_REF, _NO_SCHEMA)
        )
    for name in write_set.key:
        if name not in given:
            raise errors.missing_key(name)
        if name.endswith("_Type") and not str(given[name]).startswith("StandardODATA."):
            raise errors.wrong_composite(given[name])
    number = given.get("LineNumber", 0)
    if not str(number).isdecimal():
        raise errors.bad_value(number, "Int64")
    return tuple(int(number) if name == "LineNumber" else given[name] for name in write_set.key)


# ------------------------------------------------------------------ parts


def _schema(write: WriteRequest) -> Any:
    return write.publication.infobase.schema


_NO_SCHEMA: Any = None


def _values(write: WriteRequest, current: Row) -> Row:
    values = body_values.read_values(write.entity_set, write.body, _schema(write), current)
    for part in ("IsFolder",):
        if part in current and current.get(part) and part in values:
            values.pop(part)
    return values


def _check_version(write: WriteRequest, row: Row) -> None:
    """Compare `If-Match` only where the publication enforces it (measured: ignored)."""
    if write.publication.switches.if_match != "enforced" or not write.if_match:
        return
    if write.entity_set.is_register:
        return
    sent = write.if_match.removeprefix("W/").strip('"')
    if sent != write.publication.version(write.table, row):
        raise errors.changed_meanwhile()


def _check_posting(write: WriteRequest, row: Row, *, posted: bool) -> None:
    if not posted:
        return
    if not write.entity_set.posting:
        raise errors.by_handler("Проведение документов данного вида запрещено", "ПередЗаписью")
    if row.get("DeletionMark"):
        raise errors.by_handler("Помеченный на удаление документ не может быть проведен")


def _number(write: WriteRequest, row: Row) -> None:
    """Issue what 1C issues: a date when it is omitted, a number or a code when it is empty."""
    properties = write.entity_set.properties
    if "Date" in properties and row.get("Date", EMPTY_DATE) == EMPTY_DATE:
        row["Date"] = write.now.isoformat(timespec="seconds")
    table = write.table
    # In data-load mode nothing issues a number (docs/facts/ut11.md, 'Writing a phone call').
    if "Number" in properties and not row.get("Number") and not write.is_data_load:
        row["Number"] = f"00-{table.next_number('Number', str(row['Date'])[:4]):08d}"
    if write.entity_set.name == PARTNERS and not row.get("Code"):
        row["Code"] = f"00-{table.next_number('Code'):08d}"


# ------------------------------------------------------------------ registers


def _create_record(write: WriteRequest) -> Key:
    entity_set, table = write.entity_set, write.table
    for name in entity_set.key:
        if name not in write.body and not name.endswith("_Type"):
            raise errors.ODataRefusal(
                400, "5", f"Не указано значение обязательного свойства {name}"
            )
    row = body_values.read_values(entity_set, write.body, _schema(write), entity_set.template())
    event_handlers.before_record_write(write, row)
    if table.key_of(row) in table.rows:
        # No upsert: the same key again is refused and nothing changes (docs/facts/onec-odata.md,
        # 'Independent registers').
        raise errors.exists(entity_set.name)
    return table.put(row)


def _change_record(write: WriteRequest, key: Key, *, reset: bool) -> Key:
    entity_set, table = write.entity_set, write.table
    before = table.rows[key]
    moves = write.publication.switches.dimension_patch == "moved"
    body = {k: v for k, v in write.body.items() if moves or k not in entity_set.key}
    values = body_values.read_values(entity_set, body, _schema(write), table.complete(before))
    own = {name: table.value(before, name) for name in entity_set.key}
    # Unless it moves, the key stays, whatever is in the body.
    row = (own if reset else dict(before)) | values | ({} if moves else own)
    event_handlers.before_record_write(replace(write, body=body), row)
    if table.key_of(row) == key:
        table.replace(key, row)
        return key
    if table.key_of(row) in table.rows:
        raise errors.exists(entity_set.name)
    table.remove(key)
    return table.put(row)


def _revive_record(write: WriteRequest, key: Key) -> Key:
    """Create the record a PATCH names by its key, with the other values of the body."""
    parts = key if isinstance(key, tuple) else (key,)
    body = {**write.body, **dict(zip(write.entity_set.key, parts, strict=True))}
    return _create_record(replace(write, body=body))
