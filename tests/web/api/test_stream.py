"""Server-sent events: live, resumed after a break, ended with the service."""

import json
from typing import get_args

import pytest

from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.ports.alarms import Alarm
from bridge.ports.events import (
    CallRecorded,
    DirectoryChanged,
    EntryChanged,
    Event,
    OneCAvailability,
)
from bridge.web.api.routes import Kind
from bridge.web.api.stream import EVENT_KINDS, event_lines
from bridge.web.shared.event_stream import EventStream, StreamLimits
from tests.support.builders import NOON, call
from tests.web.web_fixture import WebFixture

pytestmark = pytest.mark.anyio


def read_events(text: str) -> list[tuple[str, dict[str, object]]]:
    """Read a stream's text into (event, data) pairs."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def listened(web: WebFixture, path: str, **headers: str) -> str:
    """Listen to what waits already; the feed closes, so that the stream ends."""
    web.event_feed.close()
    async with web.admin() as admin:
        answer = await admin.get(path, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


def web_with_events() -> WebFixture:
    web = WebFixture()
    one = call()
    web.event_feed.publish(CallRecorded(one))
    web.event_feed.publish(
        EntryChanged(OutboxEntry(one.key, NOON, NOON, EntryState.DEAD, last_error="Нет\nправ"))
    )
    web.event_feed.publish(DirectoryChanged(None))
    web.event_feed.publish(OneCAvailability(False, "Сеансы заблокированы"))
    web.event_feed.publish(Alarm("store_slow", "slow"))
    return web


async def test_every_kind_of_event_is_written() -> None:
    text = await listened(web_with_events(), "/api/v1/stream?after=life1-0")

    assert [kind for kind, _ in read_events(text)] == [
        "call",
        "entry",
        "directory",
        "onec",
        "alarm",
    ]
    assert read_events(text)[0][1]["caller"] == "Иванов Пётр (ООО Ромашка)"
    assert read_events(text)[1][1]["last_error"] == "Нет\nправ"
    assert read_events(text)[3][1] == {"up": False, "words": "Сеансы заблокированы"}


async def test_a_page_that_comes_back_gets_what_it_missed() -> None:
    text = await listened(web_with_events(), "/api/v1/stream", **{"Last-Event-ID": "life1-3"})

    assert [kind for kind, _ in read_events(text)] == ["onec", "alarm"]


async def test_the_header_wins_over_the_address() -> None:
    # A browser reconnects to the same address: what it names is old by then.
    text = await listened(
        web_with_events(), "/api/v1/stream?after=life1-0", **{"Last-Event-ID": "life1-4"}
    )

    assert [kind for kind, _ in read_events(text)] == ["alarm"]


async def test_a_page_of_another_process_is_sent_to_look_anew() -> None:
    text = await listened(web_with_events(), "/api/v1/stream", **{"Last-Event-ID": "life0-3"})

    assert read_events(text) == [("gap", {})]


async def test_a_page_gets_only_what_it_asked_for() -> None:
    text = await listened(web_with_events(), "/api/v1/stream?after=life1-0&kind=onec&kind=alarm")

    assert [kind for kind, _ in read_events(text)] == ["onec", "alarm"]


async def test_an_open_stream_gets_what_happens_and_ends_with_the_service() -> None:
    web = WebFixture()
    lines = event_lines(web.services(), [], "")
    await anext(lines)  # from here on it listens

    web.event_feed.publish(OneCAvailability(True, "1C answers again"))
    web.event_feed.close()
    rest = [line async for line in lines]

    assert read_events("".join(rest)) == [("onec", {"up": True, "words": "1C answers again"})]
    assert web.event_feed.listener_count == 0


async def test_silence_is_broken_by_a_heartbeat() -> None:
    web = WebFixture(heartbeat_s=0)
    lines = event_lines(web.services(), [], "")

    first = [await anext(lines) for _ in range(3)]
    await lines.aclose()

    assert first == ["retry: 2000\n\n", ": still here\n\n", ": still here\n\n"]
    assert web.event_feed.listener_count == 0


def test_every_event_of_the_service_has_its_name() -> None:
    assert set(EVENT_KINDS.values()) == set(get_args(Event))
    assert set(EVENT_KINDS) == set(get_args(Kind))


async def test_an_event_is_written_once_for_all_who_listen() -> None:
    web = web_with_events()
    services = web.services()
    web.event_feed.close()

    texts = [[line async for line in event_lines(services, [], "life1-0")] for _ in range(3)]

    assert texts[0] == texts[1] == texts[2]
    assert all(one is other for one, other in zip(texts[0][1:], texts[2][1:], strict=True))


@pytest.mark.parametrize(("places", "taken"), [((1, 50), "someone else"), ((50, 1), "admin")])
async def test_too_many_streams_are_refused_in_a_sentence(
    places: tuple[int, int], taken: str
) -> None:
    web = WebFixture(stream_limits=StreamLimits(*places))
    web.stream_limits.acquire(taken)
    async with web.admin() as admin:
        answer = await admin.get("/api/v1/stream")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert answer.json()["error"].startswith("Too many pages are open")
    assert web.stream_limits.open_count == 1


async def test_a_stream_that_ended_gives_its_place_back() -> None:
    web = web_with_events()
    await listened(web, "/api/v1/stream?after=life1-0")

    assert web.stream_limits.open_count == 0


async def test_a_listener_that_breaks_off_at_once_gives_its_place_back() -> None:
    web = WebFixture()

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        del message

    stream = EventStream(event_lines(web.services(), [], ""), web.stream_limits, "admin")
    await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, gone, send)

    assert web.stream_limits.open_count == 0
    assert web.event_feed.listener_count == 0
