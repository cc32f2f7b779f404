"""The server under the application: uvicorn, with a stop that pages' streams do not hold up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

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


def run(app: ASGIApp, end_streams: Callable[[], None], *, host: str, port: int) -> None:
    """Serve *app* until the process is told to stop; *end_streams* is called as that begins."""
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
