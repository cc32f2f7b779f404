"""The server under the application: uvicorn, with a stop that pages' streams do not delay.

It opens the application itself: of an error at the start uvicorn would print a traceback and no
more, and the command that started it shall print a sentence and exit with a code.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import uvicorn
from starlette.applications import Starlette

from bridge.errors import CannotListen
from bridge.web.connections.limits import ConnectionLimits
from bridge.web.connections.protocol import protocol_for
from bridge.web.connections.registry import ConnectionRegistry

#: A stop lets requests and streams end this long before it cuts them.
_SHUTDOWN_S = 5

#: uvicorn's ticks are a tenth of a second apart.
_TICKS_A_SWEEP = 10


class _Server(uvicorn.Server):
    """Ends the pages' streams when the stop begins: they would keep it waiting otherwise."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Starlette,
        end_streams: Callable[[], None],
        connections: ConnectionRegistry,
        announce: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._app = app
        self._connections = connections
        self._announce = announce
        self._opened = AsyncExitStack()
        self._end_streams = end_streams

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self._opened.enter_async_context(self._app.router.lifespan_context(self._app))
        try:
            await super().startup(sockets)
        except BaseException:
            await self._opened.aclose()
            raise
        if self._announce is not None and self.started:
            self._announce(int(self.servers[0].sockets[0].getsockname()[1]))

    async def on_tick(self, counter: int) -> bool:
        """Close connections that are late."""
        if counter % _TICKS_A_SWEEP == 0:
            self._connections.close_overdue()
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take a signal as a request to stop: after an orderly stop the exit code is 0."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def shutdown(self, sockets: object = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)  # type: ignore[arg-type]  # uvicorn's own type
        if not self.force_exit:
            await self._opened.aclose()


def require_free_address(host: str, port: int, setting: str) -> None:
    """Check that *host* and *port* can be listened on: uvicorn's message is less clear.

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


def run(
    app: Starlette,
    end_streams: Callable[[], None],
    *,
    host: str,
    port: int,
    limits: ConnectionLimits | None = None,
    announce: Callable[[int], None] | None = None,
) -> None:
    """Serve *app* until the process is stopped; *end_streams* is called as that begins.

    Connections are held to *limits*. *announce* is called with the port once the service can be
    reached there.

    Raises:
        CannotListen: the port is taken, or the address is not this machine's.
        BridgeError: the application could not be opened.
    """
    require_free_address(host, port, "BRIDGE_HOST and BRIDGE_PORT")
    connections = ConnectionRegistry(limits or ConnectionLimits(), time.monotonic)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol_for(connections),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom to believe about the client's address is decided in web.access.
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    # `run`, not asyncio.run: it takes uvloop where there is one.
    _Server(config, app, end_streams, connections, announce).run()
