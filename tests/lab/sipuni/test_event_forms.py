"""Odd cabinets: every switch of absent fields, other words and other bodies, seen on the wire."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest

from bridge.lab.sipuni import (
    BodyForm,
    CabinetSwitches,
    CallPlan,
    FieldSpelling,
    PlannedOutcome,
    SipuniLab,
    SipuniScheme,
    StatusSpelling,
    play_scenario,
    read_scenarios,
)
from bridge.lab.sipuni.scenarios.scenario import EventStep

pytestmark = pytest.mark.anyio

STORIES = read_scenarios(Path(__file__).parents[2] / "fixtures" / "odd_stories")

#: Every odd cabinet that has a story.
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


def test_every_odd_cabinet_has_its_story() -> None:
    assert sorted(STORIES) == NAMES


class Bridge:
    """Takes everything and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/route"):
            return httpx.Response(200, json={"choice": 1, "extension": "205"})
        self.requests.append(request)
        return httpx.Response(200, json={"success": True})

    @property
    def queries(self) -> list[Mapping[str, str]]:
        """Give the fields of events sent in the query."""
        return [dict(parse_qsl(one.url.query.decode())) for one in self.requests]


async def pushed(outcome: PlannedOutcome = PlannedOutcome.ANSWERED, **switches: object) -> Bridge:
    bridge = Bridge()
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        wanted = CabinetSwitches(**switches)
        lab = SipuniLab(SipuniScheme(), http, clock=lambda: 1767225600.0, switches=wanted)
        report = await lab.place_call(CallPlan("79001234567", "74950000001", outcome))
    assert report.problems == ()
    return bridge


async def test_fields_are_left_out() -> None:
    bridge = await pushed(omitted_fields=frozenset({"src_type", "dst_type"}))

    assert not any("type" in name for event in bridge.queries for name in event)


async def test_types_and_statuses_are_other_words() -> None:
    bridge = await pushed(party_types="mobile", status_word="REDIRECTED")

    assert {event["src_type"] for event in bridge.queries} == {"mobile"}
    assert bridge.queries[-1]["status"] == "REDIRECTED"


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

    assert (talked.queries[-1]["status"], silent.queries[-1]["status"]) == (answered, missed)


async def test_names_and_times_are_spelled_otherwise() -> None:
    camel = await pushed(field_spelling=FieldSpelling.CAMEL, event_milliseconds=True)
    upper = await pushed(field_spelling=FieldSpelling.UPPER)

    assert {"callId", "srcNum", "callStartTimestamp"} <= camel.queries[-1].keys()
    assert camel.queries[-1]["timestamp"].endswith("000")
    assert "CALL_ID" in upper.queries[0]


@pytest.mark.parametrize("form", [form for form in BodyForm if form is not BodyForm.FORM])
async def test_bodies_have_other_forms(form: BodyForm) -> None:
    bridge = await pushed(body_form=form)

    (request, *_) = bridge.requests
    assert request.method == "POST"
    body = gzip.decompress(request.content) if form is BodyForm.GZIP else request.content
    if form is BodyForm.MULTIPART:
        assert b'name="call_id"' in body
        return
    said = json.loads(body)
    said = said[0] if form is BodyForm.JSON_LIST else said.get("request", said)
    assert said["src_num"] == "79001234567"


@pytest.mark.parametrize("name", STORIES)
async def test_an_odd_story_reaches_the_bridge_whole(name: str) -> None:
    bridge = Bridge()
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(SipuniScheme(), http, clock=lambda: 1767225600.0)
        performance = await play_scenario(STORIES[name], lab)

    assert performance.problems == ()
    assert len(bridge.requests) == sum(isinstance(step, EventStep) for step in STORIES[name].steps)
