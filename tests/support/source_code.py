"""The bridge's code as text: its modules, the names they define, and what they import."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "bridge"


def module_name(path: Path) -> str:
    """Return the dotted name of the module in *path*; a package is named by its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


#: Every module of the bridge, by its dotted name.
MODULES = {module_name(path): path for path in sorted(BRIDGE.rglob("*.py"))}


def parse(module: str) -> ast.Module:
    """Return the syntax tree of *module*."""
    return ast.parse(MODULES[module].read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Name:
    """A name that the code defines: of a module, class, function, method, constant or field."""

    module: str  # "bridge.domain.calls.state"
    path: str  # "CallState.is_over", empty for the module itself
    line: int
    is_function: bool = False
    is_class: bool = False

    @property
    def last(self) -> str:
        """The name itself, without what it stands in."""
        return (self.path or self.module).rpartition(".")[2]

    def __str__(self) -> str:
        file = MODULES[self.module].relative_to(ROOT).as_posix()
        return f"{file}:{self.line}: {self.path or self.last}"


def names_in(module: str) -> Iterator[Name]:
    """Yield what *module* defines, itself first; attributes set on `self` are fields."""
    yield Name(module, "", 1)
    yield from _names_of(module, parse(module).body, "")


def _names_of(module: str, body: list[ast.stmt], prefix: str) -> Iterator[Name]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield Name(module, prefix + node.name, node.lineno, is_class=True)
            yield from _names_of(module, node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Name(module, prefix + node.name, node.lineno, is_function=True)
            if prefix:
                yield from _attributes_set_in(module, node, prefix)
        elif isinstance(node, ast.If | ast.Try):
            yield from _names_of(module, node.body, prefix)
        else:
            for target in _targets_of(node):
                if isinstance(target, ast.Name):
                    yield Name(module, prefix + target.id, node.lineno)


def _attributes_set_in(module: str, method: ast.AST, prefix: str) -> Iterator[Name]:
    for node in ast.walk(method):
        for target in _targets_of(node):
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield Name(module, prefix + target.attr, target.lineno)


def _targets_of(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [
            part
            for target in node.targets
            for part in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def imported_by(module: str) -> set[str]:
    """Return the modules of the bridge that *module* imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in MODULES else node.module)
    return found - {module}
