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
    OneCError,
    OneCInvalidResponse,
    OneCUnauthorized,
    OneCUnavailable,
    RoutingFactsLost,
    SettingsError,
    StoreDamaged,
    StoreError,
    SyncRefused,
)
from bridge.ports.alarms import AlarmName
from bridge.services.diagnosis.store import advice_for_damage
from bridge.settings import Settings, load_settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


class ExitCode(IntEnum):
    """What the exit code means."""

    DONE = 0
    WARNINGS = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    UNAUTHORIZED = 5


def exit_code(error: BridgeError) -> ExitCode:
    """Return the exit code of *error*."""
    if isinstance(error, SettingsError):
        return ExitCode.USAGE
    if isinstance(error, SyncRefused):
        return ExitCode.REFUSED
    if isinstance(error, OneCUnauthorized):
        return ExitCode.UNAUTHORIZED
    if isinstance(error, OneCError):
        return ExitCode.UNREACHABLE
    return ExitCode.WARNINGS


def error_message(error: BridgeError) -> str:
    """Return what went wrong and what to do: what 1C answered alone names no setting."""
    advice = ""
    if isinstance(error, OneCUnauthorized):
        advice = (
            "are BRIDGE_ONEC_USER and BRIDGE_ONEC_PASSWORD right, and has the user the rights? "
        )
    elif isinstance(error, OneCUnavailable | OneCInvalidResponse):
        advice = "is BRIDGE_ONEC_URL the publication's root, and its web server up? "
    elif isinstance(error, StoreDamaged):
        return f"{error.with_path}; {advice_for_damage(error)}"
    elif isinstance(error, StoreError):
        return error.with_path
    else:
        return str(error)
    return f"{error}; {advice}onec-bridge check looks closer"


def read_settings() -> Settings:
    """Read the settings, and set up the logs by them.

    Raises:
        SettingsError: one of them is malformed.
    """
    settings = load_settings()
    bootstrap.set_up_logs(settings)
    return settings


@contextmanager
def json_errors(*, as_json: bool) -> Iterator[None]:
    """Print an error, too, as the one JSON document of a command that prints JSON."""
    try:
        yield
    except BridgeError as error:
        if as_json:
            failed = {"ok": False, "code": exit_code(error), "error": str(error)}
            if isinstance(error, SyncRefused):
                failed |= _refusal(error)
            terminal.print_json(json.dumps(failed, ensure_ascii=False))
        raise


def _refusal(refused: SyncRefused) -> dict[str, object]:
    """Return what a refusal adds: the alarm it is, and what was lost, with the counts."""
    alarm: AlarmName = (
        "extensions_lost" if isinstance(refused, RoutingFactsLost) else "sync_refused"
    )
    return {"alarm": alarm, "losses": [asdict(loss) for loss in refused.all_losses]}


def exit_with_usage_error(what: str, error: Exception) -> NoReturn:
    """Exit because of an option that makes no sense."""
    terminal.print_error(f"{what}: {error}")
    raise typer.Exit(ExitCode.USAGE)
