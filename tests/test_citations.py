"""What code and tests cite stands in the repository: `docs/facts/onec-odata.md, 'Sessions'`."""

import re
from pathlib import Path

import pytest

from tests.support.source_code import BRIDGE, MODULES, ROOT, names_in

DOCS = BRIDGE / "docs"

SOURCES = sorted(
    path
    for folder in (BRIDGE, ROOT / "tests")
    for path in folder.rglob("*.py")
    if path != Path(__file__)
)

#: One heading or several: `docs/contract.md, 'Settings' and 'Alarms'`.
_CITED = re.compile(r"\bdocs/([\w./-]+\.md)((?:,? (?:and )?'[^']+')*)")
_OUTSIDE = re.compile(r"§|(?<!docs/)\b(?:facts/|contract\.md|design\.md|style\.md)")
_RFC = re.compile(r"RFC \d+ §[\d.]+")


def running_text(path: Path) -> str:
    """Return the text of *path* with wrapped comments and docstrings on one line."""
    return re.sub(r"\s*\n\s*(?:#:? ?)?", " ", path.read_text("utf-8"))


def headings(paper: Path) -> set[str]:
    """Return the headings of a Markdown file."""
    return set(re.findall(r"^#+ (.+?)\s*$", paper.read_text("utf-8"), re.MULTILINE))


def citations() -> list[tuple[str, str, str]]:
    """Return every citation: the file it stands in, the paper, and the heading (perhaps none)."""
    return [
        (path.relative_to(ROOT).as_posix(), paper, heading)
        for path in SOURCES
        for paper, quoted in _CITED.findall(running_text(path))
        for heading in re.findall(r"'([^']+)'", quoted) or [""]
    ]


CITATIONS = citations()


def test_there_are_citations() -> None:
    assert len(CITATIONS) > 60


@pytest.mark.parametrize("paper", sorted({paper for _, paper, _ in CITATIONS}))
def test_what_is_cited_is_there(paper: str) -> None:
    cited = {(file, heading) for file, other, heading in CITATIONS if other == paper}

    assert (DOCS / paper).exists(), f"bridge/docs/{paper} is cited by {sorted(cited)}"

    there = headings(DOCS / paper) | {""}
    missing = sorted((file, heading) for file, heading in cited if heading not in there)
    assert not missing, f"bridge/docs/{paper} has no such headings; it has {sorted(there)}"


#: `bridge/domain/calls/state.py: derive_state`, with or without the first folder.
_SYMBOLS = re.compile(r"`((?:[\w-]+/)*\w+\.py): ([\w.]+(?:, [\w.]+)*)`")


def test_the_map_of_the_code_names_what_is_there() -> None:
    known = {
        path.relative_to(ROOT).as_posix(): {name.path for name in names_in(module)}
        for module, path in MODULES.items()
    }
    cited = [
        (file if file.startswith("bridge/") else f"bridge/{file}", symbol)
        for paper in (BRIDGE / "README.md", DOCS / "design.md")
        for file, symbols in _SYMBOLS.findall(paper.read_text("utf-8"))
        for symbol in symbols.split(", ")
    ]

    missing = [
        f"{file}: {symbol}"
        for file, symbol in cited
        if not any(f".{path}".endswith(f".{symbol}") for path in known.get(file, ()))
    ]

    assert len(cited) > 5
    assert not missing, f"bridge/README.md names what does not exist: {missing}"


def test_nothing_outside_the_repository_is_cited() -> None:
    outside = [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if _OUTSIDE.search(_RFC.sub("", line))
    ]

    assert not outside, (
        "cite a paper below bridge/docs and its heading, as in "
        "docs/facts/onec-odata.md, 'Sessions':\n" + "\n".join(outside)
    )
