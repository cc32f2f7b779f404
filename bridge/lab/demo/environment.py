"""The demonstration's environment: simulators on loopback, the bridge in processes of its own."""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from bridge.lab.demo.callers import DemoCallers, choose_callers
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.server import OneCServer
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.servers import LoopbackServer, ServerWithoutSignals
from bridge.lab.sipuni.app import create_sipuni_app
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import SipuniScheme

_READY_TIMEOUT_S = 60.0
_TAIL = 1500
_STARTED_AGO_S = 3600


class DemoError(RuntimeError):
    """The demonstration cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """The size of the company, and the port the bridge listens on (0: any free one)."""

    partners: int = 500
    port: int = 0
    seed: int = 1
    #: Calls come a minute apart by the PBX's clock, however fast they are placed.
    fast_clock: bool = False
    command: Sequence[str] = (sys.executable, "-m", "bridge")


class DemoEnvironment:
    """Two running simulators, and a bridge that can be started, synced and stopped."""

    def __init__(
        self, settings: DemoSettings, folder: Path, lab: OneCLab, onec: LoopbackServer, port: int
    ) -> None:
        self.onec_lab = lab
        self.callers: DemoCallers = choose_callers(lab.infobase)
        self.folder = folder
        self.port = port
        self.onec_server = onec
        self._command = tuple(settings.command)
        self._http = httpx.AsyncClient(timeout=10.0, trust_env=False)
        clock = _minutes() if settings.fast_clock else time.time
        self.sipuni_lab = SipuniLab(SipuniScheme(hook_url=self.hook_url), self._http, clock=clock)
        #: The cabinet's own API, which takes orders.
        self.sipuni_server = LoopbackServer(lambda: _cabinet(self))
        self._service: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Return the address of the bridge's pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def hook_url(self) -> str:
        """Return the address the simulated Sipuni asks."""
        return f"http://sipuni:demo-hook@127.0.0.1:{self.port}/sipuni/route"

    @property
    def onec_url(self) -> str:
        """Return the address of the simulated publication."""
        return f"http://127.0.0.1:{self.onec_server.port}/ut11"

    @property
    def log(self) -> Path:
        """Return the file the bridge logs to."""
        return self.folder / "bridge.log"

    async def sync(self, *options: str) -> tuple[int, str]:
        """Run one sync; return its exit code and what it printed."""
        return await self.run_command("sync", "--json", *options)

    async def run_command(self, *arguments: str) -> tuple[int, str]:
        """Run one command of the bridge; return its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            env=self.service_environment(),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:  # cancelled in the middle of it
                process.terminate()
                await process.wait()
        return process.returncode or 0, (out or err).decode("utf-8", "replace")

    async def click_to_call(self, extension: str, number: str) -> str:
        """Order a call at the bridge, as a script does; return the state of the order."""
        _, output = await self.run_command("call", extension, number, "--json")
        await self.sipuni_lab.wait_until_idle()
        try:
            return str(json.loads(output)["state"])
        except (ValueError, KeyError):
            return output.strip()

    async def console_link(self) -> str:
        """Return an address that opens the bridge's pages once."""
        code, output = await self.run_command("console-link")
        if code:
            raise DemoError(output.strip())
        return output.strip()

    async def start_service(self) -> None:
        """Start the service and wait until it is ready.

        Raises:
            DemoError: it ended, or was not ready in time; the message ends with its log.
        """
        with self.log.open("ab") as log:
            self._service = await asyncio.create_subprocess_exec(
                *self._command,
                "serve",
                env=self.service_environment(),
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = asyncio.get_running_loop().time() + _READY_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline:
            if self._service.returncode is not None:
                raise DemoError(f"the bridge ended at once: {self.log_tail()}")
            with contextlib.suppress(httpx.TransportError):
                answer = await self._http.get(f"{self.url}/readyz")
                if answer.status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.1)
        raise DemoError(f"the bridge was not ready in time: {self.log_tail()}")

    async def stop_service(self) -> int:
        """Stop the service and return its exit code (0 when none ran)."""
        service, self._service = self._service, None
        if service is None:
            return 0
        if service.returncode is None:
            service.terminate()
        return await service.wait()

    async def aclose(self) -> None:
        """Stop the service and close the connections."""
        await self.stop_service()
        await self._http.aclose()

    def log_tail(self) -> str:
        """Return the end of the bridge's log."""
        if not self.log.exists():
            return "it logged nothing"
        return self.log.read_text("utf-8", "replace")[-_TAIL:].strip()

    def service_environment(self) -> Mapping[str, str]:
        """Return the bridge's settings, without any BRIDGE_ setting of this process."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("BRIDGE_")}
        return own | {
            "BRIDGE_ONEC_URL": self.onec_url,
            "BRIDGE_ONEC_USER": self.onec_lab.user,
            "BRIDGE_ONEC_PASSWORD": self.onec_lab.password,
            "BRIDGE_ONEC_TIMEZONE": "Europe/Moscow",
            "BRIDGE_HOOK_USER": "sipuni",
            "BRIDGE_HOOK_PASSWORD": "demo-hook",
            "BRIDGE_SIPUNI_URL": f"http://127.0.0.1:{self.sipuni_server.port}/api",
            "BRIDGE_SIPUNI_USER": self.sipuni_lab.scheme.cabinet,
            "BRIDGE_SIPUNI_KEY": self.sipuni_lab.scheme.key,
            "BRIDGE_DEFAULT_EXTENSION": self.callers.default_extension,
            "BRIDGE_DATA_DIR": str(self.folder / "data"),
            "BRIDGE_HOST": "127.0.0.1",
            "BRIDGE_PORT": str(self.port),
            "BRIDGE_PHONE_AREA_CODE": "495",
            "BRIDGE_SYNC_INTERVAL_S": "10",
            "PYTHONUNBUFFERED": "1",
        }


@asynccontextmanager
async def start_environment(settings: DemoSettings) -> AsyncIterator[DemoEnvironment]:
    """Start both simulators and yield the environment; everything ends with the block.

    Raises:
        DemoError: the bridge's port is taken.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onec-bridge-demo-")))
        port = settings.port or _free_port()
        if settings.port and _is_taken(settings.port):
            raise DemoError(f"port {settings.port} is taken; choose another with --port")
        infobase = compose_infobase(partners=settings.partners, seed=settings.seed)
        lab = OneCLab(infobase)
        onec = LoopbackServer(lambda: _OneCServer(lab, "127.0.0.1", 0, None))
        stack.push_async_callback(onec.stop)
        await onec.start()
        environment = DemoEnvironment(settings, folder, lab, onec, port)
        stack.push_async_callback(environment.aclose)
        stack.push_async_callback(environment.sipuni_server.stop)
        await environment.sipuni_server.start()
        yield environment


class _OneCServer(ServerWithoutSignals, OneCServer):
    """The publication inside the demonstration's process."""


def _cabinet(environment: DemoEnvironment) -> uvicorn.Server:
    app = create_sipuni_app(environment.sipuni_lab)
    return ServerWithoutSignals(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    )


def _minutes() -> Callable[[], float]:
    """Return a clock on which calls come a minute apart: an hour in some seconds.

    Two calls of one number within one second would be one call to the bridge, asked twice.
    """
    started = time.time() - _STARTED_AGO_S
    calls = itertools.count()
    return lambda: started + 60 * next(calls)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
