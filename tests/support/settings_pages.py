"""Compose `.env.example` and the manual's settings pages from the defaults and the texts.

The defaults stand in `bridge/settings.py`, the texts in `bridge/manual/settings.toml`. To write the
files anew, in the root of the repository: `python -m tests.support.settings_pages`.
"""

import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from bridge.domain.calls.work_hours import WorkHours
from bridge.settings import Settings

Lang = Literal["en", "ru"]

ROOT: Final = Path(__file__).parents[2]
MANUAL: Final = ROOT / "bridge" / "manual"
VARIABLES: Final = {
    f"BRIDGE_{name.upper()}": field for name, field in Settings.model_fields.items()
}

_WIDTH: Final = 100

_COLUMNS: Final[Mapping[Lang, str]] = {
    "en": "| setting | default | meaning |",
    "ru": "| настройка | по умолчанию | что значит |",
}


@dataclass(frozen=True, slots=True)
class SettingsGroup:
    """Settings that belong together: the *title* and each variable's text, in every language."""

    title: Mapping[Lang, str]
    texts: Mapping[str, Mapping[Lang, str]]


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads((MANUAL / "settings.toml").read_text("utf-8"))


def groups() -> tuple[SettingsGroup, ...]:
    """Return the groups of the texts' file, in its order."""
    return tuple(
        SettingsGroup({"en": group["en"], "ru": group["ru"]}, group["settings"])
        for group in _texts()["group"]
    )


def written_default(variable: str) -> str:
    """Return the default of *variable* as a person writes it into `.env`; empty: there is none."""
    default = VARIABLES[variable].default
    if default is None or default in ((), {}, WorkHours()):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return f"./{default}" if isinstance(default, Path) else str(default)


def settings_page(lang: Lang) -> str:
    """Return the manual's page of settings in *lang*."""
    return "\n".join([_texts()["head"][lang], *_sections(lang)])


def env_example() -> str:
    """Return the text of `.env.example`."""
    lines = _comment(_texts()["head"]["env"])
    for group in groups():
        lines += ["", f"# ---- {group.title['en']}", ""]
        for variable, text in group.texts.items():
            lines += [
                *_comment(text["en"].replace("`", "")),
                f"{variable}={written_default(variable)}",
            ]
    return "\n".join(lines) + "\n"


def _sections(lang: Lang) -> Iterator[str]:
    for group in groups():
        yield f"## {group.title[lang]}\n"
        yield _COLUMNS[lang]
        yield "|---|---|---|"
        for variable, text in group.texts.items():
            default = written_default(variable)
            yield f"| `{variable}` | {f'`{default}`' if default else '–'} | {text[lang]} |"
        yield ""


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def _write() -> None:
    (ROOT / ".env.example").write_text(env_example(), "utf-8")
    for lang in _COLUMNS:
        (MANUAL / lang / "settings.md").write_text(settings_page(lang), "utf-8")


if __name__ == "__main__":
    _write()
