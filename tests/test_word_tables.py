"""Every table that gives a word, or anything else, to the members of an enum knows all of them."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from enum import Enum
from types import ModuleType

import pytest

import bridge
from bridge.adapters.onec.protocol.errors import RefusalMeaning
from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.ports.audit import AuditAct

#: Tables that are meant for some of the members only: why, and which ones they leave out.
_NO_TELEPHONES = ("only what has telephones is looked up", {"MANAGER"})
PARTIAL: Mapping[str, tuple[str, set[str]]] = {
    "bridge.adapters.onec.schema.CONTACT_TYPES": (
        "asked whether it knows the kind first",
        {"COUNTERPARTY"},
    ),
    "bridge.adapters.onec.protocol.errors._WITH_CODE": (
        "asked whether it has the meaning first; the others are in _WITHOUT_CODE or are cases",
        {meaning.name for meaning in RefusalMeaning}
        - {"REJECTED", "ALREADY_EXISTS", "OBJECT_MISSING"},
    ),
    "bridge.adapters.onec.protocol.errors._WITHOUT_CODE": (
        "asked after _WITH_CODE and the two cases",
        {"REJECTED", "ALREADY_EXISTS", "OBJECT_MISSING", "OUTCOME_UNKNOWN", "SESSIONS_BLOCKED"},
    ),
    "bridge.adapters.onec.reading.objects.PHONE_OWNER_READERS": _NO_TELEPHONES,
    "bridge.adapters.onec.schema.PHONE_LINE_SETS": _NO_TELEPHONES,
    "bridge.adapters.onec.schema.LOOKUP_COLUMNS": _NO_TELEPHONES,
    "bridge.adapters.pbx.sipuni.vocabulary._KINDS": (
        "what no event of the PBX says",
        {"HISTORY", "GIVEN_UP", "UNKNOWN"},
    ),
    "bridge.domain.directory.sync_pause._BACKOFF": (
        "asked whether it knows the outcome first",
        {"DONE"},
    ),
    "bridge.lab.sipuni.protocol.event_forms._STATUSES": (
        "asked with a default, which is the documented spelling",
        {"DOCUMENTED", "LOWER"},
    ),
    "bridge.domain.reporting.desk._UNANSWERED": (
        "asked after those that ring, talk or were answered",
        {"RINGING", "TALKING", "ANSWERED"},
    ),
    "bridge.domain.routing.routing._UNREADABLE": ("asked without a number only", {"EXTERNAL"}),
}

_NOT_IMPORTED = "bridge.__main__"


def _assigned_names(module: ModuleType) -> set[str]:
    """Return the names that *module* itself binds, without those that it imports."""
    nodes = ast.parse(inspect.getsource(module)).body
    targets = [t for node in nodes if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in nodes if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def tables() -> Iterator[tuple[str, type[Enum], frozenset[Enum]]]:
    """Return every mapping of a module or class that is keyed by the members of one enum."""
    seen: set[int] = set()
    for found in pkgutil.walk_packages(bridge.__path__, "bridge."):
        if found.name == _NOT_IMPORTED:
            continue
        module = importlib.import_module(found.name)
        classes = [c for c in vars(module).values() if isinstance(c, type)]
        assigned = _assigned_names(module)
        own: list[ModuleType | type] = [c for c in classes if c.__module__ == found.name]
        for owner in (module, *own):
            for name, value in vars(owner).items():
                if not isinstance(value, Mapping) or not value or id(value) in seen:
                    continue
                if owner is module and name not in assigned:
                    continue  # an import gives the same table under another name
                kinds = {type(key) for key in value}
                if len(kinds) == 1 and issubclass(kind := kinds.pop(), Enum):
                    seen.add(id(value))
                    yield f"{owner.__name__}.{name}", kind, frozenset(value)


TABLES = list(tables())


@pytest.mark.parametrize(
    ("name", "kind", "keys"), TABLES, ids=[f"{name}-{kind.__name__}" for name, kind, _ in TABLES]
)
def test_a_table_keyed_by_an_enum_knows_all_of_its_members(
    name: str, kind: type[Enum], keys: frozenset[Enum]
) -> None:
    missing = set(kind) - keys
    left_out = PARTIAL.get(name, ("", set()))[1]
    assert {one.name for one in missing} == left_out, f"{name} has no entry for {missing}"


def test_the_tables_of_the_pages_are_among_those_that_were_found() -> None:
    assert {DeliveryStage, EntryState, AuditAct} <= {kind for _, kind, _ in TABLES}
    assert not set(PARTIAL) - {name for name, _, _ in TABLES}
