"""The bridge at work: serve, sync, check, route, call."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from bridge import bootstrap, terminal
from bridge.cli.shared import ExitCode, JsonOption, json_errors, read_settings
from bridge.domain.calls.orders import OrderState
from bridge.domain.phone.callers import CallerKind
from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.errors import SettingsError
from bridge.services.sync.pull import PullRules, confirm_nothing
from bridge.settings import load_settings

_SEVERITY = {
    CheckVerdict.OK: ExitCode.DONE,
    CheckVerdict.WARNING: ExitCode.WARNINGS,
    CheckVerdict.FAILURE: ExitCode.USAGE,
}

commands = typer.Typer()


@commands.command()
def serve() -> None:
    """Run the service: web, scheduled sync, delivery."""
    settings = read_settings().require_onec().require_hook()
    bootstrap.serve(settings, terminal.print_console_link)


@commands.command()
def sync(
    *,
    full: Annotated[bool, typer.Option("--full", help="Bring every body anew.")] = False,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="1C is right: the rows are gone.")
    ] = False,
    as_json: JsonOption = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Bring the local directory level with 1C, once."""
    with json_errors(as_json=as_json):
        settings = read_settings().require_onec()
        if background:
            bootstrap.set_up_background_logs()
            bootstrap.lower_priority()
        rules = PullRules(settings.sync_max_shrink, full=full, accept_shrink=accept_shrink)
        asked = terminal.is_interactive() and not (as_json or background)
        with terminal.ProgressBar(shown=None if not as_json else False) as progress:
            confirm = progress.confirm if asked else confirm_nothing
            report = asyncio.run(bootstrap.sync(settings, rules, progress, confirm))
    if as_json:
        from bridge.web.api.views.state import SyncReportView

        terminal.print_json(SyncReportView.of(report).model_dump_json())
        return
    screen = terminal.console()
    screen.print(terminal.build_sync_table(report))
    for note in terminal.build_sync_notes(report, settings.extension_attribute):
        screen.print(note, markup=False)


@commands.command()
def check(*, as_json: JsonOption = False) -> None:
    """Examine settings, 1C, rights, publication, clock and data; each finding says what to do."""
    findings = asyncio.run(bootstrap.check(load_settings))
    if as_json:
        terminal.print_json(json.dumps([_to_json(f) for f in findings], ensure_ascii=False))
    else:
        terminal.console().print(terminal.build_check_table(findings))
    worst = max((_SEVERITY[f.verdict] for f in findings), default=ExitCode.DONE)
    raise typer.Exit(worst)


def _to_json(check_result: CheckResult) -> dict[str, str]:
    return {
        "area": check_result.area,
        "verdict": check_result.verdict,
        "words": check_result.message,
        "advice": check_result.advice,
    }


@commands.command()
def route(
    number: Annotated[str, typer.Argument(help="The caller, typed in any way.")],
    *,
    did: Annotated[str, typer.Option(help="The number that was dialled.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show what the PBX would be answered for this caller, and why, step by step."""
    with json_errors(as_json=as_json):
        settings = read_settings()
        question, decision = bootstrap.explain(settings, number, did)
    if as_json:
        from bridge.web.api.views.callers import ExplanationView

        view = ExplanationView.build(question, decision, settings.lang)
        terminal.print_json(view.model_dump_json())
    else:
        screen = terminal.console()
        for line in terminal.build_route_lines(question, decision, settings.lang):
            screen.print(line, markup=False, soft_wrap=True)
    if question.caller.kind is CallerKind.NONSENSE:
        terminal.print_error(f"“{question.caller.raw}” is not a telephone number")
        raise typer.Exit(ExitCode.WARNINGS)


@commands.command()
def call(
    extension: Annotated[str, typer.Argument(help="The telephone that rings first, e.g. 205.")],
    number: Annotated[str, typer.Argument(help="Whom it calls then, typed in any way.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Have the PBX ring an extension, then a number; the service must be running."""
    with json_errors(as_json=as_json):
        settings = read_settings()
        placed = bootstrap.call(settings, extension, number, _admin_password)
    if as_json:
        terminal.print_json(json.dumps(asdict(placed), ensure_ascii=False))
    elif placed.state is OrderState.ACCEPTED:
        terminal.console().print(f"{extension} rings; then {number} is called", markup=False)
    if placed.state is not OrderState.ACCEPTED:
        terminal.print_error(f"{placed.state.value}: {placed.words}")
        raise typer.Exit(ExitCode.WARNINGS)


def _admin_password() -> str:
    """Ask for the password of which the settings hold a hash."""
    if not terminal.is_interactive():
        reason = "is a hash: run this at a terminal, where the password itself can be asked for"
        raise SettingsError("BRIDGE_ADMIN_PASSWORD", reason)
    password: str = typer.prompt("Admin password", hide_input=True, err=True)
    return password
