"""The commands of `onec-bridge`: thin, each a few lines over bootstrap and the services.

What only some commands need they import themselves: `route` need not wait for a web framework.
"""

import sys
from typing import NoReturn

import typer
from typer.core import TyperGroup

from bridge import bootstrap, terminal
from bridge.cli import access, outbox, service, simulators
from bridge.cli.shared import ExitCode, error_message, exit_code
from bridge.errors import BridgeError


class _Commands(TyperGroup):
    """The commands; what is wrong with an option is said without pydantic's prefix."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer hides its base
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    name="onec-bridge",
    cls=_Commands,
    help="The bridge between 1C:Enterprise (UT 11) and a cloud PBX.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(service.commands)
app.add_typer(access.commands)
app.add_typer(simulators.commands)
app.add_typer(outbox.commands, name="outbox")


def main() -> NoReturn:
    """Run the command line; every error is one sentence on stderr and an exit code."""
    bootstrap.set_private_umask()
    try:
        app()
    except BridgeError as error:
        terminal.print_error(error_message(error))
        sys.exit(exit_code(error))
    sys.exit(ExitCode.DONE)
