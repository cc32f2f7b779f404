"""The bridge at work: serve, sync, check, route, call."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from bridge import bootstrap, terminal
from bridge.cli.frame import AsJson, Exit, one_document, read_settings
from bridge.domain.checkup import Verdict
from bridge.domain.orders import OrderState
from bridge.domain.phone import CallerKind
from bridge.errors import SettingsError
from bridge.services.pull import PullRules, nobody_confirms
from bridge.settings import load_settings

_SEVERITY = {
    Verdict.WELL: Exit.DONE,
    Verdict.WARNING: Exit.WARNINGS,
    Verdict.FAILURE: Exit.USAGE,
}

commands = typer.Typer()


@commands.command()
def serve() -> None:
    """Run the service: web, scheduled sync, delivery."""
    settings = read_settings().require_onec().require_hook()
    bootstrap.serve(settings, terminal.show_console_link)


@commands.command()
def sync(
    *,
    full: Annotated[bool, typer.Option("--full", help="Bring every body anew.")] = False,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="1C is right: the rows are gone.")
    ] = False,
    as_json: AsJson = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Bring the local directory level with 1C, once."""
    with one_document(as_json=as_json):
        settings = read_settings().require_onec()
        if background:
            bootstrap.set_up_background_logs()
            bootstrap.make_way()
        rules = PullRules(settings.sync_max_shrink, full=full, accept_shrink=accept_shrink)
        asked = terminal.somebody_is_there() and not (as_json or background)
        with terminal.ProgressBar(shown=None if not as_json else False) as progress:
            confirm = progress.confirm if asked else nobody_confirms
            report = asyncio.run(bootstrap.sync(settings, rules, progress, confirm))
    if as_json:
        from bridge.web.views_state import SyncView

        terminal.say_json(SyncView.of(report).model_dump_json())
        return
    screen = terminal.console()
    screen.print(terminal.sync_table(report))
    for note in terminal.sync_notes(report, settings.extension_attribute):
        screen.print(note, markup=False)


@commands.command()
def check(*, as_json: AsJson = False) -> None:
    """Examine settings, 1C, rights, publication, clock and data; each finding says what to do."""
    findings = asyncio.run(bootstrap.check(load_settings))
    if as_json:
        terminal.say_json(json.dumps([asdict(f) for f in findings], ensure_ascii=False))
    else:
        terminal.console().print(terminal.check_table(findings))
    worst = max((_SEVERITY[f.verdict] for f in findings), default=Exit.DONE)
    raise typer.Exit(worst)


@commands.command()
def route(
    number: Annotated[str, typer.Argument(help="The caller, typed in any way.")],
    *,
    did: Annotated[str, typer.Option(help="The number that was dialled.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tell what the PBX would be told for this caller, and why, step by step."""
    with one_document(as_json=as_json):
        settings = read_settings()
        question, decision = bootstrap.explain(settings, number, did)
    if as_json:
        from bridge.web.views_caller import ExplanationView

        view = ExplanationView.of(question, decision, settings.lang)
        terminal.say_json(view.model_dump_json())
    else:
        screen = terminal.console()
        for line in terminal.route_lines(question, decision, settings.lang):
            screen.print(line, markup=False, soft_wrap=True)
    if question.caller.kind is CallerKind.NONSENSE:
        terminal.complain(f"“{question.caller.raw}” is not a telephone number")
        raise typer.Exit(Exit.WARNINGS)


@commands.command()
def call(
    extension: Annotated[str, typer.Argument(help="The telephone that rings first, e.g. 205.")],
    number: Annotated[str, typer.Argument(help="Whom it calls then, typed in any way.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Have the PBX ring an extension, then a number; the service must be running."""
    with one_document(as_json=as_json):
        settings = read_settings()
        placed = bootstrap.call(settings, extension, number, _admin_password)
    if as_json:
        terminal.say_json(json.dumps(asdict(placed), ensure_ascii=False))
    elif placed.state is OrderState.ACCEPTED:
        terminal.console().print(f"{extension} rings; then {number} is called", markup=False)
    if placed.state is not OrderState.ACCEPTED:
        terminal.complain(f"{placed.state.value}: {placed.words}")
        raise typer.Exit(Exit.WARNINGS)


def _admin_password() -> str:
    """Ask for the password of which the settings hold a hash."""
    if not terminal.somebody_is_there():
        reason = "is a hash: run this at a terminal, where the password itself can be asked for"
        raise SettingsError("BRIDGE_ADMIN_PASSWORD", reason)
    password: str = typer.prompt("Admin password", hide_input=True, err=True)
    return password
