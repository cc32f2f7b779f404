"""Parses `$filter` of the standard interface into a tree; it checks syntax, not fields.

Precedence is OData 3's: or, and, not, comparison, add and sub, mul and div, minus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bridge.lab.onec.odata import address, errors


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the filter; `type` is an EDM name, or `null`."""

    type: str
    value: str | float | bool | None


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A field, possibly walked through references or a lambda's variable."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function with its arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """`any` or `all` over the lines of a tabular section."""

    path: FieldPath
    every: bool
    variable: str
    condition: Node | None


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two parts."""

    operator: str
    left: Node
    right: Node
    position: int = 0


@dataclass(frozen=True, slots=True)
class Not:
    """A negated condition."""

    condition: Node


Node = Literal | FieldPath | FunctionCall | Lambda | Binary | Not

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<guid>guid'[^']*')
    | (?P<datetime>datetime'[^']*')
    | (?P<text>'(?:[^']|'')*')
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<word>[^\W\d]\w*)
    | (?P<mark>[(),:/\-])
    )""",
    re.VERBOSE,
)
_COMPARISONS: Final = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_RESERVED: Final = _COMPARISONS | {"and", "or", "not", "add", "sub", "mul", "div"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def parse_filter(text: str) -> Node:
    """Return the tree of a filter.

    Raises:
        ODataRefusal: the syntax is broken (400/14), or a plus stands for a space (500/-1).
    """
    reader = _Reader(_tokens(text))
    tree = reader.disjunction()
    if reader.peek() is not None:
        raise errors.bad_option("$filter")
    return tree


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            if "+" in text[position:].lstrip()[:1]:
                raise errors.plus_is_no_space()
            raise errors.bad_option("$filter")
        kind = found.lastgroup or ""
        tokens.append(_Token(kind, found[kind], found.start(kind)))
        position = found.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self, ahead: int = 0) -> _Token | None:
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def take(self, *texts: str) -> _Token | None:
        token = self.peek()
        if token is None or token.kind not in {"word", "mark"} or token.text not in texts:
            return None
        self.at += 1
        return token

    def need(self, text: str) -> None:
        if self.take(text) is None:
            raise errors.bad_option("$filter")

    def disjunction(self) -> Node:
        left = self.conjunction()
        while self.take("or"):
            left = Binary("or", left, self.conjunction())
        return left

    def conjunction(self) -> Node:
        left = self.negation()
        while self.take("and"):
            left = Binary("and", left, self.negation())
        return left

    def negation(self) -> Node:
        return Not(self.negation()) if self.take("not") else self.comparison()

    def comparison(self) -> Node:
        left = self.sum()
        token = self.take(*_COMPARISONS)
        return left if token is None else Binary(token.text, left, self.sum(), token.position)

    def sum(self) -> Node:
        left = self.product()
        while token := self.take("add", "sub"):
            left = Binary(token.text, left, self.product())
        return left

    def product(self) -> Node:
        left = self.primary()
        while token := self.take("mul", "div"):
            left = Binary(token.text, left, self.primary())
        return left

    def primary(self) -> Node:
        token = self.peek()
        if token is None:
            raise errors.bad_option("$filter")
        self.at += 1
        if token.text == "(" and token.kind == "mark":
            inside = self.disjunction()
            self.need(")")
            return inside
        if token.text == "-" and token.kind == "mark":
            return Binary("sub", Literal("Number", 0), self.primary())
        if token.kind == "word" and token.text not in _RESERVED:
            return self.named(token)
        if token.kind in {"word", "mark"}:
            raise errors.bad_option("$filter")
        return _literal(token)

    def named(self, token: _Token) -> Node:
        if token.text in {"true", "false"}:
            return Literal("Boolean", token.text == "true")
        if token.text == "null":
            return Literal("null", None)
        if self.take("("):
            return FunctionCall(token.text, self.arguments())
        steps = [token.text]
        while self.take("/"):
            step = self.peek()
            if step is None or step.kind != "word":
                raise errors.bad_option("$filter")
            self.at += 1
            if step.text in {"any", "all"} and self.take("("):
                return self.quantified(FieldPath(tuple(steps)), every=step.text == "all")
            steps.append(step.text)
        return FieldPath(tuple(steps))

    def arguments(self) -> tuple[Node, ...]:
        if self.take(")"):
            return ()
        found = [self.disjunction()]
        while self.take(","):
            found.append(self.disjunction())
        self.need(")")
        return tuple(found)

    def quantified(self, path: FieldPath, *, every: bool) -> Node:
        if self.take(")"):
            return Lambda(path, every, "", None)
        variable = self.peek()
        if variable is None or variable.kind != "word":
            raise errors.bad_option("$filter")
        self.at += 1
        self.need(":")
        condition = self.disjunction()
        self.need(")")
        return Lambda(path, every, variable.text, condition)


def _literal(token: _Token) -> Literal:
    if token.kind == "number":
        return Literal("Number", float(token.text))
    inside = token.text[token.text.index("'") + 1 : -1]
    if token.kind == "guid":
        if not address.is_guid(inside):
            raise errors.bad_value(inside, "Guid")
        return Literal("Guid", inside.lower())
    if token.kind == "datetime":
        return Literal("DateTime", address.datetime_text(inside))
    return Literal("String", inside.replace("''", "'"))
