"""The websocket against a real server on the loopback: accepted, kept alive, reconnected."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from bridge.adapters.pbx.sipuni.websocket import SipuniWebsocket
from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.pbx import RawEvent
from tests.support.builders import NOON
from tests.support.fakes.ledger import RecordedEvents

pytestmark = pytest.mark.anyio

KEY = "composed-key"
FIELDS = {"event": "1", "call_id": "1767225600.1", "src_num": "79001234567"}


@dataclass
class Cabinet:
    """The vendor's end: accepts *key*, keeps what it receives, sends what a test gives it."""

    key: str = KEY
    #: Sent to everybody at the first message, before the sign-in.
    early: str = ""
    received_texts: list[str] = field(default_factory=list)
    lines: asyncio.Queue[ServerConnection] = field(default_factory=asyncio.Queue)
    keepalives: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def answer(self, line: ServerConnection) -> None:
        async for message in line:
            content = json.loads(message)
            if content["type"] == "keepalive":
                self.keepalives.put_nowait(str(message))
            if content["type"] != "auth":
                continue
            if self.early:
                await line.send(self.early)
            accepted = content["body"]["key"] == self.key
            await line.send(json.dumps({"action": "auth", "status": int(accepted)}))
            if accepted:
                self.lines.put_nowait(line)


@dataclass
class ListenerSetup:
    """A listener and everything that it messages."""

    cabinet: Cabinet
    server: Server
    url: str
    events: RecordedEvents = field(default_factory=RecordedEvents)
    received: asyncio.Queue[RawEvent] = field(default_factory=asyncio.Queue)
    refusals: int = 0
    refused: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, event: RawEvent) -> None:
        if self.refusals:
            self.refusals -= 1
            self.refused.set()
            raise StoreError("ledger.db", "disk full")
        self.received.put_nowait(event)

    def listener(self, **how: float) -> SipuniWebsocket:
        return SipuniWebsocket(
            self.url, KEY, self.receive, self.events, lambda: NOON, first_backoff_s=0.01, **how
        )

    async def next_event(self) -> RawEvent:
        return await asyncio.wait_for(self.received.get(), 10)

    def alarms(self) -> list[bool]:
        return [alarm.clear for alarm in self.events.of(Alarm)]


@asynccontextmanager
async def opened(cabinet: Cabinet) -> AsyncIterator[ListenerSetup]:
    async with serve(cabinet.answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield ListenerSetup(cabinet, server, f"ws://127.0.0.1:{port}/api")


async def during(
    listener: SipuniWebsocket,
    setup: ListenerSetup,
    scenario: Callable[[ServerConnection], Awaitable[None]],
) -> None:
    """Have *scenario* happen on the first line while *listener* listens."""
    listener.start()
    try:
        await scenario(await asyncio.wait_for(setup.cabinet.lines.get(), 10))
    finally:
        await listener.aclose()


async def test_an_event_arrives_as_the_http_push_would_bring_it() -> None:
    async with opened(Cabinet()) as setup:

        async def scenario(line: ServerConnection) -> None:
            await line.send(json.dumps({"action": "notify", "request": FIELDS}))
            event = await setup.next_event()
            assert event == RawEvent("sipuni", NOON, tuple(FIELDS.items()))

        await during(setup.listener(), setup, scenario)

    assert setup.alarms() == []


@pytest.mark.parametrize(
    "message",
    [
        {"namespace": "api", "action": "notify", "request": FIELDS},
        {"namespace": "api", **FIELDS},
        FIELDS,
        {"action": "notify", "request": FIELDS | {"event": 1, "label": None}},
    ],
)
async def test_other_wrappings_of_an_event_are_understood(message: dict[str, object]) -> None:
    async with opened(Cabinet()) as setup:

        async def scenario(line: ServerConnection) -> None:
            await line.send(json.dumps(message))
            content = dict((await setup.next_event()).fields)
            assert FIELDS.items() <= content.items()

        await during(setup.listener(), setup, scenario)


async def test_what_is_no_event_is_passed_over() -> None:
    async with opened(Cabinet()) as setup:

        async def scenario(line: ServerConnection) -> None:
            for noise in ("", "not json", "[]", "1", '{"action": "pong"}', '{"request": {}}'):
                await line.send(noise)
            await line.send(b"\xff")
            await line.send(json.dumps(FIELDS))
            assert dict((await setup.next_event()).fields) == FIELDS
            assert setup.received.empty()

        await during(setup.listener(), setup, scenario)


async def test_an_event_that_overtakes_the_acceptance_is_kept() -> None:
    async with opened(Cabinet(early=json.dumps(FIELDS))) as setup:

        async def scenario(_: ServerConnection) -> None:
            assert dict((await setup.next_event()).fields) == FIELDS

        await during(setup.listener(), setup, scenario)


async def test_the_line_is_kept_alive() -> None:
    async with opened(Cabinet()) as setup:

        async def scenario(_: ServerConnection) -> None:
            for _turn in range(2):
                kept = await asyncio.wait_for(setup.cabinet.keepalives.get(), 10)
                assert json.loads(kept) == {"type": "keepalive"}

        await during(setup.listener(keepalive_s=0.01), setup, scenario)


async def test_a_broken_line_is_an_alarm_until_it_is_back() -> None:
    async with opened(Cabinet()) as setup:

        async def scenario(line: ServerConnection) -> None:
            line.transport.abort()
            again = await asyncio.wait_for(setup.cabinet.lines.get(), 10)
            await again.send(json.dumps(FIELDS))
            await setup.next_event()

        await during(setup.listener(), setup, scenario)

    assert setup.alarms() == [False, True]
    assert {alarm.name for alarm in setup.events.of(Alarm)} == {"pbx_events_lost"}


async def test_a_wrong_key_is_reported_once_and_without_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(Cabinet(key="another")) as setup:
        listener = setup.listener()
        listener.start()
        await setup.events.wait_for(Alarm, lambda alarm: not alarm.clear)
        setup.cabinet.key = KEY  # as an administrator would correct it
        await setup.events.wait_for(Alarm, lambda alarm: alarm.clear)
        await listener.aclose()

    messages = [alarm.message for alarm in setup.events.of(Alarm)]
    assert setup.alarms() == [False, True]
    assert "BRIDGE_SIPUNI_WS_KEY" in messages[0]
    assert KEY not in caplog.text + "".join(messages)


async def test_a_cabinet_that_is_not_there_is_reported_once() -> None:
    async with opened(Cabinet()) as setup:
        setup.server.close()
        await setup.server.wait_closed()
        listener = setup.listener()
        listener.start()
        await setup.events.wait_for(Alarm, lambda alarm: not alarm.clear)
        await listener.aclose()

    assert setup.alarms() == [False]


async def test_an_event_the_disk_refuses_is_offered_until_it_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(Cabinet()) as setup:
        setup.refusals = 1

        async def scenario(line: ServerConnection) -> None:
            await line.send(json.dumps(FIELDS))
            assert dict((await setup.next_event()).fields) == FIELDS

        await during(setup.listener(), setup, scenario)

    assert [record.message for record in caplog.records] == ["event_not_stored"]


async def test_a_mistake_of_ours_ends_no_listening(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(Cabinet()) as setup:
        stumbled = False

        async def stumble(event: RawEvent) -> None:
            nonlocal stumbled
            if not stumbled:
                stumbled = True
                raise LookupError("a mistake")
            setup.received.put_nowait(event)

        listener = SipuniWebsocket(
            setup.url, KEY, stumble, setup.events, lambda: NOON, first_backoff_s=0.01
        )

        async def scenario(line: ServerConnection) -> None:
            await line.send(json.dumps(FIELDS))
            again = await asyncio.wait_for(setup.cabinet.lines.get(), 10)
            await again.send(json.dumps(FIELDS))
            assert dict((await setup.next_event()).fields) == FIELDS

        await during(listener, setup, scenario)

    assert "websocket_broken" in caplog.messages
    assert setup.alarms() == [False, True]


async def test_a_stop_does_not_wait_for_a_disk_that_refuses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(Cabinet()) as setup:
        setup.refusals = 1_000

        async def scenario(line: ServerConnection) -> None:
            await line.send(json.dumps(FIELDS))
            await asyncio.wait_for(setup.refused.wait(), 10)

        await during(setup.listener(), setup, scenario)

    assert "event_lost" in caplog.messages
