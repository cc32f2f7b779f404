"""The lab's Sipuni serves the cabinet's API: signatures, orders, statistics, and `/_lab/`."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from bridge.lab.connection import LabConnectionLost
from bridge.lab.sipuni.app import create_sipuni_app
from bridge.lab.sipuni.calls import Pause
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scenarios.scenario import parse_scenario
from bridge.lab.sipuni.scheme import (
    CabinetEmployee,
    SipuniScheme,
    signature,
)
from bridge.lab.sipuni.switches import AcceptedForm, CabinetSwitches, OrderReplyMode, PlannedOutcome
from tests.lab.sipuni.fake_bridge import RecordingBridge

pytestmark = pytest.mark.anyio


CALLER, DID = "79001234567", "74950000001"


CABINET, KEY = "012345", "demo-secret"


NOW = 1767225600.0  # 01.01.2026 03:00 in Moscow


DAY = {"from": "01.01.2026", "to": "01.01.2026"}


ORDER = {"antiaon": "0", "phone": CALLER, "reverse": "0", "sipnumber": "205"}
EXPORT = {
    "anonymous": "1",
    "crmLinks": "0",
    "dtmfUserAnswer": "0",
    "firstTime": "0",
    "from": "01.02.2026",
    "fromNumber": "",
    "hangupinitor": "1",
    "ignoreSpecChar": "1",
    "names": "1",
    "numbersInvolved": "1",
    "numbersRinged": "1",
    "outgoingLine": "1",
    "rating": "",
    "showTreeId": "0",
    "state": "0",
    "timeFrom": "00:00",
    "timeTo": "23:59",
    "to": "01.02.2026",
    "toAnswer": "",
    "toNumber": "",
    "tree": "",
    "type": "0",
}


#: A call that leaves nothing but its row in the statistics.
WITHOUT_EVENTS = parse_scenario(
    """{"story": "s", "about": "a", "expect": {"calls": []}}
    {"at": 0, "do": "history", "params": {"call": "{+0}.{#1}", "kind": "Входящий",
     "started": "{+0}", "source": "79001234567", "destination": "74950000001"}}""".replace(
        ",\n     ", ", "
    )
)


class OpenPause:
    """A pause that lasts until it is ended, and reports when it began."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ends = asyncio.Event()

    async def __call__(self, _: float) -> None:
        self.began.set()
        await self.ends.wait()


@dataclass
class Cabinet:
    """A client of the lab's app that signs its requests."""

    lab: SipuniLab
    bridge: RecordingBridge
    web: httpx.AsyncClient

    async def post(self, path: str, params: Mapping[str, str]) -> httpx.Response:
        signed = {**params, "user": CABINET, "hash": signature(params, CABINET, KEY)}
        return await self.web.post(f"/api/{path}", data=signed)


@asynccontextmanager
async def cabinet(
    switches: CabinetSwitches | None = None,
    pause: Pause | None = None,
    sleep: Pause = asyncio.sleep,
    clock: Callable[[], float] = lambda: NOW,
) -> AsyncIterator[Cabinet]:
    bridge = RecordingBridge()
    scheme = SipuniScheme(
        default_extension="206",
        employees=(CabinetEmployee("205", "Иванов И."), CabinetEmployee("206", "Петров П.")),
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(bridge)) as http:
        lab = SipuniLab(scheme, http, clock=clock, switches=switches, pause=pause, sleep=sleep)
        transport = httpx.ASGITransport(app=create_sipuni_app(lab))
        async with httpx.AsyncClient(transport=transport, base_url="http://sipuni.test") as web:
            yield Cabinet(lab, bridge, web)


def rows(reply: httpx.Response) -> list[dict[str, str]]:
    text = reply.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


@pytest.mark.parametrize(
    ("params", "digest"),
    [
        (ORDER, "e51e44d6bf345198bb9956e139a66754"),
        (
            {
                "callAttemptTime": "30",
                "phone": CALLER,
                "reverse": "0",
                "sipnumber": "205",
                "tree": "000-123456",
            },
            "0e05eeff3b17d829afab836e8ceeab5f",
        ),
        (
            {
                "sipnumber2": "206",
                "sipnumber": "205",
                "phoneTo": "79007654321",
                "phoneFrom": CALLER,
            },
            "60ab3dc64d098f52f38553377f04fb3d",
        ),
        ({"id": "1767225600.100001"}, "6760637e7acefa150fe8468d5551c779"),
        ({"callId": "1767225600.100001"}, "6760637e7acefa150fe8468d5551c779"),
        ({}, "dfe3f3bfc9cae4ce242588ae7c20c87e"),
        (EXPORT, "54472772c0bd4f2b57c9aaf887ffb8f1"),
    ],
)
def test_a_signature_is_the_md5_of_the_values_in_order_of_names(
    params: dict[str, str], digest: str
) -> None:
    assert signature(params, CABINET, KEY) == digest


@pytest.mark.parametrize(
    "spoilt", [{"hash": "0" * 32}, {"hash": "я"}, {"user": "999999"}, {"antiaon": "1"}]
)
async def test_a_wrong_signature_orders_nothing(spoilt: dict[str, str]) -> None:
    async with cabinet() as sipuni:
        signed = {**ORDER, "user": CABINET, "hash": signature(ORDER, CABINET, KEY), **spoilt}
        reply = await sipuni.web.post("/api/callback/call_number", data=signed)

    assert reply.json()["success"] is False
    assert reply.json()["message"]
    assert (sipuni.lab.calls, sipuni.bridge.events) == ([], [])


async def test_a_refusal_may_have_another_status() -> None:
    async with cabinet(CabinetSwitches(refusal_status=403)) as sipuni:
        reply = await sipuni.web.post("/api/statistic/export", data=EXPORT)

    assert reply.status_code == 403


async def test_parameters_may_come_in_the_query() -> None:
    signed = {**ORDER, "user": CABINET, "hash": signature(ORDER, CABINET, KEY)}
    async with cabinet() as sipuni:
        reply = await sipuni.web.get("/api/callback/call_number", params=signed)

    assert reply.json()["success"] is True


async def test_an_ordered_call_is_json_labelled_html_and_joined_by_its_id() -> None:
    async with cabinet() as sipuni:
        reply = await sipuni.post("callback/call_number", ORDER)

    assert reply.headers["content-type"].startswith("text/html")
    assert sipuni.bridge.codes == ["1", "3", "2"]
    assert {one["callbackId"] for one in sipuni.bridge.events} == {reply.json()["id"]}
    assert sipuni.bridge.events[0]["src_num"] == "012345205"
    assert sipuni.bridge.events[0]["pbxdstnum"] == f"+{CALLER}"


@pytest.mark.parametrize(("switched", "before"), [(True, ["1"]), (False, [])])
async def test_event_1_overtakes_the_reply_when_switched_so(
    switched: bool, before: list[str]
) -> None:
    pause = OpenPause()

    async with cabinet(CabinetSwitches(event_before_reply=switched), pause) as sipuni:
        ordering = asyncio.create_task(sipuni.post("callback/call_number", ORDER))
        await pause.began.wait()  # the first pause comes after the reply has left
        seen_before = list(sipuni.bridge.codes)
        pause.ends.set()
        await ordering

    assert seen_before == before
    assert sipuni.bridge.codes == ["1", "3", "2"]


@pytest.mark.parametrize(
    ("reverse", "switches", "source", "destination"),
    [
        ("0", CabinetSwitches(), "012345205", CALLER),
        ("1", CabinetSwitches(), CALLER, "012345205"),
        ("1", CabinetSwitches(reverse_swaps_parties=False), "012345205", CALLER),
    ],
)
async def test_reverse_calls_the_client_first(
    reverse: str, switches: CabinetSwitches, source: str, destination: str
) -> None:
    async with cabinet(switches) as sipuni:
        await sipuni.post("callback/call_number", ORDER | {"reverse": reverse})
        sheet = rows(await sipuni.post("statistic/export", DAY))

    assert {(one["src_num"], one["dst_num"]) for one in sipuni.bridge.events} == {
        (source, destination)
    }
    assert (sheet[0]["Тип"], sheet[0]["Кто ответил"]) == ("Исходящий", "205")


async def test_a_late_answer_comes_after_the_telephones_have_rung() -> None:
    pause = OpenPause()

    async with cabinet(CabinetSwitches(order_reply=OrderReplyMode.LATE), sleep=pause) as sipuni:
        ordering = asyncio.create_task(sipuni.post("callback/call_number", ORDER))
        await pause.began.wait()
        await sipuni.lab.wait_until_idle()
        rung_before = list(sipuni.bridge.codes)
        pause.ends.set()
        reply = await ordering

    assert rung_before == ["1", "3", "2"] == sipuni.bridge.codes
    assert {one["callbackId"] for one in sipuni.bridge.events} == {reply.json()["id"]}


async def test_a_lost_answer_is_an_accepted_order_all_the_same() -> None:
    async with cabinet(CabinetSwitches(order_reply=OrderReplyMode.LOST)) as sipuni:
        with pytest.raises(LabConnectionLost) as lost:
            await sipuni.post("callback/call_number", ORDER)
        await sipuni.lab.wait_until_idle()
        (order,) = (await sipuni.web.get("/_lab/orders")).json()

    assert lost.value.phase == "timeout"
    assert order["events"] == sipuni.bridge.codes == ["1", "3", "2"]
    assert (order["source"], order["destination"], order["over"]) == ("205", CALLER, True)


@pytest.mark.parametrize(
    ("form", "keys"),
    [
        (AcceptedForm.ID, {"success", "id"}),
        (AcceptedForm.CALL_ID, {"success", "callId"}),
        (AcceptedForm.NAMELESS, {"success"}),
    ],
)
async def test_an_accepted_order_is_answered_in_each_form(
    form: AcceptedForm, keys: set[str]
) -> None:
    async with cabinet(CabinetSwitches(accepted_form=form)) as sipuni:
        reply = await sipuni.post("callback/call_number", ORDER)

    assert reply.json().keys() == keys


async def test_an_accepted_order_may_be_a_bare_one() -> None:
    async with cabinet(CabinetSwitches(accepted_form=AcceptedForm.BARE_ONE)) as sipuni:
        reply = await sipuni.post("callback/call_number", ORDER)

    assert reply.text == "1"
    assert sipuni.bridge.codes == ["1", "3", "2"]


@pytest.mark.parametrize(
    "path",
    [
        *("callback/call_number", "callback/call_tree", "callback/call_external"),
        *("callback/cancel", "events/call/hangup"),
        *("statistic/export", "statistic/record", "statistic/operators"),
    ],
)
async def test_every_address_checks_the_signature(path: str) -> None:
    params = {**ORDER, **DAY, "callbackId": "0", "callId": "1", "id": "1", "tree": "000-1"}
    params |= {"phoneFrom": CALLER, "phoneTo": CALLER}
    wrong = params | {"user": CABINET, "hash": signature(params, CABINET, "another key")}
    async with cabinet() as sipuni:
        reply = await sipuni.web.post(f"/api/{path}", data=wrong)

    assert reply.json()["message"] == "Неверная подпись запроса"
    assert sipuni.lab.calls == []


async def test_refusals_have_other_messages_and_forms() -> None:
    wrong = {"phone": CALLER}
    async with cabinet(CabinetSwitches(refusal_key="msg")) as sipuni:
        other_key = await sipuni.post("callback/call_number", wrong)
    async with cabinet(CabinetSwitches(refusal_bare=True)) as sipuni:
        sentence = await sipuni.post("statistic/export", {"from": "", "to": ""})

    assert other_key.json() == {"success": False, "msg": "Не указан номер"}
    assert (sentence.status_code, sentence.text) == (200, "Неверный период")


async def test_requests_beyond_the_limit_of_a_second_are_refused() -> None:
    moments = [NOW]
    async with cabinet(CabinetSwitches(rate_limit=2), clock=lambda: moments[0]) as sipuni:
        first = [await sipuni.post("statistic/operators", {}) for _ in range(3)]
        moments[0] += 1
        later = await sipuni.post("statistic/operators", {})

    assert [reply.status_code for reply in first] == [200, 200, 429]
    assert first[2].json()["message"] == "Слишком много запросов"
    assert later.status_code == 200


async def test_an_offline_softphone_is_a_success_without_events() -> None:
    async with cabinet(CabinetSwitches(offline_ext=frozenset({"205"}))) as sipuni:
        reply = await sipuni.post("callback/call_number", ORDER)

    assert reply.json()["success"] is True
    assert sipuni.bridge.events == []


async def test_a_call_through_a_scheme_bears_its_number() -> None:
    async with cabinet() as sipuni:
        await sipuni.post(
            "callback/call_tree", {"phone": CALLER, "sipnumber": "205", "tree": "000-777777"}
        )

    assert {one["treeNumber"] for one in sipuni.bridge.events} == {"000-777777"}


@pytest.mark.parametrize(
    ("outcome", "codes"),
    [
        (PlannedOutcome.ANSWERED, ["1", "3", "2"]),
        (PlannedOutcome.BUSY, ["1", "2"]),
        (PlannedOutcome.GIVES_UP, []),
    ],
)
async def test_two_outside_numbers_are_seen_late_or_never(
    outcome: PlannedOutcome, codes: list[str]
) -> None:
    async with cabinet(CabinetSwitches(originated=outcome)) as sipuni:
        await sipuni.post(
            "callback/call_external",
            {"phoneFrom": CALLER, "phoneTo": "79007654321", "sipnumber": "205"},
        )

    assert sipuni.bridge.codes == codes
    for one in sipuni.bridge.events:
        assert int(one["timestamp"]) - int(one["call_id"].partition(".")[0]) >= 8
        assert one.get("call_answer_timestamp", "1767225600") == "1767225600"


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("callback/call_number", {"phone": CALLER}),
        ("callback/call_tree", {"phone": CALLER, "sipnumber": "205"}),
        ("callback/call_external", {"phoneFrom": CALLER}),
        ("callback/cancel", {"callbackId": "0" * 32}),
        ("callback/cancel", {}),
        ("events/call/hangup", {"callId": "1.1"}),
        ("statistic/export", {"from": "yesterday", "to": "01.01.2026"}),
    ],
)
async def test_a_senseless_request_is_refused_with_a_message(
    path: str, params: dict[str, str]
) -> None:
    async with cabinet() as sipuni:
        reply = await sipuni.post(path, params)

    assert reply.json()["success"] is False


@pytest.mark.parametrize("path", ["callback/cancel", "events/call/hangup"])
async def test_a_call_that_goes_on_can_be_ended_once(path: str) -> None:
    pause = OpenPause()

    async with cabinet(pause=pause) as sipuni:
        ordering = asyncio.create_task(sipuni.post("callback/call_number", ORDER))
        await pause.began.wait()
        line = sipuni.lab.calls[0].header
        reference = {
            "callback/cancel": {"callbackId": line.callback_id},
            "events/call/hangup": {"callId": line.call_id},
        }[path]
        first = await sipuni.post(path, reference)
        second = await sipuni.post(path, reference)
        pause.ends.set()
        await ordering

    assert (first.json()["success"], second.json()["success"]) == (True, False)
    assert sipuni.bridge.codes == ["1", "2"]
    assert sipuni.bridge.events[-1]["status"] == "NOANSWER"


async def test_hanging_up_a_stuck_call_succeeds() -> None:
    async with cabinet(CabinetSwitches(drop_event2=True)) as sipuni:
        await sipuni.post("callback/call_number", ORDER)
        reply = await sipuni.post(
            "events/call/hangup", {"callId": sipuni.lab.calls[0].header.call_id}
        )

    assert reply.json() == {"success": True}
    assert sipuni.bridge.codes == ["1", "3"]


async def test_a_call_placed_by_control_comes_back_as_a_report_and_is_remembered() -> None:
    expected = {
        "caller": CALLER,
        "did": DID,
        "outcome": "no_answer",
        "switches": {"offline_ext": ["205"]},
    }
    async with cabinet() as sipuni:
        report = (await sipuni.web.post("/_lab/call", json=expected)).json()
        remembered = (await sipuni.web.get("/_lab/calls")).json()

    assert (report["rang_first"], report["default_queue"]) == ("206", True)
    assert report["questions"][0]["status"] == 200
    assert remembered == {"calls": [report], "bad_answers": 0, "suspended": False}
    assert sipuni.lab.switches == CabinetSwitches()


async def test_switches_change_one_by_one() -> None:
    async with cabinet(CabinetSwitches(dup_event1=True)) as sipuni:
        reply = await sipuni.web.post("/_lab/switches", json={"caller": "eight"})

    assert reply.json()["dup_event1"] is True
    assert reply.json()["caller"] == "eight"
    assert sipuni.lab.switches.dup_event1


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/_lab/switches", b'{"dup_evnt1": true}', "dup_evnt1"),
        ("/_lab/switches", b'{"dup_event1": "perhaps"}', "dup_event1"),
        ("/_lab/switches", b"nonsense", "JSON"),
        ("/_lab/call", b'{"did": "7"}', "caller"),
        ("/_lab/call", b'{"caller": "7", "did": "7", "outcome": "eaten"}', "outcome"),
    ],
)
async def test_a_wrong_control_request_says_what_is_wrong(
    path: str, body: bytes, reason: str
) -> None:
    async with cabinet() as sipuni:
        reply = await sipuni.web.post(path, content=body)

    assert reply.status_code == 422
    assert reason in reply.json()["error"]
