"""The composed Sipuni requests keep to their form, and the lab speaks the same dialect."""

import json
import re
from pathlib import Path

import httpx
import pytest

from bridge.lab.sipuni import CallPlan, SipuniLab, SipuniScheme
from bridge.lab.sipuni_events import Outcome

FOLDER = Path(__file__).parents[2] / "fixtures" / "sipuni"
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


@pytest.mark.anyio
async def test_every_parameter_of_the_composed_events_is_one_the_lab_pushes() -> None:
    pushed: set[str] = set()

    def bridge(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            pushed.update(request.url.params)
        return httpx.Response(200, json={"success": True, "choice": 0})

    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(SipuniScheme(), http)
        await lab.place_call(CallPlan("79001234567", "74950000001", Outcome.TRANSFER))
        await lab.play(lab.order_external("79001234567", "79007654321"))

    composed = {key for name, case in CASES.items() if "event" in name for key in case["query"]}
    assert composed <= pushed
