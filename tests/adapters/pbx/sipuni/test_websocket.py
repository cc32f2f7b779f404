"""The websocket against a real server on the loopback: let in, kept alive, mended, hung up."""

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
    """The vendor's end: lets *key* in, notes what it hears, says what a test wants said."""

    key: str = KEY
    #: Said to everybody as soon as he speaks, before he is let in.
    early: str = ""
    heard: list[str] = field(default_factory=list)
    lines: asyncio.Queue[ServerConnection] = field(default_factory=asyncio.Queue)
    keepalives: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def answer(self, line: ServerConnection) -> None:
        async for message in line:
            said = json.loads(message)
            if said["type"] == "keepalive":
                self.keepalives.put_nowait(str(message))
            if said["type"] != "auth":
                continue
            if self.early:
                await line.send(self.early)
            admitted = said["body"]["key"] == self.key
            await line.send(json.dumps({"action": "auth", "status": int(admitted)}))
            if admitted:
                self.lines.put_nowait(line)


@dataclass
class Desk:
    """A listener and everything that it told."""

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
async def opened(cabinet: Cabinet) -> AsyncIterator[Desk]:
    async with serve(cabinet.answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Desk(cabinet, server, f"ws://127.0.0.1:{port}/api")


async def during(
    listener: SipuniWebsocket, desk: Desk, story: Callable[[ServerConnection], Awaitable[None]]
) -> None:
    """Have *story* happen on the first line while *listener* listens."""
    listener.start()
    try:
        await story(await asyncio.wait_for(desk.cabinet.lines.get(), 10))
    finally:
        await listener.aclose()


async def test_an_event_arrives_as_the_http_push_would_bring_it() -> None:
    async with opened(Cabinet()) as desk:

        async def story(line: ServerConnection) -> None:
            await line.send(json.dumps({"action": "notify", "request": FIELDS}))
            event = await desk.next_event()
            assert event == RawEvent("sipuni", NOON, tuple(FIELDS.items()))

        await during(desk.listener(), desk, story)

    assert desk.alarms() == []


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
    async with opened(Cabinet()) as desk:

        async def story(line: ServerConnection) -> None:
            await line.send(json.dumps(message))
            said = dict((await desk.next_event()).fields)
            assert FIELDS.items() <= said.items()

        await during(desk.listener(), desk, story)


async def test_what_is_no_event_is_passed_over() -> None:
    async with opened(Cabinet()) as desk:

        async def story(line: ServerConnection) -> None:
            for noise in ("", "not json", "[]", "1", '{"action": "pong"}', '{"request": {}}'):
                await line.send(noise)
            await line.send(b"\xff")
            await line.send(json.dumps(FIELDS))
            assert dict((await desk.next_event()).fields) == FIELDS
            assert desk.received.empty()

        await during(desk.listener(), desk, story)


async def test_an_event_that_overtakes_the_admission_is_kept() -> None:
    async with opened(Cabinet(early=json.dumps(FIELDS))) as desk:

        async def story(_: ServerConnection) -> None:
            assert dict((await desk.next_event()).fields) == FIELDS

        await during(desk.listener(), desk, story)


async def test_the_line_is_kept_alive() -> None:
    async with opened(Cabinet()) as desk:

        async def story(_: ServerConnection) -> None:
            for _turn in range(2):
                kept = await asyncio.wait_for(desk.cabinet.keepalives.get(), 10)
                assert json.loads(kept) == {"type": "keepalive"}

        await during(desk.listener(keepalive_s=0.01), desk, story)


async def test_a_broken_line_is_an_alarm_until_it_stands_again() -> None:
    async with opened(Cabinet()) as desk:

        async def story(line: ServerConnection) -> None:
            line.transport.abort()
            again = await asyncio.wait_for(desk.cabinet.lines.get(), 10)
            await again.send(json.dumps(FIELDS))
            await desk.next_event()

        await during(desk.listener(), desk, story)

    assert desk.alarms() == [False, True]
    assert {alarm.name for alarm in desk.events.of(Alarm)} == {"pbx_events_lost"}


async def test_a_wrong_key_is_told_once_and_without_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(Cabinet(key="another")) as desk:
        listener = desk.listener()
        listener.start()
        await desk.events.wait_for(Alarm, lambda alarm: not alarm.clear)
        desk.cabinet.key = KEY  # a person mends it
        await desk.events.wait_for(Alarm, lambda alarm: alarm.clear)
        await listener.aclose()

    told = [alarm.message for alarm in desk.events.of(Alarm)]
    assert desk.alarms() == [False, True]
    assert "BRIDGE_SIPUNI_WS_KEY" in told[0]
    assert KEY not in caplog.text + "".join(told)


async def test_a_cabinet_that_is_not_there_is_told_once() -> None:
    async with opened(Cabinet()) as desk:
        desk.server.close()
        await desk.server.wait_closed()
        listener = desk.listener()
        listener.start()
        await desk.events.wait_for(Alarm, lambda alarm: not alarm.clear)
        await listener.aclose()

    assert desk.alarms() == [False]


async def test_an_event_the_disk_refuses_is_offered_until_it_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(Cabinet()) as desk:
        desk.refusals = 1

        async def story(line: ServerConnection) -> None:
            await line.send(json.dumps(FIELDS))
            assert dict((await desk.next_event()).fields) == FIELDS

        await during(desk.listener(), desk, story)

    assert [record.message for record in caplog.records] == ["event_not_stored"]


async def test_a_mistake_of_ours_ends_no_listening(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(Cabinet()) as desk:
        stumbled = False

        async def stumble(event: RawEvent) -> None:
            nonlocal stumbled
            if not stumbled:
                stumbled = True
                raise LookupError("a mistake")
            desk.received.put_nowait(event)

        listener = SipuniWebsocket(
            desk.url, KEY, stumble, desk.events, lambda: NOON, first_backoff_s=0.01
        )

        async def story(line: ServerConnection) -> None:
            await line.send(json.dumps(FIELDS))
            again = await asyncio.wait_for(desk.cabinet.lines.get(), 10)
            await again.send(json.dumps(FIELDS))
            assert dict((await desk.next_event()).fields) == FIELDS

        await during(listener, desk, story)

    assert "websocket_broken" in caplog.messages
    assert desk.alarms() == [False, True]


async def test_a_stop_does_not_wait_for_a_disk_that_refuses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(Cabinet()) as desk:
        desk.refusals = 1_000

        async def story(line: ServerConnection) -> None:
            await line.send(json.dumps(FIELDS))
            await asyncio.wait_for(desk.refused.wait(), 10)

        await during(desk.listener(), desk, story)

    assert "event_lost" in caplog.messages
