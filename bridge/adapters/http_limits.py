"""HTTP responses read within limits: of their decoded size, of time in all, of speed.

httpx limits only the silence between two pieces: a byte every five seconds lasts for ever, and a
response is as large as its sender likes, a compressed one a thousand times larger than what came.
So every client of the bridge goes through one of these transports.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx

#: Name of the request extension that holds limits other than the transport's.
LIMITS_EXTENSION: Final = "read_limits"

#: Encodings that are decoded here, piece by piece.
_COMPRESSED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_NOT_ASKED_FOR: Final = frozenset({"br", "zstd"})
_EITHER_HEADER: Final = zlib.MAX_WBITS | 32
_PIECE: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How large a response may be, decoded, and how long it may take.

    It has *total_s* seconds from the request on, and one more for every *min_bytes_per_s* that
    came: a large response may take long, as long as it keeps coming.
    """

    max_bytes: int
    total_s: float
    min_bytes_per_s: int = 16 * 1024


class ResponseTooLarge(httpx.DecodingError):
    """The response has more bytes than allowed; the rest was not read."""


class ResponseTooSlow(httpx.ReadTimeout):
    """The response was not complete in time; what was requested may have been done."""


class BoundedTransport(httpx.AsyncBaseTransport):
    """Reads the responses of *inner* within *limits*, or those of a request's own extension."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        limits: ReadLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._limits = limits
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; the response's headers have to come within the time, too."""
        limits: ReadLimits = request.extensions.get(LIMITS_EXTENSION, self._limits)
        meter = _Meter(limits, self._clock)
        try:
            async with asyncio.timeout(limits.total_s) as waiting:
                response = await self._inner.handle_async_request(request)
        except TimeoutError as error:
            if not waiting.expired():
                raise
            raise meter.too_slow() from error
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport's
        try:
            meter.decoder = _decoder(response)
        except httpx.DecodingError:
            await response.aclose()
            raise
        return _bounded(response, _AsyncStream(response.stream, meter))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class BoundedSyncTransport(httpx.BaseTransport):
    """The same for a blocking client."""

    def __init__(
        self,
        inner: httpx.BaseTransport,
        limits: ReadLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._limits = limits
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*."""
        meter = _Meter(self._limits, self._clock)
        response = self._inner.handle_request(request)
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - a sync transport's
        try:
            meter.decoder = _decoder(response)
        except httpx.DecodingError:
            response.close()
            raise
        return _bounded(response, _SyncStream(response.stream, meter))

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class _Meter:
    """Decodes and counts one response."""

    def __init__(self, limits: ReadLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._began = clock()
        self._bytes = 0
        self.decoder: zlib._Decompress | None = None

    def take(self, raw: bytes) -> Iterator[bytes]:
        """Yield what *raw* decodes to, in pieces.

        Raises:
            ResponseTooLarge: with it the response is larger than allowed.
            ResponseTooSlow: it should be complete by now.
            httpx.DecodingError: it is not compressed as its header has it.
        """
        limits = self._limits
        if self._clock() - self._began > limits.total_s + self._bytes / limits.min_bytes_per_s:
            raise self.too_slow()
        if self.decoder is None:
            yield self._counted(raw)
            return
        while raw:
            try:
                piece = self.decoder.decompress(raw, _PIECE)
            except zlib.error as error:
                raise httpx.DecodingError(str(error)) from error
            raw = self.decoder.unconsumed_tail
            if piece:
                yield self._counted(piece)

    def end(self) -> None:
        """Raise httpx.DecodingError where a compressed response has no end."""
        if self.decoder is not None and not self.decoder.eof and self._bytes:
            raise httpx.DecodingError("the compressed answer was cut short")

    def too_slow(self) -> ResponseTooSlow:
        """Return the error of a response that takes too long."""
        seconds = self._clock() - self._began
        return ResponseTooSlow(f"{self._bytes} bytes in {seconds:.0f} s; given up")

    def _counted(self, piece: bytes) -> bytes:
        self._bytes += len(piece)
        if self._bytes > self._limits.max_bytes:
            raise ResponseTooLarge(
                f"an answer of more than {self._limits.max_bytes} bytes; given up"
            )
        return piece


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for raw in self._stream:
            for piece in self._meter.take(raw):
                yield piece
        self._meter.end()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _SyncStream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter

    def __iter__(self) -> Iterator[bytes]:
        for raw in self._stream:
            yield from self._meter.take(raw)
        self._meter.end()

    def close(self) -> None:
        self._stream.close()


def _decoder(response: httpx.Response) -> "zlib._Decompress | None":
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in _NOT_ASKED_FOR:
        raise httpx.DecodingError(f"an answer compressed as {encoding}, which was not asked for")
    return zlib.decompressobj(_EITHER_HEADER) if encoding in _COMPRESSED else None


def _bounded(response: httpx.Response, stream: _AsyncStream | _SyncStream) -> httpx.Response:
    """Return *response* with *stream* as its body."""
    headers = response.headers.copy()
    if headers.get("Content-Encoding", "").strip().lower() in _COMPRESSED:
        del headers["Content-Encoding"]  # it is decoded
    return httpx.Response(
        response.status_code, headers=headers, stream=stream, extensions=response.extensions
    )
