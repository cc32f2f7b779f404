"""The lab's statistics and recordings are asked for as docs/facts/mango.md says."""

import asyncio

import pytest

from bridge.lab.mango import (
    MangoOutcome,
    MangoSwitches,
    sign_recording_link,
)
from tests.support.mango_lab import (
    CALLER,
    DID,
    KEY,
    NOW,
    SALT,
    Fields,
    MangoWorld,
    ReceivingBridge,
    mango_world,
)

pytestmark = pytest.mark.anyio


DAY = {
    "start_date": "01.01.2026 00:00:00",
    "end_date": "01.01.2026 23:59:59",
    "limit": "500",
    "offset": "0",
}


UNLIMITED = MangoSwitches(rate_limits=False, lock=False)


async def statistics(world: MangoWorld, **fields: object) -> list[Fields]:
    """The calls of a report, asked for and read as a client does."""
    key = (await world.api.ask("stats/calls/request/", DAY | fields))["key"]
    await asyncio.sleep(1)
    report = await world.api.ask("stats/calls/result/", {"key": key})
    assert (report["result"], report["status"]) == (1000, "complete")
    return [entry for day in report["data"] for entry in day["list"]]


# ---------------------------------------------------------------- statistics
async def test_the_statistics_know_the_legs_by_the_ids_of_their_events() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        report = await world.call(ring_s=9, talk_s=30)

        (entry,) = await statistics(world)

        (leg,) = entry["context_calls"]
        assert entry["entry_id"] == report.entry_id
        assert (entry["context_type"], entry["context_status"]) == (1, 1)
        assert (entry["caller_number"], entry["called_number"]) == (CALLER, DID)
        assert entry["context_start_time"] == int(NOW)
        assert (entry["duration"], entry["talk_duration"]) == (39, 30)
        assert leg["external_call_id"] == world.bridge.legs[1]
        assert (leg["call_type"], leg["call_abonent_id"]) == ("user", 100205)
        assert leg["call_answer_time"] - leg["call_start_time"] == 9
        assert leg["call_end_reason"] == 1120
        assert len(leg["recording_id"]) == 1


async def test_the_members_of_a_group_stand_under_it() -> None:
    async with mango_world() as world:
        await world.call()

        (entry,) = await statistics(world)

        (group,) = entry["context_calls"]
        assert (group["call_type"], group["call_abonent_info"]) == ("group", "Продажи")
        assert [one["Intercepted"] for one in group["members"]] == [False, True]


async def test_a_call_whose_end_was_lost_is_in_the_statistics() -> None:
    lost = MangoSwitches(lost_pushes=frozenset({"Disconnected", "events/summary"}))
    async with mango_world(lost) as world:
        await world.call()

        (entry,) = await statistics(world)

        assert not world.bridge.of("events/summary")
        assert entry["context_status"] == 1


async def test_the_statistics_are_pages_of_the_newest_first() -> None:
    async with mango_world(UNLIMITED) as world:
        entries = [(await world.call()).entry_id for _ in range(7)]

        first = await statistics(world, limit=5)
        second = await statistics(world, limit=5, offset=5)

        assert [one["entry_id"] for one in first + second] == entries[::-1]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"context_type": 1}, 2),
        ({"context_type": [2, 3]}, 1),
        ({"context_type": "2"}, 1),
        ({"context_status": 0}, 1),
        ({"search_string": "123456"}, 3),
        ({"search_string": "000999"}, 0),
        ({"start_date": "02.01.2026", "end_date": "03.01.2026"}, 0),
    ],
)
async def test_the_statistics_are_narrowed(query: Fields, number: int) -> None:
    async with mango_world(UNLIMITED) as world:
        await world.call()
        await world.call(MangoOutcome.NO_ANSWER)
        await world.callback()
        await world.idle()

        assert len(await statistics(world, **query)) == number


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"limit": "7"}, 3104),
        ({"limit": "all"}, 3104),
        ({"offset": None}, 3103),
        ({"start_date": "yesterday"}, 3104),
        ({"start_date": "2026-01-01 00:00:00"}, 3104),
        ({"end_date": "31.12.2025 00:00:00"}, 3104),
        ({"end_date": "31.01.2026 00:00:00"}, 3104),
        ({"search_string": "12"}, 3104),
        ({"context_type": "in"}, 3104),
    ],
)
async def test_wrong_parameters_of_statistics_are_refused(change: Fields, code: int) -> None:
    async with mango_world() as world:
        assert await world.api.ask("stats/calls/request/", DAY | change) == {"result": code}


async def test_a_period_may_be_a_second_less_than_thirty_days() -> None:
    async with mango_world() as world:
        period = {"end_date": "30.01.2026 23:59:59"}

        assert "key" in await world.api.ask("stats/calls/request/", DAY | period)


async def test_a_key_lives_for_a_minute() -> None:
    async with mango_world() as world:
        key = (await world.api.ask("stats/calls/request/", DAY))["key"]
        states = []
        for wait in (0, 1, 60, 0.5):
            await asyncio.sleep(wait)
            reply = await world.api.ask("stats/calls/result/", {"key": key})
            states.append((reply["status"], "data" in reply))

        assert states == [
            ("work", False),
            ("complete", True),
            ("complete", True),
            ("not-found", False),
        ]


async def test_an_unknown_key_is_not_found() -> None:
    async with mango_world() as world:
        reply = await world.api.ask("stats/calls/result/", {"key": "bm8="})

        assert reply == {"result": 1000, "status": "not-found"}


# ---------------------------------------------------------------- recordings
async def test_a_recording_is_fetched_once_by_its_redirect() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call()
        (added,) = world.bridge.of("events/record/added")
        query = {"recording_id": added["recording_id"], "action": "download"}

        redirect = await world.api.send("queries/recording/post", query)
        file = await world.control.get(redirect.headers["location"])
        again = await world.control.get(redirect.headers["location"])
        another = await world.api.send("queries/recording/post", query)

        assert redirect.status_code == another.status_code == 302
        assert another.headers["location"] != redirect.headers["location"]
        assert (file.status_code, file.headers["content-type"]) == (200, "audio/mpeg")
        assert file.content.startswith(b"ID3")
        assert again.status_code == 404


async def test_a_recording_that_is_not_ready_is_no_wrong_request() -> None:
    switches = MangoSwitches(recording_ready_after_s=90)
    async with mango_world(switches, bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call()
        (added,) = world.bridge.of("events/record/added")
        query = {"recording_id": added["recording_id"], "action": "play"}

        statuses = []
        for _ in range(3):
            statuses.append((await world.api.send("queries/recording/post", query)).status_code)
            await asyncio.sleep(45)

        assert statuses == [200, 200, 302]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"recording_id": "bm8=", "action": "download"}, 3320),
        ({"recording_id": "bm8=", "action": "erase"}, 3104),
        ({"action": "download"}, 3103),
    ],
)
async def test_what_is_no_recording_is_refused(fields: Fields, code: int) -> None:
    async with mango_world() as world:
        assert await world.api.ask("queries/recording/post", fields) == {"result": code}


@pytest.mark.parametrize(
    ("is_on", "until", "is_signed", "status"),
    [
        (True, NOW + 3600, True, 302),
        (False, NOW + 3600, True, 403),
        (True, NOW, True, 403),
        (True, NOW + 3600, False, 403),
    ],
)
async def test_a_signed_link_is_taken_where_it_is_switched_on(
    is_on: bool, until: float, is_signed: bool, status: int
) -> None:
    switches = MangoSwitches(recording_links=is_on)
    async with mango_world(switches, bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call()
        recording = world.bridge.of("events/record/added")[0]["recording_id"]
        sign = sign_recording_link(KEY, int(until), recording, SALT if is_signed else "other")

        reply = await world.control.get(
            f"/vpbx/queries/recording/link/{recording}/play/{KEY}/{int(until)}/{sign}"
        )

        assert reply.status_code == status
