"""The lab's Sipuni pushes events over its websocket to those who listen, and to no others."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
import websockets

from bridge.lab.servers import LoopbackServer
from bridge.lab.sipuni.app import create_sipuni_app
from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import SipuniScheme, signature
from bridge.lab.sipuni.switches import (
    CabinetSwitches,
    EventsOver,
    OrderReplyMode,
)
from tests.lab.sipuni.fake_bridge import RecordingBridge

pytestmark = pytest.mark.anyio

PLAN = CallPlan("79001234567", "74950000001")
AUTH = json.dumps({"type": "auth", "body": {"key": "demo-ws-code"}})
KEEPALIVE = json.dumps({"type": "keepalive"})


@dataclass
class ServedCabinet:
    """The cabinet on a port of loopback, and the bridge it pushes to over HTTP."""

    lab: SipuniLab
    bridge: RecordingBridge
    port: int

    def connect(self) -> websockets.connect:
        return websockets.connect(f"ws://127.0.0.1:{self.port}/ws", proxy=None)

    async def enter(self, line: websockets.ClientConnection) -> Any:
        await line.send(AUTH)
        answer = json.loads(await line.recv())
        await self.lab.listeners.wait_for_listeners()
        return answer


@asynccontextmanager
async def open_cabinet(
    switches: CabinetSwitches | None = None, scheme: SipuniScheme | None = None
) -> AsyncIterator[ServedCabinet]:
    bridge = RecordingBridge()
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(
            scheme or SipuniScheme(),
            http,
            switches=switches or CabinetSwitches(events_over=EventsOver.WEBSOCKET),
        )
        app = create_sipuni_app(lab)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        served = LoopbackServer(lambda: uvicorn.Server(config))
        await served.start()
        try:
            yield ServedCabinet(lab, bridge, served.port)
        finally:
            await served.stop()


async def received(line: websockets.ClientConnection, number: int) -> list[dict[str, Any]]:
    return [json.loads(await line.recv()) for _ in range(number)]


async def test_who_has_the_key_gets_every_event_with_the_fields_of_http() -> None:
    async with open_cabinet() as sipuni, sipuni.connect() as line:
        let_in = await sipuni.enter(line)
        report = await sipuni.lab.place_call(PLAN)
        messages = await received(line, 4)

    assert let_in == {"action": "auth", "status": 1}
    assert [one["action"] for one in messages] == ["notify"] * 4
    assert [one["request"] for one in messages] == [dict(push.params) for push in report.pushes]
    assert (report.problems, sipuni.bridge.codes) == ((), [])


async def test_without_the_key_nothing_is_received() -> None:
    async with open_cabinet() as sipuni, sipuni.connect() as line:
        await line.send(json.dumps({"type": "auth", "body": {"key": "guessed"}}))
        refused = json.loads(await line.recv())
        report = await sipuni.lab.place_call(PLAN)

    assert refused == {"action": "auth", "status": 0}
    assert report.problems[0] == "event 1: nobody listens on the websocket"


async def test_nothing_is_replayed_after_a_gap() -> None:
    async with open_cabinet() as sipuni:
        async with sipuni.connect() as line:
            await sipuni.enter(line)
            await sipuni.lab.listeners.drop()
            with pytest.raises(websockets.ConnectionClosed):
                await line.recv()
        await sipuni.lab.place_call(PLAN)
        async with sipuni.connect() as line:
            await sipuni.enter(line)
            report = await sipuni.lab.place_call(PLAN)
            messages = await received(line, 4)

    assert {one["request"]["call_id"] for one in messages} == {report.call_id}


async def test_the_control_address_drops_the_connection() -> None:
    async with open_cabinet() as sipuni, sipuni.connect() as line:
        await sipuni.enter(line)
        async with httpx.AsyncClient(trust_env=False) as web:
            reply = await web.post(f"http://127.0.0.1:{sipuni.port}/_lab/drop")
        with pytest.raises(websockets.ConnectionClosed):
            await line.recv()

    assert reply.json() == {"dropped": 1}


async def test_a_silent_listener_is_dropped_and_one_that_keeps_alive_is_not() -> None:
    switches = CabinetSwitches(
        events_over=EventsOver.WEBSOCKET, keepalive_s=1.0, single_listener=False
    )
    async with (
        open_cabinet(switches) as sipuni,
        sipuni.connect() as silent,
        sipuni.connect() as alive,
    ):
        await sipuni.enter(silent)
        await sipuni.enter(alive)

        async def keep_alive() -> None:
            while True:
                await alive.send(KEEPALIVE)
                await asyncio.sleep(0.02)

        beats = asyncio.create_task(keep_alive())
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await silent.recv()
        await sipuni.lab.place_call(PLAN)
        messages = await received(alive, 4)
        beats.cancel()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "no keepalive"
    assert len(messages) == 4


@pytest.mark.parametrize(("single", "listeners"), [(True, 1), (False, 2)])
async def test_a_second_listener_may_close_the_first(single: bool, listeners: int) -> None:
    switches = CabinetSwitches(events_over=EventsOver.WEBSOCKET, single_listener=single)
    async with (
        open_cabinet(switches) as sipuni,
        sipuni.connect() as first,
        sipuni.connect() as second,
    ):
        await sipuni.enter(first)
        await sipuni.enter(second)

        assert len(sipuni.lab.listeners) == listeners


async def test_messages_may_be_bare_and_bear_a_namespace() -> None:
    switches = CabinetSwitches(
        events_over=EventsOver.WEBSOCKET, ws_unwrapped=True, ws_namespace=True
    )
    async with open_cabinet(switches) as sipuni, sipuni.connect() as line:
        await sipuni.enter(line)
        report = await sipuni.lab.place_call(PLAN)
        (first, *_) = await received(line, 4)

    assert first == {**dict(report.pushes[0].params), "namespace": "api"}


async def test_both_ways_push_every_event_once_each() -> None:
    async with (
        open_cabinet(CabinetSwitches(events_over=EventsOver.BOTH)) as sipuni,
        sipuni.connect() as line,
    ):
        await sipuni.enter(line)
        await sipuni.lab.place_call(PLAN)
        messages = await received(line, 4)

    codes = [one["request"]["event"] for one in messages]
    assert codes == sipuni.bridge.codes == ["1", "1", "3", "2"]


@pytest.mark.parametrize("noise", ["nonsense", "[]", '{"type": "song"}', b"bytes"])
async def test_invalid_messages_authenticate_no_listener_and_break_nothing(
    noise: str | bytes,
) -> None:
    async with open_cabinet() as sipuni:
        async with sipuni.connect() as line:
            await line.send(noise)
        async with sipuni.connect() as line:
            let_in = await sipuni.enter(line)

    assert let_in["status"] == 1


async def test_over_a_socket_a_lost_order_is_a_line_that_goes_dead() -> None:
    order = {"antiaon": "0", "phone": PLAN.caller, "reverse": "0", "sipnumber": "205"}
    async with open_cabinet(CabinetSwitches(order_reply=OrderReplyMode.LOST)) as sipuni:
        signed = order | {"user": "012345", "hash": signature(order, "012345", "demo-secret")}
        async with httpx.AsyncClient(trust_env=False) as web:
            with pytest.raises(httpx.RemoteProtocolError):
                await web.post(
                    f"http://127.0.0.1:{sipuni.port}/api/callback/call_number", data=signed
                )
        await sipuni.lab.wait_until_idle()

    assert sipuni.bridge.codes == ["1", "3", "2"]
