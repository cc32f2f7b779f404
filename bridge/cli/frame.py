"""What all commands share: settings to begin with, an exit code and one sentence to end with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import IntEnum
from typing import Annotated, NoReturn

import typer

from bridge import bootstrap, terminal
from bridge.errors import (
    BridgeError,
    FactsLost,
    OneCError,
    OneCNonsense,
    OneCUnauthorized,
    OneCUnavailable,
    SettingsError,
    StoreDamaged,
    StoreError,
    SyncRefused,
)
from bridge.ports import AlarmName
from bridge.services.diagnose import cure_of
from bridge.settings import Settings, load_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


class Exit(IntEnum):
    """What the exit code means (contract.md §2)."""

    DONE = 0
    WARNINGS = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    UNAUTHORIZED = 5


def exit_code(error: BridgeError) -> Exit:
    """Say by which code a script knows *error*."""
    if isinstance(error, SettingsError):
        return Exit.USAGE
    if isinstance(error, SyncRefused):
        return Exit.REFUSED
    if isinstance(error, OneCUnauthorized):
        return Exit.UNAUTHORIZED
    if isinstance(error, OneCError):
        return Exit.UNREACHABLE
    return Exit.WARNINGS


def sentence(error: BridgeError) -> str:
    """Say what went wrong and what to do: 1C's words alone tell nobody which setting to look at."""
    advice = ""
    if isinstance(error, OneCUnauthorized):
        advice = "are BRIDGE_ONEC_USER and BRIDGE_ONEC_PASSWORD right, and has he the rights? "
    elif isinstance(error, OneCUnavailable | OneCNonsense):
        advice = "is BRIDGE_ONEC_URL the publication's root, and its web server up? "
    elif isinstance(error, StoreDamaged):
        return f"{error.located}; {cure_of(error)}"
    elif isinstance(error, StoreError):
        return error.located
    else:
        return str(error)
    return f"{error}; {advice}onec-bridge check looks closer"


def read_settings() -> Settings:
    """Read the settings, and send logs where they say.

    Raises:
        SettingsError: one of them is malformed.
    """
    settings = load_settings()
    bootstrap.set_up_logs(settings)
    return settings


@contextmanager
def one_document(*, as_json: bool) -> Iterator[None]:
    """Have an error, too, be the one JSON document of a command that was asked for JSON."""
    try:
        yield
    except BridgeError as error:
        if as_json:
            failed = {"ok": False, "code": exit_code(error), "error": str(error)}
            if isinstance(error, SyncRefused):
                failed |= _refusal(error)
            terminal.say_json(json.dumps(failed, ensure_ascii=False))
        raise


def _refusal(refused: SyncRefused) -> dict[str, object]:
    """Return what a refusal adds: the alarm it is, and what was lost, with the counts."""
    alarm: AlarmName = "extensions_lost" if isinstance(refused, FactsLost) else "sync_refused"
    return {"alarm": alarm, "losses": [asdict(loss) for loss in refused.lost]}


def wrong_usage(what: str, error: Exception) -> NoReturn:
    """End over an option that makes no sense."""
    terminal.complain(f"{what}: {error}")
    raise typer.Exit(Exit.USAGE)
