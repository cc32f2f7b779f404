"""A docstring names parameters and fields that are there: a renamed one is renamed here too."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.source_code import MODULES, parse

#: As in "*number* is shown": the way docstrings name a parameter or field.
_NAMED = re.compile(r"(?<![\w*])\*([a-z_]\w*)\*(?![\w*])")


def names_below(node: ast.AST) -> Iterator[str]:
    """Yield the names that are defined or used in *node*."""
    for part in ast.walk(node):
        if isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part.name


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_docstring_names_what_is_there(module: str) -> None:
    missing = [
        f"{module}:{node.lineno}: *{name}*"
        for node in ast.walk(parse(module))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for name in _NAMED.findall(ast.get_docstring(node) or "")
        if name not in set(names_below(node))
    ]

    assert not missing, "these names are of before: " + ", ".join(missing)
