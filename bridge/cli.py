"""The commands of `onec-bridge`: thin, each a few lines over bootstrap and the services.

What only some commands need they import themselves: `route` need not wait for a web framework.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bridge import bootstrap, terminal
from bridge.domain.checkup import Verdict
from bridge.domain.orders import OrderState
from bridge.domain.outbox import EntryState
from bridge.domain.phone import CallerKind
from bridge.errors import (
    BridgeError,
    OneCError,
    OneCUnauthorized,
    SettingsError,
    SyncRefused,
)
from bridge.services.pull import PullRules, nobody_confirms
from bridge.settings import Settings, load_settings

if TYPE_CHECKING:
    from bridge.lab.onec import OneCLab


class Exit(IntEnum):
    """What the exit code means (contract.md §2)."""

    DONE = 0
    WARNINGS = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    UNAUTHORIZED = 5


_SEVERITY = {
    Verdict.WELL: Exit.DONE,
    Verdict.WARNING: Exit.WARNINGS,
    Verdict.FAILURE: Exit.USAGE,
}

app = typer.Typer(
    name="onec-bridge",
    help="The bridge between 1C:Enterprise (UT 11) and a cloud PBX.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
outbox = typer.Typer(help="What is owed to 1C: list, show, retry, drop.", no_args_is_help=True)
lab = typer.Typer(help="One simulator alone, for integrators.", no_args_is_help=True)
app.add_typer(outbox, name="outbox")
app.add_typer(lab, name="lab")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Key = Annotated[str, typer.Argument(help="The entry's id, or a beginning of it that is unique.")]
Port = Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=0, max=65535)]
Partners = Annotated[int, typer.Option(help="Size of the company.", min=1, max=1_000_000)]


def main() -> NoReturn:
    """Run the command line; every error is one sentence on stderr and an exit code."""
    try:
        app()
    except BridgeError as error:
        terminal.complain(str(error))
        sys.exit(exit_code(error))
    sys.exit(Exit.DONE)


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


def _settings() -> Settings:
    settings = load_settings()
    bootstrap.set_up_logs(settings)
    return settings


@app.command()
def serve() -> None:
    """Run the service: web, scheduled sync, delivery."""
    bootstrap.serve(_settings().require_onec().require_hook())


@app.command()
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
    try:
        settings = _settings().require_onec()
        if background:
            bootstrap.step_aside()
        rules = PullRules(settings.sync_max_shrink, full=full, accept_shrink=accept_shrink)
        asked = terminal.somebody_is_there() and not (as_json or background)
        with terminal.ProgressBar(shown=None if not as_json else False) as progress:
            confirm = progress.confirm if asked else nobody_confirms
            report = asyncio.run(bootstrap.sync(settings, rules, progress, confirm))
    except BridgeError as error:
        if as_json:
            failed = {"ok": False, "code": exit_code(error), "error": str(error)}
            terminal.say_json(json.dumps(failed, ensure_ascii=False))
        raise
    if as_json:
        from bridge.web.views_state import SyncView

        terminal.say_json(SyncView.of(report).model_dump_json())
        return
    screen = terminal.console()
    screen.print(terminal.sync_table(report))
    for note in terminal.sync_notes(report, settings.extension_attribute):
        screen.print(note, markup=False)


@app.command()
def check(*, as_json: AsJson = False) -> None:
    """Examine settings, 1C, rights, publication, clock and data; each finding says what to do."""
    findings = asyncio.run(bootstrap.check(load_settings))
    if as_json:
        terminal.say_json(json.dumps([asdict(f) for f in findings], ensure_ascii=False))
    else:
        terminal.console().print(terminal.check_table(findings))
    worst = max((_SEVERITY[f.verdict] for f in findings), default=Exit.DONE)
    raise typer.Exit(worst)


@app.command()
def route(
    number: Annotated[str, typer.Argument(help="The caller, typed in any way.")],
    *,
    did: Annotated[str, typer.Option(help="The number that was dialled.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tell what the PBX would be told for this caller, and why, step by step."""
    settings = _settings()
    question, decision = bootstrap.explain(settings, number, did)
    if as_json:
        from bridge.web.views import ExplanationView

        view = ExplanationView.of(question, decision, settings.lang)
        terminal.say_json(view.model_dump_json())
        return
    screen = terminal.console()
    for line in terminal.route_lines(question, decision, settings.lang):
        screen.print(line, markup=False, soft_wrap=True)
    if question.caller.kind is CallerKind.NONSENSE:
        terminal.complain(f"“{question.caller.raw}” is not a telephone number")


@app.command()
def call(
    extension: Annotated[str, typer.Argument(help="The telephone that rings first, e.g. 205.")],
    number: Annotated[str, typer.Argument(help="Whom it calls then, typed in any way.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Have the PBX ring an extension, then a number; the service must be running."""
    placed = bootstrap.call(_settings(), extension, number, _admin_password)
    if as_json:
        terminal.say_json(json.dumps(asdict(placed), ensure_ascii=False))
    elif placed.state is OrderState.ACCEPTED:
        terminal.console().print(f"{extension} rings; then {number} is called", markup=False)
    if placed.state is not OrderState.ACCEPTED:
        terminal.complain(f"{placed.state.value}: {placed.words}")
        raise typer.Exit(Exit.WARNINGS)


@app.command("desk-link")
def desk_link(
    extension: Annotated[str, typer.Argument(help="Whose desk: his extension in 1C.")],
    *,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="First make his earlier links and sessions worthless.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a manager's personal link to his desk; whoever has it sees his calls."""
    made = asyncio.run(bootstrap.desk_link(_settings(), extension, revoke=revoke))
    if made is None:
        terminal.complain(f"no one user of 1C has the extension {extension}; run onec-bridge sync")
        raise typer.Exit(Exit.WARNINGS)
    name, link = made
    if as_json:
        terminal.say_json(json.dumps({"name": name, "link": link}, ensure_ascii=False))
        return
    terminal.complain(f"the desk of {name}; pass it on privately")
    terminal.console().print(link, markup=False, soft_wrap=True)


@app.command("hash-password")
def hash_password() -> None:
    """Ask for a password and print its hash, for BRIDGE_ADMIN_PASSWORD."""
    from bridge.web.access.secrets import PasswordHash

    if terminal.somebody_is_there():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        terminal.complain("an empty password opens nothing")
        raise typer.Exit(Exit.USAGE)
    terminal.console().print(str(PasswordHash.make(password)), markup=False, soft_wrap=True)


@outbox.command("list")
def outbox_list(
    *,
    state: Annotated[
        list[EntryState] | None, typer.Option(help="Only entries in this state.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List what is owed to 1C, newest first; settled entries only with --state settled."""
    states = state or [EntryState.DUE, EntryState.SENDING, EntryState.DEAD]
    settings = _settings()
    entries = asyncio.run(bootstrap.outbox_entries(settings, states, limit))
    if as_json:
        from bridge.web.views_state import EntryView

        views = [EntryView.of(e, c, settings.lang).model_dump(mode="json") for e, c in entries]
        terminal.say_json(json.dumps(views, ensure_ascii=False))
    elif entries:
        terminal.console().print(terminal.outbox_table(entries))
    else:
        terminal.console().print("Nothing is owed to 1C.")


@outbox.command("show")
def outbox_show(key: Key, *, as_json: AsJson = False) -> None:
    """Show one entry: its call, its state, 1C's own words."""
    settings = _settings()
    found = asyncio.run(bootstrap.outbox_entry(settings, key))
    if found is None:
        _not_found(key)
    if as_json:
        from bridge.web.views_state import EntryView

        terminal.say_json(EntryView.of(*found, settings.lang).model_dump_json())
        return
    screen = terminal.console()
    for line in terminal.entry_lines(*found, settings.lang):
        screen.print(line, markup=False, soft_wrap=True)


@outbox.command("retry")
def outbox_retry(key: Key, *, as_json: AsJson = False) -> None:
    """Make an entry due at once; it is still looked for before anything is written."""
    entry = asyncio.run(bootstrap.outbox_retry(_settings(), key))
    if entry is None:
        _not_found(key)
    if as_json:
        terminal.say_json(json.dumps({"ok": True, "key": entry.key, "state": entry.state}))
    else:
        words = f"{entry.key}: {entry.state.value}, stage {entry.stage.value}"
        terminal.console().print(words, markup=False)


@outbox.command("drop")
def outbox_drop(key: Key, *, as_json: AsJson = False) -> None:
    """Forget a debt; the call stays in the bridge's journal, 1C never gets it."""
    dropped = asyncio.run(bootstrap.outbox_drop(_settings(), key))
    if dropped is None:
        _not_found(key)
    if as_json:
        terminal.say_json(json.dumps({"ok": True, "key": dropped}))
    else:
        terminal.console().print(f"{dropped}: dropped")


@lab.command("onec")
def lab_onec(
    *,
    port: Port = 8081,
    partners: Partners = 5000,
    seed: Annotated[int, typer.Option(help="The same seed, the same company.")] = 1,
    faults: Annotated[Path | None, typer.Option(help="A script of faults (JSON).")] = None,
) -> None:
    """Run a simulated 1C UT 11 publication until interrupted."""
    from bridge.lab.serving import run_onec_lab

    def announce(onec: "OneCLab", url: str) -> None:
        settings = {
            "BRIDGE_ONEC_URL": url,
            "BRIDGE_ONEC_USER": onec.user,
            "BRIDGE_ONEC_PASSWORD": onec.password,
            "BRIDGE_ONEC_TIMEZONE": str(onec.zone),
        }
        for name, value in settings.items():
            terminal.console().print(f"{name}={value}", markup=False, soft_wrap=True)
        address = url.removesuffix(onec.publication)
        terminal.complain(f"the world and the weather are changed at {address}/_lab/")

    try:
        run_onec_lab(port, partners, seed, faults, announce=announce)
    except (OSError, ValueError, KeyError) as error:
        _usage(f"--faults {faults}" if faults else f"--port {port}", error)


@lab.command("sipuni")
def lab_sipuni(
    *,
    port: Port = 8082,
    hook: Annotated[str, typer.Option(help="The routing hook it asks.")] = (
        "http://127.0.0.1:8000/sipuni/route"
    ),
    faults: Annotated[Path | None, typer.Option(help="Switches of the cabinet (JSON).")] = None,
    partners: Annotated[int, typer.Option(hidden=True)] = 0,
    seed: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Run a simulated Sipuni cabinet; its levers are at /_lab/.

    POST /_lab/call {"caller", "did"} places a call, POST /_lab/story tells a story: a file such as
    fixtures/stories/incoming_missed.jsonl as the body, roles recast in the query (?client=79…).
    Events also go to /ws where the switch events_over says so.
    """
    from bridge.lab.sipuni import read_switches, run_sipuni_lab

    del partners, seed  # every lab takes them; a cabinet has no company to compose
    try:
        switches = read_switches(faults.read_bytes()) if faults else None
    except (OSError, ValueError) as error:
        _usage(f"--faults {faults}", error)
    levers = f"http://127.0.0.1:{port}/_lab"
    terminal.complain(f"it asks {_without_secret(hook)}; call at {levers}/call")
    terminal.complain(f"tell a story: curl --data-binary @STORY.jsonl {levers}/story")
    run_sipuni_lab(hook_url=hook, port=port, switches=switches)


@app.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="One scripted day, a table, an exit code.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="Port of the bridge; 8000, with --once any free one.")
    ] = None,
    partners: Partners = 500,
) -> None:
    """Run a simulated 1C, a simulated Sipuni and the bridge between them."""
    from bridge.lab.demo import StageError, StageSettings, demonstrate

    free = 0 if once else 8000
    settings = StageSettings(partners, free if port is None else port, compressed=once)
    try:
        passed = asyncio.run(demonstrate(settings, terminal.DemoScreen(), once=once))
    except (StageError, LookupError) as error:
        terminal.complain(str(error))
        raise typer.Exit(Exit.WARNINGS) from None
    except KeyboardInterrupt:
        passed = True
    raise typer.Exit(Exit.DONE if passed else Exit.WARNINGS)


def _admin_password() -> str:
    """Ask for the password of which the settings hold a hash."""
    if not terminal.somebody_is_there():
        reason = "is a hash: run this at a terminal, where the password itself can be asked for"
        raise SettingsError("BRIDGE_ADMIN_PASSWORD", reason)
    password: str = typer.prompt("Admin password", hide_input=True, err=True)
    return password


def _usage(what: str, error: Exception) -> NoReturn:
    terminal.complain(f"{what}: {error}")
    raise typer.Exit(Exit.USAGE)


def _without_secret(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _not_found(key: str) -> NoReturn:
    terminal.complain(f"no outbox entry, or more than one, begins with “{key}”")
    raise typer.Exit(Exit.WARNINGS)
