"""The addresses of the PBX (docs/contract.md, 'Addresses'), and what strangers send to them."""

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.routing.decision import RoutingRules
from bridge.errors import StoreError
from bridge.ports.pbx import RawEvent
from bridge.web.hooks import read_fields
from tests.web.web_fixture import BASIC, TOKEN, WebFixture, send_raw_query, web_with_known_caller

pytestmark = pytest.mark.anyio

QUESTION = {"fromnum": "79035550123", "tonum": "74852550102", "dtmf": "", "time": "1772625600"}
TO_205 = b'{"choice": 1, "extension": "205"}'
NOBODY = b'{"choice": 0, "extension": null}'


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """One application for all hostile requests: it must survive them together."""
    return web_with_known_caller().app()


ROUTES = [
    "/sipuni/route",
    "/sipuni/route/",
    "/hs/sipuni/get",
    "/ut11/hs/sipuni/get",
    "/%D0%A3%D0%A2/hs/sipuni/get",
]


@pytest.mark.parametrize("path", ROUTES)
async def test_every_address_of_the_routing_question_answers(path: str) -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        answer = await pbx.get(path, params=QUESTION)

    assert (answer.status_code, answer.content) == (200, TO_205)
    assert answer.headers["content-type"] == "application/json"
    assert len(web.ledger.stored) == 1


@pytest.mark.parametrize("path", ROUTES)
async def test_with_the_token_in_the_path_no_credentials_are_needed(path: str) -> None:
    web = web_with_known_caller()
    async with web.client(peer="203.0.113.7") as pbx:
        answer = await pbx.get(f"/hook/{TOKEN}{path}", params=QUESTION)

    assert (answer.status_code, answer.content) == (200, TO_205)


@pytest.mark.parametrize(
    ("form", "known", "stranger"),
    [
        ("auto", TO_205, NOBODY),
        ("number", b'{"choice": "205"}', b'{"choice": 0}'),
        ("text", b"205", b""),
    ],
)
async def test_the_answer_has_the_form_that_was_set(
    form: str, known: bytes, stranger: bytes
) -> None:
    async with web_with_known_caller(answer=form).pbx() as pbx:
        answers = [
            await pbx.get("/sipuni/route", params={"fromnum": number})
            for number in ("79035550123", "79990000000")
        ]

    assert [a.content for a in answers] == [known, stranger]
    assert [a.status_code for a in answers] == [200, 200]


async def test_with_a_default_set_nobody_means_that_extension() -> None:
    rules = RoutingRules(default_extension="100", did_extensions={"78121234567": "200"})
    async with web_with_known_caller(rules=rules).pbx() as pbx:
        default = await pbx.get("/sipuni/route")
        by_line = await pbx.get("/sipuni/route", params={"tonum": "8 812 123-45-67"})

    assert default.content == b'{"choice": 1, "extension": "100"}'
    assert by_line.content == b'{"choice": 1, "extension": "200"}'


@pytest.mark.parametrize("broken", [StoreError("index", "gone"), RuntimeError("a mistake of ours")])
async def test_whatever_breaks_the_caller_gets_the_default(
    broken: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    web = web_with_known_caller(rules=RoutingRules(default_extension="100"))
    web.answering.broken = broken
    async with web.pbx() as pbx:
        answer = await pbx.get("/sipuni/route", params=QUESTION)

    assert (answer.status_code, answer.content) == (200, b'{"choice": 1, "extension": "100"}')
    logged = [r for r in caplog.records if r.message == "route_answer_broken"]
    assert [r.exc_info is not None for r in logged] == [True]


async def test_a_monitor_s_look_is_no_call() -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        answer = await pbx.head("/sipuni/route")

    assert (answer.status_code, answer.content) == (200, b"")
    assert not web.answering.questions


async def test_the_answer_s_figures_are_counted() -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        await pbx.get("/sipuni/route", params=QUESTION)
    async with web.admin() as admin:
        figures = (await admin.get("/metrics")).text

    assert 'bridge_route_requests_total{provider="sipuni",rule="contact_manager"} 1.0' in figures
    assert "bridge_route_seconds_count 1.0" in figures


# ---------------------------------------------------------------- hostile requests


QUIET = settings(max_examples=200, deadline=None)


@QUIET
@given(query=st.binary(max_size=300))
async def test_any_query_string_has_a_usable_answer(query: bytes, app: FastAPI) -> None:
    status, body = await send_raw_query(app, "/sipuni/route", query)

    assert status == 200
    assert json.loads(body).keys() == {"choice", "extension"}


@QUIET
@given(
    fields=st.lists(
        st.tuples(st.sampled_from(["fromnum", "tonum", "label", "time", "я"]), st.text())
    )
)
async def test_any_values_have_a_usable_answer(fields: list[tuple[str, str]], app: FastAPI) -> None:
    query = "&".join(f"{quote(k)}={quote(v.encode('utf-8', 'replace'))}" for k, v in fields)

    status, body = await send_raw_query(app, "/sipuni/route", query.encode())

    assert status == 200
    assert json.loads(body)["choice"] in {0, 1}


@pytest.mark.parametrize(
    "query",
    [
        "fromnum=" + "7" * 100_000,
        "label=" + "%D1%8F" * 30_000 + "&fromnum=79035550123",
        "&".join(f"x{n}=1" for n in range(10_000)),
        "&" * 50_000,
        "fromnum=%00%00&tonum=%ff%fe&label=%zz&time=%",
        "fromnum=%ED%A0%80",
        "=&==&===",
        "fromnum&tonum&label",
        "fromnum[]=79035550123&fromnum[$ne]=1",
    ],
)
async def test_a_hostile_query_has_a_usable_answer(query: str, app: FastAPI) -> None:
    status, body = await send_raw_query(app, "/sipuni/route", query.encode())

    assert status == 200
    assert json.loads(body)["choice"] in {0, 1}


async def test_an_over_long_parameter_hides_no_other(app: FastAPI) -> None:
    query = b"label=" + b"x" * 100_000 + b"&fromnum=79035550123"

    assert await send_raw_query(app, "/sipuni/route", query) == (200, TO_205)


def test_fields_keep_their_order_repeats_and_blanks() -> None:
    assert read_fields(b"a=1&b=&a=2&c") == (("a", "1"), ("b", ""), ("a", "2"), ("c", ""))


def test_no_more_than_a_hundred_fields_are_read() -> None:
    assert len(read_fields(b"&".join(b"a=1" for _ in range(500)))) == 100


# ---------------------------------------------------------------- events

EVENT = {"event": "1", "call_id": "1767225600.100001", "treeName": "Входящая"}


@pytest.mark.parametrize(
    "path", ["/sipuni/events", "/sipuni/events/", f"/hook/{TOKEN}/sipuni/events/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_event_is_stored_then_acknowledged(method: str, path: str) -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        answer = await pbx.request(method, path, params=EVENT)

    assert (answer.status_code, answer.content) == (200, b'{"success": true}')
    assert [e.fields for e in web.ledger.kept_events] == [tuple(EVENT.items())]


async def test_a_posted_form_is_read_beside_the_query() -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        await pbx.post("/sipuni/events?event=2", data={"call_id": "1.2"})

    assert web.ledger.kept_events[0].fields == (("event", "2"), ("call_id", "1.2"))


@pytest.mark.parametrize("body", [b"", b"\xff\x00" * 1000, b'{"event": 1}', b"a=" + b"x" * 200_000])
async def test_whatever_is_posted_is_acknowledged(body: bytes) -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        answer = await pbx.post("/sipuni/events", content=body)

    assert (answer.status_code, answer.content) == (200, b'{"success": true}')
    assert len(web.ledger.kept_events) == 1


async def test_an_event_that_is_not_stored_is_not_acknowledged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    web = web_with_known_caller()
    web.ledger.full_disk = True
    async with web.pbx() as pbx:
        answer = await pbx.get("/sipuni/events", params=EVENT)

    assert (answer.status_code, answer.content) == (503, b'{"success": false}')
    (logged,) = [r for r in caplog.records if r.message == "event_not_stored"]
    assert logged.exc_info is None  # a full disk is no fault of ours: one line an event


async def test_the_secret_of_the_path_goes_no_further() -> None:
    web = WebFixture()
    async with web.client() as pbx:
        await pbx.get(f"/hook/{TOKEN}/sipuni/events", params=EVENT)

    assert TOKEN not in repr(web.ledger.kept_events)


async def test_the_credentials_work_beside_each_other() -> None:
    async with web_with_known_caller().client(auth=BASIC) as pbx:
        answer = await pbx.get("/sipuni/route")

    assert answer.status_code == 200


def form_parts(fields: dict[str, str]) -> dict[str, tuple[None, str]]:
    return {name: (None, value) for name, value in fields.items()}


@pytest.mark.parametrize(
    "sent",
    [
        {"json": EVENT},
        {"files": form_parts(EVENT)},
        {"content": json.dumps([EVENT]).encode(), "headers": {"content-type": "text/plain"}},
        {"content": gzip.compress(json.dumps(EVENT).encode())},
    ],
    ids=["json", "multipart", "list", "gzip"],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_event_is_read_in_any_form_of_body(method: str, sent: dict[str, Any]) -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        answer = await pbx.request(method, "/sipuni/events", **sent)

    assert answer.json() == {"success": True}
    assert [e.fields for e in web.ledger.kept_events] == [tuple(EVENT.items())]


async def test_a_body_that_cannot_be_read_is_kept_as_it_came() -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        headers = {"content-type": "text/xml"}
        answer = await pbx.post("/sipuni/events", content=b"<call id='1.2'/>", headers=headers)

    assert answer.json() == {"success": True}
    (kept,) = web.ledger.kept_events
    assert (kept.fields, kept.body, kept.content_type) == ((), "<call id='1.2'/>", "text/xml")


async def test_events_of_one_list_are_kept_each() -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        events = [EVENT | {"call_id": f"1.{n}"} for n in range(3)]
        await pbx.post("/sipuni/events?user_id=012345", json={"events": events})

    kept = [dict(event.fields) for event in web.ledger.kept_events]
    assert [fields["call_id"] for fields in kept] == ["1.0", "1.1", "1.2"]
    assert {fields["user_id"] for fields in kept} == {"012345"}


async def test_unread_events_are_shown_to_the_administrator_and_let_go() -> None:
    web = web_with_known_caller()
    web.ledger.kept_unread.append(RawEvent("sipuni", web.clock(), (("kto", "1"),), "<x/>"))
    async with web.admin() as admin:
        shown = (await admin.get("/api/v1/events/unread")).json()
        gone = (await admin.post("/api/v1/events/unread/dismiss")).json()

    assert (shown["count"], shown["events"][0]["body"]) == (1, "<x/>")
    assert shown["events"][0]["fields"] == [["kto", "1"]]
    assert gone == {"dismissed": 1}
    assert web.ledger.kept_unread == []


@pytest.mark.parametrize(
    ("encoded", "read"),
    [
        (b"a=%D0%9F%D1%80&b=1", (("a", "Пр"), ("b", "1"))),
        (b"a=%CF%F0%EE%E4&b=%D0%9F%D1%80", (("a", "Прод"), ("b", "Пр"))),
        ("a=Прод&b=1".encode("cp1251"), (("a", "\ufffd\ufffd\ufffd\ufffd"), ("b", "1"))),
        (b"a=%D0%9F%D1&b=1", (("a", "П\ufffd"), ("b", "1"))),
    ],
)
def test_fields_are_read_in_the_alphabet_they_were_written_in(encoded: bytes, read: object) -> None:
    assert read_fields(encoded) == read
