"""What is pending for 1C: list, show, retry, drop."""

import asyncio
import json
from typing import Annotated

import typer

from bridge import bootstrap, terminal
from bridge.cli.shared import JsonOption, json_errors, read_settings
from bridge.domain.delivery.entry import EntryState

Key = Annotated[str, typer.Argument(help="The entry's id, or a beginning of it that is unique.")]

commands = typer.Typer(
    help="What is pending for 1C: list, show, retry, drop.", no_args_is_help=True
)


@commands.command("list")
def list_entries(
    *,
    state: Annotated[
        list[EntryState] | None, typer.Option(help="Only entries in this state.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: JsonOption = False,
) -> None:
    """List what is pending for 1C, newest first; delivered entries only with --state settled."""
    states = state or [EntryState.DUE, EntryState.SENDING, EntryState.DEAD]
    with json_errors(as_json=as_json):
        settings = read_settings()
        entries = asyncio.run(bootstrap.outbox_entries(settings, states, limit))
    if as_json:
        from bridge.web.api.views.state import OutboxEntryView

        views = [
            OutboxEntryView.of(e, settings.lang, call=c).model_dump(mode="json") for e, c in entries
        ]
        terminal.print_json(json.dumps(views, ensure_ascii=False))
    elif entries:
        terminal.console().print(terminal.build_outbox_table(entries))
    else:
        terminal.console().print("Nothing is owed to 1C.")


@commands.command("show")
def show_entry(key: Key, *, as_json: JsonOption = False) -> None:
    """Show one entry: its call, its state, what 1C answered."""
    with json_errors(as_json=as_json):
        settings = read_settings()
        entry, call = asyncio.run(bootstrap.outbox_entry(settings, key))
    if as_json:
        from bridge.web.api.views.state import OutboxEntryView

        terminal.print_json(OutboxEntryView.of(entry, settings.lang, call=call).model_dump_json())
        return
    screen = terminal.console()
    for line in terminal.build_entry_lines(entry, call, settings.lang):
        screen.print(line, markup=False, soft_wrap=True)


@commands.command("retry")
def retry_entry(key: Key, *, as_json: JsonOption = False) -> None:
    """Make an entry due at once; 1C is still searched for it before anything is written."""
    with json_errors(as_json=as_json):
        entry = asyncio.run(bootstrap.outbox_retry(read_settings(), key))
    if as_json:
        terminal.print_json(json.dumps({"ok": True, "key": entry.key, "state": entry.state}))
    else:
        line = f"{entry.key}: {entry.state.value}, stage {entry.stage.value}"
        terminal.console().print(line, markup=False)


@commands.command("drop")
def drop_entry(key: Key, *, as_json: JsonOption = False) -> None:
    """Drop an entry; the call stays in the bridge's journal, 1C never gets it."""
    with json_errors(as_json=as_json):
        dropped = asyncio.run(bootstrap.outbox_drop(read_settings(), key))
    if as_json:
        terminal.print_json(json.dumps({"ok": True, "key": dropped}))
    else:
        terminal.console().print(f"{dropped}: dropped", markup=False)
