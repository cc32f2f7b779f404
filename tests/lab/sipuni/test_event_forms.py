"""Odd cabinets: every switch of absent fields, other spellings and bodies, seen on the wire."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scenarios.playback import play_scenario
from bridge.lab.sipuni.scenarios.scenario import EventStep, read_scenarios
from bridge.lab.sipuni.scheme import SipuniScheme
from bridge.lab.sipuni.switches import (
    BodyForm,
    CabinetSwitches,
    FieldSpelling,
    PlannedOutcome,
    StatusSpelling,
)
from tests.lab.sipuni.fake_bridge import RecordingBridge

pytestmark = pytest.mark.anyio

SCENARIOS = read_scenarios(Path(__file__).parents[3] / "fixtures" / "odd_stories")

#: Every odd cabinet that has a scenario.
NAMES = [
    "caller_absent_from_events",
    "caller_of_a_five_digit_town",
    "caller_sent_as_zeros",
    "caller_with_a_service_number",
    "caller_with_a_service_number_answered",
    "caller_with_a_service_number_without_types",
    "events_as_gzip",
    "events_as_json",
    "events_as_json_list",
    "events_as_json_wrapped",
    "events_as_multipart",
    "extension_behind_the_trunk",
    "fields_in_camel_case",
    "fields_in_camel_case_as_json",
    "fields_in_capitals",
    "only_numbers",
    "status_answered",
    "status_answered_and_event_3_lost",
    "status_in_russian",
    "status_spaced",
    "status_unknown_and_answered",
    "status_unknown_and_missed",
    "times_in_milliseconds",
    "types_absent",
    "types_absent_and_nobody_asked",
    "types_in_unknown_words",
]


def test_every_odd_cabinet_has_its_scenario() -> None:
    assert sorted(SCENARIOS) == NAMES


async def pushed(
    outcome: PlannedOutcome = PlannedOutcome.ANSWERED, **switches: Any
) -> RecordingBridge:
    bridge = RecordingBridge()
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        changed = CabinetSwitches(**switches)
        lab = SipuniLab(SipuniScheme(), http, clock=lambda: 1767225600.0, switches=changed)
        report = await lab.place_call(CallPlan("79001234567", "74950000001", outcome))
    assert report.problems == ()
    return bridge


async def test_fields_are_left_out() -> None:
    bridge = await pushed(omitted_fields=frozenset({"src_type", "dst_type"}))

    assert not any("type" in name for event in bridge.events for name in event)


async def test_types_and_statuses_are_spelled_otherwise() -> None:
    bridge = await pushed(party_types="mobile", status_word="REDIRECTED")

    assert {event["src_type"] for event in bridge.events} == {"mobile"}
    assert bridge.events[-1]["status"] == "REDIRECTED"


@pytest.mark.parametrize(
    ("spelling", "answered", "missed"),
    [
        (StatusSpelling.DOCUMENTED, "ANSWER", "NOANSWER"),
        (StatusSpelling.SPACED, "ANSWER", "NO ANSWER"),
        (StatusSpelling.PAST, "ANSWERED", "NOT ANSWERED"),
        (StatusSpelling.LOWER, "answer", "noanswer"),
        (StatusSpelling.RUSSIAN, "Отвечен", "Не отвечен"),
    ],
)
async def test_statuses_are_spelled_otherwise(
    spelling: StatusSpelling, answered: str, missed: str
) -> None:
    talked = await pushed(status_spelling=spelling)
    silent = await pushed(PlannedOutcome.NO_ANSWER, status_spelling=spelling)

    assert (talked.events[-1]["status"], silent.events[-1]["status"]) == (answered, missed)


async def test_names_and_times_are_spelled_otherwise() -> None:
    camel = await pushed(field_spelling=FieldSpelling.CAMEL, event_milliseconds=True)
    upper = await pushed(field_spelling=FieldSpelling.UPPER)

    assert {"callId", "srcNum", "callStartTimestamp"} <= camel.events[-1].keys()
    assert camel.events[-1]["timestamp"].endswith("000")
    assert "CALL_ID" in upper.events[0]


@pytest.mark.parametrize("form", [form for form in BodyForm if form is not BodyForm.FORM])
async def test_bodies_have_other_forms(form: BodyForm) -> None:
    bridge = await pushed(body_form=form)

    (request, *_) = bridge.requests
    assert request.method == "POST"
    body = gzip.decompress(request.content) if form is BodyForm.GZIP else request.content
    if form is BodyForm.MULTIPART:
        assert b'name="call_id"' in body
        return
    content = json.loads(body)
    content = content[0] if form is BodyForm.JSON_LIST else content.get("request", content)
    assert content["src_num"] == "79001234567"


@pytest.mark.parametrize("name", SCENARIOS)
async def test_an_odd_scenario_reaches_the_bridge_whole(name: str) -> None:
    bridge = RecordingBridge()
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(SipuniScheme(), http, clock=lambda: 1767225600.0)
        playback = await play_scenario(SCENARIOS[name], lab)

    assert playback.problems == ()
    assert len(bridge.requests) == sum(
        isinstance(step, EventStep) for step in SCENARIOS[name].steps
    )
