"""Answers of others are bounded in size, in time and in speed, whoever they are."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from bridge.adapters.http_limits import (
    LIMITS_EXTENSION,
    BoundedSyncTransport,
    BoundedTransport,
    ReadLimits,
    ResponseTooLarge,
    ResponseTooSlow,
)
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder
from bridge.adapters.onec.protocol.errors import RequestTooLarge
from bridge.adapters.onec.schema import ListingRow, RowPage
from bridge.adapters.pbx.sipuni.api import SipuniAccount, SipuniApi
from bridge.adapters.service_client import ServiceClient
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import OneCOutcomeUnknown, OneCUnavailable, PbxUnavailable, ServiceUnreachable
from tests.support.builders import NOON

pytestmark = pytest.mark.anyio

SMALL = ReadLimits(1000, 10.0, min_bytes_per_s=100)
ROWS = lenient_json_decoder(msgspec.json.Decoder(RowPage[ListingRow]))


class Pieces(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body that comes in pieces without an end, each a while after the other."""

    def __init__(
        self, piece: bytes, clock: Callable[[float], None] = lambda _: None, *, pause: float = 0
    ) -> None:
        self._piece = piece
        self._pass = clock
        self._pause = pause
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self._pass(self._pause)
            self.sent += 1
            yield self._piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


def answering(stream: Pieces, **headers: str) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, stream=stream, headers=headers))


def client(transport: httpx.MockTransport, clock: Clock | None = None) -> httpx.AsyncClient:
    bounded = BoundedTransport(transport, SMALL, clock=clock or Clock())
    return httpx.AsyncClient(transport=bounded)


async def test_an_answer_without_an_end_is_given_up():
    endless = Pieces(b"x" * 300)
    async with client(answering(endless)) as http:
        with pytest.raises(ResponseTooLarge, match="more than 1000 bytes"):
            await http.get("http://h/")

    assert endless.sent == 4


async def test_a_byte_every_five_seconds_is_given_up():
    clock = Clock()
    slow = Pieces(b"x", clock.forward, pause=5)
    async with client(answering(slow), clock) as http:
        with pytest.raises(ResponseTooSlow, match="2 bytes in 15 s"):
            await http.get("http://h/")


async def test_a_large_answer_may_take_its_time():
    clock = Clock()
    steady = Pieces(b"x" * 300, clock.forward, pause=3)  # 100 bytes a second
    async with client(answering(steady), clock) as http:
        with pytest.raises(ResponseTooLarge):  # not too slow
            await http.get("http://h/")


@pytest.mark.parametrize("form", ["gzip", "x-gzip", "deflate"])
async def test_a_bomb_is_counted_as_decoded_and_not_blown_up(form: str):
    bomb = zlib.compress(bytes(2**24)) if form == "deflate" else gzip.compress(bytes(2**24))
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, content=bomb, headers={"Content-Encoding": form})
    )
    async with client(transport) as http:
        with pytest.raises(ResponseTooLarge):
            await http.get("http://h/")


@pytest.mark.parametrize(
    ("body", "form", "read"),
    [
        (gzip.compress(b"hello", mtime=0), "gzip", b"hello"),
        (zlib.compress(b"hello"), "deflate", b"hello"),
        (b"hello", "identity", b"hello"),
        (b"hello", "utf-8", b"hello"),
        (b"", "gzip", b""),
    ],
)
async def test_what_is_within_the_limits_is_read(body: bytes, form: str, read: bytes):
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, content=body, headers={"Content-Encoding": form})
    )
    async with client(transport) as http:
        answer = await http.get("http://h/")

    assert answer.content == read


@pytest.mark.parametrize(
    ("body", "form"),
    [(b"hello", "gzip"), (gzip.compress(b"hello", mtime=0)[:-9], "gzip"), (b"x", "br")],
)
async def test_what_is_not_compressed_as_it_says_is_an_error(body: bytes, form: str):
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, content=body, headers={"Content-Encoding": form})
    )
    async with client(transport) as http:
        with pytest.raises(httpx.DecodingError):
            await http.get("http://h/")


async def test_a_request_may_have_limits_of_its_own():
    async with client(httpx.MockTransport(lambda _: httpx.Response(200, text="x" * 5000))) as http:
        answer = await http.get("http://h/", extensions={LIMITS_EXTENSION: ReadLimits(5000, 10)})

    assert len(answer.content) == 5000


async def test_a_head_that_never_comes_is_given_up():
    never = asyncio.Event()

    async def waits(_: httpx.Request) -> httpx.Response:
        await never.wait()
        raise AssertionError

    bounded = BoundedTransport(httpx.MockTransport(waits), ReadLimits(10, 0.01))
    async with httpx.AsyncClient(transport=bounded) as http:
        with pytest.raises(ResponseTooSlow):
            await http.get("http://h/")


def test_a_client_that_waits_is_bounded_too():
    bounded = BoundedSyncTransport(answering(Pieces(b"x" * 300)), SMALL, clock=Clock())
    with httpx.Client(transport=bounded) as http, pytest.raises(ResponseTooLarge):
        http.get("http://h/")


# ---------------------------------------------------------------- the adapters
def sipuni(stream: Pieces) -> SipuniApi:
    account = SipuniAccount("http://pbx/api", "1", "key")
    return SipuniApi(account, PhoneRules(), transport=answering(stream))


async def test_an_order_answered_without_an_end_is_unknown():
    endless = Pieces(b"x" * 10_000)
    reply = await sipuni(endless).originate(CallOrder("key", "205", 79035550123, NOON))

    assert reply.state is OrderState.UNKNOWN
    assert "ResponseTooLarge" in reply.reason
    assert endless.sent < 10


async def test_statistics_without_an_end_are_no_statistics():
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    with pytest.raises(PbxUnavailable, match="ResponseTooLarge"):
        await sipuni(Pieces(b"x" * 10**6)).history(now - timedelta(hours=1), now)


def onec(stream: Pieces) -> ODataClient:
    config = ODataConfig("http://1c/ut11", "u", "p", max_answer_bytes=10**5)
    return ODataClient(config, transport=answering(stream))


async def test_a_listing_without_an_end_is_asked_for_in_smaller_parts():
    with pytest.raises(RequestTooLarge, match="more than 100000 bytes"):
        await onec(Pieces(b"x" * 10_000)).read("Catalog", {}, ROWS, splittable=True)


async def test_a_write_answered_without_an_end_may_have_been_done():
    with pytest.raises(OneCOutcomeUnknown, match="more than"):
        await onec(Pieces(b"x" * 10**6)).write("POST", "Document", {}, ROWS)


async def test_a_streamed_answer_is_bounded_too():
    async def read() -> None:
        async with onec(Pieces(b"x" * 10_000)).stream("$metadata") as (_, pieces):
            assert [piece async for piece in pieces]

    with pytest.raises(OneCUnavailable):
        await read()


def test_the_running_service_is_bounded_too():
    service = ServiceClient("127.0.0.1", 1, None, transport=answering(Pieces(b"x" * 10**6)))
    with pytest.raises(ServiceUnreachable, match="ResponseTooLarge"):
        service.place_call("205", "+79035550123")


async def test_over_a_socket_a_head_that_does_not_end_is_given_up():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        await reader.read()  # until the other side hangs up
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        bounded = BoundedTransport(httpx.AsyncHTTPTransport(), ReadLimits(10**6, 0.1))
        async with httpx.AsyncClient(transport=bounded) as http:
            with pytest.raises(ResponseTooSlow):
                await http.get(f"http://127.0.0.1:{port}/")
