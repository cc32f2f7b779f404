"""Every trap of docs/facts/mango.md that concerns the caller's silence and the route."""

import asyncio

import pytest

from bridge.lab.mango import (
    MangoOutcome,
    MangoSwitches,
    ResultPush,
)
from tests.lab.mango.test_switches import ROUTE, routing
from tests.support.mango_lab import (
    MangoWorld,
    ReceivingBridge,
    mango_world,
)

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- the silence and the route
@pytest.mark.parametrize(("silence_s", "is_routed"), [(2, False), (4, True)])
async def test_the_silence_is_the_window_of_a_route(silence_s: float, is_routed: bool) -> None:
    bridge = ReceivingBridge(routes_to="207", thinks_s=3)
    async with mango_world(MangoSwitches(silence_s=silence_s), bridge=bridge) as world:
        report = await world.call()
        await world.idle()

        assert report.went_to_default != is_routed
        assert bridge.replies == [{"result": 1000 if is_routed else 4101}]


@pytest.mark.parametrize("pace", [0, 1])
async def test_a_route_may_take_its_time(pace: float) -> None:
    async with mango_world(MangoSwitches(route_delay_s=29), bridge=routing(), pace=pace) as world:
        report = await world.call()

        assert report.answered_by == "205"
        assert world.bridge.received[1].at == 29


async def test_a_caller_may_leave_before_his_route_takes_effect() -> None:
    async with mango_world(MangoSwitches(route_delay_s=29), bridge=routing()) as world:
        entry = world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(10)

        assert world.lab.leave(entry)
        await world.idle()

        assert world.bridge.shape() == ["L1 ivr Appeared", "L1 ivr Disconnected 1110"]


async def routed_paths(world: MangoWorld) -> list[str]:
    """What came after the route was sent: paths, and states of events."""
    await world.call()
    await world.idle()
    return [
        one.path if one.path.startswith("result/") else str(one.fields.get("call_state"))
        for one in world.bridge.received
        if one.path in {"events/call", "result/route"}
    ]


APPEARED = ["Appeared", "Disconnected"]


REST = ["Connected", "Disconnected"]


@pytest.mark.parametrize(
    ("moment", "came"),
    [
        (ResultPush.AS_SEEN, [*APPEARED, "Appeared", "result/route", *REST]),
        (ResultPush.AFTER_LEG, [*APPEARED, "Appeared", "result/route", *REST]),
        (ResultPush.BEFORE_LEG, [*APPEARED, "result/route", "Appeared", *REST]),
        (ResultPush.NEVER, [*APPEARED, "Appeared", *REST]),
    ],
)
async def test_the_result_of_a_route_has_its_moment(moment: ResultPush, came: list[str]) -> None:
    async with mango_world(MangoSwitches(result_push=moment), bridge=routing()) as world:
        assert await routed_paths(world) == came


async def test_the_result_may_overtake_the_reply() -> None:
    switches = MangoSwitches(result_push=ResultPush.BEFORE_REPLY)
    async with mango_world(switches, bridge=routing()) as world:
        await world.call(MangoOutcome.LEFT_IN_MENU)
        seen_by_reply: list[int] = []

        reply = await world.callback()
        seen_by_reply.append(len(world.bridge.of("result/callback")))
        await world.idle()

        assert reply.json() == {"result": 1000}
        assert seen_by_reply == [1]
        assert len(world.bridge.of("result/callback")) == 1
        assert len(world.bridge.of("result/route")) == 1


@pytest.mark.parametrize(
    ("moment", "first"),
    [
        (ResultPush.BEFORE_LEG, "result/callback"),
        (ResultPush.AFTER_LEG, "events/call"),
        (ResultPush.NEVER, "events/call"),
    ],
)
async def test_the_result_of_a_callback_has_its_moment(moment: ResultPush, first: str) -> None:
    async with mango_world(MangoSwitches(result_push=moment)) as world:
        await world.callback()
        await world.idle()

        assert world.bridge.received[0].path == first
        assert len(world.bridge.of("result/callback")) == (moment is not ResultPush.NEVER)


async def test_a_refused_command_may_never_have_its_result() -> None:
    async with mango_world(MangoSwitches(result_push=ResultPush.NEVER)) as world:
        await world.api.ask("commands/route", ROUTE)
        await world.idle()

        assert world.bridge.received == []
