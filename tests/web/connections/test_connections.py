"""Connections before our code: heads, bodies, time and places are bounded while they arrive."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.web.connections.wire_fixture import GET, LIMITS, Echo, Server, ask, feed

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- heads
@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        ("Продажи".encode(), b"%D0%9F%D1%80%D0%BE%D0%B4%D0%B0%D0%B6%D0%B8"),
        ("Продажи".encode("cp1251"), b"%CF%F0%EE%E4%E0%E6%E8"),
        (b"a b", b"a%20b"),
        (b"a HTTP/1.1 b", b"a%20HTTP/1.1%20b"),
        (b"a\rb", b"a%0Db"),
        (b"a\nb", b"a%0Ab"),
        (b"a\x00b", b"a%00b"),
        (b"a\x01\x1f\x7fb", b"a%01%1F%7Fb"),
        (b"a\tb", b"a%09b"),
        (b"#1", b"%231"),
        (b"%zz%", b"%zz%"),
        (b"a" * 65536, b"a" * 65536),
        ("я".encode() * 10000, b"%D1%8F" * 10000),
    ],
)
@pytest.mark.parametrize("piece", [65536, 7])
async def test_a_question_is_answered_however_its_query_is_written(
    raw: bytes, encoded: bytes, piece: int
) -> None:
    app = Echo()
    server = Server(app)
    protocol, wire = server.connect()

    question = b"GET /r?label=" + raw + b"&time=1 HTTP/1.1\r\nHost: h\r\n\r\n"
    feed(protocol, wire, question, piece)
    await server.work()

    assert wire.statuses == [200]
    assert app.queries == [b"label=" + encoded + b"&time=1"]
    assert app.scopes[0]["path"] == "/r"


async def test_a_path_that_is_not_encoded_is_found() -> None:
    _, app = await ask("GET /база/hs/sipuni/get?a=1 HTTP/1.1\r\n\r\n".encode())

    assert app.scopes[0]["path"] == "/база/hs/sipuni/get"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"\x00\x01\x02", 400),
        (b"hello\r\n", 400),
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\x01b\r\n\r\n", 400),
        (b"CONNECT h:80 HTTP/1.1\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"0" * 5000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 2000000000\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n\r\n", 414),
    ],
)
async def test_what_cannot_be_a_request_is_refused_in_a_sentence(sent: bytes, status: int) -> None:
    wire, app = await ask(sent)

    assert wire.statuses == [status]
    assert json.loads(wire.written.partition(b"\r\n\r\n")[2])["error"]
    assert b"connection: close" in wire.written
    assert wire.ended
    assert not app.scopes


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /?" + b"a" * 3_000_000, 414),
        (b"GET / HTTP/1.1\r\n" + b"X: aaaaaaaa\r\n" * 2**20, 431),
    ],
)
async def test_a_head_without_an_end_is_not_kept(sent: bytes, status: int) -> None:
    server = Server(Echo())
    protocol, wire = server.connect()

    taken = feed(protocol, wire, sent)

    assert wire.statuses == [status]
    assert taken < server.limits.head_bytes + server.limits.linger_bytes + 3 * 65536
    assert len(protocol._held) == 0  # noqa: SLF001 - what is buffered is the question


async def test_an_upgrade_is_answered_as_plain_http() -> None:
    for upgrade in (b"websocket", b"h2c"):
        wire, app = await ask(
            b"GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"
        )
        assert wire.statuses == [200]
        assert len(app.scopes) == 1


async def test_a_posted_upgrade_keeps_its_body() -> None:
    wire, app = await ask(
        b"POST /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"
    )

    assert (wire.statuses, app.bodies) == ([200], [b"abc"])


async def test_requests_sent_ahead_are_answered_one_after_the_other() -> None:
    wire, app = await ask(GET * 3 + GET[:9])

    assert wire.statuses == [200, 200, 200]
    assert len(app.scopes) == 3


async def test_a_flood_sent_ahead_of_an_answer_ends_the_connection() -> None:
    never = asyncio.Event()

    async def waits(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await never.wait()

    server = Server(waits)
    protocol, wire = server.connect()
    feed(protocol, wire, GET)
    taken = feed(protocol, wire, b"x" * 2**24)
    never.set()
    await server.work()

    assert taken < 2**21


# ---------------------------------------------------------------- bodies
async def test_a_refused_body_is_not_read() -> None:
    server = Server(Echo(reads=False))
    protocol, wire = server.connect()
    feed(protocol, wire, b"POST /x HTTP/1.1\r\nContent-Length: 900000\r\n\r\n" + b"a" * 1000)
    await server.work()

    assert wire.statuses == [401]
    assert b"connection: close" in wire.written
    assert wire.ended
    assert not wire.closed  # it may still be sending, and shall see the answer

    feed(protocol, wire, b"a" * 2**23)
    assert wire.closed
    assert not protocol.cycle.body  # type: ignore[unreachable]  # feeding closes it


async def test_who_does_not_read_is_let_go_after_a_while() -> None:
    server = Server(Echo(reads=False))
    protocol, wire = server.connect()
    feed(protocol, wire, b"POST /x HTTP/1.1\r\nContent-Length: 900000\r\n\r\n")
    await server.work()
    server.pass_time(LIMITS.linger_s + 1)

    assert wire.closed


async def test_chunks_without_an_end_are_refused() -> None:
    app = Echo()
    server = Server(app)
    protocol, wire = server.connect()
    feed(protocol, wire, b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    await server.rest()
    taken = feed(protocol, wire, b"10000\r\n" + b"a" * 65536 + b"\r\n", 65545)
    for _ in range(400):
        taken += feed(protocol, wire, b"10000\r\n" + b"a" * 65536 + b"\r\n", 65545)
        await server.rest()
    await server.work()

    assert wire.statuses == [413]
    assert app.cut == 1
    assert taken < 2**22


async def test_a_body_that_ends_early_is_given_up_and_the_application_knows() -> None:
    app = Echo()
    server = Server(app)
    protocol, wire = server.connect()
    feed(protocol, wire, b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    await server.rest()
    server.pass_time(LIMITS.body_s + 1)
    await server.work()

    assert wire.statuses == [408]
    assert app.cut == 1


async def test_a_body_that_is_longer_than_declared_is_answered_once() -> None:
    wire, app = await ask(
        b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /y HTTP/1.1\r\n\r\n"
    )

    assert wire.statuses == [200]
    assert app.bodies == [b"abc"]
    assert wire.closed


async def test_a_line_behind_a_body_is_no_request() -> None:
    app = Echo()
    server = Server(app)
    protocol, wire = server.connect()
    feed(protocol, wire, b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\r\n")
    await server.work()
    feed(protocol, wire, GET)
    await server.work()

    assert wire.statuses == [200, 200]


async def test_trailers_change_no_header() -> None:
    _, app = await ask(
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-A: b\r\n\r\n"
    )

    assert app.bodies == [b"abc"]
    assert all(name != b"x-a" for name, _ in app.scopes[0]["headers"])


@pytest.mark.parametrize(("reads", "is_asked"), [(True, True), (False, False)])
async def test_only_who_is_admitted_is_asked_to_send_on(reads: bool, is_asked: bool) -> None:
    server = Server(Echo(reads=reads))
    protocol, wire = server.connect()
    feed(protocol, wire, b"POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    await server.rest()
    assert wire.written.startswith(b"HTTP/1.1 100 Continue") is is_asked
    feed(protocol, wire, b"abc")
    await server.work()

    assert wire.statuses[-1] == (200 if reads else 401)


# ---------------------------------------------------------------- over sockets
@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[tuple[Server, int]]:
    server = Server(app)
    loop = asyncio.get_running_loop()
    sockets = await loop.create_server(
        lambda: server.kind(server.config, server.state, {}, loop), "127.0.0.1", 0
    )
    try:
        yield server, sockets.sockets[0].getsockname()[1]
    finally:
        sockets.close()
        for one in tuple(server.state.connections):
            one.transport.abort()
        await server.work()


async def test_a_refused_client_that_goes_on_sending_sees_its_answer() -> None:
    async with listening(Echo(reads=False)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /x HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + b"a" * 500_000)
        is_asked = await reader.read()
        writer.close()

    assert is_asked.startswith(b"HTTP/1.1 401 ")
