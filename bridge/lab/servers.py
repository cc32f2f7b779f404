"""How the simulators are served over real sockets of this computer."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn


class ServerWithoutSignals(uvicorn.Server):
    """A server that leaves signals to its owner."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class LoopbackServer:
    """A server on a port of 127.0.0.1 that can be stopped and started again on the same port."""

    def __init__(self, build_server: Callable[[], uvicorn.Server]) -> None:
        self._build_server = build_server
        self.port = 0
        self._running: tuple[uvicorn.Server, asyncio.Task[None]] | None = None

    async def start(self) -> None:
        """Listen, on the port of the first start."""
        # Named as TCP: asyncio leaves Nagle's delay (40 ms an answer) on a socket that is not.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        sock.listen()  # a client that connects from now on waits until the server is up
        self.port = int(sock.getsockname()[1])
        server = self._build_server()
        self._running = (server, asyncio.create_task(server.serve(sockets=[sock])))

    async def stop(self) -> None:
        """Stop; connections are refused from now on."""
        if self._running is not None:
            (server, task), self._running = self._running, None
            server.should_exit = True
            await task
