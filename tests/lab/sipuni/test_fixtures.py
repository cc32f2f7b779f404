"""The composed Sipuni requests keep to their form, and the lab speaks the same dialect."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import httpx
import pytest

from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.protocol.routing_question import question_query
from bridge.lab.sipuni.scheme import SipuniScheme
from bridge.lab.sipuni.switches import CabinetSwitches, CallerSpelling, PlannedOutcome

FOLDER = Path(__file__).parents[3] / "fixtures" / "sipuni"
CASES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}


@pytest.mark.parametrize("name", CASES)
def test_a_case_says_where_it_comes_from_and_is_named_by_its_event(name: str) -> None:
    case = CASES[name]

    assert re.fullmatch(r"(route|event[1-4]|event_unknown)__[a-z0-9]+(_[a-z0-9]+)*", name)
    assert set(case) == {"source", "method", "query"}
    assert case["source"].startswith("composed after")
    assert name.startswith(f"event{case['query'].get('event', '')}__") or not re.match(
        r"event\d", name
    )


# What the exchange makes up anew for each call.
MADE_UP = {"channel", "call_record_link", "callbackId"}


async def pushed_for(outcome: PlannedOutcome, switches: CabinetSwitches) -> list[dict[str, str]]:
    """Have the lab push an incoming call, then one between two outside numbers."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"success": True, "choice": 1, "extension": "205"})
    )
    async with httpx.AsyncClient(transport=transport) as http:
        lab = SipuniLab(SipuniScheme(), http, clock=lambda: 1767225600.0, switches=switches)
        await lab.place_call(CallPlan("79001234567", "74950000001", outcome, ring_s=11, talk_s=68))
        await lab.push_events(lab.order_external("79001234567", "79007654321"))
        return [
            {**dict(push.params), "call_id": "1767225600.100001"}
            for call in lab.calls
            for push in call.pushes
        ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "outcome", "switches", "but"),
    [
        ("event1__incoming", PlannedOutcome.ANSWERED, CabinetSwitches(did_suffix=True), set()),
        (
            "event1__duplicate",
            PlannedOutcome.ANSWERED,
            CabinetSwitches(did_suffix=True, dup_event1=True),
            set(),
        ),
        ("event3__answered", PlannedOutcome.ANSWERED, CabinetSwitches(), set()),
        ("event2__answered", PlannedOutcome.ANSWERED, CabinetSwitches(did_suffix=True), set()),
        # A group that nobody answers is not among the lab's outcomes.
        (
            "event2__noanswer",
            PlannedOutcome.NO_ANSWER,
            CabinetSwitches(did_suffix=True),
            {"last_called", "timestamp"},
        ),
        (
            "event2__broken_answer_time",
            PlannedOutcome.ANSWERED,
            CabinetSwitches(broken_answer_ts=True),
            {"timestamp"},
        ),
        ("event4__transfer", PlannedOutcome.TRANSFER, CabinetSwitches(), {"timestamp"}),
        (
            "event_unknown__7",
            PlannedOutcome.ANSWERED,
            CabinetSwitches(did_suffix=True, unknown_event="7"),
            set(),
        ),
    ],
)
async def test_the_lab_pushes_the_composed_event(
    name: str, outcome: PlannedOutcome, switches: CabinetSwitches, but: set[str]
) -> None:
    composed = CASES[name]["query"]
    compared = composed.keys() - MADE_UP - but

    pushed = await pushed_for(outcome, switches)

    matching = [
        event for event in pushed if all(event.get(key) == composed[key] for key in compared)
    ]
    assert matching
    assert composed.keys() <= matching[0].keys()


@pytest.mark.parametrize(
    ("name", "dtmf", "label", "switches"),
    [
        ("route__plain", "", "", CabinetSwitches()),
        ("route__label", "1", "205", CabinetSwitches()),
        ("route__hidden_caller", "", "main", CabinetSwitches(caller=CallerSpelling.ANONYMOUS)),
        ("route__missing_everything", "", "", CabinetSwitches(bare_question=True)),
    ],
)
def test_the_lab_asks_the_composed_question(
    name: str, dtmf: str, label: str, switches: CabinetSwitches
) -> None:
    query = question_query(
        caller="79001234567",
        did="74950000001",
        dtmf=dtmf,
        label=label,
        arrived=1767225600.0,
        zone=ZoneInfo("Europe/Moscow"),
        switches=switches,
    )

    assert parse_qsl(query, keep_blank_values=True) == list(CASES[name]["query"].items())
