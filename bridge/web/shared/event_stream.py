"""How many streams may be open: each holds a connection, and every event wakes each of them."""

from collections import Counter, OrderedDict
from collections.abc import AsyncIterable, Callable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bridge.web.shared.language import translatable

#: Unless the system's limit on open files is less.
MAX_STREAMS: Final = 4096

#: Of one manager, of one telephone, of the administrator: tabs, and tabs left open elsewhere.
MAX_STREAMS_OF_ONE: Final = 50

_RETRY_S: Final = 10
_FULL: Final = translatable("Too many pages are open; try again in a few seconds.")

STREAM_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the lines back
    "X-Content-Type-Options": "nosniff",
}


class TextCache:
    """Texts that many streams send, each written once."""

    def __init__(self, max_size: int = 512) -> None:
        self._most = max_size
        self._texts: OrderedDict[str, str] = OrderedDict()

    def get_or_write(self, key: str, write: Callable[[], str]) -> str:
        """Return the text of *key*, written by *write* when it is asked for first."""
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = write()
            while len(self._texts) > self._most:
                self._texts.popitem(last=False)
        return text


class StreamLimits:
    """Counts the streams that are open, in all and by listener."""

    def __init__(
        self, max_streams: int = MAX_STREAMS, max_of_one: int = MAX_STREAMS_OF_ONE
    ) -> None:
        self._most = max_streams
        self._of_one = max_of_one
        self._open: Counter[str] = Counter()

    @property
    def open_count(self) -> int:
        """Return how many are open."""
        return self._open.total()

    def acquire(self, who: str) -> None:
        """Count one more stream of *who*.

        Raises:
            HTTPException: 503, there is none.
        """
        if self._open[who] >= self._of_one or self.open_count >= self._most:
            raise HTTPException(503, _FULL, {"Retry-After": str(_RETRY_S)})
        self._open[who] += 1

    def release(self, who: str) -> None:
        """Count one stream of *who* less."""
        self._open[who] -= 1
        if not self._open[who]:
            del self._open[who]


class EventStream(StreamingResponse):
    """Server-sent events that hold a place while they last.

    A listener who does not read is dropped by the server (`connections`): nothing waits for it.
    """

    def __init__(self, lines: AsyncIterable[str], places: StreamLimits, who: str) -> None:
        super().__init__(lines, headers=STREAM_HEADERS, media_type="text/event-stream")
        self._places = places
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, or raise HTTPException 503 where there is no place."""
        self._places.acquire(self._who)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._places.release(self._who)
