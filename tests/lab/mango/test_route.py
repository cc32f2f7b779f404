"""A caller who waits in silence goes where `commands/route` says, or to the group."""

import asyncio

import pytest

from bridge.lab.mango import (
    MangoCabinet,
    MangoKind,
    MangoLine,
    MangoOutcome,
    MangoPlan,
    MangoSwitches,
)
from bridge.lab.mango.calls import LegPickedUp
from tests.support.mango_lab import (
    CALLER,
    DID,
    HOOK,
    MangoWorld,
    ReceivingBridge,
    mango_world,
)

pytestmark = pytest.mark.anyio


async def route(world: MangoWorld, leg: str, to_number: str = "207", command: str = "cmd-1") -> int:
    fields = {"command_id": command, "call_id": leg, "to_number": to_number}
    reply = await world.api.ask("commands/route", fields)
    return int(reply["result"])


@pytest.mark.parametrize("extension", ["205", "206", "207"])
@pytest.mark.parametrize("thinks_s", [0, 1, 4.9])
async def test_a_call_reaches_the_extension_it_is_routed_to(
    extension: str, thinks_s: float
) -> None:
    bridge = ReceivingBridge(routes_to=extension, thinks_s=thinks_s)
    async with mango_world(bridge=bridge) as world:
        report = await world.call()

        assert bridge.replies == [{"result": 1000}]
        assert (report.rang_first, report.answered_by) == (extension, extension)
        assert report.routed_by == ("cmd-1",)
        assert not report.went_to_default
        assert report.silence_ms == thinks_s * 1000


async def test_a_route_that_comes_too_late_is_over() -> None:
    bridge = ReceivingBridge(routes_to="207", thinks_s=5.1)
    async with mango_world(bridge=bridge) as world:
        report = await world.call()
        await world.idle()

        assert bridge.replies == [{"result": 4101}]
        assert report.went_to_default
        assert report.rang_first == "205"
        assert bridge.of("result/route") == [{"command_id": "cmd-1", "result": 4101}]


@pytest.mark.parametrize("thinks_s", [4.9999, 5, 5.0001])
async def test_at_the_last_moment_the_reply_and_the_call_agree(thinks_s: float) -> None:
    bridge = ReceivingBridge(routes_to="207", thinks_s=thinks_s)
    async with mango_world(bridge=bridge) as world:
        report = await world.call()
        await world.idle()

        assert bridge.replies == [{"result": 4101 if report.went_to_default else 1000}]
        assert report.answered_by == ("205" if report.went_to_default else "207")


async def test_a_command_at_the_very_end_of_the_silence_counts() -> None:
    async with mango_world() as world:
        call = world.lab.begin(MangoPlan(caller=CALLER))
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(world.lab.wait(call, 1, is_paced=False))
        await asyncio.sleep(0)

        loop.call_at(1, call.interventions.put_nowait, LegPickedUp())

        assert await waiting == LegPickedUp()


async def test_an_unknown_leg_is_over() -> None:
    async with mango_world() as world:
        assert await route(world, "bm9ib2R5") == 4101


async def test_a_leg_is_routed_once() -> None:
    async with mango_world(MangoSwitches(rate_limits=False, route_delay_s=1)) as world:
        world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(0.1)
        (leg,) = world.bridge.legs

        first = await route(world, leg, "206", "cmd-1")
        second = await route(world, leg, "207", "cmd-2")
        await world.idle()

        assert (first, second) == (1000, 4100)
        assert world.bridge.summary["to"]["extension"] == "206"


async def test_a_leg_that_talks_is_not_routed() -> None:
    async with mango_world(MangoSwitches(silence_s=0)) as world:
        world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(15)
        talking = next(
            one["call_id"] for one in world.bridge.events if one["call_state"] == "Connected"
        )

        assert await route(world, talking) == 4100


async def test_a_leg_that_rings_at_somebody_else_is_moved() -> None:
    async with mango_world(MangoSwitches(rate_limits=False)) as world:
        world.bridge.routes_to = "205"
        world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(0.1)
        world.bridge.routes_to = ""
        ringing_leg = world.bridge.legs[1]

        assert await route(world, ringing_leg, "207", "cmd-2") == 1000
        await world.idle()

        assert world.bridge.shape()[2:6] == [
            "L2 abonent Appeared",
            "L2 abonent Disconnected 1182",
            "L3 abonent Appeared",
            "L3 abonent Connected",
        ]
        moved = world.bridge.events[4]
        assert moved["from"]["taken_from_call_id"] == ringing_leg
        assert moved["command_id"] == "cmd-2"


async def test_a_caller_whom_an_employee_gives_away_is_not_moved() -> None:
    async with mango_world(MangoSwitches(silence_s=0)) as world:
        world.start(MangoOutcome.BLIND_TRANSFER)
        await asyncio.sleep(24)

        given = world.bridge.events[-1]
        assert (given["call_state"], given["transfer"]) == ("Appeared", "blind")
        assert await route(world, given["call_id"]) == 4100


async def test_a_caller_in_a_queue_is_moved() -> None:
    async with mango_world(MangoSwitches(silence_s=0)) as world:
        entry = world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(0.1)
        queue = next(one["call_id"] for one in world.bridge.events if one["location"] == "queue")

        assert await route(world, queue) == 1000
        await world.idle()

        call = world.lab.find_call(entry)
        assert call is not None
        assert call.answered_leg is not None
        assert call.answered_leg.callee.extension == "207"
        assert world.bridge.shape()[5:9] == [
            "L3 abonent Disconnected 1182",
            "L4 abonent Disconnected 1182",
            "L2 queue Disconnected 1100",
            "L5 abonent Appeared",
        ]
        assert world.bridge.events[8]["from"]["taken_from_call_id"] == queue


async def test_a_caller_is_routed_to_a_group() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="300")) as world:
        report = await world.call()

        assert report.rung == ("205", "206")
        assert not report.went_to_default
        assert {one.get("command_id") for one in world.bridge.events[2:]} == {"cmd-1"}


@pytest.mark.parametrize("number", ["79160000205", "sip:anna@example.ru"])
async def test_a_caller_is_routed_to_any_number(number: str) -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to=number)) as world:
        report = await world.call()

        assert report.answered_by == number
        assert world.bridge.events[2]["to"]["number"] == number
        assert "extension" not in world.bridge.events[2]["to"]


async def test_a_number_nobody_has_ends_the_call() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="999")) as world:
        await world.call()

        assert world.bridge.shape()[-1] == "L2 abonent Disconnected 1133"


async def test_an_outgoing_leg_is_not_routed() -> None:
    async with mango_world() as world:
        plan = {"kind": MangoKind.OUTGOING, "extension": "205", "number": CALLER}
        world.start(MangoOutcome.ANSWERED, caller="", **plan)
        await asyncio.sleep(0.1)

        assert await route(world, world.bridge.legs[0]) == 4100


async def test_a_leg_of_which_nothing_is_pushed_is_not_known() -> None:
    cabinet = MangoCabinet(hook_url=HOOK, lines=(MangoLine(DID, extension="207"),))
    switches = MangoSwitches(off_schedule=frozenset({"207"}))
    async with mango_world(switches, cabinet=cabinet) as world:
        report = await world.call()

        assert await route(world, report.legs[0]) == 4101


async def test_a_name_for_the_telephone_has_64_bytes() -> None:
    async with mango_world(MangoSwitches(lock=False, rate_limits=False)) as world:
        world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(0.1)
        fields = {"command_id": "c", "call_id": world.bridge.legs[0], "to_number": "207"}

        long = fields | {"sip_headers": {"From/display-name": "Я" * 33}}
        short = fields | {"sip_headers": {"From/display-name": "Я" * 32}}

        assert await world.api.ask("commands/route", long) == {"result": 3104}
        assert await world.api.ask("commands/route", short) == {"result": 1000}


@pytest.mark.parametrize("missing", ["command_id", "call_id", "to_number"])
async def test_a_route_needs_its_parameters(missing: str) -> None:
    fields = {"command_id": "cmd-1", "call_id": "leg-1", "to_number": "205"}
    async with mango_world() as world:
        del fields[missing]

        assert await world.api.ask("commands/route", fields) == {"result": 3103}


async def test_an_identifier_of_more_than_128_bytes_is_refused() -> None:
    async with mango_world() as world:
        fields = {"command_id": "c" * 129, "call_id": "leg-1", "to_number": "205"}

        assert await world.api.ask("commands/route", fields) == {"result": 3104}


async def test_the_bridges_own_legs_are_no_reason_to_route_again() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call(MangoOutcome.BLIND_TRANSFER)

        assert len(world.bridge.replies) == 1


async def test_two_callers_in_one_second_take_two_routes() -> None:
    """Only one route in two seconds is taken: the second has to be sent again."""
    bridge = ReceivingBridge()
    async with mango_world(bridge=bridge) as world:
        world.start(MangoOutcome.ANSWERED)
        world.start(MangoOutcome.ANSWERED, caller="79007654321")
        await asyncio.sleep(0.1)
        first, second = bridge.legs

        codes = [await route(world, first, "205")]
        refused = await world.api.send(
            "commands/route", {"command_id": "c2", "call_id": second, "to_number": "206"}
        )
        await asyncio.sleep(2)
        codes.append(await route(world, second, "206", "cmd-2"))
        await world.idle()

        assert codes == [1000, 1000]
        assert refused.status_code == 429
        assert refused.json() == {
            "name": "Service Unavailable",
            "message": "Rate limit exceeded.",
            "code": 0,
            "status": 429,
        }
        answered = {one["to"]["extension"] for one in bridge.of("events/summary")}
        assert answered == {"205", "206"}
