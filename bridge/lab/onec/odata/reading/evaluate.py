"""Turns the tree of a filter into a condition on rows, with the type rules of 1C's queries.

What 1C answers with a 500 is refused here before a single row is read: comparing references by
order, unlimited strings, incompatible types. What 1C silently finds nothing for, finds nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.lab.onec.infobase.schema import EMPTY_REF, EntitySet
from bridge.lab.onec.infobase.tables import EntityTable, Row
from bridge.lab.onec.odata import errors
from bridge.lab.onec.odata.publication import Publication
from bridge.lab.onec.odata.reading import comparison, functions, grammar
from bridge.lab.onec.odata.reading.functions import Operand, RowGetter

_NUMBERS: Final = frozenset({"Int16", "Int32", "Int64", "Double"})
_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}


@dataclass(frozen=True, slots=True)
class FilterScope:
    """Where names are looked up: a set, how its rows are read, and lambda variables above."""

    publication: Publication
    entity_set: EntitySet
    table: EntityTable | None = None
    variables: dict[str, EntitySet] = field(default_factory=dict)

    @property
    def is_case_sensitive(self) -> bool:
        """Return whether texts are compared with the case of their letters."""
        return self.publication.switches.text_case == "sensitive"

    def reader(self, name: str) -> RowGetter:
        """Return what reads one attribute of a sparse or complete row."""
        if name == "DataVersion" and self.table is not None:
            table = self.table
            return lambda row: self.publication.version(table, row)
        if self.table is None:
            return operator.itemgetter(name)
        value, default = self.table.value, self.entity_set.properties[name].default
        if self.entity_set.hierarchy == "HierarchyFoldersAndItems":
            return lambda row: value(row, name)
        return lambda row: row.get(name, default)


def compile_condition(tree: grammar.Node, scope: FilterScope) -> Callable[[Row], bool]:
    """Compile a filter.

    Raises:
        ODataRefusal: as 1C would refuse it.
    """
    found = _operand(tree, scope)
    if found.type != "Boolean":
        raise errors.bad_option("$filter")
    return found.get


def requested_keys(tree: grammar.Node) -> frozenset[str] | None:
    """Return the only references the filter can be true for, if it names them."""
    chain = _same_field(tree)
    if chain is not None:
        steps, refs = chain
        return frozenset(refs) if steps == ("Ref_Key",) else None
    match tree:
        case grammar.Binary("and", left, right):
            one, other = requested_keys(left), requested_keys(right)
            return other if one is None else one if other is None else one & other
    return None


def _operand(node: grammar.Node, scope: FilterScope) -> Operand:  # noqa: PLR0911 - one per node
    match node:
        case grammar.Literal(type_name, value):
            return Operand(type_name, lambda _: value, literal=True)
        case grammar.FieldPath(steps):
            return compile_path(steps, scope)
        case grammar.FunctionCall(name, arguments):
            return _call(name, arguments, scope)
        case grammar.Lambda():
            return _quantifier(node, scope)
        case grammar.Not(inside):
            holds = compile_condition(inside, scope)
            return Operand("Boolean", lambda row: not holds(row))
        case grammar.Binary("or" | "and" as name, left, right):
            return _junction(name, left, right, scope)
        case grammar.Binary(name, left, right) if name in _ARITHMETIC:
            return _arithmetic(name, _operand(left, scope), _operand(right, scope))
    return _comparison(node, scope)


def compile_path(steps: tuple[str, ...], scope: FilterScope) -> Operand:
    """Compile a path of fields: `ИНН`, `Партнер/Description`, `d/Тип`.

    Raises:
        ODataRefusal: an unknown segment (400/6), or a section outside a lambda (500).
    """
    name, rest = steps[0], steps[1:]
    if name in scope.variables and rest:
        inner = FilterScope(scope.publication, scope.variables[name])
        found = compile_path(rest, inner)
        return Operand(found.type, lambda row: found.get(row[""]), found.prop, _inside(found))
    if not rest:
        return _attribute(name, scope)
    if name in scope.entity_set.sections:
        raise errors.incomparable(1)
    walked = scope.publication.navigation(scope.entity_set, name)
    if walked is None:
        raise errors.no_segment(name)
    prop, target = walked
    table = scope.publication.table(target)
    reader = scope.reader(prop.name)
    found = compile_path(rest, FilterScope(scope.publication, target, table))

    def get(row: Row) -> Any:
        other = table.rows.get(reader(row) or EMPTY_REF)
        return None if other is None else found.get(other)

    return Operand(found.type, get, found.prop)


def _inside(found: Operand) -> RowGetter | None:
    kind = found.kind
    return None if kind is None else lambda row: kind(row[""])


def _attribute(name: str, scope: FilterScope) -> Operand:
    prop = scope.entity_set.properties.get(name)
    if prop is None:
        raise errors.no_segment(name)
    if name == "DataVersion" and scope.publication.switches.dataversion_filter == "refused":
        raise errors.incomparable(1)
    get = scope.reader(name)
    if prop.composite:
        return Operand("Composite", get, prop, scope.reader(f"{name}_Type"))
    kind = "Number" if prop.type in _NUMBERS else prop.type
    return Operand(kind, get, prop)


def _junction(name: str, left: grammar.Node, right: grammar.Node, scope: FilterScope) -> Operand:
    if name == "or" and (chain := _same_field(grammar.Binary(name, left, right))):
        steps, refs = chain
        found = compile_path(steps, scope)
        if found.type == "Guid":
            get = found.get
            return Operand("Boolean", lambda row: get(row) in refs)
    one, other = compile_condition(left, scope), compile_condition(right, scope)
    if name == "or":
        return Operand("Boolean", lambda row: one(row) or other(row))
    return Operand("Boolean", lambda row: one(row) and other(row))


def _same_field(tree: grammar.Node) -> tuple[tuple[str, ...], set[str]] | None:
    """Read `X eq guid'…' or X eq guid'…' or …`, however long; None for anything else."""
    refs: set[str] = set()
    steps: set[tuple[str, ...]] = set()
    waiting = [tree]
    while waiting:
        match waiting.pop():
            case grammar.Binary("or", left, right):
                waiting += [left, right]
            case grammar.Binary("eq", grammar.FieldPath(named), grammar.Literal("Guid", value)):
                refs.add(str(value))
                steps.add(named)
            case _:
                return None
    return (steps.pop(), refs) if len(steps) == 1 else None


def _arithmetic(name: str, left: Operand, right: Operand) -> Operand:
    if left.type != "Number" or right.type != "Number":
        raise errors.wrong_argument(name)
    apply, one, other = _ARITHMETIC[name], left.get, right.get

    def get(row: Row) -> Any:
        mine, theirs = one(row), other(row)
        if mine is None or theirs is None:
            return None
        if name == "div" and not theirs:
            raise errors.internal()
        return apply(mine, theirs)

    return Operand("Number", get)


def _comparison(node: grammar.Node, scope: FilterScope) -> Operand:
    if not isinstance(node, grammar.Binary):
        raise errors.bad_option("$filter")
    left, right = _operand(node.left, scope), _operand(node.right, scope)
    return comparison.compile_comparison(
        node.operator, left, right, node.position, exact=scope.is_case_sensitive
    )


def _call(name: str, arguments: tuple[grammar.Node, ...], scope: FilterScope) -> Operand:
    if name in {"isof", "cast"}:
        return _typed(name, arguments, scope)
    found = [_operand(argument, scope) for argument in arguments]
    return functions.compile_call(name, found, exact=scope.is_case_sensitive)


def _typed(name: str, arguments: tuple[grammar.Node, ...], scope: FilterScope) -> Operand:
    match arguments:
        case (subject, grammar.Literal("String", owner)) if scope.publication.publishes(str(owner)):
            found = _operand(subject, scope)
        case _:
            raise errors.ODataRefusal(400, "21", f"Неверные параметры функции {name}")
    if name == "cast":
        if found.type != "Guid":
            raise errors.ODataRefusal(400, "21", f"Неверные параметры функции {name}")
        get = found.get
        return Operand("Cast", lambda row: (get(row), owner))
    kind = found.kind
    if kind is None:
        raise errors.wrong_argument(name)
    return Operand("Boolean", lambda row: bool(kind(row) == f"StandardODATA.{owner}"))


def _quantifier(node: grammar.Lambda, scope: FilterScope) -> Operand:
    if len(node.path.steps) != 1 or node.path.steps[0] not in scope.entity_set.sections:
        raise errors.no_segment(node.path.steps[0])
    name = node.path.steps[0]
    section, table = scope.entity_set.sections[name], scope.table
    if table is None:
        raise errors.no_segment(name)
    if node.condition is None:
        return Operand("Boolean", lambda row: bool(row.get(name)))
    inner = FilterScope(scope.publication, section, None, {node.variable: section})
    holds = compile_condition(node.condition, inner)
    decide = all if node.every else any
    return Operand("Boolean", lambda row: decide(holds({"": r}) for r in table.section(row, name)))
