"""The papers are true: settings, install lines, licence, image, constraints, fixtures."""

import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
from dotenv import dotenv_values

from bridge.domain.calls.work_hours import WorkHours
from bridge.settings import load_settings
from tests.support.settings_pages import VARIABLES, Lang, env_example, settings_page

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.ru.md")
LANGS: tuple[Lang, ...] = ("en", "ru")
HOW_TO_WRITE = "write it anew: python -m tests.support.settings_pages"
SETTINGS_ROW = re.compile(r"^\| `(BRIDGE_[A-Z0-9_]+)` \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)
INSTALL_LINES = (
    "pip install -e . && onec-bridge demo",
    "pip install -e '.[dev]' && pytest",
)
FIXTURES = sorted(path for path in (ROOT / "fixtures").rglob("*.*") if path.suffix != ".md")


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def settings_page_of(lang: Lang) -> str:
    return read(f"bridge/manual/{lang}/settings.md")


def is_default(variable: str, written: str) -> bool:
    """Whether *written* is how a person writes the variable's default; empty for none."""
    default = VARIABLES[variable].default
    if default is None or default in ((), {}, WorkHours()):
        return not written
    if isinstance(default, bool):
        return written == str(default).lower()
    return Path(written) == default if isinstance(default, Path) else written == str(default)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("BRIDGE_")]:
        monkeypatch.delenv(name)


# ---------------------------------------------------------------- settings


def test_the_example_names_every_variable_and_no_other() -> None:
    assert set(dotenv_values(ROOT / ".env.example")) == set(VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_example_shows_the_default(variable: str) -> None:
    assert is_default(variable, dotenv_values(ROOT / ".env.example")[variable] or "")


def test_every_variable_of_the_example_is_explained_in_the_line_above_it() -> None:
    lines = read(".env.example").splitlines()

    unexplained = [
        line
        for above, line in pairwise(lines)
        if line.startswith("BRIDGE_") and not above.startswith("# ")
    ]

    assert unexplained == []


@pytest.mark.usefixtures("bare_environment")
def test_the_untouched_example_changes_nothing() -> None:
    assert load_settings(ROOT / ".env.example") == load_settings(None)


@pytest.mark.parametrize("lang", LANGS)
def test_the_settings_page_names_every_variable_once_in_order(lang: Lang) -> None:
    named = [variable for variable, _, _ in SETTINGS_ROW.findall(settings_page_of(lang))]

    assert named == list(VARIABLES)


@pytest.mark.parametrize("lang", LANGS)
def test_the_settings_page_shows_the_defaults(lang: Lang) -> None:
    rows = SETTINGS_ROW.findall(settings_page_of(lang))
    written = {name: text.strip("`–") for name, text, _ in rows}

    assert [name for name, text in written.items() if not is_default(name, text)] == []


@pytest.mark.parametrize("lang", LANGS)
def test_the_settings_page_is_what_its_texts_make(lang: Lang) -> None:
    assert settings_page_of(lang) == settings_page(lang), HOW_TO_WRITE


def test_the_example_is_what_its_texts_make() -> None:
    assert read(".env.example") == env_example(), HOW_TO_WRITE


# ---------------------------------------------------------------- install, image, constraints


@pytest.mark.parametrize("readme", READMES)
@pytest.mark.parametrize("line", INSTALL_LINES)
def test_the_install_lines_stand_alone_in_a_readme(readme: str, line: str) -> None:
    assert line in read(readme).splitlines()


def test_the_gate_runs_the_test_line_of_the_readme() -> None:
    gate = read(".ci/run")

    assert f'TEST_LINE="{INSTALL_LINES[1]}"' in gate
    assert "set -euo pipefail" in gate


def test_the_licence_is_mit() -> None:
    licence = read("LICENSE")

    assert licence.startswith("MIT License\n")
    assert "1C-bridge contributors" in licence
    assert "WITHOUT WARRANTY OF ANY KIND" in licence


def test_the_image_serves_as_somebody_else_than_root() -> None:
    instructions = read("Dockerfile").splitlines()

    last_user = next(line for line in reversed(instructions) if line.startswith("USER "))

    assert last_user == "USER bridge"
    assert instructions.index(last_user) < len(instructions) - 1
    assert instructions[-1] == 'CMD ["onec-bridge", "serve"]'


def test_the_image_is_installed_under_constraints() -> None:
    assert "pip install --no-cache-dir -c constraints.txt ." in read("Dockerfile")


def test_constraints_are_names_and_exact_versions_only() -> None:
    pins = [line for line in read("constraints.txt").splitlines() if not line.startswith("#")]

    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", pin)] == []
    assert pins == sorted(pins, key=lambda pin: pin.partition("==")[0].lower().replace("_", "-"))


def test_every_dependency_is_constrained() -> None:
    quoted = re.findall(r'^    "([a-z0-9-]+)[><=;]', read("pyproject.toml"), re.MULTILINE)
    pinned = re.findall(r"^([\w.-]+)==", read("constraints.txt"), re.MULTILINE)

    missing = set(quoted) - {name.lower().replace("_", "-") for name in pinned}

    assert (bool(quoted), missing) == (True, set())


# ---------------------------------------------------------------- fixtures


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name)
def test_a_fixture_is_named_by_a_test(fixture: Path) -> None:
    tests = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

    assert any(fixture.stem in text for text in tests)
