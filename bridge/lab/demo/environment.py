"""Sets the stage: both simulators on loopback, the bridge as processes beside them."""

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
from bridge.lab.onec.infobase.infobase import Infobase
from bridge.lab.onec.server import OneCServer, ServerWithoutSignals
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.sipuni import SipuniLab, SipuniScheme, create_sipuni_app

_READY_PATIENCE_S = 60.0
_TAIL = 1500
_DAY_AGO_S = 3600


class DemoError(RuntimeError):
    """The demonstration cannot go on; the sentence says what happened."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """How large, and on which port the bridge listens (0: any free one)."""

    partners: int = 500
    port: int = 0
    seed: int = 1
    #: Calls come a minute apart by the PBX's clock, however fast they are placed.
    fast_clock: bool = False
    command: Sequence[str] = (sys.executable, "-m", "bridge")


class LoopbackServer:
    """A simulator on a port of loopback; it can go away and come back on the same port."""

    def __init__(self, server: Callable[[], uvicorn.Server]) -> None:
        self._server = server
        self.port = 0
        self._running: tuple[uvicorn.Server, asyncio.Task[None]] | None = None

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        # Named as TCP: asyncio leaves Nagle's delay (40 ms an answer) on a socket that is not.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        sock.listen()  # whoever connects from now on waits for the server to come up
        self.port = int(sock.getsockname()[1])
        server = self._server()
        self._running = (server, asyncio.create_task(server.serve(sockets=[sock])))

    async def stop(self) -> None:
        """Go away: whoever connects from now on is refused."""
        if self._running is not None:
            (server, task), self._running = self._running, None
            server.should_exit = True
            await task


class DemoEnvironment:
    """Two simulators that run, and a bridge that can be started, synced and stopped."""

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
        """Give the address of the bridge's pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def hook_url(self) -> str:
        """Give the address the simulated Sipuni asks."""
        return f"http://sipuni:demo-hook@127.0.0.1:{self.port}/sipuni/route"

    @property
    def onec_url(self) -> str:
        """Give the address of the simulated publication."""
        return f"http://127.0.0.1:{self.onec_server.port}/ut11"

    @property
    def log(self) -> Path:
        """Give the file the bridge logs to."""
        return self.folder / "bridge.log"

    async def sync(self, *options: str) -> tuple[int, str]:
        """Run one sync; give its exit code and what it printed."""
        return await self.run_command("sync", "--json", *options)

    async def run_command(self, *words: str) -> tuple[int, str]:
        """Run one command of the bridge; give its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *words,
            env=self.service_environment(),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:  # we are told to stop in the middle of it
                process.terminate()
                await process.wait()
        return process.returncode or 0, (out or err).decode("utf-8", "replace")

    async def click_to_call(self, extension: str, number: str) -> str:
        """Order a call at the bridge, as a script does; give what became of the order."""
        _, said = await self.run_command("call", extension, number, "--json")
        await self.sipuni_lab.wait_until_idle()
        try:
            return str(json.loads(said)["state"])
        except (ValueError, KeyError):
            return said.strip()

    async def console_link(self) -> str:
        """Give an address that opens the bridge's pages once."""
        code, said = await self.run_command("console-link")
        if code:
            raise DemoError(said.strip())
        return said.strip()

    async def start_service(self) -> None:
        """Start the service and wait until it is ready.

        Raises:
            StageError: it ended, or was not ready in time; the end of its log is told.
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
        deadline = asyncio.get_running_loop().time() + _READY_PATIENCE_S
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
        """Ask the service to stop and wait; give its exit code (0 when none ran)."""
        service, self._service = self._service, None
        if service is None:
            return 0
        if service.returncode is None:
            service.terminate()
        return await service.wait()

    async def aclose(self) -> None:
        """Stop the service and let go of the connections."""
        await self.stop_service()
        await self._http.aclose()

    def log_tail(self) -> str:
        """Give the end of the bridge's log."""
        if not self.log.exists():
            return "it logged nothing"
        return self.log.read_text("utf-8", "replace")[-_TAIL:].strip()

    def service_environment(self) -> Mapping[str, str]:
        """Give the settings of the bridge; nothing of the caller's own settings leaks in."""
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
    """Start both simulators and give the stage; everything ends when the block does.

    Raises:
        StageError: the bridge's port is taken.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onec-bridge-demo-")))
        port = settings.port or _free_port()
        if settings.port and _is_taken(settings.port):
            raise DemoError(f"port {settings.port} is taken; choose another with --port")
        world = Infobase.compose(partners=settings.partners, seed=settings.seed)
        lab = OneCLab(world)
        onec = LoopbackServer(lambda: _OneCServer(lab, "127.0.0.1", 0, None))
        stack.push_async_callback(onec.stop)
        await onec.start()
        stage = DemoEnvironment(settings, folder, lab, onec, port)
        stack.push_async_callback(stage.aclose)
        stack.push_async_callback(stage.sipuni_server.stop)
        await stage.sipuni_server.start()
        yield stage


class _OneCServer(ServerWithoutSignals, OneCServer):
    """The publication as a part of the demonstration."""


def _cabinet(stage: DemoEnvironment) -> uvicorn.Server:
    app = create_sipuni_app(stage.sipuni_lab)
    return ServerWithoutSignals(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    )


def _minutes() -> Callable[[], float]:
    """Give a clock on which calls come a minute apart: a day in some seconds.

    Nobody calls twice within one second; for the bridge that would be one call, asked twice.
    """
    begun = time.time() - _DAY_AGO_S
    calls = itertools.count()
    return lambda: begun + 60 * next(calls)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
