"""Every scenario can be read, played to a bridge, and found in the statistics as it expects."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.lab.sipuni.app import create_sipuni_app
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scenarios.playback import (
    Playback,
    play_scenario,
    queue_scenario,
)
from bridge.lab.sipuni.scenarios.scenario import (
    EventStep,
    RouteStep,
    Scenario,
    ScenarioError,
    parse_scenario,
    read_scenario,
    read_scenarios,
)
from bridge.lab.sipuni.scheme import SipuniScheme, signature
from bridge.lab.sipuni.switches import CabinetSwitches, OrderReplyMode

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[3] / "fixtures" / "stories"
SCENARIOS = read_scenarios(FOLDER)
NOW = 1767225600
KINDS = {"inbound": "Входящий", "outbound": "Исходящий", "internal": "Внутренний"}
#: Parameters of the vendor's page and of captures (facts of the event push).
FIELDS = {
    *("event", "call_id", "timestamp", "src_num", "src_type", "short_src_num", "dst_num"),
    *("dst_type", "short_dst_num", "pbxdstnum", "treeName", "treeNumber", "channel", "user_id"),
    *("is_inner_call", "status", "call_start_timestamp", "call_answer_timestamp"),
    *("call_record_link", "last_called", "transfer_from", "callbackId"),
}


@dataclass
class Receiver:
    """A bridge that takes everything; it may delay a question until an event has come."""

    events: list[dict[str, str]] = field(default_factory=list)
    questions: list[dict[str, str]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    delays: bool = False
    event_came: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/sipuni/route", self.route),
                Route("/sipuni/events", self.event, methods=["GET", "POST"]),
            ]
        )

    async def route(self, request: Request) -> Response:
        self.questions.append(dict(request.query_params))
        if self.delays:
            await self.event_came.wait()
        return JSONResponse({"choice": 1, "extension": "205"})

    async def event(self, request: Request) -> Response:
        self.methods.append(request.method)
        form = parse_qsl((await request.body()).decode(), keep_blank_values=True)
        self.events.append({**request.query_params, **dict(form)})
        self.event_came.set()
        return JSONResponse({"success": True})


@dataclass
class CabinetUnderTest:
    """The cabinet, its bridge, and whoever speaks to the cabinet's API."""

    lab: SipuniLab
    receiver: Receiver
    web: httpx.AsyncClient

    async def post(self, path: str, **params: str) -> httpx.Response:
        scheme = self.lab.scheme
        signed = params | {
            "user": scheme.cabinet,
            "hash": signature(params, scheme.cabinet, scheme.key),
        }
        return await self.web.post(f"/api/{path}", data=signed)

    async def statistics(self) -> list[dict[str, str]]:
        days = {"from": "31.12.2025", "to": "02.01.2026"}
        text = (await self.post("statistic/export", **days)).content.decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


@asynccontextmanager
async def open_cabinet(
    switches: CabinetSwitches | None = None, *, delays: bool = False
) -> AsyncIterator[CabinetUnderTest]:
    receiver = Receiver(delays=delays)
    scheme = SipuniScheme(hook_url="http://bridge.test/sipuni/route")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=receiver.app())) as http:
        lab = SipuniLab(scheme, http, clock=lambda: float(NOW), switches=switches)
        transport = httpx.ASGITransport(app=create_sipuni_app(lab))
        async with httpx.AsyncClient(transport=transport, base_url="http://sipuni.test") as web:
            yield CabinetUnderTest(lab, receiver, web)


async def play(
    scenario: Scenario, **roles: str
) -> tuple[Playback, CabinetUnderTest, list[dict[str, str]]]:
    async with open_cabinet() as cabinet:
        playback = await play_scenario(scenario, cabinet.lab, roles=roles)
        return playback, cabinet, await cabinet.statistics()


#: What docs/facts/sipuni.md, 'Events' and docs/facts/telephony.md, 'Ten quirks' name, and the
#: scenarios that have it.
SEQUENCES = {
    "incoming, answered": ["incoming_answered", "second_rung_answers", "direct_did"],
    "incoming, missed": [
        *("incoming_missed", "incoming_missed_on_the_did", "incoming_gives_up", "incoming_busy"),
        *("incoming_nobody_online", "direct_did_missed"),
    ],
    "greeting, then employee": ["greeting_then_employee"],
    "group ring": ["group_ring_commas", "group_ring_ampersands", "group_missed"],
    "transfer": ["transfer_blind", "transfer_attended", "transfer_unanswered"],
    "internal": ["internal_answered", "internal_unanswered"],
    "call_number": [
        *("click_to_call_answered", "click_to_call_unanswered", "click_to_call_stuck"),
        *("click_to_call_offline", "click_to_call_client_first"),
        "click_to_call_id_on_the_first_event_only",
    ],
    "call_external": ["external_answered", "external_unanswered", "external_first_party_gone"],
    "dialled by hand": [
        *("outgoing_answered", "outgoing_unanswered", "outgoing_busy", "outgoing_failed"),
    ],
    "at least once": ["duplicate_event_1", "every_event_twice"],
    "at most once": [
        *("event_2_lost", "event_2_lost_of_a_missed_call", "event_2_lost_and_no_statistics"),
        *("event_2_after_statistics", "asked_and_never_seen"),
    ],
    "arbitrary order": [
        *("event_before_the_question", "event_during_the_question"),
        *("events_shuffled", "events_at_once"),
    ],
    "either method": ["events_posted", "events_by_both_methods", "settings_page"],
    "unknown codes": ["unknown_codes"],
    "one party, several spellings": [
        *("caller_in_three_spellings", "did_with_a_suffix", "did_with_a_suffix_in_the_question"),
        "short_numbers_absent",
    ],
    "hidden caller": ["hidden_caller", "hidden_caller_without_a_field"],
    "fields that lie": [
        *("answer_time_before_the_start", "recording_link_of_an_unanswered_call"),
        *("recording_id_shifted", "scheme_renamed"),
    ],
    "several nodes, several calls": [
        *("routing_chain", "two_overlapping_calls", "two_calls_within_one_second"),
    ],
    "missed and called back": [
        *("missed_twice_then_called_back", "missed_then_reached_us_himself"),
        *("missed_and_called_back_in_vain", "two_missed_one_called_back"),
        "called_back_before_the_end_was_known",
    ],
}


def test_every_sequence_of_the_facts_is_a_scenario_and_there_is_no_other() -> None:
    listed = [name for names in SEQUENCES.values() for name in names]

    assert sorted(listed) == sorted(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scenario_reaches_the_bridge_whole(name: str) -> None:
    scenario = SCENARIOS[name]

    playback, cabinet, _ = await play(scenario)

    events = [step for step in scenario.steps if isinstance(step, EventStep)]
    assert playback.problems == ()
    assert len(cabinet.receiver.questions) == sum(isinstance(s, RouteStep) for s in scenario.steps)
    assert len(cabinet.receiver.events) == len(events)
    assert not any("{" in value for one in cabinet.receiver.events for value in one.values())


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_statistics_say_what_the_scenario_expects(name: str) -> None:
    playback, _, sheet = await play(SCENARIOS[name])
    expected = {call.call: call for call in playback.expect.calls}
    by_record = {row["ID записи"]: row for row in sheet}

    assert len(sheet) == len(playback.history) == len(by_record)
    for past in playback.history:
        row, call = by_record[past.record_id], expected.pop(past.call_id)
        answered = call.disposition == "answered"
        outside = row["Откуда"] if call.direction == "inbound" else row["Куда"]
        inside = row["Куда"] if call.direction == "inbound" else row["Откуда"]
        assert row["Тип"] == KINDS[call.direction]
        assert row["Статус"] == ("Отвечен" if answered else "Не отвечен")
        assert row["Кто ответил"] == call.answered_by
        assert int(row["Длительность разговора, сек"]) == call.talk_s
        assert (row["Запись существует"] == "1") is call.recording is answered
        assert re.findall(r"(\d+) \(", row["Кто разговаривал"]) == list(call.talked)
        assert not call.caller or call.caller in {outside, inside}
        assert not call.did or inside == call.did
    # What the statistics do not know, they are unknown.
    assert {call.disposition for call in expected.values()} <= {"unknown"}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_events_belong_to_the_calls_of_the_scenario(name: str) -> None:
    playback, cabinet, _ = await play(SCENARIOS[name])
    calls = {call.call: call for call in playback.expect.calls}
    seen = {one["call_id"] for one in cabinet.receiver.events if one}

    assert seen <= calls.keys()
    assert {past.call_id for past in playback.history} <= calls.keys()
    for ref, call in calls.items():
        codes = [one["event"] for one in cabinet.receiver.events if one.get("call_id") == ref]
        finals = [
            one["status"]
            for one in cabinet.receiver.events
            if one.get("call_id") == ref and one["event"] == "2"
        ]
        if call.by_events == "unknown" or call.disposition == "unknown":
            assert "2" not in codes
        else:
            assert finals
        assert ("3" in codes) <= (call.disposition == "answered")


@pytest.mark.parametrize("name", SCENARIOS)
async def test_events_have_no_field_a_cabinet_does_not_send(name: str) -> None:
    _, cabinet, _ = await play(SCENARIOS[name])

    assert {field for one in cabinet.receiver.events for field in one} <= FIELDS


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_has_no_number_but_the_composed_ones(name: str) -> None:
    text = (FOLDER / f"{name}.jsonl").read_text("utf-8")

    digits = set(re.findall(r"\d{7,}", text))

    assert digits <= {"79001234567", "79007654321", "74950000001"}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scenario_can_be_played_now_by_other_people(name: str) -> None:
    recast = {"client": "79031112233", "did": "78120000009", "owner": "311"}
    roles = {role: value for role, value in recast.items() if role in SCENARIOS[name].roles}
    async with open_cabinet() as cabinet:
        later = await play_scenario(SCENARIOS[name], cabinet.lab, start=NOW + 86_400, roles=roles)
        again = await play_scenario(SCENARIOS[name], cabinet.lab, start=NOW + 86_400, roles=roles)

    pushed = " ".join(value for one in cabinet.receiver.events for value in one.values())
    assert not any(old in pushed for old in ("79001234567", "74950000001", "012345205"))
    assert all(
        NOW + 86_400 <= int(call.call.partition(".")[0]) <= NOW + 90_000
        for call in later.expect.calls
    )
    ids = [call.call for one in (later, again) for call in one.expect.calls]
    assert len(ids) == len(set(ids))


async def test_a_step_together_with_another_happens_while_that_is_under_way() -> None:
    async with open_cabinet(delays=True) as cabinet:
        playback = await play_scenario(SCENARIOS["event_during_the_question"], cabinet.lab)

    assert playback.problems == ()
    assert playback.questions[0].extension == "205"


async def test_a_pause_is_awaited_between_the_steps() -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    async with open_cabinet() as cabinet:
        await play_scenario(SCENARIOS["incoming_answered"], cabinet.lab, pause=pause)

    assert waited == [1, 12, 60, 2]


async def test_methods_are_those_of_the_scenario() -> None:
    _, cabinet, _ = await play(SCENARIOS["events_by_both_methods"])

    assert cabinet.receiver.methods == ["GET", "POST", "GET", "POST"]


async def test_the_recording_of_a_scenario_is_fetched_by_its_link() -> None:
    async with open_cabinet() as cabinet:
        for name in ("recording_id_shifted", "recording_link_of_an_unanswered_call"):
            await play_scenario(SCENARIOS[name], cabinet.lab)
        links = [one["call_record_link"] for one in cabinet.receiver.events if one["event"] == "2"]
        there, absent = [await cabinet.web.get(httpx.URL(link).raw_path.decode()) for link in links]

    assert there.headers["content-type"] == "audio/mpeg"
    assert absent.headers["content-type"].startswith("text/html")


# ------------------------------------------------------------------ scenarios and orders

ORDER = {"antiaon": "0", "phone": "79001234567", "reverse": "0", "sipnumber": "205"}


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("click_to_call_answered", ["1", "1", "3", "2"]),
        ("click_to_call_unanswered", ["1", "1", "2"]),
        ("click_to_call_stuck", ["1", "1", "3"]),
        ("click_to_call_offline", []),
    ],
)
async def test_a_waiting_scenario_begins_with_the_order_it_waits_for(
    name: str, events: list[str]
) -> None:
    async with open_cabinet() as cabinet:
        queue_scenario(SCENARIOS[name], cabinet.lab)
        reply = await cabinet.post("callback/call_number", **ORDER)
        again = await cabinet.post("callback/call_number", **ORDER | {"sipnumber": "206"})

    pushed = [one for one in cabinet.receiver.events if one["callbackId"] == reply.json()["id"]]
    assert [one["event"] for one in pushed] == events
    assert again.json()["id"] != reply.json()["id"]


async def test_event_1_overtakes_the_answer_to_a_order_a_scenario_waits_for() -> None:
    async with open_cabinet(CabinetSwitches(order_reply=OrderReplyMode.LOST)) as cabinet:
        queue_scenario(SCENARIOS["click_to_call_answered"], cabinet.lab)
        with pytest.raises(ConnectionError):
            await cabinet.post("callback/call_number", **ORDER)
        await cabinet.lab.wait_until_idle()

    assert [one["event"] for one in cabinet.receiver.events] == ["1", "1", "3", "2"]


async def test_a_scenario_without_an_order_cannot_wait_for_one() -> None:
    async with open_cabinet() as cabinet:
        with pytest.raises(ScenarioError, match="no order"):
            queue_scenario(SCENARIOS["incoming_missed"], cabinet.lab)


# ------------------------------------------------------------------ the control address


async def test_a_scenario_is_played_from_outside() -> None:
    text = (FOLDER / "incoming_missed.jsonl").read_bytes()
    async with open_cabinet() as cabinet:
        reply = await cabinet.web.post("/_lab/story?client=79031112233", content=text)

    report = reply.json()
    assert report["expect"]["owed"] == ["79031112233"]
    assert report["problems"] == []
    assert [one["event"] for one in report["pushes"]] == ["1", "1", "2"]
    assert cabinet.receiver.questions[0]["fromnum"] == "79031112233"


async def test_a_scenario_is_made_to_wait_from_outside() -> None:
    text = (FOLDER / "click_to_call_answered.jsonl").read_bytes()
    async with open_cabinet() as cabinet:
        staged = await cabinet.web.post("/_lab/story?staged=1&owner=311", content=text)
        await cabinet.post("callback/call_number", **ORDER | {"sipnumber": "311"})

    assert staged.json()["story"] == "click_to_call_answered"
    assert cabinet.receiver.events[0]["short_src_num"] == "311"


@pytest.mark.parametrize(
    ("query", "body", "message"),
    [
        ("", b"", "no header"),
        ("?nobody=1", (FOLDER / "incoming_missed.jsonl").read_bytes(), "no such role"),
        ("?staged=1", (FOLDER / "incoming_missed.jsonl").read_bytes(), "no order"),
    ],
)
async def test_a_wrong_scenario_is_refused_and_not_played(
    query: str, body: bytes, message: str
) -> None:
    async with open_cabinet() as cabinet:
        reply = await cabinet.web.post(f"/_lab/story{query}", content=body)

    assert reply.status_code == 422
    assert message in reply.json()["error"]
    assert cabinet.receiver.events == []


# ------------------------------------------------------------------ what is no scenario

HEADER = '{"story": "s", "about": "a", "cast": {"client": "7"}, "expect": {"calls": []}}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"odd\.jsonl:1: the scenario has no header"),
        ("nonsense\n", r"odd\.jsonl:1: .*JSON"),
        ('{"story": "s"}\n', r"odd\.jsonl:1: .*missing required field `about`"),
        (HEADER, r"odd\.jsonl:1: nothing happens"),
        (HEADER + '\n\n{"at": 0, "do": "sing"}\n', r"odd\.jsonl:4: .*sing"),
        (HEADER + '{"at": 0, "do": "event", "parms": {}}', r"odd\.jsonl:2: .*parms"),
        (HEADER + '{"at": 0, "do": "route"}', r"odd\.jsonl:2: .*params"),
        (
            HEADER + '{"at": 5, "do": "event"}\n{"at": 1, "do": "event"}',
            r"odd\.jsonl:3: at 1 comes after at 5",
        ),
        (HEADER + '{"at": 0, "do": "event", "together": true}', r"odd\.jsonl:2: .*together"),
        (
            HEADER + '{"at": 0, "do": "event", "params": {"src_num": "{nobody}"}}',
            r"odd\.jsonl:2: no role or value of this name: \{nobody\}",
        ),
        (
            HEADER + '{"at": 0, "do": "event", "params": {"call_id": "{+0}.{#77}"}}',
            r"odd\.jsonl:2: .*#77",
        ),
    ],
)
def test_what_is_wrong_is_reported_with_file_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(text, "utf-8")

    with pytest.raises(ScenarioError, match=message):
        read_scenario(path)


def test_a_scenario_is_named_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text(HEADER + '{"at": 0, "do": "event"}', "utf-8")

    with pytest.raises(ScenarioError, match=r"other\.jsonl:1: the scenario calls itself s"):
        read_scenarios(tmp_path)


async def test_unknown_roles_are_refused() -> None:
    scenario = parse_scenario(HEADER + '{"at": 0, "do": "event"}')
    async with open_cabinet() as cabinet:
        with pytest.raises(ScenarioError, match="extra"):
            await play_scenario(scenario, cabinet.lab, roles={"extra": "1"})
