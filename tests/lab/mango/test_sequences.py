"""Each kind of call leaves the pushes that docs/facts/mango.md, 'Sequences', describes."""

import pytest

from bridge.lab.mango import MangoCabinet, MangoKind, MangoLine, MangoOutcome, MangoSwitches
from tests.support.mango_lab import (
    CALLER,
    DID,
    HOOK,
    NOW,
    SIP_DID,
    ReceivingBridge,
    mango_world,
)

pytestmark = pytest.mark.anyio

MENU = ["L1 ivr Appeared", "L1 ivr Disconnected 1100"]
WITHOUT_RECORDINGS = MangoSwitches(recordings=False)


@pytest.mark.parametrize(
    ("outcome", "rest"),
    [
        (MangoOutcome.ANSWERED, ["L2 abonent Connected", "L2 abonent Disconnected 1120"]),
        (MangoOutcome.NO_ANSWER, ["L2 abonent Disconnected 1111"]),
        (MangoOutcome.BUSY, ["L2 abonent Disconnected 1121"]),
        (MangoOutcome.GIVES_UP, ["L2 abonent Disconnected 1110"]),
    ],
)
async def test_a_routed_call_goes_from_the_menu_to_the_employee(
    outcome: MangoOutcome, rest: list[str]
) -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call(outcome)

        assert world.bridge.shape() == [*MENU, "L2 abonent Appeared", *rest]
        leg = world.bridge.events[2]
        assert leg["from"]["taken_from_call_id"] == world.bridge.events[0]["call_id"]
        assert leg["command_id"] == "cmd-1"
        assert leg["to"]["extension"] == "205"
        assert world.bridge.of("result/route") == [{"command_id": "cmd-1", "result": 1000}]


async def test_the_sequence_numbers_of_a_leg_count_its_states() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call()

        legs = world.bridge.legs
        numbers = [
            [one["seq"] for one in world.bridge.events if one["call_id"] == leg] for leg in legs
        ]
        assert numbers == [[1, 2], [1, 2, 3]]


async def test_every_event_has_the_id_of_its_call() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        report = await world.call()

        first = world.bridge.events[0]
        assert {one["entry_id"] for one in world.bridge.events} == {report.entry_id}
        assert first["from"] == {"number": CALLER}
        assert first["to"] == {"number": DID, "line_number": DID}
        assert (first["timestamp"], first["dct"]) == (int(NOW), {"type": 0})


async def test_an_unrouted_caller_goes_to_the_group_after_the_silence() -> None:
    async with mango_world() as world:
        report = await world.call()

        assert world.bridge.shape() == [
            *MENU,
            "L2 queue Appeared",
            "L3 abonent Appeared",
            "L4 abonent Appeared",
            "L3 abonent Connected",
            "L4 abonent Disconnected 1182",
            "L2 queue Disconnected 1100",
            "L3 abonent Disconnected 1120",
        ]
        assert {one["to"].get("acd_group") for one in world.bridge.events[2:]} == {"300"}
        assert report.went_to_default
        assert report.silence_ms == 5000
        assert (report.rung, report.answered_by) == (("205", "206"), "205")


@pytest.mark.parametrize(
    ("outcome", "member", "queue"),
    [
        (MangoOutcome.NO_ANSWER, 1111, 1163),
        (MangoOutcome.GIVES_UP, 1110, 1110),
    ],
)
async def test_a_group_that_does_not_answer_ends_all_its_legs(
    outcome: MangoOutcome, member: int, queue: int
) -> None:
    async with mango_world() as world:
        await world.call(outcome)

        assert world.bridge.shape()[-3:] == [
            f"L3 abonent Disconnected {member}",
            f"L4 abonent Disconnected {member}",
            f"L2 queue Disconnected {queue}",
        ]
        assert world.bridge.summary["to"] == {"extension": "300"}


@pytest.mark.parametrize(
    ("outcome", "reason", "waited"),
    [(MangoOutcome.LEFT_IN_MENU, 1110, 2500), (MangoOutcome.SCHEME_END, 1170, 5000)],
)
async def test_a_call_may_end_in_the_menu(
    outcome: MangoOutcome, reason: int, waited: float
) -> None:
    async with mango_world() as world:
        report = await world.call(outcome)

        assert world.bridge.shape() == [MENU[0], f"L1 ivr Disconnected {reason}"]
        assert world.bridge.summary["to"] == {}
        assert world.bridge.summary["talk_time"] == 0
        assert world.bridge.summary["entry_result"] == 0
        assert report.silence_ms == waited


async def test_a_line_may_lead_straight_to_an_employee() -> None:
    cabinet = MangoCabinet(hook_url=HOOK, lines=(MangoLine(DID, extension="207"),))
    async with mango_world(cabinet=cabinet) as world:
        await world.call()

        assert world.bridge.shape() == [
            "L1 abonent Appeared",
            "L1 abonent Connected",
            "L1 abonent Disconnected 1120",
        ]
        assert "taken_from_call_id" not in world.bridge.events[0]["from"]


async def test_an_outgoing_call_has_one_leg() -> None:
    async with mango_world() as world:
        await world.call(kind=MangoKind.OUTGOING, extension="205", number=CALLER, caller="")

        assert world.bridge.shape() == [
            "L1 abonent Appeared",
            "L1 abonent Connected",
            "L1 abonent Disconnected 1120",
        ]
        assert world.bridge.events[0]["from"]["extension"] == "205"
        assert world.bridge.events[0]["to"] == {"number": CALLER, "line_number": DID}
        summary = world.bridge.summary
        assert (summary["call_direction"], summary["line_number"]) == (2, DID)
        assert summary["forward_time"] == summary["create_time"]


async def test_an_internal_call_has_two_extensions_and_no_line() -> None:
    async with mango_world() as world:
        await world.call(kind=MangoKind.INTERNAL, extension="205", number="206", caller="")

        sides = [(one["from"]["extension"], one["to"]["extension"]) for one in world.bridge.events]
        assert sides == [("205", "206")] * 3
        assert all("line_number" not in one["to"] for one in world.bridge.events)
        assert world.bridge.summary["call_direction"] == 0
        assert "line_number" not in world.bridge.summary


async def test_a_callback_rings_the_employee_first_and_names_the_client_as_caller() -> None:
    async with mango_world() as world:
        reply = await world.callback()
        await world.idle()

        assert reply.json() == {"result": 1000}
        assert world.bridge.received[0].fields == {"command_id": "cmd-1", "result": 1000}
        assert world.bridge.shape() == [
            "L1 abonent Appeared",
            "L1 abonent Connected",
            "L1 abonent Disconnected 1000",
            "L2 abonent Appeared",
            "L2 abonent Connected",
            "L2 abonent Disconnected 1120",
        ]
        first, second = world.bridge.events[0], world.bridge.events[3]
        assert first["from"] == {"number": CALLER}
        assert first["to"]["extension"] == "205"
        assert second["from"]["extension"] == "205"
        assert second["from"]["taken_from_call_id"] == first["call_id"]
        assert second["to"]["number"] == CALLER
        assert {one["command_id"] for one in world.bridge.events} == {"cmd-1"}
        assert {one["callback_initiator"] for one in world.bridge.events} == {"API"}
        assert world.bridge.summary["call_direction"] == 2
        assert world.bridge.summary["talk_time"] == second["timestamp"] + 12


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (MangoOutcome.EMPLOYEE_SILENT, "L1 abonent Disconnected 1111"),
        (MangoOutcome.NO_ANSWER, "L2 abonent Disconnected 1111"),
        (MangoOutcome.BUSY, "L2 abonent Disconnected 1121"),
    ],
)
async def test_a_callback_may_reach_nobody(outcome: MangoOutcome, end: str) -> None:
    async with mango_world(MangoSwitches(ordered_outcome=outcome)) as world:
        await world.callback()
        await world.idle()

        assert world.bridge.shape()[-1] == end
        assert world.bridge.summary["talk_time"] == 0


async def test_a_widget_may_begin_a_callback_of_its_own() -> None:
    async with mango_world() as world:
        await world.call(
            kind=MangoKind.CALLBACK,
            extension="205",
            number=CALLER,
            caller="",
            initiator="CallbackWidget",
        )

        first = world.bridge.events[0]
        assert first["callback_initiator"] == "CallbackWidget"
        assert "task_id" in first
        assert "command_id" not in first


async def test_a_blind_transfer_lets_its_leg_appear_twice() -> None:
    async with mango_world(WITHOUT_RECORDINGS, bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call(MangoOutcome.BLIND_TRANSFER, ended_by="caller")

        assert world.bridge.shape()[2:] == [
            "L2 abonent Appeared",
            "L2 abonent Connected",
            "L2 abonent OnHold",
            "L3 abonent Appeared",
            "L2 abonent Disconnected 1120",
            "L3 abonent Appeared",
            "L3 abonent Connected",
            "L3 abonent Disconnected 1110",
        ]
        first, second = (one for one in world.bridge.events if one["seq"] < 3 and "transfer" in one)
        assert (first["seq"], second["seq"]) == (1, 2)
        assert first["from"]["extension"] == "205"
        assert second["from"]["number"] == CALLER
        assert second["from"]["taken_from_call_id"] == world.bridge.legs[1]
        assert first["transfer"] == "blind"


async def test_a_blind_transfer_that_nobody_answers_comes_back() -> None:
    async with mango_world(WITHOUT_RECORDINGS, bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call(MangoOutcome.RETURNED_TRANSFER)

        assert world.bridge.shape()[-4:] == [
            "L3 abonent Disconnected 1111",
            "L4 abonent Appeared",
            "L4 abonent Connected",
            "L4 abonent Disconnected 1120",
        ]
        back = world.bridge.events[-1]
        assert (back["transfer"], back["to"]["extension"]) == ("return_blind", "205")
        assert back["from"]["number"] == CALLER


async def test_a_consultation_lets_its_leg_connect_twice() -> None:
    async with mango_world(WITHOUT_RECORDINGS, bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call(MangoOutcome.CONSULTED_TRANSFER, ended_by="caller", transfer_to="207")

        assert world.bridge.shape()[2:] == [
            "L2 abonent Appeared",
            "L2 abonent Connected",
            "L2 abonent OnHold",
            "L3 abonent Appeared",
            "L3 abonent Connected",
            "L2 abonent Disconnected 1120",
            "L3 abonent Connected",
            "L3 abonent Disconnected 1110",
        ]
        left = world.bridge.events[-3]
        connected = [one for one in world.bridge.events if one["call_id"] == world.bridge.legs[2]]
        assert (left["seq"], left["to"]["was_transferred"]) == (4, True)
        assert [one["from"].get("extension") for one in connected] == ["205", "205", None, None]
        assert connected[2]["from"]["number"] == CALLER
        assert {one["to"]["extension"] for one in connected} == {"207"}
        assert world.bridge.events[4]["to"]["hold_initiator"] is True


async def test_a_summary_has_when_the_talk_began() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205", thinks_s=2)) as world:
        await world.call(ring_s=9, talk_s=30)

        summary = world.bridge.summary
        began = int(NOW)
        assert summary["create_time"] == summary["forward_time"] == began
        assert summary["talk_time"] == began + 2 + 9
        assert summary["end_time"] == began + 2 + 9 + 30
        assert summary["to"]["extension"] == "205"
        assert summary["from"] == {"number": CALLER}
        assert (summary["entry_result"], summary["disconnect_reason"]) == (1, 1120)


async def test_a_talk_is_recorded_and_the_recording_added() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        await world.call()

        recordings = world.bridge.of("events/recording")
        assert [one["recording_state"] for one in recordings] == ["Started", "Completed"]
        assert [one["seq"] for one in recordings] == [1, 2]
        assert recordings[1]["completion_code"] == 1000
        (added,) = world.bridge.of("events/record/added")
        assert added["recording_id"] == recordings[0]["recording_id"]
        assert added["user_id"] == 100205


async def test_a_recording_goes_on_in_the_leg_of_a_transfer() -> None:
    async with mango_world() as world:
        await world.call(MangoOutcome.BLIND_TRANSFER)

        recordings = world.bridge.of("events/recording")
        states = [one["recording_state"] for one in recordings]
        assert states == ["Started", "Continued", "Completed"]
        assert len({one["recording_id"] for one in recordings}) == 1
        assert len({one["call_id"] for one in recordings}) == 2


async def test_what_the_caller_keys_is_sent_whole() -> None:
    async with mango_world() as world:
        await world.call(dtmf="42")

        (dtmf,) = world.bridge.of("events/dtmf")
        assert (dtmf["dtmf"], dtmf["location"], dtmf["from_number"]) == ("42", "ivr.1", CALLER)


async def test_a_sip_line_is_named_by_its_address() -> None:
    async with mango_world() as world:
        await world.call(did=SIP_DID)

        lines = {one["to"]["line_number"] for one in world.bridge.events}
        assert lines == {"sip:line-0001@vpbx400012345.mangosip.ru"}


async def test_a_caller_may_hide_his_number() -> None:
    async with mango_world() as world:
        await world.call(caller="")

        assert "number" not in world.bridge.events[0]["from"]
        assert world.bridge.summary["from"] == {}


async def test_a_lab_that_hurries_reports_seconds_that_did_not_pass() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205"), pace=0) as world:
        await world.call(ring_s=10, talk_s=600)

        took = world.bridge.received[-1].at - world.bridge.received[0].at
        assert took < 1
        assert world.bridge.summary["end_time"] - world.bridge.summary["talk_time"] == 600


async def test_calls_that_go_on_together_do_not_mix() -> None:
    async with mango_world(bridge=ReceivingBridge(routes_to="205")) as world:
        entries = [world.start(MangoOutcome.ANSWERED, caller=f"7900000000{n}") for n in range(5)]
        await world.idle()

        for entry in entries:
            events = [one for one in world.bridge.events if one["entry_id"] == entry]
            assert [one["call_state"] for one in events if one["location"] == "ivr"] == [
                "Appeared",
                "Disconnected",
            ]
        assert len(world.bridge.of("events/summary")) == 5
