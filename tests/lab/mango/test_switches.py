"""Every trap of docs/facts/mango.md, 'What the simulator must do', as a receiver sees it."""

import asyncio
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bridge.lab.mango import (
    JsonStyle,
    LocationStyle,
    MangoKind,
    MangoOutcome,
    MangoSwitches,
    NumberStyle,
    PushOrder,
    PushSignature,
    ResultPush,
    change_switches,
    read_mango_switches,
)
from tests.support.mango_lab import (
    CALLER,
    DID,
    NOW,
    Fields,
    ReceivedPush,
    ReceivingBridge,
    mango_world,
)

pytestmark = pytest.mark.anyio


ROUTE = {"command_id": "cmd-1", "call_id": "leg-1", "to_number": "205"}


def routing() -> ReceivingBridge:
    return ReceivingBridge(routes_to="205")


def by_leg_and_seq(events: list[Fields]) -> dict[str, list[str]]:
    """The states of each leg in the order of `seq`, the only order there is."""
    legs: dict[str, list[tuple[int, str]]] = {}
    for one in events:
        legs.setdefault(one["call_id"], []).append((int(one["seq"]), one["call_state"]))
    return {leg: [state for _, state in sorted(states)] for leg, states in legs.items()}


def test_every_switch_has_its_test() -> None:
    written = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))

    untested = [
        one.name for one in dataclass_fields(MangoSwitches) if f"{one.name}=" not in written
    ]

    assert untested == []


# ---------------------------------------------------------------- the order of pushes
@pytest.mark.parametrize("order", PushOrder)
async def test_whatever_the_order_the_sequence_numbers_are_the_same(order: PushOrder) -> None:
    async with mango_world(MangoSwitches(push_order=order), bridge=routing()) as world:
        report = await world.call()

        assert report.answered_by == "205"
        assert sorted(by_leg_and_seq(world.bridge.events).values()) == [
            ["Appeared", "Connected", "Disconnected"],
            ["Appeared", "Disconnected"],
        ]


async def test_reversed_pushes_come_last_first() -> None:
    switches = MangoSwitches(push_order=PushOrder.REVERSED, shuffle_window_s=600, silence_s=0)
    async with mango_world(switches, pace=0) as world:
        await world.call()

        first = world.bridge.received[0]
        assert first.path == "events/record/added"
        assert world.bridge.events[-1]["call_state"] == "Appeared"
        assert world.bridge.events[-1]["location"] == "ivr"
        assert first.at == 600


async def test_shuffled_pushes_come_in_disorder_and_none_is_lost() -> None:
    switches = MangoSwitches(push_order=PushOrder.SHUFFLED, shuffle_window_s=1, silence_s=0)
    async with mango_world(switches, pace=0) as world, mango_world(pace=0) as plain:
        await world.call()
        await plain.call()

        assert sorted(one.path for one in world.bridge.received) == sorted(
            one.path for one in plain.bridge.received
        )
        assert world.bridge.shape() != plain.bridge.shape()


@pytest.mark.parametrize(
    ("order", "at_once"), [(PushOrder.PARALLEL, True), (PushOrder.ONE_BY_ONE, False)]
)
async def test_pushes_wait_for_one_another_only_where_they_are_sent_one_by_one(
    order: PushOrder, at_once: bool
) -> None:
    class SlowBridge(ReceivingBridge):
        async def take(self, request: Request) -> Response:
            await asyncio.sleep(1)
            return await super().take(request)

    switches = MangoSwitches(push_order=order, silence_s=0)
    async with mango_world(switches, bridge=SlowBridge(), pace=0) as world:
        await world.call()

        times = {one.at for one in world.bridge.received}
        assert (len(times) == 1) == at_once


# ---------------------------------------------------------------- who signs, and how it is written
@pytest.mark.parametrize(
    "signature", [PushSignature.WRONG, PushSignature.FOREIGN_KEY, PushSignature.REWRITTEN]
)
async def test_a_push_that_is_not_signed_right_is_to_be_refused(signature: PushSignature) -> None:
    async with mango_world(MangoSwitches(push_signature=signature), bridge=routing()) as world:
        report = await world.call()

        assert world.bridge.received == []
        assert world.bridge.refused
        assert report.problems[0] == "events/call: status 401"
        assert report.went_to_default


@pytest.mark.parametrize(
    ("style", "sample"),
    [
        (JsonStyle.COMPACT, '"call_direction":1,"from":{"number"'),
        (JsonStyle.SPACED, '"call_direction": 1, "from": {"number"'),
    ],
)
async def test_the_text_of_a_push_has_its_style(style: JsonStyle, sample: str) -> None:
    async with mango_world(MangoSwitches(json_style=style)) as world:
        await world.call()

        assert any(sample in one.json_text for one in world.bridge.received)


async def test_an_escaped_text_has_no_letter_beyond_ascii() -> None:
    switches = MangoSwitches(json_style=JsonStyle.ESCAPED, cyrillic_initiator=True)
    async with mango_world(switches) as world:
        await world.call(kind=MangoKind.CALLBACK, extension="205", number=CALLER, initiator="CC")

        assert all(one.json_text.isascii() for one in world.bridge.received)
        assert r"\u0421\u0421" in world.bridge.received[0].json_text


@pytest.mark.parametrize(
    ("switches", "path"),
    [
        (MangoSwitches(), "events/call"),
        (MangoSwitches(vpbx_paths=True), "vpbx/events/call"),
        (MangoSwitches(slash_at_end=True), "events/call/"),
        (MangoSwitches(vpbx_paths=True, slash_at_end=True), "vpbx/events/call/"),
    ],
)
async def test_the_address_of_a_push_has_its_spelling(switches: MangoSwitches, path: str) -> None:
    async with mango_world(switches) as world:
        await world.call()

        assert world.bridge.received[0].path == path


# ---------------------------------------------------------------- pushes that fail or never leave
async def test_a_refused_push_is_not_repeated() -> None:
    async with mango_world(bridge=ReceivingBridge(status=500)) as world:
        report = await world.call()

        assert {one.attempts for one in report.pushes} == {1}
        assert {one.problem for one in report.pushes} == {"status 500"}


async def test_a_refused_push_is_repeated_where_the_switch_says() -> None:
    bridge = ReceivingBridge(status=503)
    async with mango_world(MangoSwitches(repeats=3, repeat_after_s=2), bridge=bridge) as world:
        world.start(MangoOutcome.ANSWERED)
        await asyncio.sleep(3)
        bridge.status = 200
        await world.idle()

        assert bridge.received[0].at == 4
        assert bridge.events[0]["call_state"] == "Appeared"
        assert world.lab.sender.log[0].attempts == 3


@pytest.mark.parametrize("lost", ["events/summary", "Disconnected", "Appeared"])
async def test_a_lost_push_never_comes(lost: str) -> None:
    async with mango_world(MangoSwitches(lost_pushes=frozenset({lost}))) as world:
        report = await world.call()

        states = {one["call_state"] for one in world.bridge.events}
        assert lost not in states | {one.path for one in world.bridge.received}
        assert report.problems


# ---------------------------------------------------------------- what stands in them
async def test_a_leg_may_appear_once_in_a_blind_transfer() -> None:
    async with mango_world(MangoSwitches(appeared_twice=False), bridge=routing()) as world:
        await world.call(MangoOutcome.BLIND_TRANSFER)

        last = by_leg_and_seq(world.bridge.events)[world.bridge.legs[-1]]
        assert last == ["Appeared", "Connected", "Disconnected"]


async def test_a_leg_may_connect_once_in_a_consultation() -> None:
    async with mango_world(MangoSwitches(connected_twice=False), bridge=routing()) as world:
        await world.call(MangoOutcome.CONSULTED_TRANSFER)

        last = by_leg_and_seq(world.bridge.events)[world.bridge.legs[-1]]
        assert last == ["Appeared", "Connected", "Disconnected"]


async def test_every_line_may_be_a_sip_address() -> None:
    async with mango_world(MangoSwitches(sip_lines=True)) as world:
        await world.call()

        address = f"sip:{DID}@vpbx400012345.mangosip.ru"
        assert {one["to"]["line_number"] for one in world.bridge.events} == {address}
        assert world.bridge.summary["line_number"] == address


async def test_a_connected_event_may_lack_its_line() -> None:
    async with mango_world(MangoSwitches(connected_without_line=True)) as world:
        await world.call()

        without = [
            one["call_state"] for one in world.bridge.events if "line_number" not in one["to"]
        ]
        assert without == ["Connected"]


async def test_a_group_may_have_no_number() -> None:
    async with mango_world(MangoSwitches(groups_without_number=True)) as world:
        await world.call(MangoOutcome.NO_ANSWER)

        assert {one["to"].get("acd_group") for one in world.bridge.events[2:]} == {""}
        assert world.bridge.summary["to"] == {}


async def test_a_hidden_caller_has_no_number_anywhere() -> None:
    async with mango_world(MangoSwitches(hidden_callers=True), bridge=routing()) as world:
        report = await world.call(dtmf="1")

        assert report.answered_by == "205"
        assert not [one.path for one in world.bridge.received if CALLER in one.json_text]


async def test_the_summary_of_a_call_lost_in_the_menu_may_contradict_itself() -> None:
    async with mango_world(MangoSwitches(menu_end_contradicts=True)) as world:
        await world.call(MangoOutcome.LEFT_IN_MENU)

        summary = world.bridge.summary
        assert (summary["to"], summary["entry_result"], summary["talk_time"]) == ({}, 1, 0)
        assert summary["forward_time"] > 0


async def test_a_missed_call_does_not_contradict_itself() -> None:
    async with mango_world(MangoSwitches(menu_end_contradicts=True), bridge=routing()) as world:
        await world.call(MangoOutcome.NO_ANSWER)

        assert world.bridge.summary["entry_result"] == 0
        assert world.bridge.summary["forward_time"] == 0


@pytest.mark.parametrize(
    ("initiator", "written"),
    [
        ("CC", "\u0421\u0421"),
        ("MissGroupCallCallback", "MissGroup\u0421allCallback"),
        ("API", "API"),
    ],
)
async def test_initiators_are_written_with_cyrillic_letters(initiator: str, written: str) -> None:
    async with mango_world(MangoSwitches(cyrillic_initiator=True)) as world:
        await world.call(
            kind=MangoKind.CALLBACK, extension="205", number=CALLER, initiator=initiator
        )

        assert world.bridge.events[0]["callback_initiator"] == written


async def test_numbers_may_come_as_texts() -> None:
    async with mango_world(MangoSwitches(numbers=NumberStyle.TEXT), bridge=routing()) as world:
        await world.call()

        flat = [value for one in world.bridge.received for value in one.fields.values()]
        flat += [one["dct"]["type"] for one in world.bridge.events]
        assert not [value for value in flat if isinstance(value, int)]
        assert world.bridge.of("result/route")[0]["result"] == "1000"


async def test_numbers_may_wobble_within_one_call() -> None:
    switches = MangoSwitches(numbers=NumberStyle.WOBBLING)
    async with mango_world(switches, bridge=routing()) as world:
        await world.call()

        employee = world.bridge.events[2:]
        assert [one["seq"] for one in employee] == ["1", 2, "3"]
        assert [one["to"]["extension"] for one in employee] == [205, "205", 205]
        assert employee[2]["disconnect_reason"] == "1120"


@pytest.mark.parametrize(
    ("style", "name"),
    [
        (LocationStyle.DOCUMENTED, "location"),
        (LocationStyle.MISSPELT, "locaton"),
        (LocationStyle.MISSING, None),
    ],
)
async def test_the_location_may_be_misspelt_or_missing(
    style: LocationStyle, name: str | None
) -> None:
    async with mango_world(MangoSwitches(location=style)) as world:
        await world.call()

        names = {key for one in world.bridge.events for key in one if key.startswith("locat")}
        assert names == ({name} if name else set())


async def test_times_may_be_shifted_by_three_hours() -> None:
    async with mango_world(MangoSwitches(timestamp_shift_s=10_800)) as world:
        await world.call()

        first, summary = world.bridge.events[0], world.bridge.summary
        assert first["timestamp"] == summary["create_time"] == int(NOW) + 10_800
        assert summary["end_time"] - summary["talk_time"] == 60
        assert summary["talk_time"] - summary["create_time"] == 17


async def test_a_missed_call_has_no_shifted_nothing() -> None:
    async with mango_world(MangoSwitches(timestamp_shift_s=10_800)) as world:
        await world.call(MangoOutcome.NO_ANSWER)

        assert world.bridge.summary["talk_time"] == world.bridge.summary["forward_time"] == 0


async def test_pushes_may_carry_unknown_fields_and_the_id_of_sip() -> None:
    async with mango_world(MangoSwitches(unknown_fields=True, sip_call_id=True)) as world:
        await world.call()

        assert all("future_field" in one.fields for one in world.bridge.received)
        assert len({one["sip_call_id"] for one in world.bridge.events}) == 1


# ---------------------------------------------------------------- reading and changing them
def test_switches_are_read_from_a_file() -> None:
    switches = read_mango_switches(b'{"numbers": "text", "offline": ["205"], "silence_s": 3}')

    assert switches == MangoSwitches(
        numbers=NumberStyle.TEXT, offline=frozenset({"205"}), silence_s=3
    )


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b'{"number": "text"}', b'{"numbers": "roman"}', b'{"lock": "yes"}']
)
def test_what_is_no_switch_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_mango_switches(raw)


def test_other_switches_stay_as_they_are() -> None:
    standing = MangoSwitches(offline=frozenset({"205"}), forced_results={"route": 4100})

    changed = change_switches(standing, {"silence_s": 1})

    assert changed == MangoSwitches(
        offline=frozenset({"205"}), forced_results={"route": 4100}, silence_s=1
    )


# ---------------------------------------------------------------- all of them at once
@pytest.mark.parametrize("order", PushOrder)
async def test_a_cabinet_as_mean_as_it_gets_still_routes(order: PushOrder) -> None:
    mean = MangoSwitches(
        push_order=order,
        shuffle_window_s=0.2,
        json_style=JsonStyle.ESCAPED,
        vpbx_paths=True,
        slash_at_end=True,
        sip_lines=True,
        connected_without_line=True,
        hidden_callers=True,
        cyrillic_initiator=True,
        numbers=NumberStyle.WOBBLING,
        timestamp_shift_s=10_800,
        unknown_fields=True,
        result_push=ResultPush.BEFORE_REPLY,
        result_as_text=True,
        error_status=500,
    )

    class TolerantBridge(ReceivingBridge):
        def is_to_be_routed(self, push: ReceivedPush) -> bool:
            return "events/call" in push.path and super().is_to_be_routed(
                replace(push, path="events/call")
            )

    async with mango_world(mean, bridge=TolerantBridge(routes_to="207")) as world:
        report = await world.call(MangoOutcome.CONSULTED_TRANSFER)

        assert (report.rang_first, report.answered_by) == ("207", "207")
        assert world.bridge.replies == [{"result": "1000"}]
        events = [one.fields for one in world.bridge.received if "events/call" in one.path]
        assert sorted(by_leg_and_seq(events).values()) == [
            ["Appeared", "Connected", "Connected", "Disconnected"],
            ["Appeared", "Connected", "OnHold", "Disconnected"],
            ["Appeared", "Disconnected"],
        ]
