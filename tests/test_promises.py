"""Every promise of the manual has its test, and is the same in each language."""

import ast
import re
from pathlib import Path

import pytest

import bridge

ROOT = Path(__file__).parents[1]
MANUAL = Path(bridge.__file__).parent / "manual"
SHOWN_BY = re.compile(r"`(tests/[\w/]+\.py)::(\w+)` \|$", re.MULTILINE)
ROW = re.compile(r"^\| (?!---)(.+) \| (.+) \| (.+) \|$", re.MULTILINE)


def promises(lang: str) -> list[tuple[str, str]]:
    """Return the file and the name of each promise's test."""
    return SHOWN_BY.findall((MANUAL / lang / "promises.md").read_text("utf-8"))


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return (
        {node.name for node in ast.walk(tree) if isinstance(node, functions)}
        | {
            # A state machine's test is an attribute of its module.
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        | {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    )


@pytest.mark.parametrize(("path", "name"), sorted(set(promises("en"))))
def test_a_promise_has_its_test(path: str, name: str) -> None:
    assert name in names_in(path)


def test_both_languages_promise_the_same() -> None:
    assert promises("ru") == promises("en")


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_no_promise_is_without_a_test(lang: str) -> None:
    text = (MANUAL / lang / "promises.md").read_text("utf-8")
    headings = text.count("|---|---|---|")

    assert len(ROW.findall(text)) == len(promises(lang)) + headings
