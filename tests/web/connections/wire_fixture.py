"""A connection without a socket: what a client sends and reads, and an application that answers."""

import asyncio
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from bridge.web.connections.limits import ConnectionLimits
from bridge.web.connections.protocol import LimitedHttpProtocol, protocol_for
from bridge.web.connections.registry import ConnectionRegistry

pytestmark = pytest.mark.anyio


LIMITS = ConnectionLimits(max_connections=40)


GET = b"GET /x?a=1 HTTP/1.1\r\nHost: h\r\n\r\n"


class Wire(asyncio.Transport):
    """A client's end: what was written to it, whether it was closed; *full*: it reads nothing."""

    def __init__(self, address: str = "203.0.113.9") -> None:
        super().__init__({"peername": (address, 50000), "sockname": ("127.0.0.1", 80)})
        self.written = bytearray()
        self.ended = self.closed = self.paused = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if not self.closed:
            self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    @property
    def statuses(self) -> list[int]:
        heads = bytes(self.written).split(b"HTTP/1.1 ")[1:]
        return [int(head[:3]) for head in heads]


@dataclass
class Server:
    """A server without sockets: an application behind the protocol, and a clock to turn."""

    app: ASGIApp
    limits: ConnectionLimits = LIMITS
    now: float = 100.0
    registry: ConnectionRegistry = field(init=False)
    kind: type[LimitedHttpProtocol] = field(init=False)

    def __post_init__(self) -> None:
        self.registry = ConnectionRegistry(self.limits, lambda: self.now)
        self.kind = protocol_for(self.registry)
        self.config = uvicorn.Config(
            self.app,
            http=self.kind,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
        )
        self.state = ServerState()

    def connect(self, address: str = "203.0.113.9") -> tuple[LimitedHttpProtocol, Wire]:
        protocol = self.kind(self.config, self.state, {}, asyncio.get_running_loop())
        wire = Wire(address)
        protocol.connection_made(wire)
        return protocol, wire

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.registry.close_overdue()

    async def work(self) -> None:
        while self.state.tasks:
            await asyncio.wait(tuple(self.state.tasks))

    async def rest(self) -> None:
        """Let the applications run until they wait for their clients."""
        for _ in range(10):
            await asyncio.sleep(0)


@dataclass
class Echo:
    """Answers with what it was asked; *reads* its body first, or not at all."""

    reads: bool = True
    scopes: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    cut: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body = b""
        while self.reads:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.cut += 1
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.bodies.append(body)
        status = 200 if self.reads else 401
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    @property
    def queries(self) -> list[bytes]:
        return [scope["query_string"] for scope in self.scopes]


def feed(protocol: LimitedHttpProtocol, wire: Wire, data: bytes, piece: int = 65536) -> int:
    """Send *data* until the other side hangs up or pauses; give the bytes that were taken."""
    for at in range(0, len(data), piece):
        if wire.closed:
            return at
        protocol.data_received(data[at : at + piece])
    return len(data)


async def ask(data: bytes, app: Echo | None = None) -> tuple[Wire, Echo]:
    app = app or Echo()
    server = Server(app)
    protocol, wire = server.connect()
    feed(protocol, wire, data)
    await server.work()
    return wire, app
