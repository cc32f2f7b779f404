"""One publication of 1C over its standard OData interface: requests, and one retry of reads.

Knows nothing of UT: entity sets are names here, rows are what a decoding function makes of a body.
"""

import base64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from bridge.adapters.http_limits import LIMITS_EXTENSION, BoundedTransport, ReadLimits
from bridge.adapters.onec.protocol.config import ODataConfig, ssl_context
from bridge.adapters.onec.protocol.decoding import is_json
from bridge.adapters.onec.protocol.errors import (
    RequestTooLarge,
    error_of_response,
    error_of_transport,
)
from bridge.adapters.onec.protocol.query import Query, encode_query
from bridge.adapters.onec.protocol.responses import ParsedResponse, parse_response
from bridge.adapters.onec.protocol.session import SessionTransport
from bridge.adapters.onec.protocol.slots import ClientSlots, RequestSlots, Urgency
from bridge.errors import (
    OneCInvalidResponse,
    OneCOutcomeUnknown,
    OneCSessionsBlocked,
    OneCUnavailable,
    SettingsError,
)
from bridge.ports.onec import Traffic

_CONNECT_TIMEOUT_S: Final = 10.0

#: The size limit of the answer to a write: one object as 1C keeps it, or a refusal.
_MAX_WRITE_ANSWER_BYTES: Final = 8 * 1024 * 1024

_OK: Final = 200
_WRITTEN: Final = frozenset({200, 201, 204})
_METHOD_NOT_ALLOWED: Final = 405
_SAFE_IN_PATH: Final = "/()'=,$"

#: How much of an unreadable answer to a write stands in its error.
_MAX_QUOTED: Final = 100

T = TypeVar("T")


class _Request(NamedTuple):
    """A request to be sent; *write* where it may change something in 1C."""

    method: str
    path: str
    query: Query
    content: bytes | None = None
    version: str = ""
    write: bool = False

    @property
    def entity_set(self) -> str:
        """Return the entity set in the path, for errors."""
        return self.path.partition("/")[0].partition("(")[0] or "service root"

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers beside those of every request."""
        headers = {"If-Match": self.version} if self.version else {}
        if self.content is not None:
            headers["Content-Type"] = "application/json;charset=utf-8"
        return headers


class _RawResponse(NamedTuple):
    """An answer as it came; *location* is the header of a redirect."""

    status: int
    body: bytes
    location: str

    def parsed(self) -> ParsedResponse:
        """Return who answered, and with which message."""
        return parse_response(self.status, self.body, self.location)


class ODataClient:
    """One publication over one pool of connections; at most *concurrency* requests at a time.

    Clients of one process share that limit by *slots*. Errors are those of `bridge.errors`; nothing
    of httpx comes through.
    """

    def __init__(
        self,
        config: ODataConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        slots: ClientSlots | None = None,
    ) -> None:
        self.traffic = Traffic()
        self.concurrency = max(1, config.concurrency)
        self._root = config.root
        self._slots = slots or RequestSlots(self.concurrency).for_client(Urgency.DELIVERY)
        credentials = base64.b64encode(f"{config.user}:{config.password}".encode()).decode()
        inner = transport or httpx.AsyncHTTPTransport(
            verify=ssl_context(config.ca_file), trust_env=False
        )
        # 1C may think for as long as its time-out allows before it begins to answer.
        total_s = 2 * config.timeout_s
        inner = BoundedTransport(inner, ReadLimits(config.max_answer_bytes, total_s))
        self._write_limits = ReadLimits(_MAX_WRITE_ANSWER_BYTES, total_s)
        if config.reuse_sessions:
            inner = SessionTransport(inner, self._root, self.traffic)
        self._http = httpx.AsyncClient(
            transport=inner,
            # A session's cookie must reach no request by itself, and no write at all.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={
                "Authorization": f"Basic {credentials}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "onec-bridge",
            },
            timeout=httpx.Timeout(config.timeout_s, connect=_CONNECT_TIMEOUT_S, pool=None),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(
        self,
        path: str,
        query: Query,
        decode: Callable[[bytes], T],
        *,
        splittable: bool = False,
    ) -> T:
        """Return what *decode* makes of the answer to *path*; a passing failure is retried once.

        *splittable*: the caller has a smaller request ready, so `RequestTooLarge` is not retried.

        Raises:
            OneCUnavailable: also `RequestTooLarge` and OneCSessionsBlocked.
            OneCUnauthorized: the user or the user's rights.
            OneCNotPublished: also `UnknownField`.
            OneCInvalidResponse: *decode* raised ValueError, or the answer is a page that is not
                1C's.
            OneCObjectMissing: *path* is that of one object or record, and it is not there.
        """
        try:
            return await self._read(path, query, decode)
        except OneCSessionsBlocked:
            raise
        except RequestTooLarge:
            if splittable:
                raise
        except (OneCUnavailable, OneCInvalidResponse):
            # A base under load answers 500 to eight of eleven first reads and to none of the
            # second. Only reads are ever repeated here.
            # Source: docs/facts/onec-odata.md, 'What causes which error'.
            pass
        return await self._read(path, query, decode)

    async def _read(self, path: str, query: Query, decode: Callable[[bytes], T]) -> T:
        request = _Request("GET", path, query)
        response = await self._exchange(request)
        if response.status != _OK:
            raise error_of_response(response.parsed(), request.entity_set, write=False)
        try:
            return decode(response.body)
        except ValueError as error:
            if not is_json(response.body):
                parsed = parse_response(response.status, response.body)
                raise error_of_response(parsed, request.entity_set, write=False) from error
            reason = f"an answer that cannot be read: {error}"
            raise OneCInvalidResponse(request.entity_set, reason) from error

    async def write(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | Mapping[str, msgspec.Raw] | None,
        decode: Callable[[bytes], T],
        *,
        version: str = "",
    ) -> T:
        """Send *body* once; return what *decode* makes of the answer, the object as 1C keeps it.

        *version* goes with it as `If-Match`, which many publications ignore.

        Raises:
            OneCUnavailable: certainly not done; also OneCSessionsBlocked.
            OneCOutcomeUnknown: perhaps done.
            OneCUnauthorized: not done.
            OneCNotPublished: not done.
            OneCRejected: refused for good; also OneCAlreadyExists and OneCObjectMissing.
        """
        content = None if body is None else msgspec.json.encode(body)
        request = _Request(method, path, {"$format": "json"}, content, version, write=True)
        response = await self._exchange(request)
        if response.status not in _WRITTEN:
            raise error_of_response(response.parsed(), request.entity_set, write=True)
        try:
            # From the body, never from `Location`: that header is raw UTF-8.
            # A register's answer may be empty; where a reference is read from it, that is unknown.
            return decode(response.body if response.body.strip() else b"{}")
        except ValueError as error:
            parsed = parse_response(response.status, response.body)
            if not is_json(response.body):
                raise error_of_response(parsed, request.entity_set, write=True) from error
            quoted = parsed.message[:_MAX_QUOTED]
            raise OneCOutcomeUnknown(
                request.entity_set,
                f"an answer that cannot be read ({quoted}); the write may have been done",
            ) from error

    async def _exchange(self, request: _Request) -> _RawResponse:
        async with self._send(request) as response:
            # The standalone server refuses PATCH without a length and keeps the socket open:
            # reading on would hang until the time-out.
            # Source: docs/facts/onec-odata.md, 'Replace, delete, standalone server'.
            hangs = response.status_code == _METHOD_NOT_ALLOWED
            body = b"" if hangs else await response.aread()
            self.traffic.bytes += len(body)
            return _RawResponse(response.status_code, body, response.headers.get("Location", ""))

    @asynccontextmanager
    async def stream(
        self, path: str, query: Query | None = None
    ) -> AsyncIterator[tuple[httpx.Headers, AsyncIterator[bytes]]]:
        """Yield the headers of the answer to *path*, and its body in pieces.

        Leaving the context early drops the rest.

        Raises:
            OneCError: as `read` does, but nothing is retried.
        """
        request = _Request("GET", path, query or {})
        async with self._send(request) as response:
            if response.status_code != _OK:
                body = await response.aread()
                location = response.headers.get("Location", "")
                parsed = parse_response(response.status_code, body, location)
                raise error_of_response(parsed, request.entity_set, write=False)
            yield response.headers, self._counted(response)

    async def _counted(self, response: httpx.Response) -> AsyncIterator[bytes]:
        async for piece in response.aiter_bytes():
            self.traffic.bytes += len(piece)
            yield piece

    @asynccontextmanager
    async def _send(self, request: _Request) -> AsyncIterator[httpx.Response]:
        options = f"?{encode_query(request.query)}" if request.query else ""
        url = f"{self._root}/{quote(request.path, safe=_SAFE_IN_PATH)}{options}"
        async with self._slots:
            self.traffic.requests += 1
            with _translated_errors(request):
                async with self._http.stream(
                    request.method,
                    url,
                    content=request.content,
                    headers=request.headers,
                    extensions={LIMITS_EXTENSION: self._write_limits} if request.write else None,
                ) as response:
                    yield response


@contextmanager
def _translated_errors(request: _Request) -> Iterator[None]:
    """Raise errors of httpx as ours."""
    try:
        yield
    except httpx.RequestError as error:
        raise error_of_transport(error, request.entity_set, write=request.write) from error
    except httpx.InvalidURL as error:
        raise SettingsError("BRIDGE_ONEC_URL", str(error)) from error
