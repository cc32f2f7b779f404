"""Sessions of 1C kept from one read to the next, where a publication allows it.

Without that every request begins and ends a session of its own, which costs a tenth of a second or
more; a hundred calls took 29.9 s without and 3 s with. A publication that knows nothing of it
ignores the header and is not asked again. A session serves one request at a time, and only reads:
after a failed write it would not be known whether 1C or the session refused it.
Source: docs/facts/onec-odata.md, 'Sessions'.
"""

import time
from collections.abc import AsyncIterator, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final

import httpx

from bridge.adapters.onec.protocol.responses import ResponseKind, parse_response
from bridge.ports.onec import Traffic

_HEADER: Final = "IBSession"
_COOKIE: Final = "ibsession"

#: Seconds after which an idle session is not used again: 1C ends it after 20 s (the usual
#: `sessionMaxAge`).
_MAX_IDLE_S: Final = 15.0

#: After so many sessions that ended by themselves no more are started.
_MAX_LOST: Final = 3

_NO_SESSION_STATUS: Final = 406
_STALE_SESSION_STATUSES: Final = frozenset({400, 404, 500})
_FIRST_ERROR_STATUS: Final = 400
_FINISH_TIMEOUT_S: Final = 5.0


class SessionTransport(httpx.AsyncBaseTransport):
    """Adds session control to the reads that go through *inner*; *root* is the service root.

    Requests that it adds are counted in *traffic*.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        root: str,
        traffic: Traffic,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._root = root
        self._traffic = traffic
        self._clock = clock
        self._free: list[tuple[str, float]] = []
        self._is_supported = True
        self._lost = 0
        self._credentials: dict[str, str] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*, in a session if it is a read and the publication gives one."""
        if request.method != "GET":
            return await self._inner.handle_async_request(request)
        session = self._take()
        if session is None and not self._is_supported:
            return await self._inner.handle_async_request(request)
        self._credentials = {"Authorization": request.headers.get("Authorization", "")}
        control = (_HEADER, "start") if session is None else ("Cookie", f"{_COOKIE}={session}")
        response = await self._inner.handle_async_request(_with(request, *control))
        if response.status_code >= _FIRST_ERROR_STATUS:
            response = await _read_whole(response)
            if self._refuses_session(response, session):
                self._traffic.requests += 1
                return await self._inner.handle_async_request(request)
        if session is None:
            session = _session_in(response)
            self._is_supported = session is not None or response.status_code >= _FIRST_ERROR_STATUS
        if session is not None and response.is_closed:
            self._release(session)
        elif session is not None:
            response.stream = _SessionBody(response.stream, session, self._release)
        return response

    def _refuses_session(self, response: httpx.Response, session: str | None) -> bool:
        """Return whether *response* may be a refusal of the session, not of the request."""
        status = response.status_code
        if status == _NO_SESSION_STATUS:
            self._is_supported = False
            return True
        if session is None or status not in _STALE_SESSION_STATUSES:
            return False
        if parse_response(status, response.content).kind is ResponseKind.ODATA:
            return False  # 1C itself has read the request
        self._lost += 1
        self._is_supported = self._lost < _MAX_LOST
        return True

    def _take(self) -> str | None:
        """Return a free session that 1C still has, the one used last first."""
        while self._free:
            session, released_at = self._free.pop()
            if self._clock() - released_at < _MAX_IDLE_S:
                return session
        return None

    def _release(self, session: str) -> None:
        self._free.append((session, self._clock()))

    async def aclose(self) -> None:
        """End the free sessions and close the connections."""
        while (session := self._take()) is not None:
            request = httpx.Request(
                "GET",
                f"{self._root}/?$format=json",
                headers={**self._credentials, _HEADER: "finish", "Cookie": f"{_COOKIE}={session}"},
                extensions={"timeout": httpx.Timeout(_FINISH_TIMEOUT_S).as_dict()},
            )
            self._traffic.requests += 1
            try:
                response = await self._inner.handle_async_request(request)
                await response.aclose()
            except httpx.RequestError:
                # 1C ends the session by itself in a few seconds.
                break
        await self._inner.aclose()


class _SessionBody(httpx.AsyncByteStream):
    """A body that gives its session back when it is closed."""

    def __init__(
        self,
        stream: httpx.SyncByteStream | httpx.AsyncByteStream,
        session: str,
        release: Callable[[str], None],
    ) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport's
        self._stream = stream
        self._session: str | None = session
        self._release = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
        if self._session is not None:
            self._release(self._session)
            self._session = None


def _with(request: httpx.Request, name: str, value: str) -> httpx.Request:
    """Return a copy of a request without a body, with one more header."""
    headers = request.headers.copy()
    headers[name] = value
    return httpx.Request(
        request.method, request.url, headers=headers, extensions=request.extensions
    )


async def _read_whole(response: httpx.Response) -> httpx.Response:
    """Return *response* with its body read, so that it can be parsed and still be passed on."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport's
    try:
        raw = b"".join([piece async for piece in response.stream])
    finally:
        await response.aclose()
    return httpx.Response(response.status_code, headers=response.headers, content=raw)


def _session_in(response: httpx.Response) -> str | None:
    for text in response.headers.get_list("Set-Cookie"):
        try:
            found = SimpleCookie(text).get(_COOKIE)
        except CookieError:
            continue
        if found is not None and found.value:
            return found.value
    return None
