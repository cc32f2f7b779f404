"""Whoever runs the experiment places calls, answers, hangs up, and reads what happened."""

import asyncio

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from bridge.lab.mango import MangoSwitches, PushOrder
from tests.support.mango_lab import CALLER, DID, Fields, MangoWorld, ReceivingBridge, mango_world

pytestmark = pytest.mark.anyio


async def post(world: MangoWorld, path: str, fields: object) -> Fields:
    answer: Fields = (await world.control.post(f"/_lab/{path}", json=fields)).json()
    return answer


async def test_a_call_is_placed_and_reported() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="207")) as world:
        report = await post(world, "call", {"caller": CALLER, "did": DID, "talk_s": 5})

        assert report["is_over"]
        assert (report["rang_first"], report["answered_by"]) == ("207", "207")
        assert report["routed_by"] == ["cmd-1"]
        assert report["problems"] == []
        assert {one["status"] for one in report["pushes"]} == {200}
        assert len(report["legs"]) == 2


async def test_a_report_need_not_be_waited_for() -> None:
    async with mango_world() as world:
        reply = await world.control.post("/_lab/call?wait=0", json={"caller": CALLER})

        assert not reply.json()["is_over"]
        assert asyncio.get_running_loop().time() == 0
        await world.idle()
        (report,) = (await world.control.get("/_lab/calls")).json()
        assert report["is_over"]


async def test_a_call_by_hand_is_answered_and_hung_up() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="207"), pace=0) as world:
        call = {"caller": CALLER, "outcome": "manual", "ring_s": 60, "talk_s": 3600}
        entry = (await post(world, "call", call))["entry_id"]
        await asyncio.sleep(10)

        answered = await post(world, "answer", {"entry_id": entry})
        await asyncio.sleep(20)
        left = await post(world, "hangup", {"entry_id": entry, "by": "caller"})
        await world.idle()

        assert answered == left == {"done": True}
        summary = world.bridge.summary
        assert summary["disconnect_reason"] == 1110
        assert summary["end_time"] - summary["talk_time"] == 20


async def test_one_of_a_group_is_chosen_by_hand() -> None:
    async with mango_world(MangoSwitches(silence_s=0)) as world:
        call = {"caller": CALLER, "outcome": "manual"}
        entry = (await post(world, "call", call))["entry_id"]
        await asyncio.sleep(1)

        await post(world, "answer", {"entry_id": entry, "extension": "206"})
        await world.idle()

        assert world.bridge.summary["to"]["extension"] == "206"


async def test_a_call_by_hand_that_nobody_answers_is_missed() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="207"), pace=0) as world:
        await post(world, "call", {"caller": CALLER, "outcome": "manual", "ring_s": 30})
        await world.idle()

        assert world.bridge.shape()[-1] == "L2 abonent Disconnected 1111"


@pytest.mark.parametrize("path", ["answer", "hangup"])
async def test_what_does_not_ring_is_not_answered(path: str) -> None:
    async with mango_world() as world:
        await post(world, "call", {"caller": CALLER})
        (over,) = world.lab.calls

        for entry in ("nobody", over.entry_id):
            assert await post(world, path, {"entry_id": entry}) == {"done": False}


async def test_a_call_in_the_menu_does_not_ring_yet() -> None:
    async with mango_world() as world:
        entry = (await post(world, "call", {"outcome": "manual"}))["entry_id"]
        await asyncio.sleep(1)

        assert await post(world, "answer", {"entry_id": entry}) == {"done": False}


async def test_a_call_may_have_switches_of_its_own() -> None:
    async with mango_world() as world:
        await post(world, "call", {"caller": CALLER, "switches": {"numbers": "text"}})

        assert world.bridge.events[0]["seq"] == "1"
        assert world.lab.switches == MangoSwitches()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call", {"colour": "red"}),
        ("call", {"outcome": "married"}),
        ("call", {"switches": {"colour": "red"}}),
        ("call", []),
        ("answer", {}),
        ("answer", {"entry_id": 1}),
        ("hangup", {"entry": "1"}),
        ("ping", {"sign": True}),
        ("push", {"path": "events/sms"}),
        ("switches", {"colour": "red"}),
        ("switches", {"push_order": "sideways"}),
    ],
)
async def test_what_does_not_fit_is_refused_with_a_message(path: str, body: object) -> None:
    async with mango_world() as world:
        reply = await world.control.post(f"/_lab/{path}", json=body)

        assert reply.status_code == 422
        assert reply.json()["error"]


async def test_switches_are_changed_and_shown() -> None:
    async with mango_world() as world:
        changed = await post(world, "switches", {"push_order": "reversed", "offline": ["205"]})
        shown = (await world.control.get("/_lab/switches")).json()

        assert changed == shown
        assert msgspec.convert(shown, MangoSwitches) == MangoSwitches(
            push_order=PushOrder.REVERSED, offline=frozenset({"205"})
        )
        assert world.lab.switches.push_order is PushOrder.REVERSED


async def test_orders_requests_and_pushes_are_remembered() -> None:
    async with mango_world() as world:
        await world.callback("cmd-7")
        await world.idle()

        (order,) = (await world.control.get("/_lab/orders")).json()
        (request,) = (await world.control.get("/_lab/requests")).json()
        pushes = (await world.control.get("/_lab/pushes")).json()

        assert (order["command_id"], order["kind"], order["is_over"]) == ("cmd-7", "callback", True)
        assert (request["path"], request["status"], request["code"]) == (
            "commands/callback",
            200,
            1000,
        )
        assert '"cmd-7"' in request["json_text"]
        assert len(pushes) == len(world.bridge.received)


@pytest.mark.parametrize(
    ("body", "empty"), [({}, 0), ({"signed": True}, 0), ({"signed": False}, 1)]
)
async def test_the_connection_is_checked_by_a_ping(body: Fields, empty: int) -> None:
    async with mango_world() as world:
        push = await post(world, "ping", body)

        assert (push["path"], push["status"], push["problem"]) == ("ping", 200, "")
        assert world.bridge.empty == empty
        assert [one.fields for one in world.bridge.received] == [{}] * (1 - empty)


async def test_anything_may_be_pushed_signed() -> None:
    async with mango_world() as world:
        body = {"path": "events/sms", "fields": {"command_id": "cmd-1", "reason": 1000}}
        push = await post(world, "push", body)

        assert (push["path"], push["status"]) == ("events/sms", 200)
        assert world.bridge.of("events/sms") == [{"command_id": "cmd-1", "reason": 1000}]


async def test_the_control_explains_itself() -> None:
    async with mango_world() as world:
        text = (await world.control.get("/_lab/")).text

        assert "POST /_lab/switches" in text


async def test_a_bridge_that_is_away_is_a_problem_of_the_report() -> None:
    class DeadBridge(ReceivingBridge):
        async def take(self, request: Request) -> Response:
            await asyncio.sleep(3600)
            return await super().take(request)

    async with mango_world(bridge=DeadBridge(), pace=0) as world:
        report = await post(world, "call", {"caller": CALLER})

        assert set(report["problems"]) == {
            f"{path}: no answer within 10 s"
            for path in ("events/call", "events/recording", "events/record/added", "events/summary")
        }
