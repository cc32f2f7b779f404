"""1C's standard OData interface over HTTP: addresses, literals, one request, its retry.

Knows nothing of UT: entity sets are names here, rows are whatever the reader makes of a body.
"""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from bridge.adapters.http_limits import LIMITS_EXTENSION, BoundedTransport, ReadLimits
from bridge.adapters.onec.protocol.errors import (
    RequestTooLarge,
    error_of_response,
    error_of_transport,
)
from bridge.adapters.onec.protocol.responses import parse_response, without_bom
from bridge.adapters.onec.protocol.session import SessionTransport
from bridge.adapters.onec.protocol.slots import ClientSlots, RequestSlots, Urgency
from bridge.domain.whole_numbers import MAX_WHOLE_NUMBER, read_whole_number
from bridge.errors import (
    OneCInvalidResponse,
    OneCOutcomeUnknown,
    OneCSessionsBlocked,
    OneCUnavailable,
    SettingsError,
)
from bridge.ports.onec import Traffic

_SERVICE: Final = "/odata/standard.odata"

#: Without metadata 1C leaves out a link beside every reference (facts/onec-odata.md §2.1).
_FORMAT: Final = "application/json;odata=nometadata"

#: Request filtering of IIS allows 2048 bytes of query by default (facts/onec-odata.md §1.2).
MAX_QUERY_BYTES: Final = 2048

_CONNECT_TIMEOUT_S: Final = 10.0

#: A listing has about a hundred bytes a row: two and a half million of them.
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024

#: One object as 1C keeps it, or its refusal.
_MOST_OF_A_WRITE: Final = 8 * 1024 * 1024
_OK: Final = frozenset({200, 201, 204})
_METHOD_NOT_ALLOWED: Final = 405

T = TypeVar("T")
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ODataConfig:
    """Where the publication is and who asks; *url* with or without `/odata/standard.odata`.

    *timeout_s* is the longest silence of one request: 1C may need 30 s after idling.
    """

    url: str
    user: str
    password: str = field(repr=False)
    timeout_s: float = 60.0
    concurrency: int = 2
    ca_file: Path | None = None
    #: What one answer may hold, decoded.
    max_answer_bytes: int = MAX_ANSWER_BYTES
    #: For many reads in a row: they share sessions of 1C where the publication allows it.
    reuse_sessions: bool = False

    @property
    def root(self) -> str:
        """The service root without a final slash."""
        bare = self.url.rstrip("/")
        return bare if bare.endswith(_SERVICE) else bare + _SERVICE


def guid_literal(ref: str) -> str:
    """Write a reference as a literal."""
    return f"guid'{ref}'"


def text_literal(value: str) -> str:
    """Write a text as a literal; an apostrophe is doubled."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def date_literal(wall: str) -> str:
    """Write 1C's wall time as a literal."""
    return f"datetime'{wall}'"


def encode_query(query: Query) -> str:
    """Encode query options as 1C reads them: UTF-8, `%20` for a blank, never `+`."""
    return "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in query.items())


#: Left as they are in option values: they are no delimiters of a query and cost 3 bytes encoded.
_SAFE: Final = "'$,/:()"


def listing_query(select: str, **options: str) -> dict[str, str]:
    """Give the options of a question for rows; *options* without their `$`.

    An empty *select* asks for everything.
    """
    return {
        "$format": _FORMAT,
        **({"$select": select} if select else {}),
        **{f"${name}": value for name, value in options.items()},
    }


def max_filter_bytes(query: Query) -> int:
    """Give the bytes that an encoded `$filter` may take beside *query*."""
    return MAX_QUERY_BYTES - len(encode_query({**query, "$filter": ""}))


def lenient_json_decoder(decoder: msgspec.json.Decoder[T]) -> Callable[[bytes], T]:
    """Make of *decoder* a reader that also takes what 1C may send and JSON forbids.

    Control characters inside texts, broken UTF-8 and lone surrogates are all seen in 1C's data.
    The reader raises ValueError.
    """

    def read(body: bytes) -> T:
        raw = without_bom(body)
        try:
            try:
                return decoder.decode(raw)
            except ValueError:
                loose: Any = json.loads(raw.decode("utf-8", "replace"), strict=False)
                text = json.dumps(loose, ensure_ascii=False)
                return decoder.decode(text.encode("utf-8", "replace"))
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error

    return read


def decode_count(body: bytes) -> int:
    """Read the bare number that `$count` answers, behind its byte order mark."""
    number = read_whole_number(without_bom(body).decode("ascii", "replace").strip())
    if number is None:
        raise ValueError("not a count")
    return number


def require_count(where: str, count: str | int) -> int:
    """Return the count that stands beside rows.

    Raises:
        OneCNonsense: it is none.
    """
    number = read_whole_number(count.strip()) if isinstance(count, str) else count
    if number is None or not 0 <= number <= MAX_WHOLE_NUMBER:
        raise OneCInvalidResponse(where, "a count that cannot be read")
    return number


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
        pair = base64.b64encode(f"{config.user}:{config.password}".encode()).decode()
        wire = transport or httpx.AsyncHTTPTransport(
            verify=_ssl_context(config.ca_file), trust_env=False
        )
        # 1C may think for as long as its time-out allows before it begins to answer.
        total_s = 2 * config.timeout_s
        wire = BoundedTransport(wire, ReadLimits(config.max_answer_bytes, total_s))
        self._of_writes = ReadLimits(_MOST_OF_A_WRITE, total_s)
        if config.reuse_sessions:
            wire = SessionTransport(wire, self._root, self.traffic)
        self._http = httpx.AsyncClient(
            transport=wire,
            # A session's cookie must reach no request by itself, and no write at all.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={
                "Authorization": f"Basic {pair}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "onec-bridge",
            },
            timeout=httpx.Timeout(config.timeout_s, connect=_CONNECT_TIMEOUT_S, pool=None),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def read(
        self,
        path: str,
        query: Query,
        reader: Callable[[bytes], T],
        *,
        splittable: bool = False,
    ) -> T:
        """Ask *path* and read its answer, once more if that fails in passing.

        *splittable*: the asker has a smaller question ready, so `TooLarge` is not retried.

        Raises:
            OneCUnavailable: also `TooLarge` and OneCBlocked.
            OneCUnauthorized: the user or his rights.
            OneCNotPublished: also `UnknownField`.
            OneCNonsense: an answer that *reader* cannot read, or a page that is not 1C's.
            OneCGone: *path* is that of one object or record, and it is not there.
        """
        try:
            return await self._read(path, query, reader)
        except OneCSessionsBlocked:
            raise
        except RequestTooLarge:
            if splittable:
                raise
        except (OneCUnavailable, OneCInvalidResponse):
            # A base under load answers 500 to eight of eleven first reads and to none of the
            # second (facts/onec-odata.md §5.3). Only reads are ever repeated here.
            pass
        return await self._read(path, query, reader)

    async def _read(self, path: str, query: Query, reader: Callable[[bytes], T]) -> T:
        where = _where(path)
        status, body, location = await self._exchange("GET", path, query, write=False)
        if status != 200:  # noqa: PLR2004 - HTTP
            raise error_of_response(parse_response(status, body, location), where, write=False)
        try:
            return reader(body)
        except ValueError as error:
            said = parse_response(status, body)
            if not _is_json(body):
                raise error_of_response(said, where, write=False) from error
            raise OneCInvalidResponse(where, f"an answer that cannot be read: {error}") from error

    async def write(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | Mapping[str, msgspec.Raw] | None,
        reader: Callable[[bytes], T],
        *,
        version: str = "",
    ) -> T:
        """Send *body* once and read the answer, the object as 1C keeps it.

        *version* goes with it as `If-Match`, which many publications ignore.

        Raises:
            OneCUnavailable: surely not done; also OneCBlocked.
            OneCOutcomeUnknown: perhaps done.
            OneCUnauthorized: not done.
            OneCNotPublished: not done.
            OneCRejected: refused for good; also OneCAlreadyExists and OneCGone.
        """
        where = _where(path)
        query = {"$format": "json"}
        content = None if body is None else msgspec.json.encode(body)
        headers = {"If-Match": version} if version else {}
        status, answer, location = await self._exchange(
            method, path, query, content, headers, write=True
        )
        if status not in _OK:
            raise error_of_response(parse_response(status, answer, location), where, write=True)
        try:
            # From the body, never from `Location`: that header is raw UTF-8.
            # A register's answer may be empty; where a reference is read from it, that is unknown.
            return reader(answer if answer.strip() else b"{}")
        except ValueError as error:
            said = parse_response(status, answer)
            if not _is_json(answer):
                raise error_of_response(said, where, write=True) from error
            words = said.message[:100]
            raise OneCOutcomeUnknown(
                where, f"an answer that cannot be read ({words}); the write may have been done"
            ) from error

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Query,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        write: bool,
    ) -> tuple[int, bytes, str]:
        async with self._answer(method, path, query, content, headers, write=write) as response:
            # The standalone server refuses PATCH without a length and keeps the socket open:
            # reading on would hang until the time-out (facts/onec-odata.md §4.3).
            hangs = response.status_code == _METHOD_NOT_ALLOWED
            body = b"" if hangs else await response.aread()
            self.traffic.bytes += len(body)
            return response.status_code, body, response.headers.get("Location", "")

    @asynccontextmanager
    async def stream(
        self, path: str, query: Query | None = None
    ) -> AsyncIterator[tuple[httpx.Headers, AsyncIterator[bytes]]]:
        """Ask *path* and give headers and body in pieces; leaving early drops the rest.

        Raises:
            OneCError: as `read` does, but nothing is retried.
        """
        async with self._answer("GET", path, query or {}, write=False) as response:
            if response.status_code != 200:  # noqa: PLR2004 - HTTP
                body = await response.aread()
                said = parse_response(
                    response.status_code, body, response.headers.get("Location", "")
                )
                raise error_of_response(said, _where(path), write=False)
            yield response.headers, self._counted(response)

    async def _counted(self, response: httpx.Response) -> AsyncIterator[bytes]:
        async for piece in response.aiter_bytes():
            self.traffic.bytes += len(piece)
            yield piece

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: Query,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        write: bool,
    ) -> AsyncIterator[httpx.Response]:
        options = f"?{encode_query(query)}" if query else ""
        url = f"{self._root}/{quote(path, safe=_SAFE_PATH)}{options}"
        sent = dict(headers or {})
        if content is not None:
            sent["Content-Type"] = "application/json;charset=utf-8"
        async with self._slots:
            self.traffic.requests += 1
            with _translated(_where(path), write=write):
                limits = {LIMITS_EXTENSION: self._of_writes} if write else None
                async with self._http.stream(
                    method, url, content=content, headers=sent, extensions=limits
                ) as response:
                    yield response


_SAFE_PATH: Final = "/()'=,$"


@contextmanager
def _translated(where: str, *, write: bool) -> Iterator[None]:
    try:
        yield
    except httpx.RequestError as error:
        raise error_of_transport(error, where, write=write) from error
    except httpx.InvalidURL as error:
        raise SettingsError("BRIDGE_ONEC_URL", str(error)) from error


def _is_json(body: bytes) -> bool:
    """Return whether *body* begins as our answers do, cut off or not; else it is for people."""
    return without_bom(body).lstrip().startswith((b"{", b"["))


def _where(path: str) -> str:
    return path.partition("/")[0].partition("(")[0] or "service root"


def _ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError("BRIDGE_ONEC_CA_FILE", f"cannot be read: {error}") from error
    return context
