"""uvicorn's protocol on httptools, held to our limits.

uvicorn has options for a few of them only: `h11_max_incomplete_event_size` is for h11,
`limit_concurrency` answers 503 to the PBX too, and httptools takes a head of any size.

Heads are gathered here until they are whole, and only then parsed: so they are counted while they
come, a slow one costs nothing, and a request line that the parser refuses can be repaired.
"""

import asyncio
import math
from enum import Enum, auto
from typing import Any, ClassVar, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from bridge.web.connections import request_heads as heads
from bridge.web.connections.registry import ConnectionRegistry
from bridge.web.connections.request_heads import HEAD_END, Refusal

#: httptools reads no longer address; a query behind it is cut off by ourselves.
_LONGEST_PARSED: Final = 32 * 1024
_NEVER: Final = math.inf

#: Names of headers that need a closer look.
_UNUSUAL: Final = frozenset({b"upgrade", b"content-length", b"transfer-encoding"})


class _Phase(Enum):
    HEAD = auto()  # waits for a head, or is idle
    BODY = auto()  # waits for the rest of a body
    ANSWER = auto()  # the request is whole; what comes now waits for its turn
    CLOSING = auto()  # answered or refused; what still comes is dropped


#: Looked up for every request: as members of the enumeration they would cost four times as much.
_HEAD, _BODY, _ANSWER, _CLOSING = _Phase


class _Stop(Exception):
    """Makes the parser stop; why is kept beside."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. *registry* is set by a subclass for each server (`protocol_for`)."""

    registry: ClassVar[ConnectionRegistry]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.address = ""
        self.deadline = _NEVER
        self._limits = self.registry.limits
        self._phase = _HEAD
        self._held = bytearray()  # a head that is not whole, or what came before its turn
        self._started = False  # this head has made a request
        self._refusal: Refusal | None = None
        self._upgrades = False
        self._in_body = False
        self._bytes = 0  # of the body, or behind the refusal
        self._keep_alive = True
        self._reserved = False
        # Copied into each request's scope, where the hooks mark a PBX that was admitted.
        self.app_state = {**app_state, "reserve_connections": self._reserve_connections}

    # ------------------------------------------------------------ the connection
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Register the connection, or refuse it."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if not self.registry.accept(self):
            self._phase = _CLOSING
            self.transport.write(heads.render_refusal(heads.FULL))
            self.transport.close()
            return
        self.deadline = self.registry.clock() + self._limits.head_s

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection from the registry."""
        self.registry.remove(self)
        self._phase = _CLOSING
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self._held.clear()
        self.app_state = {}

    def data_received(self, data: bytes) -> None:
        """Receive bytes; the usual request comes whole and in one piece."""
        phase = self._phase
        if phase is _HEAD:
            end = data.find(HEAD_END)
            if 0 <= end == len(data) - 4 <= self._limits.head_bytes and not self._held:
                self._take_head(data)
            else:
                self._gather(data)
        elif phase is _BODY:
            self._take_body(data)
        elif phase is _ANSWER:
            self._keep_for_later(data)
        else:
            self._bytes += len(data)
            if self._bytes > self._limits.linger_bytes:
                self.transport.abort()

    def pause_writing(self) -> None:
        """Limit how long the client may leave its answer unread."""
        super().pause_writing()
        self.deadline = self.registry.clock() + self._limits.drain_s

    def resume_writing(self) -> None:
        """Resume writing."""
        super().resume_writing()
        if self._phase is _ANSWER:
            self.deadline = _NEVER

    def shutdown(self) -> None:
        """End as soon as the request under way is answered."""
        self._keep_alive = False
        super().shutdown()

    @property
    def is_waiting(self) -> bool:
        """Return whether it waits for its client, and may be closed for another connection."""
        return self._phase is not _ANSWER

    def evict(self) -> None:
        """Close: another connection needs the place."""
        self._abandon_request()
        self._phase = _CLOSING
        self.transport.close()

    def time_out(self) -> None:
        """Close: the client took too long."""
        if self._phase is _BODY or (self._phase is _HEAD and self._held):
            self._refuse(heads.SLOW)
        elif self._phase is _HEAD:
            self.transport.close()
        else:
            if self._phase is _ANSWER:
                self.registry.log_sparingly("answer_not_read", self.address)
            self.transport.abort()

    # ------------------------------------------------------------ heads
    def _gather(self, chunk: bytes) -> None:
        """Take a head that comes in pieces, or with something behind it."""
        self._unset_keepalive_if_required()
        held = self._held
        if not held:
            self.deadline = self.registry.clock() + self._limits.head_s
        seen = max(0, len(held) - len(HEAD_END) + 1)
        held += chunk if held else chunk.lstrip(b"\r\n")  # RFC 9112 §2.2
        end = held.find(HEAD_END, seen)
        if (len(held) if end < 0 else end) > self._limits.head_bytes:
            self._refuse(heads.refusal_of_size(held))
        elif held and (refusal := heads.refusal_of_beginning(held)) is not None:
            self._refuse(refusal)
        elif end >= 0:
            head, rest = bytes(held[: end + 4]), bytes(held[end + 4 :])
            held.clear()
            self._take_head(head)
            if rest:
                self.data_received(rest)

    def _keep_for_later(self, chunk: bytes) -> None:
        """Keep a request that was sent before the last one was answered: one is done at a time."""
        self._held += chunk
        if len(self._held) > self._limits.head_bytes + self._limits.body_bytes:
            self.registry.log_sparingly("request_refused", self.address, heads.LARGE_BODY.message)
            self.transport.abort()
            return
        self.flow.pause_reading()

    def _take_head(self, head: bytes) -> None:
        """Parse one whole head."""
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self._started, self._refusal = False, None
        try:
            self.parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._take_unusual_head(head)

    def _take_unusual_head(self, head: bytes) -> None:
        """Parse a head again without what the parser does not take, or refuse it."""
        if self._started:  # a request for another protocol in a spelling that we do not know
            self.cycle.keep_alive = False
            return
        if self._upgrades:
            other: bytes | None = heads.without_upgrade(head)
        else:
            other = None if self._refusal else heads.repair_request_line(head)
        if other is not None and other != head:
            self._upgrades = False
            self.parser = httptools.HttpRequestParser(self)
            self._take_head(other)
        else:
            self._refuse(self._refusal or heads.refusal_of_whole(head))

    def on_headers_complete(self) -> None:
        """Look at the head before anything is started for it."""
        if self._in_body:
            raise _Stop  # a head behind a body, which was not counted
        url, query = self.url, None
        if b"#" in url:  # a fragment never leaves a browser: it is a text not encoded
            url = self.url = url.replace(b"#", b"%23")
        if len(url) > _LONGEST_PARSED:
            self.url, _, query = url.partition(b"?")
            self._refusal = heads.refusal_of_path(self.url)
        has_body = False
        for name, _ in self.headers:
            if name in _UNUSUAL:
                has_body = heads.has_body(self.headers)
                self._upgrades = heads.wants_upgrade(self.headers)
                self._refusal = self._refusal or heads.refusal_of_body(self.headers, self._limits)
                break
        if len(self.headers) > self._limits.headers:
            self._refusal = heads.LARGE_HEAD
        if self._upgrades or self._refusal is not None:
            raise _Stop
        HttpToolsProtocol.on_headers_complete(self)  # `super()` costs thrice as much
        self._started = True
        if query is not None:
            self.scope["query_string"] = query
        if has_body:
            self._await_body()
        else:
            self._phase = _ANSWER
            self.deadline = _NEVER

    # ------------------------------------------------------------ bodies
    def _await_body(self) -> None:
        self._phase = _BODY
        self._bytes = 0
        self.deadline = self.registry.clock() + self._limits.body_s
        self.headers = []  # what comes behind a body is no header of the request
        # A client that is answered before its body came is not read on.
        self._keep_alive, self.cycle.keep_alive = self.cycle.keep_alive, False
        self.cycle.transport = _Lingering(self)  # type: ignore[assignment]  # all that a cycle uses

    def _take_body(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        if self._bytes > 2 * self._limits.body_bytes:  # chunks have heads of their own
            self._refuse(heads.LARGE_BODY)
            return
        fit, self._in_body = True, True
        try:
            self.parser.feed_data(chunk)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            fit = False
        self._in_body = False
        if self.cycle.more_body:
            if not fit:
                self._refuse(heads.UNREADABLE)
            return
        self._phase = _ANSWER
        self.deadline = _NEVER
        if not self.cycle.response_started:
            # What stood behind the body was not read, so it is not answered and will be sent again.
            self.cycle.keep_alive = self._keep_alive and fit

    # ------------------------------------------------------------ the end of a request
    def on_response_complete(self) -> None:
        """Wait for the next request, which may have come already."""
        HttpToolsProtocol.on_response_complete(self)
        if self._phase is _CLOSING:
            self._unset_keepalive_if_required()
            return
        self._phase = _HEAD
        if self._held and not self.transport.is_closing():
            early = bytes(self._held)
            self._held.clear()
            self.data_received(early)

    def linger(self) -> None:
        """End the connection; a client that still sends is given time to see its answer."""
        if self._phase is _ANSWER:
            self.transport.close()
        elif not self.transport.is_closing():
            self._drop_the_rest()

    def _drop_the_rest(self) -> None:
        self._phase = _CLOSING
        self._bytes = 0
        if self.cycle is not None:
            self.cycle.body = bytearray()
        self._unset_keepalive_if_required()
        self.deadline = self.registry.clock() + self._limits.linger_s
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in the application's stead, and end the connection."""
        self.registry.log_sparingly("request_refused", self.address, refusal.message)
        self._held.clear()
        if self._abandon_request():
            self.transport.write(heads.render_refusal(refusal))
            self._drop_the_rest()
        else:
            self.transport.abort()

    def _abandon_request(self) -> bool:
        """End the application's request, which was cut off; return False if it has answered."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            return True
        cycle.disconnected = True
        cycle.body = bytearray()
        cycle.message_event.set()
        return not cycle.response_started

    def _reserve_connections(self) -> None:
        if not self._reserved:
            self._reserved = True
            self.registry.add_pbx_address(self.address)


class _Lingering:
    """The transport of an answer that may come before the request's body has."""

    def __init__(self, protocol: LimitedHttpProtocol) -> None:
        self._protocol = protocol
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        """End the connection, but not before the client could see the answer."""
        self._protocol.linger()


def protocol_for(connections: ConnectionRegistry) -> type[LimitedHttpProtocol]:
    """Return the protocol of a server whose connections are counted in *connections*."""
    return type("CountedProtocol", (LimitedHttpProtocol,), {"registry": connections})
