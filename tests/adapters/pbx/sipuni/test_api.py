"""The cabinet's API: signed by the rule, ordered once, every answer history_of for what it is."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.pbx.sipuni.api import SipuniAccount, SipuniApi
from bridge.adapters.pbx.sipuni.history import export_query, read_export, signature
from bridge.domain.calls.events import Direction, EventKind, Outcome
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import PbxError, PbxRefused, PbxUnavailable
from bridge.lab.sipuni.app import create_sipuni_app
from bridge.lab.sipuni.calls import CallPlan
from bridge.lab.sipuni.pbx import SipuniLab
from bridge.lab.sipuni.scheme import SipuniScheme
from bridge.lab.sipuni.switches import CabinetSwitches
from bridge.ports.pbx import PbxControl
from tests.support.builders import NOON, RULES
from tests.support.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio

MOSCOW = ZoneInfo("Europe/Moscow")
KEY = "demo-secret"
ORDER = CallOrder("order-1", "205", PhoneNumber(79001234567), NOON)
RECORD = "1769936400.100001"
HEADERS = (
    "Тип;Статус;Время;Схема;Откуда;Куда;Кто ответил;Длительность звонка, сек;"
    "Длительность разговора, сек;Кто разговаривал;Кому звонили;ID записи;Запись существует"
)
TALK = (
    "Входящий;Отвечен;01.02.2026 12:00:00;Входящая;79001234567;74950000001;205;75;60;"
    "205 (Иванов И.) 60;206 (Петров, П.) 5, 205 (Иванов И.) 60;1769936400.100001;1"
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": VirtualLoop})


def api(answer: Callable[[httpx.Request], httpx.Response]) -> PbxControl:
    account = SipuniAccount("https://sipuni.test/api", "012345", KEY, MOSCOW)
    return SipuniApi(account, RULES, transport=httpx.MockTransport(answer))


def answering(body: str | bytes, status: int = 200) -> PbxControl:
    content = body.encode() if isinstance(body, str) else body
    return api(
        lambda _: httpx.Response(status, content=content, headers={"Content-Type": "text/html"})
    )


def failing(error: Exception) -> PbxControl:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return api(fail)


def day(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 2, 1, hour, minute, tzinfo=MOSCOW)


# ---------------------------------------------------------------- the hash


@pytest.mark.parametrize(
    ("fields", "md5"),
    [
        (
            {"phone": "79001234567", "antiaon": "0", "reverse": "0", "sipnumber": "205"},
            "e51e44d6bf345198bb9956e139a66754",
        ),
        (
            {
                "callAttemptTime": "30",
                "phone": "79001234567",
                "reverse": "0",
                "sipnumber": "205",
                "tree": "000-123456",
            },
            "0e05eeff3b17d829afab836e8ceeab5f",
        ),
        (
            {
                "phoneFrom": "79001234567",
                "phoneTo": "79007654321",
                "sipnumber": "205",
                "sipnumber2": "206",
            },
            "60ab3dc64d098f52f38553377f04fb3d",
        ),
        ({"id": "1767225600.100001"}, "6760637e7acefa150fe8468d5551c779"),
        ({}, "dfe3f3bfc9cae4ce242588ae7c20c87e"),
        (
            export_query(day(0), day(23, 59), MOSCOW),
            "54472772c0bd4f2b57c9aaf887ffb8f1",
        ),
    ],
)
def test_the_hash_is_that_of_the_facts(fields: dict[str, str], md5: str) -> None:
    assert signature(fields, "012345", KEY) == md5


# ---------------------------------------------------------------- an order


async def test_an_order_rings_the_extension_first_and_is_signed() -> None:
    sent: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, text='{"success": true, "id": "00ff"}')

    reply = await api(accept).originate(ORDER)

    assert (reply.state, reply.ref) == (OrderState.ACCEPTED, "00ff")
    (request,) = sent
    assert (request.method, request.url.path) == ("POST", "/api/callback/call_number")
    assert dict(parse_qsl(request.content.decode())) == {
        "antiaon": "0",
        "phone": "79001234567",
        "reverse": "0",
        "sipnumber": "205",
        "user": "012345",
        "hash": "e51e44d6bf345198bb9956e139a66754",
    }


@pytest.mark.parametrize(
    ("body", "ref"),
    [
        ('{"success": true, "id": "00ff"}', "00ff"),
        ('{"success": true, "callId": 17}', "17"),
        ('\ufeff{"success": "true", "callbackId": "00ff"}', "00ff"),
        ('{"callId": "00ff"}', "00ff"),
        ('{"message": "ok", "callId": "00ff"}', "00ff"),
        ('{"msg": "Звонок заказан", "id": 17}', "17"),
        ('{"success": true}', ""),
        ("1", ""),
        ('"1"', ""),
    ],
)
async def test_success_is_read_by_its_content(body: str, ref: str) -> None:
    reply = await answering(body).originate(ORDER)

    assert (reply.state, reply.ref) == (OrderState.ACCEPTED, ref)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ('{"success": false, "message": "Неверная подпись запроса"}', 200, "Неверная подпись"),
        ('{"success": false, "msg": "нет денег"}', 403, "нет денег"),
        ('{"success": false, "message": "занято"}', 500, "занято"),
        ('{"success": false}', 200, "without a word"),
        ('{"message": "no such sipnumber"}', 200, "no such sipnumber"),
        ('{"success": false, "message": "ok", "id": "17"}', 200, "ok"),
        ("Forbidden", 403, "HTTP 403: Forbidden"),
        ("", 302, "HTTP 302"),
        ("", 404, "BRIDGE_SIPUNI_URL"),
    ],
)
async def test_a_refusal_is_reported_with_the_pbx_s_message(
    body: str, status: int, reason: str
) -> None:
    reply = await answering(body, status).originate(ORDER)

    assert reply.state is OrderState.REFUSED
    assert reason in reply.reason


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("Bad gateway", 502),
        ('{"message": "Internal Server Error"}', 500),
        ("<html>please log in</html>", 200),
        ("", 200),
        ("[]", 200),
        ('{"status": "queued"}', 200),
        ('{"message": "OK"}', 200),
        ('{"error": "busy now", "callId": "00ff"}', 200),
    ],
)
async def test_an_answer_that_says_neither_leaves_the_order_in_doubt(
    body: str, status: int
) -> None:
    reply = await answering(body, status).originate(ORDER)

    assert reply.state is OrderState.UNKNOWN
    assert "may ring all the same" in reply.reason


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("waited"),
        httpx.WriteTimeout("waited"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("gone"),
    ],
)
async def test_a_lost_reply_leaves_the_order_in_doubt(error: Exception) -> None:
    reply = await failing(error).originate(ORDER)

    assert reply.state is OrderState.UNKNOWN
    assert type(error).__name__ in reply.reason


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("waited")])
async def test_an_order_that_never_left_is_refused_and_says_so(error: Exception) -> None:
    reply = await failing(error).originate(ORDER)

    assert reply.state is OrderState.REFUSED
    assert "was not sent" in reply.reason


async def test_an_order_is_never_repeated_by_itself() -> None:
    asked = 0

    def lose(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        raise httpx.ReadTimeout("waited")

    await api(lose).originate(ORDER)

    assert asked == 1


@pytest.mark.parametrize("body", [f"bad key {KEY}", json.dumps({"message": f"{KEY}\n{KEY}" * 99})])
async def test_the_key_is_in_no_message_however_the_pbx_echoes_it(body: str) -> None:
    reply = await answering(body, 403).originate(ORDER)

    assert KEY not in reply.reason
    assert "\n" not in reply.reason
    assert len(reply.reason) < 250
    assert KEY not in repr(SipuniAccount("https://sipuni.test/api", "012345", KEY))


async def test_orders_leave_two_a_second_at_most_and_exports_one() -> None:
    loop = asyncio.get_running_loop()
    left: dict[str, list[float]] = {}

    def record(request: httpx.Request) -> httpx.Response:
        left.setdefault(request.url.path, []).append(loop.time())
        return httpx.Response(200, text=HEADERS if "export" in request.url.path else "1")

    pbx = api(record)
    await asyncio.gather(
        *(pbx.originate(ORDER) for _ in range(4)), *(pbx.history(NOON, NOON) for _ in range(3))
    )

    assert left == {
        "/api/callback/call_number": [0, 0.5, 1, 1.5],
        "/api/statistic/export": [0, 1, 2],
    }


# ---------------------------------------------------------------- the statistics


async def history_of(text: str) -> list[object]:
    return list(await answering(text).history(day(0), day(23, 59)))


async def test_a_row_of_the_statistics_becomes_an_event() -> None:
    (event,) = await answering(f"\ufeff{HEADERS}\r\n{TALK}\r\n").history(day(11), day(13))

    assert (event.kind, event.direction) == (EventKind.HISTORY, Direction.INBOUND)
    assert event.outcome is Outcome.ANSWERED
    assert event.client is not None
    assert event.client.number == 79001234567
    assert (event.did, event.extension, event.scheme) == ("74950000001", "205", "Входящая")
    assert event.rung_extensions == ("206", "205")
    assert event.talk_time == timedelta(seconds=60)
    assert event.started_at == datetime(2026, 2, 1, 9, tzinfo=UTC)
    assert event.at - event.started_at == timedelta(seconds=75)
    assert event.call_ref == event.recording == "1769936400.100001"


def columns(text: str) -> dict[str, str]:
    return dict(zip(HEADERS.split(";"), text.split(";"), strict=True))


async def test_columns_are_known_by_their_header_wherever_they_stand() -> None:
    cells = columns(TALK)
    backwards = list(reversed(cells))
    table = ";".join(backwards) + "\n" + ";".join(cells[name] for name in backwards)

    assert await history_of(table) == await history_of(f"{HEADERS}\n{TALK}")


async def test_optional_columns_and_units_may_be_missing() -> None:
    short = "Тип;Статус;Время;Откуда;Куда;Длительность звонка;ID записи"
    row = "Исходящий;Не отвечен;01.02.2026 12:00;205 (Иванов И.);+7 900 123-45-67;20;17.1"

    (event,) = await answering(f"{short}\n{row}").history(day(12), day(12, 1))

    assert (event.direction, event.outcome) == (Direction.OUTBOUND, Outcome.NO_ANSWER)
    assert (event.extension, event.talk_time, event.recording) == ("205", None, "")
    assert event.client is not None
    assert event.client.number == 79001234567


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"Статус": "Не отвечен"}, (Outcome.NO_ANSWER, "", "")),
        ({"Статус": "Занято"}, (Outcome.BUSY, "", "")),
        ({"Статус": "Неизвестно"}, (Outcome.ANSWERED, "205", RECORD)),
        ({"Статус": "Успех"}, (Outcome.ANSWERED, "205", RECORD)),
        ({"Запись существует": "0"}, (Outcome.ANSWERED, "205", "")),
        ({"Кто разговаривал": "205 (И.) 9, 207 8"}, (Outcome.ANSWERED, "207", RECORD)),
        ({"Кто разговаривал": ""}, (Outcome.ANSWERED, "205", RECORD)),
        (
            {"Тип": "Внутренний", "Откуда": "206", "Куда": "205"},
            (Outcome.ANSWERED, "205", "1769936400.100001"),
        ),
    ],
)
async def test_what_a_row_says_is_taken_for_no_more(
    changes: dict[str, str], seen: tuple[Outcome, str, str]
) -> None:
    row = ";".join((columns(TALK) | changes).values())

    (event,) = await answering(f"{HEADERS}\n{row}").history(day(0), day(23))

    assert (event.outcome, event.extension, event.recording) == seen


async def test_calls_outside_the_span_and_rows_without_a_time_are_left_out() -> None:
    rows = [
        ";".join((columns(TALK) | {"Время": time}).values())
        for time in ("01.02.2026 11:59:59", "01.02.2026 12:30", "01.02.2026 12:31:00", "", "soon")
    ]
    table = "\n".join((HEADERS, *rows))

    found = await answering(table).history(
        day(12, 30).replace(second=40), day(12, 30).replace(second=59)
    )

    assert [event.started_at for event in found] == [day(12, 30).astimezone(UTC)]


@pytest.mark.parametrize(
    ("since", "until", "asked"),
    [
        (day(10, 5), day(11, 7), ("01.02.2026", "10:05", "01.02.2026", "11:07")),
        (day(1), day(1).replace(second=1), ("01.02.2026", "01:00", "01.02.2026", "01:01")),
        (day(10, 5), day(11) + timedelta(days=1), ("01.02.2026", "00:00", "02.02.2026", "23:59")),
        # three in the morning by UTC is the same day in Moscow, a quarter to midnight is not
        (
            datetime(2026, 2, 1, 20, 45, tzinfo=UTC),
            datetime(2026, 2, 1, 21, 15, tzinfo=UTC),
            ("01.02.2026", "00:00", "02.02.2026", "23:59"),
        ),
    ],
)
def test_only_a_span_within_one_day_is_narrowed_by_the_clock(
    since: datetime, until: datetime, asked: tuple[str, str, str, str]
) -> None:
    fields = export_query(since, until, MOSCOW)

    assert (fields["from"], fields["timeFrom"], fields["to"], fields["timeTo"]) == asked
    assert len(fields) == 22


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("Неверный hash", 200, PbxRefused),
        ('{"success": false, "message": "Неверный hash"}', 200, PbxRefused),
        ("Неверный hash", 403, PbxRefused),
        ("", 200, PbxUnavailable),
        ("<html>Вход</html>", 200, PbxUnavailable),
        ("busy", 503, PbxUnavailable),
        ("slow down", 429, PbxUnavailable),
    ],
)
async def test_what_is_no_table_is_an_error_with_the_pbx_s_message(
    body: str, status: int, error: type[PbxError]
) -> None:
    with pytest.raises(error) as failure:
        await answering(body, status).history(day(0), day(1))

    if "hash" in body:
        assert "Неверный hash" in str(failure.value)


async def test_a_pbx_that_cannot_be_reached_is_unavailable() -> None:
    with pytest.raises(PbxUnavailable, match="ConnectError"):
        await failing(httpx.ConnectError("refused")).history(day(0), day(1))


TEXTS = st.text(st.sampled_from('абв ;,"\n\r0123456789.:()+'), max_size=60)


@given(st.lists(st.lists(TEXTS, max_size=15), max_size=5))
def test_no_table_makes_the_reading_raise(rows: list[list[str]]) -> None:
    body = "\n".join((HEADERS, *(";".join(cells) for cells in rows)))

    for event in read_export(body.encode(), MOSCOW, RULES):
        assert event.started_at is not None
        assert event.started_at.utcoffset() == timedelta(0)


# ---------------------------------------------------------------- against the simulated cabinet


@pytest.fixture
def cabinet() -> tuple[SipuniLab, PbxControl]:
    scheme = SipuniScheme(hook_url="http://bridge.test/sipuni/route")
    pushes = httpx.MockTransport(lambda _: httpx.Response(200, json={"success": True}))
    lab = SipuniLab(scheme, httpx.AsyncClient(transport=pushes))
    account = SipuniAccount("http://cabinet.test/api", scheme.cabinet, scheme.key, MOSCOW)
    transport = httpx.ASGITransport(create_sipuni_app(lab))
    return lab, SipuniApi(account, RULES, transport=transport)


async def test_the_simulated_cabinet_takes_an_order_and_reports_it(
    cabinet: tuple[SipuniLab, PbxControl],
) -> None:
    lab, pbx = cabinet
    await lab.place_call(CallPlan("79035550123", "74950000001"))

    reply = await pbx.originate(ORDER)
    now = datetime.now(UTC)
    events = await pbx.history(now - timedelta(hours=1), now + timedelta(minutes=1))

    assert (reply.state, len(reply.ref)) == (OrderState.ACCEPTED, 32)
    assert [event.direction for event in events] == [Direction.INBOUND, Direction.OUTBOUND]
    assert [str(event.client and event.client.number) for event in events] == [
        "79035550123",
        "79001234567",
    ]
    assert events[1].extension == "205"


@pytest.mark.parametrize("status", [200, 403])
async def test_the_simulated_cabinet_refuses_a_wrong_key(
    cabinet: tuple[SipuniLab, PbxControl], status: int
) -> None:
    lab, _ = cabinet
    lab.set_switches(CabinetSwitches(refusal_status=status))
    account = SipuniAccount("http://cabinet.test/api", "012345", "wrong", MOSCOW)
    stranger = SipuniApi(account, RULES, transport=httpx.ASGITransport(create_sipuni_app(lab)))

    assert (await stranger.originate(ORDER)).state is OrderState.REFUSED
    with pytest.raises(PbxRefused, match="подпись"):
        await stranger.history(day(0), day(1))
