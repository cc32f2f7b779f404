"""Sessions of 1C kept from one read to the next, where a publication allows it.

Without that every request begins and ends a session of its own, which costs a tenth of a second or
more; a hundred calls took 29.9 s without and 3 s with (facts/onec-odata.md §6.2). A publication
that knows nothing of it ignores the wish and is not asked again. A session serves one request at
a time, and only reads: of a write that failed nobody could tell which half did.
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

#: 1C forgets a session that was idle for 20 s (the usual `sessionMaxAge`).
_IDLE_S: Final = 15.0

#: So often sessions may be lost under our hands before we do without.
_PATIENCE: Final = 3

_NO_SESSION: Final = 406
_MAYBE_STALE: Final = frozenset({400, 404, 500})
_REFUSALS_FROM: Final = 400
_FINISH_TIMEOUT_S: Final = 5.0


class SessionTransport(httpx.AsyncBaseTransport):
    """Adds session control to the reads that go through *inner*; *root* is the service root.

    What it asks beside the requests it is given, it counts in *traffic*.
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
        self._wanted = True
        self._lost = 0
        self._credentials: dict[str, str] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*, in a session if it is a read and one can be had."""
        if request.method != "GET":
            return await self._inner.handle_async_request(request)
        session = self._take()
        if session is None and not self._wanted:
            return await self._inner.handle_async_request(request)
        self._credentials = {"Authorization": request.headers.get("Authorization", "")}
        control = (_HEADER, "start") if session is None else ("Cookie", f"{_COOKIE}={session}")
        response = await self._inner.handle_async_request(_with(request, *control))
        if response.status_code >= _REFUSALS_FROM:
            response = await _whole(response)
            if self._is_to_blame(response, session):
                self._traffic.requests += 1
                return await self._inner.handle_async_request(request)
        if session is None:
            session = _cookie_of(response)
            self._wanted = session is not None or response.status_code >= _REFUSALS_FROM
        if session is not None and response.is_closed:
            self._give_back(session)
        elif session is not None:
            response.stream = _Borrowed(response.stream, session, self._give_back)
        return response

    def _is_to_blame(self, response: httpx.Response, session: str | None) -> bool:
        """Tell whether *response* may be a refusal of the session, not of the question."""
        status = response.status_code
        if status == _NO_SESSION:
            self._wanted = False
            return True
        if session is None or status not in _MAYBE_STALE:
            return False
        if parse_response(status, response.content).kind is ResponseKind.ODATA:
            return False  # 1C itself has looked at the question
        self._lost += 1
        self._wanted = self._lost < _PATIENCE
        return True

    def _take(self) -> str | None:
        """Give a session that is free and still young."""
        while self._free:
            session, since = self._free.pop()
            if self._clock() - since < _IDLE_S:
                return session
        return None

    def _give_back(self, session: str) -> None:
        self._free.append((session, self._clock()))

    async def aclose(self) -> None:
        """End the sessions that are still ours, and let go of the connections."""
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
                # 1C ends it by itself in a few seconds: it was only politeness.
                break
        await self._inner.aclose()


class _Borrowed(httpx.AsyncByteStream):
    """A body whose session is free again when it is closed."""

    def __init__(
        self,
        stream: httpx.SyncByteStream | httpx.AsyncByteStream,
        session: str,
        give_back: Callable[[str], None],
    ) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport's
        self._stream = stream
        self._session: str | None = session
        self._give_back = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
        if self._session is not None:
            self._give_back(self._session)
            self._session = None


def _with(request: httpx.Request, name: str, value: str) -> httpx.Request:
    """Copy a request that has no body, with one more header."""
    headers = request.headers.copy()
    headers[name] = value
    return httpx.Request(
        request.method, request.url, headers=headers, extensions=request.extensions
    )


async def _whole(response: httpx.Response) -> httpx.Response:
    """Read a refusal, so that it can be looked at and still be handed on."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - an async transport's
    try:
        raw = b"".join([piece async for piece in response.stream])
    finally:
        await response.aclose()
    return httpx.Response(response.status_code, headers=response.headers, content=raw)


def _cookie_of(response: httpx.Response) -> str | None:
    for text in response.headers.get_list("Set-Cookie"):
        try:
            found = SimpleCookie(text).get(_COOKIE)
        except CookieError:
            continue
        if found is not None and found.value:
            return found.value
    return None
