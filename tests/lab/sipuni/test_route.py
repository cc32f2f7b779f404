"""The lab's Sipuni asks the routing question and follows the answer."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from bridge.lab.sipuni.calls import CallPlan, CallReport
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import (
    CabinetEmployee,
    NodeMode,
    SchemeNode,
    SipuniScheme,
)
from bridge.lab.sipuni.switches import CabinetSwitches, CallerSpelling, TimeSpelling

pytestmark = pytest.mark.anyio

CALLER, DID = "79001234567", "74950000001"
NOW = 1767225600.25

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeBridge:
    """Answers every question the same way, remembers all of them, and can take its time."""

    answer: Answer
    takes_s: float = 0.0
    hangs: bool = False
    monotonic: float = 0.0
    asked: list[httpx.Request] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if "events" in request.url.path:
            return httpx.Response(200, json={"success": True})
        self.asked.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        self.monotonic += self.takes_s
        return self.answer(request)

    @property
    def queries(self) -> list[str]:
        return [one.url.query.decode() for one in self.asked]


def json_answer(body: object, status: int = 200) -> Answer:
    return lambda _: httpx.Response(status, json=body)


def text_answer(text: str, status: int = 200, media_type: str = "text/plain") -> Answer:
    headers = {"content-type": media_type}
    return lambda _: httpx.Response(status, content=text.encode(), headers=headers)


async def call(
    bridge: FakeBridge,
    *nodes: SchemeNode,
    switches: CabinetSwitches | None = None,
    caller: str = CALLER,
    **settings: Any,
) -> CallReport:
    scheme = SipuniScheme(nodes=nodes or (SchemeNode(),), **settings)
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(
            scheme,
            http,
            clock=lambda: NOW,
            stopwatch=lambda: bridge.monotonic,
            switches=switches,
        )
        return await lab.place_call(CallPlan(caller, DID))


async def test_the_question_carries_five_parameters_and_no_call_id() -> None:
    bridge = FakeBridge(json_answer({"choice": 1, "extension": "205"}))

    report = await call(bridge, SchemeNode(label="главный"))

    assert parse_qs(bridge.queries[0], keep_blank_values=True) == {
        "fromnum": [CALLER],
        "tonum": [DID],
        "dtmf": [""],
        "label": ["главный"],
        "time": ["1767225600"],
    }
    assert bridge.asked[0].method == "GET"
    assert (report.rang_first, report.default_queue, report.problems) == ("205", False, ())


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        (NodeMode.BRANCH, json_answer({"choice": 1})),
        (NodeMode.NUMBER, json_answer({"choice": "205"})),
        (NodeMode.NUMBER, json_answer({"choice": 205})),
        (NodeMode.EXTENSION, json_answer({"choice": 1, "extension": "205"})),
        (NodeMode.TEXT, text_answer("205\n", media_type="text/plain; charset=utf-8")),
    ],
)
async def test_each_mode_understands_its_own_form_of_205(mode: NodeMode, answer: Answer) -> None:
    report = await call(FakeBridge(answer), SchemeNode(label="205", mode=mode))

    assert (report.rang_first, report.problems) == ("205", ())


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        (NodeMode.BRANCH, json_answer({"choice": 0})),
        (NodeMode.NUMBER, json_answer({"choice": 0})),
        (NodeMode.EXTENSION, json_answer({"choice": 0, "extension": None})),
        (NodeMode.TEXT, text_answer("")),
    ],
)
async def test_branch_0_in_each_mode_is_the_default_queue_without_a_problem(
    mode: NodeMode, answer: Answer
) -> None:
    report = await call(FakeBridge(answer), SchemeNode(label="205", mode=mode))

    assert (report.rang_first, report.default_queue, report.problems) == ("200", True, ())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (json_answer({"choice": 1}, status=404), "status 404"),
        (json_answer({"choice": 1}, status=500), "status 500"),
        (json_answer({"choice": 1}, status=302), "status 302"),
        (text_answer("<html>"), "not JSON"),
        (text_answer(""), "empty"),
        (json_answer([1]), "no choice"),
        (json_answer({"extension": "205"}), "no choice"),
        (json_answer({"choice": True, "extension": "205"}), "neither 0 nor 1"),
        (json_answer({"choice": 2, "extension": "205"}), "neither 0 nor 1"),
        (json_answer({"choice": 1, "extension": None}), "not an extension"),
        (json_answer({"choice": 1, "extension": CALLER}), "not an extension"),
    ],
)
async def test_a_wrong_answer_is_branch_0_and_is_reported(answer: Answer, message: str) -> None:
    bridge = FakeBridge(answer)

    report = await call(bridge)

    assert (report.rang_first, report.default_queue) == ("200", True)
    assert message in report.problems[0]
    assert len(bridge.asked) == 1


async def test_a_text_node_refuses_json_labelled_as_such() -> None:
    report = await call(FakeBridge(json_answer("205")), SchemeNode(mode=NodeMode.TEXT))

    assert report.default_queue
    assert "application/json" in report.problems[0]


async def test_an_answer_that_never_comes_costs_the_caller_the_whole_timeout() -> None:
    bridge = FakeBridge(json_answer({"choice": 1, "extension": "205"}), hangs=True)

    report = await call(bridge, timeout_s=0.01)

    assert (report.rang_first, report.silence_ms) == ("200", 10)
    assert "no answer within 0.01 s" in report.problems[0]
    assert len(bridge.asked) == 1


async def test_a_right_answer_after_the_timeout_is_too_late() -> None:
    bridge = FakeBridge(json_answer({"choice": 1, "extension": "205"}), takes_s=3.5)

    report = await call(bridge)

    assert (report.rang_first, report.silence_ms) == ("200", 3000)
    assert report.questions[0].status == 200


async def test_an_unreachable_bridge_is_branch_0() -> None:
    def refuses(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    report = await call(FakeBridge(refuses))

    assert (report.rang_first, report.questions[0].status) == ("200", None)
    assert "no connection" in report.problems[0]


async def test_a_chain_asks_node_by_node_until_one_says_1() -> None:
    def knows_206(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"choice": int(request.url.params["label"] == "206")})

    bridge = FakeBridge(knows_206, takes_s=0.1)
    chain = [SchemeNode(label=str(one), mode=NodeMode.BRANCH) for one in (205, 206, 207)]

    report = await call(bridge, *chain)

    assert report.rang_first == "206"
    assert [one.label for one in report.questions] == ["205", "206"]
    assert len({query.replace("label=206", "label=205") for query in bridge.queries}) == 1
    assert report.silence_ms == pytest.approx(200)


async def test_branch_1_may_lead_elsewhere_than_its_label() -> None:
    node = SchemeNode(label="vip", mode=NodeMode.BRANCH, target="300")

    report = await call(FakeBridge(json_answer({"choice": 1})), node)

    assert report.rang_first == "300"


async def test_a_did_may_have_a_chain_of_its_own() -> None:
    bridge = FakeBridge(json_answer({"choice": 0}))

    await call(bridge, did_nodes={DID: (SchemeNode(label="a"), SchemeNode(label="b"))})

    assert len(bridge.asked) == 2


async def test_credentials_in_the_url_become_a_basic_header_and_stay_out_of_repr() -> None:
    bridge = FakeBridge(json_answer({"choice": 0}))
    url = "http://pbx:s%40cret@bridge.test/sipuni/route"

    await call(bridge, hook_url=url)

    token = b64encode(b"pbx:s@cret").decode()
    assert bridge.asked[0].headers["authorization"] == f"Basic {token}"
    assert "cret" not in repr(SipuniScheme(hook_url=url))


async def test_a_path_token_is_kept_in_the_address() -> None:
    bridge = FakeBridge(json_answer({"choice": 0}))

    await call(bridge, hook_url="http://bridge.test/hook/7f3c/sipuni/route")

    assert bridge.asked[0].url.path == "/hook/7f3c/sipuni/route"


async def test_an_offline_telephone_sends_the_caller_to_the_queue() -> None:
    bridge = FakeBridge(json_answer({"choice": 1, "extension": "205"}))

    report = await call(bridge, switches=CabinetSwitches(offline_ext=frozenset({"205"})))

    assert (report.rang_first, report.default_queue) == ("200", True)
    assert "offline" in report.problems[0]


async def test_an_extension_the_cabinet_does_not_have_rings_nowhere() -> None:
    bridge = FakeBridge(json_answer({"choice": 1, "extension": "205"}))

    report = await call(bridge, employees=(CabinetEmployee("201", "Петров П."),))

    assert report.rang_first is None
    assert "the cabinet has no extension 205" in report.problems


@pytest.mark.parametrize(
    ("spelling", "sent"),
    [
        (CallerSpelling.SEVEN, "fromnum=79001234567"),
        (CallerSpelling.PLUS_SEVEN, "fromnum=%2B79001234567"),
        (CallerSpelling.PLUS_UNENCODED, "fromnum=+79001234567"),
        (CallerSpelling.EIGHT, "fromnum=89001234567"),
        (CallerSpelling.LOCAL_NINE, "fromnum=001234567"),
        (CallerSpelling.SPACED_PLUS, "fromnum=%2B7+900+123+4567"),
        (CallerSpelling.SPACED_PERCENT, "fromnum=%2B7%20900%20123%204567"),
        (CallerSpelling.ANONYMOUS, "fromnum=anonymous"),
        (CallerSpelling.EMPTY, "fromnum="),
        (CallerSpelling.MISSING, ""),
        (CallerSpelling.REPEATED, "fromnum=79001234567&fromnum=89001234567"),
    ],
)
async def test_a_caller_is_spelled_as_the_carrier_likes(
    spelling: CallerSpelling, sent: str
) -> None:
    bridge = FakeBridge(json_answer({"choice": 0}))

    await call(bridge, switches=CabinetSwitches(caller=spelling))

    pairs = bridge.queries[0].split("&")
    assert "&".join(pair for pair in pairs if pair.startswith("fromnum")) == sent


@pytest.mark.parametrize(
    ("spelling", "sent"),
    [
        (TimeSpelling.SECONDS, ["1767225600"]),
        (TimeSpelling.MILLISECONDS, ["1767225600250"]),
        (TimeSpelling.TEXT, ["2026-01-01 03:00:00"]),
        (TimeSpelling.MISSING, None),
    ],
)
async def test_time_is_spelled_in_four_ways(spelling: TimeSpelling, sent: list[str] | None) -> None:
    bridge = FakeBridge(json_answer({"choice": 0}))

    await call(bridge, switches=CabinetSwitches(time=spelling))

    assert parse_qs(bridge.queries[0]).get("time") == sent


async def test_the_did_of_a_question_may_grow_a_tail() -> None:
    bridge = FakeBridge(json_answer({"choice": 0}))

    await call(bridge, switches=CabinetSwitches(tonum_suffix=True))

    assert f"tonum={DID}_id123456" in bridge.queries[0]


async def test_shuffled_parameters_are_the_same_parameters() -> None:
    plain, shuffled = FakeBridge(json_answer({"choice": 0})), FakeBridge(json_answer({"choice": 0}))

    await call(plain)
    await call(shuffled, switches=CabinetSwitches(shuffle_params=True))

    assert shuffled.queries != plain.queries
    assert sorted(shuffled.queries[0].split("&")) == sorted(plain.queries[0].split("&"))


async def test_a_bare_question_has_no_query() -> None:
    bridge = FakeBridge(json_answer({"choice": 0}))

    await call(bridge, switches=CabinetSwitches(bare_question=True))

    assert bridge.queries == [""]


async def test_the_raw_answer_is_kept_in_the_report() -> None:
    report = await call(FakeBridge(json_answer({"choice": 0})))

    assert json.loads(report.questions[0].answer) == {"choice": 0}
