"""The glossary is true of the code, and the code's names are the glossary's.

Every name that the glossary gives exists; no class name stands twice; no part of a name is a word
that the glossary forbids.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.source_code import BRIDGE, MODULES, Name, names_in

GLOSSARY = (BRIDGE / "docs" / "glossary.md").read_text("utf-8")

#: Names that keep a forbidden word, and why. Fields of a class `…View` are JSON keys that scripts
#: read: they are not looked at.
ALLOWED: Mapping[str, str] = {
    "Settings.settle_after_s": "the setting BRIDGE_SETTLE_AFTER_S",
    "Loss.words": "a key of stored sync runs and of `sync --json`",
    "PlacedCall.words": "a key of `call --json`",
    "AuditRecord.words": "a stored field of the audit list",
    "EntitySync.buried": "a stored field of sync reports, and a key of the API",
    "SavedDocuments.items": "the method of a mapping",
    "event_handlers": "1C's own word for the code that runs when an object is written",
    "by_handler": "the same",
    "BoundedTransport.handle_async_request": "httpx's name",
    "BoundedSyncTransport.handle_request": "httpx's name",
    "SessionTransport.handle_async_request": "httpx's name",
}


NAMES = [name for module in MODULES for name in names_in(module)]
KNOWN = {f"{name.module}.{name.path}".rstrip(".") for name in NAMES}


def rows_of(glossary: str) -> Iterator[list[str]]:
    """Yield the cells of the glossary's tables, without their heads."""
    for line in glossary.splitlines():
        if line.startswith("| ") and not line.startswith("| term "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


ROWS = list(rows_of(GLOSSARY))
IN_CODE = sorted({name for row in ROWS for name in re.findall(r"`([\w.]+)`", row[2])})


def forbidden_words() -> tuple[frozenset[str], frozenset[str], tuple[str, ...]]:
    """Return the words that the glossary forbids: as a part, as a whole name, as a beginning."""

    def listed(heading: str) -> list[str]:
        section = GLOSSARY.partition(f"### {heading}\n")[2].partition("\n#")[0]
        return re.findall(r"`(\w+)`", section)

    parts, wholes = listed("As a part of a name"), listed("As a whole name")
    return frozenset(parts), frozenset(wholes), tuple(listed("As the beginning of a function"))


PARTS, WHOLES, BEGINNINGS = forbidden_words()


def words_in(name: str) -> list[str]:
    """Split a name into its words: `DirectoryURL_of` gives directory, url, of."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def fault_of(name: str, *, is_function: bool = False) -> str | None:
    """Return the forbidden word in *name*, if any."""
    if name.startswith("__"):
        return None
    bare = name.lstrip("_").lower()
    if bare in WHOLES:
        return bare
    if is_function and bare.startswith(BEGINNINGS):
        return next(beginning for beginning in BEGINNINGS if bare.startswith(beginning))
    return next((part for part in words_in(name) if part in PARTS), None)


def test_a_glossary_has_terms() -> None:
    assert len(ROWS) > 60
    assert all(len(row) == 5 for row in ROWS), [row for row in ROWS if len(row) != 5]
    assert PARTS
    assert WHOLES
    assert BEGINNINGS


def test_no_term_is_explained_twice() -> None:
    terms = [row[0].lower() for row in ROWS]

    assert {term for term in terms if terms.count(term) > 1} == set()


@pytest.mark.parametrize("name", IN_CODE)
def test_what_the_glossary_names_stands_in_the_code(name: str) -> None:
    known = f"bridge.{name}" in KNOWN
    last = name.rpartition(".")[2]
    elsewhere = [str(other) for other in NAMES if other.last == last]

    assert known, f"bridge.{name} does not exist; of this name there is: {elsewhere or 'nothing'}"


def test_no_class_name_stands_twice() -> None:
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for name in NAMES:
        if name.is_class:
            classes[name.last].append(str(name))

    twice = {name: places for name, places in classes.items() if len(places) > 1}

    assert not twice, f"one class name, one class; give each a name of its own: {twice}"


def faults() -> Iterator[tuple[Name, str]]:
    """Yield every name with a forbidden word, and the word."""
    for name in NAMES:
        if name.path.rpartition(".")[0].endswith("View"):
            continue
        if fault := fault_of(name.last, is_function=name.is_function):
            yield name, fault


def test_no_name_has_a_forbidden_word() -> None:
    found = sorted(
        {f"{name} ({part})" for name, part in faults() if (name.path or name.last) not in ALLOWED}
    )

    assert not found, (
        f"{len(found)} names; say it in the words of bridge/docs/glossary.md, or add the reason to "
        f"ALLOWED in {Path(__file__).name}:\n" + "\n".join(found)
    )


def test_what_is_allowed_is_needed() -> None:
    assert set(ALLOWED) - {name.path or name.last for name, _ in faults()} == set()


def test_a_forbidden_word_is_found_in_any_spelling() -> None:
    part = min(PARTS)

    assert fault_of(f"_any_{part}_here") == part
    assert fault_of(f"Any{part.title()}Here") == part
    assert fault_of(part.upper()) == part
    assert fault_of(f"any{part}") is None
    assert fault_of(f"{BEGINNINGS[0]}events", is_function=True) == BEGINNINGS[0]
