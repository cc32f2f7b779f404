"""Who is let in: a manager's personal link, the hash of the administrator's password."""

import asyncio
import json
import sys
from typing import Annotated

import typer

from bridge import bootstrap, terminal
from bridge.cli.shared import ExitCode, JsonOption, json_errors, read_settings

commands = typer.Typer()


@commands.command("desk-link")
def desk_link(
    extension: Annotated[str, typer.Argument(help="Whose desk: the extension in 1C.")],
    *,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="First revoke earlier links and sessions.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a manager's personal link to the desk; whoever has it sees the manager's calls."""
    with json_errors(as_json=as_json):
        settings = read_settings()
        name, link = asyncio.run(bootstrap.desk_link(settings, extension, revoke=revoke))
    if as_json:
        terminal.print_json(json.dumps({"name": name, "link": link}, ensure_ascii=False))
        return
    terminal.print_error(f"the desk of {name}; pass it on privately")
    terminal.console().print(link, markup=False, soft_wrap=True)


@commands.command("console-link")
def console_link(*, as_json: JsonOption = False) -> None:
    """Make a link that opens the console of the running service once, within an hour."""
    with json_errors(as_json=as_json):
        link = bootstrap.console_link(read_settings())
    if as_json:
        terminal.print_json(json.dumps({"link": link}))
    else:
        terminal.console().print(link, markup=False, soft_wrap=True)


@commands.command("hash-password")
def hash_password() -> None:
    """Ask for a password and print its hash, for BRIDGE_ADMIN_PASSWORD."""
    from bridge.web.access.secrets import PasswordHash

    if terminal.is_interactive():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        terminal.print_error("an empty password opens nothing")
        raise typer.Exit(ExitCode.USAGE)
    terminal.console().print(str(PasswordHash.create(password)), markup=False, soft_wrap=True)
