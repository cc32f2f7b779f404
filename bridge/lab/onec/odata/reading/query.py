"""Answers one GET of an entity set: filter, order, page, project.

Rows of equal order keys are permuted anew for every request, and pages without `$orderby` come in
no promised order, because real pages lose and double rows that way (docs/facts/onec-odata.md,
'Order').
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from bridge.lab.onec.infobase.schema import EMPTY_REF, EntitySet
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.odata import errors
from bridge.lab.onec.odata.publication import Publication
from bridge.lab.onec.odata.reading import evaluate, grammar, projection

_KNOWN: Final = frozenset(
    {
        "$filter",
        "$select",
        "$expand",
        "$orderby",
        "$top",
        "$skip",
        "$inlinecount",
        "$format",
        "$metadata",
    }
)
#: Rows that come in any order among themselves when the request has no $orderby.
_BLOCK: Final = 97

RowCondition = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class QueryPage:
    """What a query found: rows ready to travel, lazily, and the count if it was asked."""

    entity_set: EntitySet
    rows: Iterator[Row]
    count: int | None


@dataclass(frozen=True, slots=True)
class _Ordered:
    rows: list[Row]
    #: Starts and ends of the runs of equal order keys longer than one.
    ties: list[tuple[int, int]]


class QueryRunner:
    """Runs queries against a publication and remembers the last orders, as a DBMS does."""

    def __init__(self) -> None:
        self._orders: OrderedDict[tuple[object, ...], _Ordered] = OrderedDict()

    def page(
        self,
        publication: Publication,
        entity_set: EntitySet,
        options: dict[str, str],
        *,
        request: int,
        links: bool,
        is_kept: RowCondition | None = None,
    ) -> QueryPage:
        """Answer a collection.

        *request* numbers the request and decides how ties fall; *is_kept* is false for
        rows that a fault removes.

        Raises:
            ODataRefusal: as 1C refuses the options.
        """
        check_options(options)
        project = projection.compile_projection(publication, entity_set, options, links=links)
        ordered = self._ordered(publication, entity_set, options)
        rows, ties = ordered.rows, ordered.ties
        if publication.switches.rls_rows:
            allowed = [row for row in rows if not publication.is_forbidden(row)]
            if len(allowed) != len(rows) and options.get("allowedOnly") != "true":
                raise errors.no_rights(publication.switches.rights_status)
            rows, ties = allowed, []
        if is_kept is not None:
            rows, ties = [row for row in rows if is_kept(row)], []
        skip = _number(options, "$skip") or 0
        top = _number(options, "$top")
        count = len(rows) if options.get("$inlinecount") == "allpages" else None
        end = len(rows) if top is None else min(len(rows), skip + top)
        if "$orderby" not in options and (top is not None or skip):
            ties = [(at, min(at + _BLOCK, len(rows))) for at in range(0, len(rows), _BLOCK)]
        shown = _slice(rows, ties, skip, end, f"{publication.infobase.seed}/{request}")
        return QueryPage(entity_set, map(project, shown), count)

    def count(
        self,
        publication: Publication,
        entity_set: EntitySet,
        options: dict[str, str],
        is_kept: RowCondition | None = None,
    ) -> int:
        """Answer `/$count`."""
        rows = self._ordered(publication, entity_set, {**options, "$orderby": ""}).rows
        return len(rows) if is_kept is None else sum(map(is_kept, rows))

    def _ordered(
        self, publication: Publication, entity_set: EntitySet, options: dict[str, str]
    ) -> _Ordered:
        condition, order = options.get("$filter", ""), options.get("$orderby", "")
        revision = _revision(publication, entity_set, f"{condition} {order}")
        switches = publication.switches
        key = (
            entity_set.name,
            condition,
            order,
            revision,
            switches.dataversion_filter,
            switches.text_case,
            frozenset(switches.unpublished),
            frozenset(switches.composition or ()),
            frozenset(switches.published_extras),
        )
        found = self._orders.get(key)
        if found is None:
            rows = list(_filtered(publication, entity_set, condition))
            found = _sorted(publication, entity_set, rows, order)
            self._orders[key] = found
            while len(self._orders) > 6:  # noqa: PLR2004 - a handful of running page walks
                self._orders.popitem(last=False)
        return found


def _revision(publication: Publication, entity_set: EntitySet, text: str) -> int:
    """Return the number of the last write that can change a result; other tables rarely can."""
    if "/" in text or "_Key" in text.replace("Ref_Key", ""):
        return publication.infobase.write_counter.count
    return publication.table(entity_set).revision


def check_options(options: dict[str, str]) -> None:
    """Refuse system options 1C does not know; others are ignored."""
    for name in options:
        if name.startswith("$") and name not in _KNOWN:
            raise errors.unsupported(
                f"Параметр {name} не поддерживается", f"The {name} parameter is not supported"
            )


def _number(options: dict[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise errors.bad_option(name)
    return int(text)


def _filtered(publication: Publication, entity_set: EntitySet, text: str) -> Iterator[Row]:
    table = publication.table(entity_set)
    section = publication.section_name(entity_set) if entity_set.is_section else ""
    rows: Iterator[Row] = (
        (row for _, row in table.section_rows(section)) if section else iter(table.rows.values())
    )
    if not text.strip():
        return rows
    tree = grammar.parse_filter(text)
    scope = evaluate.FilterScope(publication, entity_set, None if section else table)
    holds = evaluate.compile_condition(tree, scope)
    asked = evaluate.requested_keys(tree)
    if asked is not None:
        owners = [table.rows[ref] for ref in asked if ref in table.rows]
        rows = (
            (line for row in owners for line in table.section(row, section))
            if section
            else iter(owners)
        )
    return filter(holds, rows)


# ------------------------------------------------------------------ order


def _sorted(
    publication: Publication, entity_set: EntitySet, rows: list[Row], text: str
) -> _Ordered:
    keys = [_order_key(publication, entity_set, part) for part in text.split(",") if part.strip()]
    if not keys:
        return _Ordered(rows, [])
    columns = [_comparable([get(row) for row in rows]) for get, _ in keys]
    positions = list(range(len(rows)))
    for column, (_, descending) in zip(reversed(columns), reversed(keys), strict=True):
        positions.sort(key=column.__getitem__, reverse=descending)
    ties: list[tuple[int, int]] = []
    start = 0
    for at in range(1, len(positions) + 1):
        if at < len(positions) and all(c[positions[at]] == c[positions[start]] for c in columns):
            continue
        if at - start > 1:
            ties.append((start, at))
        start = at
    return _Ordered([rows[position] for position in positions], ties)


def _comparable(values: list[Any]) -> list[Any]:
    """Return sort keys: texts without case, nulls first."""
    folded = [value.casefold() if isinstance(value, str) else value for value in values]
    if None in folded:
        return [(value is not None, value) for value in folded]
    return folded


def _order_key(
    publication: Publication, entity_set: EntitySet, part: str
) -> tuple[Callable[[Row], Any], bool]:
    parts = part.split()
    if len(parts) > 2 or (len(parts) == 2 and parts[1] not in {"asc", "desc"}):  # noqa: PLR2004 - a field and its direction
        raise errors.bad_option("$orderby")
    if "+" in part:
        raise errors.no_segment(part.strip())
    table = None if entity_set.is_section else publication.table(entity_set)
    scope = evaluate.FilterScope(publication, entity_set, table)
    steps = tuple(parts[0].split("/"))
    found = evaluate.compile_path(steps, scope)
    prop, get = found.prop, found.get
    if prop is not None and (prop.unlimited or prop.type in {"Binary", "Stream"}):
        raise errors.incomparable(1)
    owner = prop.ref if prop is not None and found.type == "Guid" else None
    if steps == ("Ref_Key",):
        owner = entity_set.owner or entity_set.name
    if owner is not None and found.type == "Guid":
        get = _by_presentation(publication, owner, get)

    return get, len(parts) > 1 and parts[1] == "desc"


def _by_presentation(
    publication: Publication, owner: str, get: Callable[[Row], Any]
) -> Callable[[Row], Any]:
    """Order a reference as 1C does: by what it shows, not by its guid.

    Source: docs/facts/onec-odata.md, 'Order'.
    """
    table = publication.infobase.tables.get(owner)
    if table is None:
        return get
    document = table.schema.kind == "Document"

    def shown(row: Row) -> Any:
        other = table.rows.get(get(row) or EMPTY_REF)
        if other is None:
            return ""
        if document:
            return f"{table.value(other, 'Date')} {table.value(other, 'Number')}"
        return table.value(other, "Description")

    return shown


def _slice(
    rows: list[Row], ties: list[tuple[int, int]], start: int, end: int, salt: str
) -> list[Row]:
    found = rows[start:end]
    for first, last in ties:
        if last <= start or first >= end:
            continue
        run = rows[first:last]
        Random(f"{salt}/{first}").shuffle(run)  # noqa: S311 - rows in an arbitrary order
        low, high = max(first, start), min(last, end)
        found[low - start : high - start] = run[low - first : high - first]
    return found
