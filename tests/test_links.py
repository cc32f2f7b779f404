"""Whatever the papers name exists: pages, headings, files, settings, commands, alarms."""

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, get_args
from urllib.parse import unquote

import pytest
import typer

from bridge.cli import app
from bridge.ports.alarms import AlarmName
from tests.support.settings_pages import VARIABLES

ROOT = Path(__file__).parents[1]
MANUAL = ROOT / "bridge" / "manual"
LANGS = ("en", "ru")
READMES = ("README.md", "README.ru.md")
PAPERS = sorted(
    path
    for pattern in (
        "*.md",
        ".github/**/*.md",
        "bridge/**/*.md",
        "fixtures/**/*.md",
        "tests/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
PAGES = [path for path in PAPERS if MANUAL in path.parents]

FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
LINK_WITH_TEXT = re.compile(r"\[([^\]]*)\]\([^)]*\)")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
#: A path of this repository in `code`; a test may follow its file behind ::.
OUR_PATH = re.compile(r"(?:bridge|tests|fixtures|\.github|\.ci)/[\w./*-]*[\w/*]")
SETTING = re.compile(r"\bBRIDGE_[A-Z0-9]+(?:_[A-Z0-9]+)*\b")
#: The command by its bare name, and what stands behind it; not a path, a unit or a container.
COMMAND = re.compile(r"(?<![\w./:-])onec-bridge ((?!onec-bridge\b)[a-z][a-z0-9-]*)([^`\n#&;|]*)")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose_of(path: Path) -> str:
    """Return the text without blocks of code."""
    return FENCE.sub("", path.read_text("utf-8"))


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    seen: Counter[str] = Counter()
    anchors = set()
    for _, title in HEADING.findall(prose_of(path)):
        plain = re.sub(r"[^\w\- ]", "", LINK_WITH_TEXT.sub(r"\1", title).lower()).replace(" ", "-")
        anchors.add(f"{plain}-{seen[plain]}" if seen[plain] else plain)
        seen[plain] += 1
    return anchors


def links_of(path: Path) -> list[str]:
    """Return where a page's links and images lead, other sites left out."""
    found = LINK.findall(INLINE_CODE.sub("", prose_of(path)))
    return [link for link in found if not re.match(r"[a-z][a-z0-9+.-]*:", link)]


def options_by_command() -> dict[str, set[str]]:
    """Return the options of each command; one of a group is named by both words."""
    # typer brings its own click or uses the installed one, so the classes cannot be named here.
    program: Any = typer.main.get_command(app)
    found = {}
    for name, command in program.commands.items():
        inner: dict[str, Any] = getattr(command, "commands", {"": command})
        for inner_name, leaf in inner.items():
            options = {option for param in leaf.params for option in param.opts}
            found[f"{name} {inner_name}".rstrip()] = options | {"--help"}
    return found


OPTIONS = options_by_command()
GROUPS = {name.split()[0] for name in OPTIONS if " " in name}


def command_of(name: str, rest: str) -> str:
    """Return the whole name of the command; of a group alone, the group's."""
    first, *_ = [*rest.split(), ""]
    return f"{name} {first}" if name in GROUPS and re.fullmatch("[a-z]+", first) else name


# ---------------------------------------------------------------- links, paths, settings


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_link_leads_to_a_file_and_a_heading(paper: Path) -> None:
    broken = []
    for link in links_of(paper):
        place, _, anchor = unquote(link).partition("#")
        target = (paper.parent / place).resolve() if place else paper
        is_ours = target.exists() and ROOT in target.parents
        if not is_ours or (anchor and anchor not in anchors_of(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_path_in_code_exists(paper: Path) -> None:
    found = map(OUR_PATH.match, INLINE_CODE.findall(prose_of(paper)))
    spoken = [match[0] for match in found if match]

    missing = [
        path
        for path in spoken
        if not (any(ROOT.glob(path.rstrip("/"))) if "*" in path else (ROOT / path).exists())
    ]

    assert missing == []


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_setting_exists(paper: Path) -> None:
    spoken = set(SETTING.findall(paper.read_text("utf-8")))

    assert spoken - set(VARIABLES) == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_manual_leads_nowhere_out_of_the_package(page: Path) -> None:
    outside = [
        link
        for link in links_of(page)
        if ".." in PurePosixPath(link).parts and not link.startswith("../images/")
    ]

    assert outside == []


# ---------------------------------------------------------------- commands and alarms


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_command_exists(paper: Path) -> None:
    spoken = [command_of(*found) for found in COMMAND.findall(paper.read_text("utf-8"))]

    assert [name for name in spoken if name not in OPTIONS and name not in GROUPS] == []


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_option_of_a_command_exists(paper: Path) -> None:
    spoken = [
        (command_of(name, rest), option)
        for name, rest in COMMAND.findall(paper.read_text("utf-8"))
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)
    ]

    unknown = [
        f"{name} {option}"
        for name, option in spoken
        if name in OPTIONS and option not in OPTIONS[name]
    ]

    assert unknown == []


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_of_commands_names_each(lang: str) -> None:
    text = (MANUAL / lang / "commands.md").read_text("utf-8")

    named_there = re.findall(r"^\| `onec-bridge ([a-z-]+(?: [a-z]+)?)", text, re.MULTILINE)

    assert sorted(named_there) == sorted(OPTIONS)


@pytest.mark.parametrize("lang", LANGS)
def test_every_alarm_has_its_cure(lang: str) -> None:
    text = (MANUAL / lang / "operating.md").read_text("utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)[2]

    explained = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", section, re.MULTILINE)

    assert sorted(explained) == sorted(get_args(AlarmName))


# ---------------------------------------------------------------- the manual as a whole


def test_both_languages_have_the_same_pages() -> None:
    pages = {lang: sorted(path.name for path in (MANUAL / lang).iterdir()) for lang in LANGS}

    assert pages["en"] == pages["ru"]


@pytest.mark.parametrize("page", sorted((MANUAL / "en").iterdir()), ids=lambda path: path.name)
def test_a_page_has_the_same_build_in_both_languages(page: Path) -> None:
    def build(path: Path) -> tuple[list[int], int, int]:
        text, prose = path.read_text("utf-8"), prose_of(path)
        rows = re.findall(r"^\|", prose, re.MULTILINE)
        return [len(level) for level, _ in HEADING.findall(prose)], len(rows), text.count("```")

    assert build(page) == build(MANUAL / "ru" / page.name)


@pytest.mark.parametrize("lang", LANGS)
def test_the_index_leads_to_every_page(lang: str) -> None:
    index = MANUAL / lang / "index.md"

    reached = {link.partition("#")[0] for link in links_of(index)}

    assert {path.name for path in index.parent.iterdir()} - {"index.md"} <= reached


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_has_no_html(page: Path) -> None:
    prose = INLINE_CODE.sub("", prose_of(page))

    assert re.findall(r"</?[a-zA-Z][^>\n]*>", prose) == []


# ---------------------------------------------------------------- the README


@pytest.mark.parametrize("readme", READMES)
def test_a_readme_is_short_and_has_pictures(readme: str) -> None:
    path = ROOT / readme
    pictures = [ROOT / link for link in links_of(path) if link.startswith("bridge/manual/images/")]

    assert len(path.read_text("utf-8")) <= 8000
    assert {picture.suffix for picture in pictures} == {".svg", ".png"}
    assert all(picture.stat().st_size < 200_000 for picture in pictures)
