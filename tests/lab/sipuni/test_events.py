"""The lab's Sipuni pushes the event sequences that were captured or read in public code."""

import httpx
import pytest

from bridge.lab.sipuni.calls import CallPlan, CallReport
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import SipuniScheme
from bridge.lab.sipuni.switches import CabinetSwitches, CallerSpelling, PlannedOutcome
from tests.lab.sipuni.fake_bridge import RecordingBridge

pytestmark = pytest.mark.anyio

CALLER, DID = "79001234567", "74950000001"
NOW = 1767225600.0


async def call(
    bridge: RecordingBridge,
    outcome: PlannedOutcome = PlannedOutcome.ANSWERED,
    switches: CabinetSwitches | None = None,
    scheme: SipuniScheme | None = None,
) -> CallReport:
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(scheme or SipuniScheme(), http, clock=lambda: NOW, switches=switches)
        return await lab.place_call(CallPlan(CALLER, DID, outcome))


def shape(bridge: RecordingBridge) -> list[str]:
    """Write an event as `code destination [status]`, the form of the table of sequences."""
    return [
        " ".join(filter(None, (one["event"], one["short_dst_num"], one.get("status"))))
        for one in bridge.events
    ]


@pytest.mark.parametrize(
    ("outcome", "sequence"),
    [
        (PlannedOutcome.ANSWERED, [f"1 {DID}", "1 205", "3 205", f"2 {DID} ANSWER"]),
        (PlannedOutcome.NO_ANSWER, [f"1 {DID}", "1 205", f"2 {DID} NOANSWER"]),
        (PlannedOutcome.GIVES_UP, [f"1 {DID}", "1 205", f"2 {DID} NOANSWER"]),
        (PlannedOutcome.BUSY, [f"1 {DID}", "1 205", f"2 {DID} BUSY"]),
        (
            PlannedOutcome.GROUP_RING,
            [
                *(f"1 {DID}", "1 205", "1 206", "1 207", "3 205"),
                *("4 206 NOANSWER", "4 207 NOANSWER", f"2 {DID} ANSWER"),
            ],
        ),
        (
            PlannedOutcome.TRANSFER,
            [
                *(f"1 {DID}", "1 205", "3 205", "1 206"),
                *("4 205 ANSWER", "3 206", f"2 {DID} ANSWER"),
            ],
        ),
    ],
)
async def test_each_outcome_has_its_sequence(outcome: PlannedOutcome, sequence: list[str]) -> None:
    bridge = RecordingBridge()

    await call(bridge, outcome)

    assert shape(bridge) == sequence
    assert len({one["call_id"] for one in bridge.events}) == 1


async def test_a_final_event_describes_the_whole_call() -> None:
    bridge = RecordingBridge()

    await call(bridge)

    final = bridge.events[-1]
    assert final["call_start_timestamp"] == "1767225600"
    assert final["call_answer_timestamp"] == bridge.events[2]["timestamp"] == "1767225613"
    assert final["timestamp"] == "1767225673"
    assert (final["last_called"], final["user_id"]) == ("205", "012345")
    assert f"id={final['call_id']}&" in final["call_record_link"]


async def test_an_employee_is_spelled_in_three_ways_within_one_call() -> None:
    bridge = RecordingBridge()

    await call(bridge)

    leg = bridge.events[1]
    assert (leg["dst_num"], leg["short_dst_num"], leg["dst_type"]) == ("012345205", "205", "2")
    assert leg["is_inner_call"] == "1"
    assert leg["channel"].startswith("SIP/012345")


async def test_an_unanswered_call_still_has_a_recording_link() -> None:
    bridge = RecordingBridge()

    await call(bridge, PlannedOutcome.NO_ANSWER)

    assert bridge.events[-1]["call_record_link"]
    assert bridge.events[-1]["call_answer_timestamp"] == "0"


async def test_a_duplicate_event_1_differs_in_its_timestamp_alone() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(dup_event1=True, shuffle_params=True))

    first, second = bridge.events[:2]
    assert list(first) == list(second)
    assert int(second["timestamp"]) - int(first["timestamp"]) == 1
    assert first | {"timestamp": ""} == second | {"timestamp": ""}


async def test_a_final_event_may_never_come() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(drop_event2=True))

    assert [one["event"] for one in bridge.events] == ["1", "1", "3"]


async def test_a_broken_answer_time_precedes_the_start() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(broken_answer_ts=True))

    final = bridge.events[-1]
    assert int(final["call_answer_timestamp"]) < int(final["call_start_timestamp"])


async def test_the_did_grows_a_tail_on_its_own_legs_only() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(did_suffix=True))

    assert bridge.events[0]["dst_num"] == f"{DID}_id123456"
    assert bridge.events[0]["pbxdstnum"] == DID
    assert bridge.events[1]["short_dst_num"] == "205"


async def test_a_recording_may_bear_another_id_than_its_call() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(record_id_shift=True))

    final = bridge.events[-1]
    assert f"id={final['call_id']}&" not in final["call_record_link"]
    assert f"id={final['call_id'][:-1]}" in final["call_record_link"]


async def test_a_renamed_scheme_shows_no_direction() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(renamed_scheme="Рабочее время"))

    assert {one["treeName"] for one in bridge.events} == {"Рабочее время"}


@pytest.mark.parametrize(
    ("scheme", "switches"),
    [
        (SipuniScheme(events_method="POST"), CabinetSwitches()),
        (SipuniScheme(), CabinetSwitches(post_instead_of_get=True)),
    ],
)
async def test_events_may_come_as_a_posted_form(
    scheme: SipuniScheme, switches: CabinetSwitches
) -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=switches, scheme=scheme)

    assert bridge.methods == {"POST"}
    assert bridge.events[0]["treeName"] == "Входящая"


async def test_unknown_codes_come_in_between() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(unknown_event="7"))

    assert [one["event"] for one in bridge.events] == ["1", "7", "1", "3", "2"]


async def test_event_1_may_overtake_the_routing_question_and_comes_once() -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(event_before_answer=True))

    assert bridge.seen == ["event 1", "question", "event 1", "event 3", "event 2"]
    assert [one["dst_type"] for one in bridge.events] == ["1", "2", "2", "1"]


@pytest.mark.parametrize("separator", [",", "&"])
async def test_a_group_is_listed_with_either_separator(separator: str) -> None:
    bridge = RecordingBridge()

    await call(bridge, PlannedOutcome.GROUP_RING, CabinetSwitches(last_called_separator=separator))

    assert bridge.events[-1]["last_called"] == separator.join(("205", "206", "207"))


@pytest.mark.parametrize(
    ("spelling", "number"),
    [
        (CallerSpelling.ANONYMOUS, "anonymous"),
        (CallerSpelling.MISSING, ""),
        (CallerSpelling.SPACED_PLUS, CALLER),
        (CallerSpelling.LOCAL_NINE, "001234567"),
    ],
)
async def test_events_carry_the_number_the_carrier_gave(
    spelling: CallerSpelling, number: str
) -> None:
    bridge = RecordingBridge()

    await call(bridge, switches=CabinetSwitches(caller=spelling))

    assert {one["src_num"] for one in bridge.events} == {number}


async def test_a_call_without_a_reachable_extension_has_no_employees_leg() -> None:
    bridge = RecordingBridge()

    report = await call(bridge, switches=CabinetSwitches(offline_ext=frozenset({"205", "200"})))

    assert report.rang_first is None
    assert shape(bridge) == [f"1 {DID}", f"2 {DID} CHANUNAVAIL"]


@pytest.mark.parametrize(
    "wrong",
    [
        httpx.Response(500, json={"success": True}),
        httpx.Response(200, text="ok"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"success": False}),
    ],
)
async def test_pushing_stops_after_n_wrong_answers(wrong: httpx.Response) -> None:
    bridge = RecordingBridge(lambda: wrong)

    report = await call(bridge, switches=CabinetSwitches(suspend_after=2))

    assert len(bridge.events) == 2
    assert len(report.problems) == 2


async def test_setting_the_switches_resumes_a_suspended_push() -> None:
    bridge = RecordingBridge(lambda: httpx.Response(500))
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(SipuniScheme(), http, switches=CabinetSwitches(suspend_after=1))
        await lab.place_call(CallPlan(CALLER, DID))
        was_suspended = lab.is_suspended
        lab.set_switches(lab.switches)

    assert (was_suspended, lab.is_suspended) == (True, False)


async def test_saving_the_settings_page_pushes_no_field_at_all() -> None:
    bridge = RecordingBridge()
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        push = await SipuniLab(SipuniScheme(), http).save_settings_page()

    assert bridge.events == [{}]
    assert push.problem == ""


async def test_a_cabinet_that_cannot_guess_the_events_address_pushes_nothing() -> None:
    bridge = RecordingBridge()
    scheme = SipuniScheme(hook_url="http://bridge.test/pbx/ask")
    bridge_answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"choice": 0}))
    async with httpx.AsyncClient(transport=bridge_answer) as http:
        report = await SipuniLab(scheme, http).place_call(CallPlan(CALLER, DID))

    assert (report.pushes, bridge.events) == ((), [])


@pytest.mark.parametrize(
    ("hook", "events"),
    [
        ("http://b.test/sipuni/route", "http://b.test/sipuni/events"),
        ("https://u:p%40@b.test:8443/sipuni/route", "https://u:p%40@b.test:8443/sipuni/events"),
        ("http://b.test/hook/7f3c/sipuni/route", "http://b.test/hook/7f3c/sipuni/events"),
        ("http://b.test/hs/sipuni/get", "http://b.test/sipuni/events"),
        ("http://b.test/ut11/hs/sipuni/get", "http://b.test/sipuni/events"),
        ("http://b.test/hook/7f3c/hs/sipuni/get", "http://b.test/hook/7f3c/sipuni/events"),
        ("http://b.test/hook/7f3c/ut11/hs/sipuni/get", "http://b.test/hook/7f3c/sipuni/events"),
        ("http://b.test/pbx/ask", ""),
    ],
)
def test_events_go_beside_the_hook_under_the_same_secret(hook: str, events: str) -> None:
    assert SipuniScheme(hook_url=hook).push_url == events


def test_an_events_address_of_its_own_is_believed() -> None:
    scheme = SipuniScheme(hook_url="http://b.test/pbx/ask", events_url="http://b.test/pbx/tell")

    assert scheme.push_url == "http://b.test/pbx/tell"
