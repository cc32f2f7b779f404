"""Streams that go on only as long as their reader may read: access is checked again.

Every some seconds, and at once at a sign-out or a revocation.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing


class _Stream:
    """One stream: whether its reader may still read, and what interrupts its wait."""

    def __init__(self, may_read: Callable[[], bool]) -> None:
        self.may_read = may_read
        self.is_over = False
        self.wait: asyncio.Timeout | None = None

    def end(self) -> None:
        self.is_over = True
        if self.wait is not None:
            self.wait.reschedule(asyncio.get_running_loop().time())


class GuardedStreams:
    """The streams that are read now. Called on the event loop's thread only."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._streams: set[_Stream] = set()

    def recheck(self) -> None:
        """End every stream whose reader may read no more."""
        for stream in self._streams:
            if not stream.is_over and not stream.may_read():
                stream.end()

    async def guard(
        self, lines: AsyncGenerator[str, None], may_read: Callable[[], bool], every_s: float
    ) -> AsyncGenerator[str, None]:
        """Return *lines* until their reader may read no more.

        That is asked at a line once *every_s* have passed, and whenever `recheck` is called.
        """
        stream = _Stream(may_read)
        self._streams.add(stream)
        looked_at = self._now()
        try:
            async with aclosing(lines):
                while not stream.is_over:
                    line = await _next(lines, stream)
                    if line is None:
                        return
                    if self._now() - looked_at >= every_s:
                        looked_at = self._now()
                        if not may_read():
                            return
                    yield line
        finally:
            self._streams.discard(stream)


async def _next(lines: AsyncGenerator[str, None], stream: _Stream) -> str | None:
    try:
        async with asyncio.timeout(None) as stream.wait:
            return await anext(lines)
    except StopAsyncIteration:
        return None
    except TimeoutError:
        if not stream.is_over:
            raise
        return None
    finally:
        stream.wait = None
