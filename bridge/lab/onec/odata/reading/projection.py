"""Compiles `$select` and `$expand` into a projection of rows, and gives values their wire shape.

Wide integers become strings, `DataVersion` its base64, types that are not published their alias;
references not empty get a `@navigationLinkUrl` at the default metadata level
(docs/facts/onec-odata.md, 'Values in JSON').
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bridge.lab.onec.infobase.schema import EMPTY_REF, EntitySet
from bridge.lab.onec.infobase.tables import EntityTable, Row
from bridge.lab.onec.odata import errors
from bridge.lab.onec.odata.publication import Publication

Project = Callable[[Row], Row]

_SHOWN = "____Presentation"


@dataclass(slots=True)
class _Selection:
    columns: list[str] = field(default_factory=list)
    sections: dict[str, list[str] | None] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    itself: bool = False
    walked: dict[str, list[str]] = field(default_factory=dict)


def compile_projection(
    publication: Publication, entity_set: EntitySet, options: dict[str, str], *, links: bool
) -> Project:
    """Return what turns a sparse row (or a line of a section) into what travels.

    *links* adds `@navigationLinkUrl` members.

    Raises:
        ODataRefusal: an unknown field (400/6), or a section in `$expand` (501/0).
    """
    selection = _read_selection(publication, entity_set, options.get("$select"))
    expanded = _expanded(publication, entity_set, options.get("$expand"))
    if "$select" in options:
        # Not in $select means silently not expanded (docs/facts/onec-odata.md, 'Expand').
        expanded = {
            name: selection.walked.get(name, []) for name in expanded if name in selection.walked
        }
    related = {
        name: _related(publication, entity_set, name, columns) for name, columns in expanded.items()
    }
    table = None if entity_set.is_section else publication.table(entity_set)
    shape = WireShape(publication, entity_set, links=links)
    getters = [
        (label, _presented(publication, entity_set, name))
        for label, name in selection.shown.items()
    ]

    def project(row: Row) -> Row:
        found = _select_columns(row, selection, table)
        shape.columns(found, row, table)
        for label, get in getters:
            found[f"{label}{_SHOWN}"] = get(row)
        if selection.itself:
            found["Presentation"] = publication.infobase.presentation(
                entity_set.name, str(row.get("Ref_Key", EMPTY_REF))
            )
        for name, walk in related.items():
            found[name] = walk(row)
        return found

    return project


def _select_columns(row: Row, selection: _Selection, table: EntityTable | None) -> Row:
    if table is None:
        return {name: row[name] for name in selection.columns}
    value = table.value
    found = {name: value(row, name) for name in selection.columns if name not in selection.sections}
    if selection.sections:
        ordered: Row = {}
        for name in selection.columns:
            if name not in selection.sections:
                ordered[name] = found[name]
                continue
            columns = selection.sections[name]
            lines = table.section(row, name)
            if columns is not None:
                lines = [{column: line[column] for column in columns} for line in lines]
            ordered[name] = lines
        return ordered
    return found


class WireShape:
    """The wire's shape of the values of one set."""

    def __init__(self, publication: Publication, entity_set: EntitySet, *, links: bool) -> None:
        self._publication = publication
        self._set = entity_set
        self._wide = _wide(entity_set)
        self._types = _types(entity_set)
        self._links = _links(publication, entity_set) if links else {}
        self._lines = {
            name: (_wide(section), _types(section)) for name, section in entity_set.sections.items()
        }

    def columns(self, found: Row, row: Row, table: EntityTable | None) -> None:
        """Reshape the values of *found*, taken from *row*, in place."""
        publication = self._publication
        if table is not None and "DataVersion" in found:
            found["DataVersion"] = publication.version(table, row)
        _reshape(publication, found, self._wide, self._types)
        if not publication.switches.row_ref_key_in_sections and table is None:
            found.pop("Ref_Key", None)
        for name, (wide, types) in self._lines.items():
            for line in found.get(name) or ():
                _reshape(publication, line, wide, types)
                if not publication.switches.row_ref_key_in_sections:
                    line.pop("Ref_Key", None)
        for column, name in self._links.items():
            if found.get(column, EMPTY_REF) not in {EMPTY_REF, None, ""}:
                ref = row["Ref_Key"]
                found[f"{name}@navigationLinkUrl"] = f"{self._set.name}(guid'{ref}')/{name}"


def _reshape(
    publication: Publication, found: Row, wide: tuple[str, ...], types: tuple[str, ...]
) -> None:
    for name in wide:
        if found.get(name) is not None:
            found[name] = str(found[name])
    for name in types:
        if name in found and found[name] is not None:
            found[name] = publication.type_on_wire(found[name])


def _wide(entity_set: EntitySet) -> tuple[str, ...]:
    return tuple(name for name, prop in entity_set.properties.items() if prop.type == "Int64")


def _types(entity_set: EntitySet) -> tuple[str, ...]:
    return tuple(name for name, prop in entity_set.properties.items() if prop.ref == "*type")


def _links(publication: Publication, entity_set: EntitySet) -> dict[str, str]:
    if entity_set.is_register or entity_set.is_section:
        return {}
    return {
        name: prop.navigation
        for name, prop in entity_set.properties.items()
        if prop.navigation and publication.navigation(entity_set, prop.navigation)
    }


# ------------------------------------------------------------------ $select


def _read_selection(
    publication: Publication, entity_set: EntitySet, text: str | None
) -> _Selection:
    every = [name for name in entity_set.template() if name not in entity_set.sections]
    sections = [s for s in entity_set.sections if publication.publishes(f"{entity_set.name}_{s}")]
    selection = _Selection()
    if not text:
        selection.sections = dict.fromkeys(sections)
        selection.columns = _in_order(entity_set, {*every, *sections})
        return selection
    names: set[str] = set()
    bare = False
    for part in (piece.strip() for piece in text.split(",")):
        if part == "*":
            names |= {*every, *sections}
            selection.sections |= dict.fromkeys(sections)
        elif part == "**":
            bare = True
            names |= set(every)
        elif part == f"*{_SHOWN}":
            walked = ((p.navigation, n) for n, p in entity_set.properties.items())
            selection.shown |= {label: name for label, name in walked if label}
        elif part == "Presentation" and not entity_set.is_section:
            selection.itself = True
        else:
            names.add(_one(publication, entity_set, part, selection))
    if bare:
        # With ** a section stays out even when it is listed beside it (docs/facts/onec-odata.md,
        # 'Select').
        names -= set(selection.sections)
        selection.sections = {}
    selection.columns = _in_order(entity_set, names)
    return selection


def _one(publication: Publication, entity_set: EntitySet, part: str, selection: _Selection) -> str:
    if part.endswith(_SHOWN):
        name = part.removesuffix(_SHOWN)
        column = name if name in entity_set.properties else f"{name}_Key"
        if column not in entity_set.properties:
            raise errors.no_segment(part)
        selection.shown[name] = column
        return ""
    if part in entity_set.properties:
        return part
    head, slash, tail = part.partition("/")
    if head in entity_set.sections and publication.publishes(f"{entity_set.name}_{head}"):
        section = entity_set.sections[head]
        if slash and tail not in section.properties and tail != "*":
            raise errors.no_segment(tail)
        kept = selection.sections.get(head, [])
        whole = not slash or tail == "*" or kept is None
        selection.sections[head] = None if whole else [*(kept or []), tail]
        return head
    walked = publication.navigation(entity_set, head)
    if walked is None:
        raise errors.no_segment(head)
    if slash and tail not in walked[1].properties and tail != "*":
        raise errors.no_segment(tail)
    selection.walked.setdefault(head, []).extend([tail] if slash and tail != "*" else [])
    return ""


def _in_order(entity_set: EntitySet, names: set[str]) -> list[str]:
    return [name for name in entity_set.template() if name in names]


def _presented(publication: Publication, entity_set: EntitySet, name: str) -> Callable[[Row], str]:
    prop = entity_set.properties[name]
    table = None if entity_set.is_section else publication.table(entity_set)

    def value(row: Row, column: str) -> Any:
        return row[column] if table is None else table.value(row, column)

    def get(row: Row) -> str:
        found = value(row, name)
        if prop.composite:
            owner = publication.owner_of_type(str(value(row, f"{name}_Type")))
            return publication.infobase.presentation(owner, found) if "_" in owner else str(found)
        if prop.ref and prop.type == "Guid":
            return publication.infobase.presentation(prop.ref, found or EMPTY_REF)
        return "" if found is None else str(found)

    return get


# ------------------------------------------------------------------ $expand


def _expanded(
    publication: Publication, entity_set: EntitySet, text: str | None
) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for part in (piece.strip() for piece in (text or "").split(",") if piece.strip()):
        head = part.partition("/")[0]
        if head in entity_set.sections:
            raise errors.unsupported("в опции $expand допустимы только ссылочные реквизиты")
        if publication.navigation(entity_set, head) is None:
            raise errors.no_segment(head)
        names[head] = []
    return names


def _related(
    publication: Publication, entity_set: EntitySet, name: str, columns: list[str]
) -> Callable[[Row], Row | None]:
    walked = publication.navigation(entity_set, name)
    if walked is None:
        raise errors.no_segment(name)
    prop, target = walked
    table = publication.table(target)
    options = {"$select": ",".join(columns) or "**"}
    project = compile_projection(publication, target, options, links=False)

    def get(row: Row) -> Row | None:
        other = table.rows.get(row.get(prop.name) or EMPTY_REF)
        return None if other is None else project(other)

    return get
