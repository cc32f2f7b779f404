"""How long a connection may last, and how many a network may have."""

import asyncio
import ipaddress
from dataclasses import replace

import pytest
from starlette.types import Receive, Scope, Send

from bridge.web.connections.limits import limits_for_open_files
from tests.web.connections.wire_fixture import GET, LIMITS, Echo, Server, feed

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- time
async def test_a_byte_a_second_is_no_request() -> None:
    server = Server(Echo())
    protocol, wire = server.connect()
    for byte in GET[:-1]:
        protocol.data_received(bytes([byte]))
        server.pass_time(1)

    assert wire.statuses == [408]


async def test_who_says_nothing_is_let_go() -> None:
    server = Server(Echo())
    _, wire = server.connect()
    server.pass_time(LIMITS.head_s + 1)

    assert wire.closed
    assert not wire.written


async def test_an_answer_that_nobody_reads_ends() -> None:
    async def floods(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 10, "more_body": True})
        await receive()
        await receive()

    server = Server(floods)
    protocol, wire = server.connect()
    feed(protocol, wire, GET)
    await server.rest()
    protocol.pause_writing()
    server.pass_time(LIMITS.drain_s - 1)
    assert not wire.closed
    protocol.resume_writing()
    server.pass_time(LIMITS.drain_s * 10)
    assert not wire.closed
    protocol.pause_writing()
    server.pass_time(LIMITS.drain_s + 1)
    assert wire.closed
    protocol.connection_lost(None)  # type: ignore[unreachable]  # passing time closes it
    await server.work()


# ---------------------------------------------------------------- places
async def test_idle_connections_keep_nobody_out() -> None:
    app = Echo()
    server = Server(app)
    idle = [server.connect(f"198.51.100.{n % 200}") for n in range(200)]
    protocol, wire = server.connect()
    feed(protocol, wire, GET)
    await server.work()

    assert wire.statuses == [200]
    assert server.registry.open_count <= LIMITS.max_connections
    assert sum(not one.closed for _, one in idle) < LIMITS.max_connections


async def test_one_network_leaves_places_to_others() -> None:
    never = asyncio.Event()

    async def waits(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await never.wait()

    server = Server(waits)
    for _ in range(100):
        protocol, wire = server.connect("2001:db8::1")
        if not wire.closed:
            feed(protocol, wire, GET)
    _, same = server.connect("2001:db8::ffff")
    _, other = server.connect("2001:db8:0:1::1")
    never.set()
    await server.work()

    assert same.statuses == [503]
    assert b"retry-after: 5" in same.written
    assert not other.closed


async def test_a_pbx_that_asked_lately_has_places_of_its_own() -> None:
    never = asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/pbx":
            scope["state"]["reserve_connections"]()
            await Echo(reads=False)(scope, receive, send)
        else:
            await never.wait()

    server = Server(waits)
    protocol, first = server.connect("192.0.2.1")
    feed(protocol, first, GET.replace(b"/x", b"/pbx"))
    await server.rest()
    for n in range(100):
        busy, wire = server.connect(f"198.51.100.{n}")
        if not wire.closed:
            feed(busy, wire, GET)
    _, stranger = server.connect("203.0.113.1")
    again, pbx = server.connect("192.0.2.1")
    feed(again, pbx, GET.replace(b"/x", b"/pbx"))
    await server.rest()
    never.set()
    await server.work()

    assert stranger.statuses == [503]
    assert pbx.statuses == [401]
    assert not first.closed


async def test_a_proxy_of_ours_is_no_network() -> None:
    limits = replace(LIMITS, proxies=(ipaddress.ip_network("10.0.0.0/8"),))
    server = Server(Echo(), limits)
    wires = [server.connect("10.0.0.1")[1] for _ in range(limits.max_of_network + 5)]

    assert not any(wire.closed for wire in wires)


async def test_nothing_of_a_connection_is_kept_behind_it() -> None:
    server = Server(Echo())
    for data in (GET, GET[:9], b"\x16\x03", b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"):
        protocol, wire = server.connect()
        feed(protocol, wire, data)
        await server.rest()
        wire.close()
        protocol.connection_lost(None)
    await server.work()

    assert server.registry.open_count == 0
    assert not server.state.connections


@pytest.mark.parametrize("files", [64, 1024, 4096, 1_000_000])
def test_places_follow_from_the_files_a_process_may_open(files: int) -> None:
    limits = limits_for_open_files(files)

    assert 32 <= limits.max_connections <= max(32, files - 128)
    assert limits.reserved_for_pbx + limits.max_streams < limits.max_connections
