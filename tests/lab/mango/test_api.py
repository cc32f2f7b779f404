"""The lab's API answers as docs/facts/mango.md says, and refuses who may not ask."""

import asyncio

import pytest

from bridge.lab.mango import (
    MangoCabinet,
    MangoConnectionLost,
    MangoEmployee,
    MangoOutcome,
    MangoSwitches,
)
from bridge.lab.mango.switches import CommandReply
from tests.support.mango_lab import (
    DID,
    HOOK,
    KEY,
    SALT,
    Fields,
    ReceivingBridge,
    mango_world,
    signed,
)

pytestmark = pytest.mark.anyio


ROUTE = {"command_id": "cmd-1", "call_id": "leg-1", "to_number": "205"}


UNLIMITED = MangoSwitches(rate_limits=False, lock=False)


# ---------------------------------------------------------------- who may ask
async def test_a_wrong_signature_has_no_effect() -> None:
    async with mango_world() as world:
        entry = world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(0.1)
        fields = ROUTE | {"call_id": world.bridge.legs[0], "to_number": "207"}

        reply = await world.api.send("commands/route", fields, sign="0" * 64)
        await world.idle()

        call = world.lab.find_call(entry)
        assert reply.json() == {"result": 3102}
        assert call is not None
        assert call.went_to_default


async def test_a_signature_over_another_spelling_of_the_json_is_wrong() -> None:
    async with mango_world() as world:
        reply = await world.api.send("commands/route", '{ "a": 1}', sign=signed(KEY, "{}", SALT))

        assert reply.json() == {"result": 3102}


async def test_an_unknown_key_is_refused_though_signed() -> None:
    async with mango_world() as world:
        sign = signed("another", "{}", SALT)

        reply = await world.api.send("incominglines", "{}", key="another", sign=sign)

        assert reply.json() == {"result": 3105}


@pytest.mark.parametrize(
    ("body", "code"),
    [("", 3103), ("json=%7B%7D", 3103), ("vpbx_api_key=&sign=&json=", 3105)],
)
async def test_a_form_without_its_fields_is_refused(body: str, code: int) -> None:
    async with mango_world() as world:
        reply = await world.control.post("/vpbx/incominglines", content=body)

        assert reply.json() == {"result": code}


@pytest.mark.parametrize("text", ["", "{", "1", '"text"', "null", '["a"]'])
async def test_what_is_no_json_object_is_refused(text: str) -> None:
    async with mango_world() as world:
        assert await world.api.ask("incominglines", text) == {"result": 3400}


async def test_an_empty_array_is_phps_empty_object() -> None:
    async with mango_world() as world:
        assert (await world.api.ask("incominglines", "[]"))["result"] == 1000


async def test_only_post_is_served() -> None:
    async with mango_world() as world:
        assert (await world.control.get("/vpbx/incominglines")).json() == {"result": 3101}


async def test_an_address_may_end_with_a_slash() -> None:
    async with mango_world() as world:
        assert (await world.api.ask("incominglines/", "{}"))["result"] == 1000


async def test_an_unknown_address_is_not_found() -> None:
    async with mango_world() as world:
        assert (await world.api.send("no/such/thing", "{}")).status_code == 404


@pytest.mark.parametrize(
    ("path", "code"),
    [("commands/transfer", 4001), ("stats/request", 4001), ("forwarding/number/add", 5225)],
)
async def test_what_the_cabinet_does_not_serve_has_its_code(path: str, code: int) -> None:
    async with mango_world() as world:
        assert await world.api.ask(path, "{}") == {"result": code}


# ---------------------------------------------------------------- the lock and the rates
async def test_the_second_wrong_request_locks_until_two_minutes_after_the_first() -> None:
    async with mango_world() as world:
        first = await world.api.send("incominglines", "{}", sign="0")
        await asyncio.sleep(60)
        between = await world.api.send("incominglines", "{}")
        second = await world.api.send("incominglines", "{}", sign="0")
        right = await world.api.send("incominglines", "{}")
        await asyncio.sleep(59)
        still = await world.api.send("incominglines", "{}")
        await asyncio.sleep(1)
        after = await world.api.send("incominglines", "{}")

        statuses = [one.status_code for one in (first, between, second, right, still, after)]
        assert statuses == [200, 200, 401, 401, 401, 200]
        assert first.json() == {"result": 3102}
        assert after.json()["result"] == 1000


async def test_one_wrong_request_in_two_minutes_is_allowed() -> None:
    async with mango_world() as world:
        codes = []
        for _ in range(3):
            reply = await world.api.send("incominglines", "{}", sign="0")
            codes.append(reply.json()["result"])
            await asyncio.sleep(120)

        assert codes == [3102, 3102, 3102]


async def test_a_lock_is_of_one_key() -> None:
    async with mango_world() as world:
        for _ in range(3):
            await world.api.send("incominglines", "{}", key="another")

        assert (await world.api.ask("incominglines", "{}"))["result"] == 1000


async def test_a_command_that_comes_too_late_is_no_wrong_request() -> None:
    async with mango_world(MangoSwitches(rate_limits=False)) as world:
        replies = [await world.api.ask("commands/route", ROUTE) for _ in range(4)]

        assert replies == [{"result": 4101}] * 4


@pytest.mark.parametrize(
    ("path", "most", "seconds"),
    [
        ("commands/route", 1, 2),
        ("commands/transfer", 1, 2),
        ("config/users/request", 1, 2),
        ("stats/calls/request/", 1, 2),
        ("commands/callback", 4, 1),
        ("commands/call/hangup", 4, 1),
        ("incominglines", 10, 1),
        ("stats/calls/result/", 10, 1),
        ("queries/recording/post", 10, 1),
    ],
)
async def test_a_path_has_its_rate(path: str, most: int, seconds: float) -> None:
    async with mango_world(MangoSwitches(lock=False)) as world:
        statuses = [(await world.api.send(path, "{}")).status_code for _ in range(most + 1)]
        await asyncio.sleep(seconds - 0.01)
        before = (await world.api.send(path, "{}")).status_code
        await asyncio.sleep(0.01)
        after = (await world.api.send(path, "{}")).status_code

        assert statuses == [200] * most + [429]
        assert (before, after) == (429, 200)


async def test_all_paths_together_have_ten_a_second() -> None:
    paths = ["commands/callback"] * 4 + ["commands/call/hangup"] * 4 + ["incominglines"] * 3
    async with mango_world(MangoSwitches(lock=False)) as world:
        statuses = [(await world.api.send(path, "{}")).status_code for path in paths]

        assert statuses == [200] * 10 + [429]


# ---------------------------------------------------------------- commands
async def test_a_callback_sent_twice_rings_twice() -> None:
    async with mango_world() as world:
        await world.callback("cmd-1")
        await world.callback("cmd-1")
        await world.idle()

        entries = {one["entry_id"] for one in world.bridge.events}
        assert len(entries) == 2
        assert {one["command_id"] for one in world.bridge.events} == {"cmd-1"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"from": {}}, 3103),
        ({"from": None}, 3103),
        ({"from": "205"}, 3104),
        ({"from": {"extension": ["205"]}}, 3104),
        ({"to_number": ""}, 3103),
        ({"to_number": "\ud800"}, 3104),
        ({"command_id": True}, 3104),
        ({"from": {"extension": "999"}}, 1133),
        ({"from": {"extension": 205}}, 1000),
        ({"to_number": 79001234567}, 1000),
    ],
)
async def test_a_callback_needs_an_employee_and_a_number(fields: Fields, code: int) -> None:
    async with mango_world() as world:
        reply = await world.callback(**fields)
        await world.idle()

        assert reply.json() == {"result": code}
        assert bool(world.bridge.events) == (code == 1000)


async def test_a_sip_line_is_chosen_by_its_name() -> None:
    async with mango_world() as world:
        await world.callback(line_number="line-0001")
        await world.idle()

        assert world.bridge.summary["line_number"].startswith("sip:line-0001@")


async def test_a_call_in_the_menu_is_hung_up() -> None:
    async with mango_world() as world:
        world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(0.1)
        fields = {"command_id": "cmd-9", "call_id": world.bridge.legs[0]}

        reply = await world.api.ask("commands/call/hangup", fields)
        await world.idle()

        assert reply == {"result": 1000}
        assert world.bridge.shape() == ["L1 ivr Appeared", "L1 ivr Disconnected 1181"]
        assert world.bridge.of("result/call/hangup") == [{"command_id": "cmd-9", "result": 1000}]
        again = await world.api.ask("commands/call/hangup", fields)
        assert again == {"result": 4101}


@pytest.mark.parametrize("after_s", [0.5, 14, 25])
async def test_a_leg_of_an_employee_is_hung_up(after_s: float) -> None:
    bridge = ReceivingBridge(routes_to="205")
    async with mango_world(bridge=bridge) as world:
        world.start(MangoOutcome.CONSULTED_TRANSFER)
        await asyncio.sleep(after_s)
        fields = {"command_id": "cmd-9", "call_id": bridge.legs[-1]}

        reply = await world.api.ask("commands/call/hangup", fields)
        await asyncio.sleep(0.1)

        assert reply == {"result": 1000}
        assert bridge.shape()[-1].endswith("Disconnected 1181")
        assert len(bridge.of("events/summary")) == 1


async def test_a_leg_in_a_queue_is_not_hung_up() -> None:
    async with mango_world(MangoSwitches(silence_s=0)) as world:
        world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(0.1)
        queue = next(one["call_id"] for one in world.bridge.events if one["location"] == "queue")

        reply = await world.api.ask("commands/call/hangup", {"command_id": "c", "call_id": queue})

        assert reply == {"result": 4100}


async def test_a_lost_reply_rings_all_the_same() -> None:
    async with mango_world(MangoSwitches(reply=CommandReply.LOST, reply_delay_s=30)) as world:
        with pytest.raises(MangoConnectionLost):
            await world.callback()
        await world.idle()

        assert {one["command_id"] for one in world.bridge.events} == {"cmd-1"}
        requests = (await world.control.get("/_lab/requests")).json()
        assert (requests[0]["path"], requests[0]["status"]) == ("commands/callback", 0)


# ---------------------------------------------------------------- people and lines
async def test_employees_are_listed_with_what_was_asked_for() -> None:
    async with mango_world() as world:
        users = (await world.api.ask("config/users/request", "{}"))["users"]
        await asyncio.sleep(2)
        query = {"ext_fields": ["general.user_id", "groups"], "extension": "205"}
        (anna,) = (await world.api.ask("config/users/request", query))["users"]

        assert [one["telephony"]["extension"] for one in users] == ["205", "206", "207"]
        assert "user_id" not in users[0]["general"]
        assert "groups" not in users[0]
        assert anna["general"]["user_id"] == 100205
        assert anna["groups"] == [200300]


async def test_the_types_of_numbers_wobble() -> None:
    async with mango_world() as world:
        users = (await world.api.ask("config/users/request", "{}"))["users"]

        numbers = [one["telephony"]["numbers"][0] for one in users]
        assert [type(one["order"]) for one in numbers] == [int, str, int]
        assert [one["telephony"]["outgoingline"] for one in users] == [DID, None, DID]


async def test_an_employee_without_an_extension_has_no_telephones() -> None:
    cabinet = MangoCabinet(hook_url=HOOK, employees=(MangoEmployee("", "Без номера"),))
    async with mango_world(cabinet=cabinet) as world:
        (user,) = (await world.api.ask("config/users/request", "{}"))["users"]

        assert user["telephony"] == {"extension": "", "outgoingline": DID, "numbers": []}


async def test_lines_groups_and_schemes_are_listed() -> None:
    async with mango_world() as world:
        lines = await world.api.ask("incominglines", "{}")
        groups = await world.api.ask("groups", "{}")
        schemes = await world.api.ask("schemas", "{}")

        assert [(one["number"], one["name"]) for one in lines["lines"]] == [
            (DID, "Основная"),
            ("74950000002", None),
        ]
        assert groups["groups"] == [{"id": 200300, "name": "Продажи", "extension": "300"}]
        assert schemes["schemas"][0]["schema_id"] == lines["lines"][0]["schema_id"]
