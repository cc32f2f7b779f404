"""The server under the application: uvicorn, with a stop that pages' streams do not hold up."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from bridge.errors import CannotListen

#: A stop lets requests and streams end this long before it cuts them.
_SHUTDOWN_S = 5


class _Server(uvicorn.Server):
    """Ends the pages' streams when the stop begins: they would keep it waiting otherwise."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take a signal as the request to stop that it is: it was obeyed, the exit code is 0."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def shutdown(self, sockets: object = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)  # type: ignore[arg-type]  # uvicorn's own type


def insist_on_address(host: str, port: int, setting: str) -> None:
    """Make sure that somebody may listen on *host* and *port*: uvicorn says it less clearly.

    Raises:
        CannotListen: the port is taken, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # elsewhere it would take a port that others have
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CannotListen(host, port, reason, setting) from error


def run(app: ASGIApp, end_streams: Callable[[], None], *, host: str, port: int) -> None:
    """Serve *app* until the process is told to stop; *end_streams* is called as that begins.

    Raises:
        CannotListen: the port is taken, or the address is not this machine's.
    """
    insist_on_address(host, port, "BRIDGE_HOST and BRIDGE_PORT")
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom to believe about the client's address is decided in web.access.
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    # `run`, not asyncio.run: it takes uvloop where there is one.
    _Server(config, end_streams).run()
