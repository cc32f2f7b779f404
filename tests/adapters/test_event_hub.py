"""The event hub: nothing waits, the slow get a gap, who comes back misses nothing."""

import asyncio

import pytest

from bridge.adapters.event_hub import EventHub, NumberedEvent, Subscription
from bridge.ports.alarms import Alarm
from bridge.ports.events import Event, OneCAvailability

pytestmark = pytest.mark.anyio

AVAILABILITIES: tuple[type[Event], ...] = (OneCAvailability,)
BOTH: tuple[type[Event], ...] = (OneCAvailability, Alarm)


def available(text: str) -> OneCAvailability:
    return OneCAvailability(True, text)


def down(text: str) -> Alarm:
    return Alarm("store_slow", text)


async def taken(listener: Subscription, count: int) -> list[str | None]:
    """Take *count* events; None stands for a gap."""
    received = [await anext(listener) for _ in range(count)]
    return [
        t.event.message if isinstance(t.event, OneCAvailability | Alarm) else None for t in received
    ]


async def test_all_subscribers_get_events_in_order() -> None:
    hub = EventHub("a")
    async with hub.subscribe(BOTH) as one, hub.subscribe(BOTH) as other:
        hub.publish(available("1"))
        hub.publish(down("2"))

        assert await taken(one, 2) == ["1", "2"]
        assert await taken(other, 2) == ["1", "2"]


async def test_a_listener_gets_only_the_kinds_it_asked_for() -> None:
    hub = EventHub("a")
    async with hub.subscribe(AVAILABILITIES) as listener:
        hub.publish(down("1"))
        hub.publish(available("2"))

        assert await taken(listener, 1) == ["2"]


async def test_a_slow_subscriber_loses_the_oldest_and_gets_a_gap() -> None:
    hub = EventHub("a", queue_size=2)
    async with hub.subscribe(BOTH) as listener:
        for n in range(5):
            hub.publish(available(str(n)))

        assert await taken(listener, 3) == [None, "3", "4"]


async def test_a_gap_s_id_leads_back_to_the_next_event_that_is_kept() -> None:
    hub = EventHub("a", queue_size=1)
    async with hub.subscribe(BOTH) as listener:
        hub.publish(available("1"))
        hub.publish(available("2"))
        gap = await anext(listener)

    assert gap == NumberedEvent("a-1", None)
    async with hub.subscribe(BOTH, gap.id) as again:
        assert await taken(again, 1) == ["2"]


async def test_who_comes_back_gets_what_was_missed() -> None:
    hub = EventHub("a")
    for n in range(4):
        hub.publish(available(str(n)))

    async with hub.subscribe(BOTH, "a-2") as listener:
        hub.publish(available("new"))

        assert await taken(listener, 3) == ["2", "3", "new"]


async def test_who_missed_nothing_gets_only_what_is_new() -> None:
    hub = EventHub("a")
    hub.publish(available("old"))

    async with hub.subscribe(BOTH, hub.latest) as listener:
        hub.publish(available("new"))

        assert await taken(listener, 1) == ["new"]


async def test_who_was_away_longer_than_events_are_kept_gets_a_gap() -> None:
    hub = EventHub("a", history_size=2)
    for n in range(5):
        hub.publish(available(str(n)))

    async with hub.subscribe(BOTH, "a-1") as listener:
        assert await taken(listener, 3) == [None, "3", "4"]


@pytest.mark.parametrize("after", ["b-1", "a-99", "a-", "a--1", "nonsense", "a-" + "9" * 400])
async def test_an_id_of_another_process_is_a_gap(after: str) -> None:
    hub = EventHub("a")
    hub.publish(available("1"))

    async with hub.subscribe(BOTH, after) as listener:
        hub.publish(available("2"))

        assert await taken(listener, 2) == [None, "2"]


async def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    hub = EventHub("a")
    async with hub.subscribe(BOTH) as listener:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(listener), 0)
        hub.publish(available("1"))

        assert await taken(listener, 1) == ["1"]


async def test_closing_ends_every_stream_after_what_waits() -> None:
    hub = EventHub("a")
    async with hub.subscribe(BOTH) as listener, hub.subscribe(BOTH) as idle:
        waiting = asyncio.ensure_future(anext(idle, "ended"))
        hub.publish(down("last"))
        assert (await waiting) != "ended"
        waiting = asyncio.ensure_future(anext(idle, "ended"))
        await asyncio.sleep(0)

        hub.close()

        assert await waiting == "ended"
        assert [t.event async for t in listener] == [down("last")]
    async with hub.subscribe(BOTH) as late:
        assert [t async for t in late] == []


async def test_who_leaves_is_removed() -> None:
    hub = EventHub("a")
    async with hub.subscribe(BOTH):
        assert hub.listener_count == 1

    assert hub.listener_count == 0
