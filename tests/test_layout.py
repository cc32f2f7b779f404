"""The layout of the code: small folders, no circle, no module too long without a reason."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.source_code import MODULES, ROOT, imported_by

MAX_MODULES = 12
MAX_LINES = 300

#: Modules that may be longer than MAX_LINES, and why.
LONG: Mapping[str, str] = {
    "bridge/adapters/onec/schema.py": "a table: entity sets and fields of UT 11 in one place",
    "bridge/errors.py": "the tree of all errors, a few lines each",
    "bridge/web/connections/protocol.py": "one class: the states of one connection",
}

IMPORTS = {module: imported_by(module) for module in MODULES}
PACKAGES = sorted(module for module, path in MODULES.items() if path.name == "__init__.py")


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Return one circle of *graph* as the nodes along it, or nothing."""
    done: set[str] = set()
    for start in sorted(graph):
        way: list[str] = []
        stack = [(start, iter(sorted(graph[start])))]
        while stack:
            node, targets = stack[-1]
            if node not in way:
                way.append(node)
            target = next((t for t in targets if t not in done), None)
            if target is None:
                stack.pop()
                way.pop()
                done.add(node)
            elif target in way:
                return [*way[way.index(target) :], target]
            else:
                stack.append((target, iter(sorted(graph.get(target, ())))))
    return []


def children_graph(package: str) -> dict[str, set[str]]:
    """Return who imports whom among the direct children of *package*, subpackages as one node."""

    def child_of(name: str) -> str | None:
        if not name.startswith(f"{package}."):
            return None
        return ".".join(name.split(".")[: package.count(".") + 2])

    graph: dict[str, set[str]] = {}
    for name, targets in IMPORTS.items():
        if child := child_of(name):
            found = {target for target in map(child_of, targets) if target}
            graph.setdefault(child, set()).update(found - {child})
    return graph


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_can_be_overseen(package: str) -> None:
    folder = ROOT.joinpath(*package.split("."))

    modules = sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py")

    assert len(modules) <= MAX_MODULES, (
        f"{package} holds {len(modules)} modules, more than {MAX_MODULES}; "
        f"make subpackages whose names say what is inside: {', '.join(modules)}"
    )


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in MODULES.values()}

    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    circle = circle_in(IMPORTS)

    assert not circle, f"these import one another in a circle: {' -> '.join(circle)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_siblings_import_one_another_one_way_only(package: str) -> None:
    circle = circle_in(children_graph(package))

    assert not circle, f"children of {package} import one another: {' -> '.join(circle)}"


def test_a_module_is_short_or_says_why_not() -> None:
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in MODULES.values()
    }

    too_long = {path: n for path, n in lines.items() if n > MAX_LINES and path not in LONG}

    assert not too_long, (
        f"over {MAX_LINES} lines: {too_long}; split each by meaning, or give the reason in LONG "
        f"({Path(__file__).name}) if it is one table"
    )
    assert not [path for path in LONG if lines.get(path, 0) <= MAX_LINES], "take these off LONG"


def test_a_circle_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
