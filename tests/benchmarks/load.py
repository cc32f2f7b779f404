"""A load generator of plain asyncio protocols: no pipelining, an answer counts when it is whole.

Latency runs from the moment a request is sent (closed loop) or was due to be sent (open loop, so
that waiting for a stalled server is counted) to the last byte of its answer.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from tests.benchmarks.scoreboard import percentile

_OK = b"HTTP/1.1 200 "
_LENGTH = b"content-length: "
_PATIENCE_S = 30.0

#: Gives the next request as it goes over the wire.
NextRequest = Callable[[], bytes]


@dataclass(slots=True)
class Run:
    """What one run of the load saw; *latencies* in milliseconds."""

    answered: int = 0
    refused: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def ms(self, share: float) -> float:
        """Return a percentile of the latency."""
        return percentile(self.latencies, share)


class _Caller(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, reports, and is resumed."""

    def __init__(self, ready: Callable[["_Caller"], None], run: Run) -> None:
        self._ready = ready
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._left = -1
        self._buffer = b""
        self._since = 0.0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by duty, not by class.
        self._transport = cast("asyncio.Transport", transport)
        self._ready(self)

    def ask(self, request: bytes, since: float) -> None:
        assert self._transport is not None
        self._since = since
        self._left = -1
        self._transport.write(request)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            at = self._buffer.find(_LENGTH)
            length = int(self._buffer[at + len(_LENGTH) : self._buffer.find(b"\r", at)])
            self._run.refused += not self._buffer.startswith(_OK)
            self._left = length - (len(self._buffer) - end - 4)
            self._buffer = b""
        else:
            self._left -= len(data)
        if self._left == 0:
            self._run.answered += 1
            self._run.latencies.append((time.perf_counter() - self._since) * 1e3)
            self._ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # what it cut short is missed by whoever counts the answers
        if not self.lost.done():
            self.lost.set_result(None)


async def closed_loop(port: int, request: NextRequest, connections: int, seconds: float) -> Run:
    """Keep *connections* busy for *seconds*; what is under way then is waited for."""
    run = Run()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    end = started + seconds

    def ready(caller: _Caller) -> None:
        now = time.perf_counter()
        if now < end:
            caller.ask(request(), now)
        else:
            caller.close()

    callers = [
        (await loop.create_connection(lambda: _Caller(ready, run), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(c.lost for c in callers)), seconds + _PATIENCE_S)
    run.seconds = time.perf_counter() - started
    return run


async def new_connections(port: int, request: NextRequest, lanes: int, seconds: float) -> Run:
    """Ask each question over a connection of its own, in *lanes* at a time; connecting counts."""
    run = Run()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    end = started + seconds

    async def connection() -> None:
        while (since := time.perf_counter()) < end:
            asked = False

            def ready(caller: _Caller, since: float = since) -> None:
                nonlocal asked
                if asked:
                    caller.close()
                else:
                    asked = True
                    caller.ask(request(), since)

            _, caller = await loop.create_connection(
                partial(_Caller, ready, run), "127.0.0.1", port
            )
            await caller.lost

    await asyncio.wait_for(
        asyncio.gather(*(connection() for _ in range(lanes))), seconds + _PATIENCE_S
    )
    run.seconds = time.perf_counter() - started
    return run


async def open_loop(
    port: int, request: NextRequest, rate: float, on: Callable[[float], bool], connections: int = 16
) -> Run:
    """Ask *rate* times a second while *on* (given the seconds so far) says so."""
    run = Run()
    loop = asyncio.get_running_loop()
    free: list[_Caller] = []
    waiting: list[float] = []
    over = False
    rested = asyncio.Event()
    started = time.perf_counter()

    def ready(caller: _Caller) -> None:
        if waiting:
            caller.ask(request(), waiting.pop(0))
        else:
            free.append(caller)
            if over and len(free) == connections:
                rested.set()

    callers = [
        (await loop.create_connection(lambda: _Caller(ready, run), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    due = time.perf_counter()
    while on(time.perf_counter() - started):
        due += 1 / rate
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        if free:
            # In turn: a connection that idles too long is closed by the server.
            free.pop(0).ask(request(), due)
        else:
            waiting.append(due)
    over = True
    if len(free) == connections:
        rested.set()
    await asyncio.wait_for(rested.wait(), _PATIENCE_S)
    run.seconds = time.perf_counter() - started
    for caller in callers:
        caller.close()
    return run
