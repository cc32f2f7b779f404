"""The bridge as processes of its own, and a simulated 1C on a port of loopback beside them."""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import httpx
from pydantic import SecretStr

from bridge import bootstrap
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.server import OneCServer
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.servers import LoopbackServer, ServerWithoutSignals
from bridge.ports.stores.directory import SyncReport
from bridge.services.sync.pull import PullRules
from bridge.settings import Settings
from tests.stories.in_process import SilentProgress

HOOK = "http://pbx:composed-pass@127.0.0.1:{port}/sipuni/route"
PATIENCE_S = 120.0
_LOOK_S = 0.02


class _Server(ServerWithoutSignals, OneCServer):
    """The publication as a part of the tests."""


@dataclass
class Gate:
    """A sleep that lasts until it is opened: keeps 1C's answer back in the middle of a run."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, _: float) -> None:
        self.reached.set()
        await self.opened.wait()

    async def wait_until_reached(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.reached.wait()


@dataclass
class ServiceFolder:
    """A simulated 1C that listens, and the folder and settings of a bridge beside it."""

    lab: OneCLab
    gate: Gate
    onec: LoopbackServer
    folder: Path
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.onec.port}{self.lab.publication}"

    def environment(self, **changed: str | None) -> dict[str, str]:
        """Return a bridge's environment; *changed* settings without BRIDGE_, None takes one out."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("BRIDGE_")}
        settings: dict[str, str | None] = {
            "ONEC_URL": self.url,
            "ONEC_USER": self.lab.user,
            "ONEC_PASSWORD": self.lab.password,
            "ONEC_TIMEZONE": "Europe/Moscow",
            "HOOK_USER": "pbx",
            "HOOK_PASSWORD": "composed-pass",
            "DATA_DIR": str(self.folder / "data"),
            "PHONE_AREA_CODE": "495",
            "PORT": str(self.port),
            **changed,
        }
        own.update({f"BRIDGE_{k}": v for k, v in settings.items() if v is not None})
        return own

    def settings(self) -> Settings:
        """Return the same settings as a value."""
        return Settings(
            _env_file=None,  # type: ignore[call-arg]  # a parameter of pydantic-settings
            onec_url=self.url,
            onec_user=self.lab.user,
            onec_password=SecretStr(self.lab.password),
            onec_timezone=ZoneInfo("Europe/Moscow"),
            phone_area_code="495",
            data_dir=self.folder / "data",
        )

    async def sync(self, **rules: bool) -> SyncReport:
        """Run one sync in this process."""
        return await bootstrap.sync(self.settings(), PullRules(**rules), SilentProgress())

    async def run_command(self, *arguments: str, **changed: str | None) -> "CommandResult":
        """Run one command of the bridge to its end."""
        process = await self.start(*arguments, readable=True, **changed)
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        return CommandResult(process.returncode or 0, out.decode(), err.decode())

    async def start(
        self, *arguments: str, readable: bool = True, **changed: str | None
    ) -> asyncio.subprocess.Process:
        """Start one command of the bridge; *readable*: its output can be read.

        The pipes of one that is killed stay open as long as its sync process lives.
        """
        ear = asyncio.subprocess.PIPE if readable else asyncio.subprocess.DEVNULL
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bridge",
            *arguments,
            cwd=self.folder,
            env=self.environment(**changed),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=ear,
            stderr=ear,
        )

    async def start_with(
        self, environment: Mapping[str, str], log: IO[bytes], *arguments: str, apart: bool = False
    ) -> asyncio.subprocess.Process:
        """Start one command of the bridge in *environment*; its output goes to *log*.

        *apart*: in a process group of its own, which can be killed as a whole.
        """
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bridge",
            *arguments,
            cwd=self.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=apart,
        )


@dataclass(frozen=True)
class CommandResult:
    """How a command ended and what it printed; never with a traceback."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert "Traceback" not in self.out + self.err, self.err


@asynccontextmanager
async def open_service_folder(folder: Path, partners: int = 60) -> AsyncIterator[ServiceFolder]:
    """Serve a simulated 1C on loopback until the block ends."""
    gate = Gate()
    lab = OneCLab(compose_infobase(partners=partners), sleep=gate.sleep)
    onec = LoopbackServer(lambda: _Server(lab, "127.0.0.1", 0, None))
    await onec.start()
    try:
        yield ServiceFolder(lab, gate, onec, folder)
    finally:
        gate.opened.set()
        await onec.stop()


async def wait_until(seen: Callable[[], bool], what: str) -> None:
    """Look again and again, for processes report nothing; fail when patience is over."""
    deadline = time.monotonic() + PATIENCE_S
    while not seen():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(_LOOK_S)  # between looks at another process only


async def wait_until_alive(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until a service answers on *port*."""
    deadline = time.monotonic() + PATIENCE_S
    async with httpx.AsyncClient(trust_env=False) as http:
        while process.returncode is None:
            assert time.monotonic() < deadline
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"http://127.0.0.1:{port}/healthz")).is_success:
                    return
            await asyncio.sleep(_LOOK_S)
    raise AssertionError(f"the service ended with {process.returncode}")


def secrets_in(text: str, environment: Mapping[str, str]) -> list[str]:
    """Find the secrets of an environment in what a command printed."""
    names = ("BRIDGE_ONEC_PASSWORD", "BRIDGE_HOOK_PASSWORD")
    return [name for name in names if environment.get(name, "") in text]


def free_port() -> int:
    """Find a port of loopback that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
