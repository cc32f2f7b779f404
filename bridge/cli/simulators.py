"""The simulators: one alone for integrators, or all of it together."""

import asyncio
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge import terminal
from bridge.cli.shared import ExitCode, exit_with_usage_error

if TYPE_CHECKING:
    from bridge.lab.onec.simulator import OneCLab

_HOST = "127.0.0.1"

Port = Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=0, max=65535)]
Partners = Annotated[int, typer.Option(help="Size of the company.", min=1, max=1_000_000)]


class Pace(StrEnum):
    """How fast the seconds of a simulator's calls pass."""

    REAL = "real"
    FAST = "fast"


commands = typer.Typer()
lab = typer.Typer(help="One simulator alone, for integrators.", no_args_is_help=True)
commands.add_typer(lab, name="lab")


@lab.command("onec")
def lab_onec(
    *,
    port: Port = 8081,
    partners: Partners = 5000,
    seed: Annotated[int, typer.Option(help="The same seed, the same company.")] = 1,
    faults: Annotated[Path | None, typer.Option(help="A script of faults (JSON).")] = None,
) -> None:
    """Run a simulated 1C UT 11 publication until interrupted."""
    from bridge.lab.onec.server import run_onec_lab
    from bridge.web.server import require_free_address

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
        terminal.print_error(f"rows, faults and switches are changed at {address}/_lab/")

    require_free_address(_HOST, port, "--port")
    try:
        run_onec_lab(port, partners, seed, faults, host=_HOST, announce=announce)
    except (OSError, ValueError) as error:
        exit_with_usage_error(f"--faults {faults}", error)


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
    """Run a simulated Sipuni cabinet; it is controlled at /_lab/.

    POST /_lab/call {"caller", "did"} places a call. POST /_lab/story plays a scenario: a file such
    as fixtures/stories/incoming_missed.jsonl as the body, roles in the query (?client=79…).
    Events also go to /ws where the switch events_over says so.
    """
    from bridge.lab.sipuni.app import run_sipuni_lab
    from bridge.lab.sipuni.control import read_cabinet_switches
    from bridge.web.server import require_free_address

    del partners, seed  # every lab takes them; a cabinet has no company to compose
    if not hook.startswith(("http://", "https://")):
        raise typer.BadParameter("is not an http(s) address", param_hint="--hook")
    try:
        switches = read_cabinet_switches(faults.read_bytes()) if faults else None
    except (OSError, ValueError) as error:
        exit_with_usage_error(f"--faults {faults}", error)
    require_free_address(_HOST, port, "--port")
    control = f"http://{_HOST}:{port}/_lab"
    terminal.print_error(f"it asks {_without_secret(hook)}; call at {control}/call")
    terminal.print_error(f"play a scenario: curl --data-binary @FILE.jsonl {control}/story")
    run_sipuni_lab(hook_url=hook, host=_HOST, port=port, switches=switches)


@lab.command("mango")
def lab_mango(
    *,
    port: Port = 8083,
    hook: Annotated[str, typer.Option(help="The base its events are pushed to.")] = (
        "http://127.0.0.1:8000/mango"
    ),
    faults: Annotated[Path | None, typer.Option(help="Switches of the cabinet (JSON).")] = None,
    pace: Annotated[Pace, typer.Option(help="Whether ringing and talking take time.")] = Pace.FAST,
    extensions: Annotated[
        str, typer.Option(help="Its employees: 205,206,207; the first two are the group.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed, the same disorder.")] = 1,
    partners: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Run a simulated Mango Office cabinet; it is controlled at /_lab/.

    POST /_lab/call {"caller", "did"} places a call: it waits in silence for a route, then goes to
    the group. POST /_lab/switches {"numbers": "text"} switches a trap on, GET shows them all.
    """
    from bridge.lab.mango import MangoCabinet, read_mango_switches, serve_mango_lab
    from bridge.web.server import require_free_address

    del partners  # every lab takes them; a cabinet has no company to compose
    if not hook.startswith(("http://", "https://")):
        raise typer.BadParameter("is not an http(s) address", param_hint="--hook")
    try:
        switches = read_mango_switches(faults.read_bytes()) if faults else None
    except (OSError, ValueError) as error:
        exit_with_usage_error(f"--faults {faults}", error)
    cabinet = MangoCabinet(hook_url=hook)
    if extensions:
        cabinet = cabinet.with_extensions(tuple(filter(None, extensions.split(","))))
    require_free_address(_HOST, port, "--port")

    def announce(address: str) -> None:
        settings = {
            "BRIDGE_MANGO_URL": f"{address}/vpbx",
            "BRIDGE_MANGO_KEY": cabinet.key,
            "BRIDGE_MANGO_SALT": cabinet.salt,
        }
        for name, value in settings.items():
            terminal.console().print(f"{name}={value}", markup=False, soft_wrap=True)
        terminal.print_error(f"it pushes to {_without_secret(hook)}; control: {address}/_lab/")

    serving = serve_mango_lab(
        cabinet,
        host=_HOST,
        port=port,
        switches=switches,
        pace=1.0 if pace is Pace.REAL else 0.0,
        seed=seed,
        announce=announce,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(serving)


@commands.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="One scripted day, a table, an exit code.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(help="Port of the bridge; 8000, with --once any free one.", min=0, max=65535),
    ] = None,
    partners: Partners = 500,
) -> None:
    """Run a simulated 1C, a simulated Sipuni and the bridge between them."""
    from bridge.lab.demo.environment import DemoError, DemoSettings
    from bridge.lab.demo.run import run_demo

    free = 0 if once else 8000
    settings = DemoSettings(partners, free if port is None else port, fast_clock=once)
    try:
        passed = asyncio.run(run_demo(settings, terminal.DemoScreen(), once=once))
    except (DemoError, LookupError) as error:
        terminal.print_error(str(error))
        raise typer.Exit(ExitCode.WARNINGS) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        # It was stopped on request; steps that were cut short have not passed.
        passed = not once
    raise typer.Exit(ExitCode.DONE if passed else ExitCode.WARNINGS)


def _without_secret(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
