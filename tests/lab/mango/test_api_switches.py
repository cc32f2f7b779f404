"""Every trap of docs/facts/mango.md, 'What the simulator must do', as the API's client sees it."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from bridge.lab.mango import (
    CommandReply,
    MangoCabinet,
    MangoLine,
    MangoOutcome,
    MangoSwitches,
    RateReply,
)
from tests.lab.mango.test_switches import ROUTE, routing
from tests.support.mango_lab import (
    DID,
    HOOK,
    MangoWorld,
    mango_world,
)

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- how the API answers
@pytest.mark.parametrize(("as_text", "result"), [(True, "4101"), (False, 4101)])
async def test_a_result_may_be_a_text(as_text: bool, result: object) -> None:
    async with mango_world(MangoSwitches(result_as_text=as_text)) as world:
        assert await world.api.ask("commands/route", ROUTE) == {"result": result}


@pytest.mark.parametrize("status", [200, 400, 503])
async def test_an_error_comes_under_any_status(status: int) -> None:
    async with mango_world(MangoSwitches(error_status=status)) as world:
        wrong = await world.api.send("commands/route", ROUTE)
        right = await world.api.send("incominglines", "{}")

        assert (wrong.status_code, wrong.json()) == (status, {"result": 4101})
        assert right.status_code == 200


@pytest.mark.parametrize("code", [4100, 5001, 2240])
async def test_a_command_may_be_refused_by_force(code: int) -> None:
    switches = MangoSwitches(forced_results={"route": code, "callback": code})
    async with mango_world(switches, bridge=routing()) as world:
        report = await world.call()
        reply = await world.callback()
        await world.idle()

        assert world.bridge.replies == [{"result": code}]
        assert reply.json() == {"result": code}
        assert report.went_to_default
        assert world.bridge.of("result/callback") == [{"command_id": "cmd-1", "result": code}]


async def test_a_reply_may_be_late_while_the_telephone_rings() -> None:
    switches = MangoSwitches(reply=CommandReply.LATE, reply_delay_s=20)
    async with mango_world(switches) as world:
        reply = await world.callback()

        assert reply.json() == {"result": 1000}
        assert asyncio.get_running_loop().time() == 20
        assert world.bridge.shape()[:4] == [
            "L1 abonent Appeared",
            "L1 abonent Connected",
            "L1 abonent Disconnected 1000",
            "L2 abonent Appeared",
        ]


@pytest.mark.parametrize("overtakes", [True, False])
async def test_events_of_a_callback_may_overtake_its_reply(overtakes: bool) -> None:
    async with mango_world(MangoSwitches(events_before_reply=overtakes)) as world:
        reply = await world.callback()

        assert reply.json() == {"result": 1000}
        assert bool(world.bridge.events) == overtakes


async def test_ordered_calls_have_their_outcome() -> None:
    async with mango_world(MangoSwitches(ordered_outcome=MangoOutcome.EMPLOYEE_SILENT)) as world:
        await world.callback()
        await world.idle()

        assert world.bridge.shape() == ["L1 abonent Appeared", "L1 abonent Disconnected 1111"]


@pytest.mark.parametrize(
    ("form", "status", "body"),
    [
        (RateReply.BODY_429, 429, {"status": 429}),
        (RateReply.STATUS_503, 503, {"status": 429}),
        (RateReply.CODE_4290, 200, {"result": 4290}),
        (RateReply.CODE_5008, 200, {"result": 5008}),
    ],
)
async def test_a_request_above_the_rate_has_its_form(
    form: RateReply, status: int, body: dict[str, int]
) -> None:
    async with mango_world(MangoSwitches(rate_reply=form)) as world:
        await world.api.send("commands/route", ROUTE)

        reply = await world.api.send("commands/route", ROUTE)

        assert reply.status_code == status
        assert body.items() <= reply.json().items()


async def test_rates_may_be_switched_off() -> None:
    async with mango_world(MangoSwitches(rate_limits=False)) as world:
        replies = [await world.api.ask("commands/route", ROUTE) for _ in range(20)]

        assert replies == [{"result": 4101}] * 20


async def test_the_lock_may_be_switched_off() -> None:
    async with mango_world(MangoSwitches(lock=False)) as world:
        codes = [(await world.api.send("groups", "{}", sign="0")).json() for _ in range(3)]

        assert codes == [{"result": 3102}] * 3


# ---------------------------------------------------------------- people
@pytest.mark.parametrize(
    ("switches", "reason"),
    [
        (MangoSwitches(offline=frozenset({"205"})), 1131),
        (MangoSwitches(do_not_disturb=frozenset({"205"})), 1124),
    ],
)
async def test_an_employee_who_takes_no_calls_is_pushed_nevertheless(
    switches: MangoSwitches, reason: int
) -> None:
    async with mango_world(switches, bridge=routing()) as world:
        report = await world.call()

        assert world.bridge.shape()[2:] == [
            "L2 abonent Appeared",
            f"L2 abonent Disconnected {reason}",
        ]
        assert report.rung == ()
        assert world.bridge.summary["to"]["extension"] == "205"


async def test_a_group_rings_without_those_who_are_away() -> None:
    async with mango_world(MangoSwitches(offline=frozenset({"205"}))) as world:
        report = await world.call()

        assert report.rung == ("206",)


async def test_a_group_of_which_all_are_away_ends_its_queue() -> None:
    async with mango_world(MangoSwitches(offline=frozenset({"205", "206"}))) as world:
        await world.call()

        assert world.bridge.shape()[-1] == "L2 queue Disconnected 1164"


@pytest.mark.parametrize("has_summary", [False, True])
async def test_nothing_is_pushed_of_a_leg_off_schedule(has_summary: bool) -> None:
    switches = MangoSwitches(off_schedule=frozenset({"205"}), off_schedule_summary=has_summary)
    async with mango_world(switches, bridge=routing()) as world:
        report = await world.call()

        assert world.bridge.shape() == ["L1 ivr Appeared", "L1 ivr Disconnected 1100"]
        assert len(world.bridge.of("events/summary")) == has_summary
        assert report.rung == ()


async def test_a_call_off_schedule_on_a_line_without_a_menu_is_silence() -> None:
    cabinet = MangoCabinet(hook_url=HOOK, lines=(MangoLine(DID, extension="207"),))
    switches = MangoSwitches(off_schedule=frozenset({"207"}))
    async with mango_world(switches, cabinet=cabinet) as world:
        await world.call()

        assert world.bridge.received == []


async def test_two_employees_may_have_one_extension() -> None:
    async with mango_world(MangoSwitches(doubled_extension="205")) as world:
        users = (await world.api.ask("config/users/request", {"extension": "205"}))["users"]

        assert len(users) == 2
        assert len({one["general"]["name"] for one in users}) == 2


# ---------------------------------------------------------------- history and recordings
async def test_talks_may_not_be_recorded() -> None:
    async with mango_world(MangoSwitches(recordings=False)) as world:
        await world.call()

        paths = {one.path for one in world.bridge.received}
        assert paths == {"events/call", "events/summary"}


async def report_of(world: MangoWorld) -> Any:
    await world.call()
    query = {"start_date": "01.01.2026", "end_date": "02.01.2026", "limit": 1, "offset": 0}
    key = (await world.api.ask("stats/calls/request/", query))["key"]
    await asyncio.sleep(1)
    return (await world.api.ask("stats/calls/result/", {"key": key}))["data"]


async def test_the_statistics_may_be_an_object() -> None:
    async with mango_world(MangoSwitches(stats_as_object=True)) as world:
        report = await report_of(world)

        assert isinstance(report, dict)
        assert len(report["list"]) == 1


async def test_the_statistics_may_have_service_rows() -> None:
    async with mango_world(MangoSwitches(stats_service_rows=True)) as world:
        (day,) = await report_of(world)

        *_, last = day["list"][0]["context_calls"]
        assert "call_start_time" not in last
        assert last["call_end_reason"] == 110


async def test_the_statistics_may_not_know_the_legs() -> None:
    async with mango_world(MangoSwitches(stats_call_ids=False)) as world:
        (day,) = await report_of(world)

        assert "external_call_id" not in json.dumps(day)


async def test_the_statistics_may_take_their_time_and_forget_soon() -> None:
    switches = MangoSwitches(stats_ready_after_s=8, stats_key_valid_s=2)
    async with mango_world(switches) as world:
        query = {"start_date": "01.01.2026", "end_date": "02.01.2026", "limit": 1, "offset": 0}
        key = (await world.api.ask("stats/calls/request/", query))["key"]
        states = []
        for wait in (7.9, 0.1, 2.1):
            await asyncio.sleep(wait)
            states.append((await world.api.ask("stats/calls/result/", {"key": key}))["status"])

        assert states == ["work", "complete", "not-found"]


async def first_look(world: MangoWorld) -> httpx.Response:
    await world.call()
    await world.call()
    query = {"start_date": "01.01.2026", "end_date": "02.01.2026", "limit": 5, "offset": 0}
    key = (await world.api.ask("stats/calls/request/", query))["key"]
    return await world.api.send("stats/calls/result/", {"key": key})


async def test_statistics_that_are_not_ready_may_be_a_bare_204() -> None:
    async with mango_world(MangoSwitches(stats_not_ready_204=True)) as world:
        reply = await first_look(world)

        assert (reply.status_code, reply.content) == (204, b"")


async def test_statistics_that_are_not_ready_may_show_a_part() -> None:
    async with mango_world(MangoSwitches(stats_partial=True)) as world:
        reply = (await first_look(world)).json()

        (day,) = reply["data"]
        assert reply["status"] == "work"
        assert len(day["list"]) == 1


async def test_the_statistics_may_take_iso_dates() -> None:
    query = {"start_date": "2026-01-01 00:00:00", "end_date": "2026-01-02", "limit": 1}
    async with mango_world(MangoSwitches(stats_iso_dates=True)) as world:
        assert "key" in await world.api.ask("stats/calls/request/", query | {"offset": 0})
