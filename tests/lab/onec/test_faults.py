"""Switches and faults of the simulated 1C: every way it differs, fails, or loses a reply."""

import base64
from typing import Any

import anyio
import httpx
import pytest

from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.faults import KINDS, Fault, read_faults_file
from bridge.lab.onec.infobase.infobase import (
    ORDERS,
    PARTNERS,
    PHONE_CALLS,
    REMINDERS,
    USERS,
)
from bridge.lab.onec.server import OneCServer
from bridge.lab.onec.switches import PublicationSwitches
from tests.lab.onec.onec_client import NOWHERE, OneCClient, error_of, open_lab

pytestmark = pytest.mark.anyio


@pytest.fixture
def onec() -> OneCClient:
    return open_lab()


# ------------------------------------------------------------------ switches


async def test_enforced_if_match_refuses_a_stale_version(onec: OneCClient) -> None:
    onec.lab.switches.if_match = "enforced"
    ref = await onec.a_call()

    stale = await onec.patch(PHONE_CALLS, ref, {}, **{"If-Match": '"AAAAAAAAAH8="'})
    fresh = await onec.patch(PHONE_CALLS, ref, {}, **{"If-Match": 'W/"AAAAAAAAAAA="'})

    assert (stale.status_code, fresh.status_code) == (412, 200)


async def test_an_honoured_reference_makes_a_repeat_code_15(onec: OneCClient) -> None:
    onec.lab.switches.honour_client_ref_key = True

    first = await onec.post(PHONE_CALLS, {"Ref_Key": NOWHERE})
    second = await onec.post(PHONE_CALLS, {"Ref_Key": NOWHERE})

    assert first.json()["Ref_Key"] == NOWHERE
    assert error_of(second)[:2] == (400, "15")
    assert len(onec.lab.phone_calls()) == 1


async def test_sessions_are_unsupported_supported_or_exhausted(onec: OneCClient) -> None:
    start = {"IBSession": "start"}
    address = f"/{PARTNERS}?$top=1&$format=json"
    quiet = await onec.http.get(address, headers=start)
    onec.lab.switches.ibsession = "supported"
    kept = await onec.http.get(address, headers=start)
    again = await onec.http.get(address)
    stale = await onec.http.get(address, headers={"cookie": "ibsession=gone"})
    onec.lab.switches.ibsession = "pool_exhausted"
    full = await onec.http.get(address, headers={**start, "accept": "application/xml"})

    assert "set-cookie" not in quiet.headers
    assert kept.headers["set-cookie"].startswith("ibsession=")
    assert (again.status_code, stale.status_code, full.status_code) == (200, 400, 406)
    assert "Истекло время ожидания сеанса" in full.text


async def test_forbidden_rows_fail_the_whole_selection(onec: OneCClient) -> None:
    hidden = onec.a_partner()
    onec.lab.switches.rls_rows = {hidden}

    whole = await onec.get(f"/{PARTNERS}")
    onec.lab.switches.rights_status = 403
    one = await onec.get(f"/{PARTNERS}(guid'{hidden}')")
    allowed = await onec.rows(f"/{PARTNERS}", "allowedOnly=true")

    assert error_of(whole)[:2] == (401, "20")
    assert error_of(one)[:2] == (403, "20")
    assert len(allowed) == 62


async def test_count_may_be_absent(onec: OneCClient) -> None:
    onec.lab.switches.count_endpoint = False

    assert (await onec.get(f"/{PARTNERS}/$count")).status_code == 400


async def test_the_standalone_server_has_no_patch(onec: OneCClient) -> None:
    ref = await onec.a_call()
    onec.lab.switches.patch = "405"

    response = await onec.patch(PHONE_CALLS, ref, {"Тема": "другая"})
    tunnelled = await onec.post(f"{PHONE_CALLS}(guid'{ref}')", {}, **{"X-HTTP-Method": "PATCH"})

    assert (response.status_code, response.content) == (405, b"")
    assert tunnelled.status_code == 405


async def test_the_web_server_may_hide_1cs_404(onec: OneCClient) -> None:
    onec.lab.switches.iis_html_404 = True

    response = await onec.get(f"/{PARTNERS}(guid'{NOWHERE}')")

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


async def test_limits_of_the_web_server_can_be_lifted(onec: OneCClient) -> None:
    text = "я" * 400
    options = (f"$filter=substringof('{text}',Description)",)

    limited = await onec.get(f"/{PARTNERS}", *options)
    onec.lab.switches.iis_query_limit = None
    onec.lab.switches.iis_segment_limit = None
    free = await onec.get(f"/{PARTNERS}", *options)
    long_key = await onec.get(f"/{PARTNERS}(Ref_Key='{text}')")

    assert (limited.status_code, free.status_code) == (404, 200)
    assert "<html>" in limited.text
    assert error_of(long_key)[0] == 400


async def test_lines_may_come_without_their_owner(onec: OneCClient) -> None:
    ref = onec.a_user()
    usual = (await onec.get(f"/{USERS}(guid'{ref}')")).json()["КонтактнаяИнформация"][0]
    onec.lab.switches.row_ref_key_in_sections = False
    older = (await onec.get(f"/{USERS}(guid'{ref}')")).json()["КонтактнаяИнформация"][0]

    assert usual["Ref_Key"] == ref
    assert "Ref_Key" not in older


@pytest.mark.parametrize(
    ("style", "shape"),
    [
        ("per_object", lambda n: n < 100),
        ("global", lambda n: 0x44000 < n < 0x50000),
        ("high_dword", lambda n: n >> 32 > 0 and n & 0xFFFFFFFF == 0),
    ],
)
async def test_versions_have_three_shapes(onec: OneCClient, style: str, shape: Any) -> None:
    onec.lab.switches.set("dataversion_style", style)
    ref = await onec.a_call()

    before = (await onec.get(f"/{PHONE_CALLS}(guid'{ref}')")).json()["DataVersion"]
    after = (await onec.patch(PHONE_CALLS, ref, {})).json()["DataVersion"]
    rows = await onec.rows(f"/{PARTNERS}", "$select=DataVersion")

    numbers = [int.from_bytes(base64.b64decode(row["DataVersion"]), "big") for row in rows]
    assert before != after
    assert all(shape(number) for number in numbers)


async def test_versions_may_be_filtered_where_it_is_allowed(onec: OneCClient) -> None:
    onec.lab.switches.dataversion_filter = "allowed"
    version = (await onec.rows(f"/{PARTNERS}", "$top=1"))[0]["DataVersion"]

    found = await onec.rows(f"/{PARTNERS}", f"$filter=DataVersion eq '{version}'")

    assert {row["DataVersion"] for row in found} == {version}


async def test_refusals_may_be_english(onec: OneCClient) -> None:
    onec.lab.switches.lang = "en"

    response = await onec.get(f"/{PARTNERS}(guid'{NOWHERE}')")

    assert error_of(response)[2] == "Entity instance not found"
    assert response.json()["odata.error"]["message"]["lang"] == "en"


async def test_refusals_are_xml_without_json(onec: OneCClient) -> None:
    response = await onec.get(f"/{PARTNERS}(guid'{NOWHERE}')", json=False)

    assert "<m:code>9</m:code>" in response.text


async def test_a_cold_1c_wakes_up_slowly_once_and_after_idling(onec: OneCClient) -> None:
    onec.lab.switches.cold_start_seconds = 12

    await onec.get(f"/{PARTNERS}", "$top=1")
    await onec.get(f"/{PARTNERS}", "$top=1")
    await onec.clock.sleep(400)
    await onec.get(f"/{PARTNERS}", "$top=1")

    assert onec.clock.slept == [12, 400, 12]


async def test_a_page_too_large_kills_the_request(onec: OneCClient) -> None:
    onec.lab.switches.max_page_bytes = 20_000

    whole = await onec.get(f"/{PARTNERS}")
    part = await onec.get(f"/{PARTNERS}", "$select=Ref_Key", "$top=20")

    assert (whole.status_code, part.status_code) == (500, 200)
    assert "by reason" in whole.text


async def test_compression_is_for_those_who_accept_it(onec: OneCClient) -> None:
    onec.lab.switches.gzip = True
    address = f"/{PARTNERS}?$format=json"

    packed = await onec.http.get(address)
    plain = await onec.http.get(address, headers={"accept-encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert len(packed.json()["value"]) == len(plain.json()["value"])


async def test_metadata_is_padded_and_has_its_size_and_date(onec: OneCClient) -> None:
    small = await onec.get("/$metadata", json=False)
    onec.lab.switches.metadata_padding_mb = 2
    large = await onec.get("/$metadata", json=False)

    assert int(large.headers["content-length"]) == len(large.content)
    assert len(large.content) - len(small.content) > 2 * 1024 * 1024
    assert "last-modified" in large.headers
    assert "etag" not in large.headers


async def test_the_server_clock_is_local_and_naive() -> None:
    onec = open_lab(1)
    created = (await onec.post(PHONE_CALLS, {})).json()

    assert created["Date"] == "2026-11-22T10:00:00"


async def test_extras_are_published_on_request(onec: OneCClient) -> None:
    before = (await onec.get(f"/{ORDERS}")).status_code
    onec.lab.switches.published_extras = {ORDERS}

    assert (before, (await onec.get(f"/{ORDERS}")).status_code) == (404, 200)


async def test_some_handlers_refuse_a_zero_source(onec: OneCClient) -> None:
    onec.lab.switches.reminders_need_owner = True

    response = await onec.remind("00000000-0000-0000-0000-000000000000")

    assert response.status_code == 500


async def test_control_characters_pass_in_json_and_break_atom() -> None:
    onec = open_lab(quirks=DataQuirks(control_characters=True))

    rows = await onec.rows(f"/{PARTNERS}")
    atom = await onec.get(f"/{PARTNERS}", json=False)

    assert any("\x00" in row["Description"] for row in rows)
    assert atom.status_code == 400


def test_an_unknown_switch_is_an_error() -> None:
    with pytest.raises(KeyError):
        PublicationSwitches().set("нет", 1)


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("kind", "status", "sign"),
    [
        ("maintenance_200", 200, "<html>"),
        ("maintenance_503", 503, "<html>"),
        ("rights_200", 200, "Нарушение прав доступа"),
        ("blocked_200", 200, "Начало сеанса"),
        ("no_licence_200", 200, "лицензии"),
        ("page_200", 200, "<title>1С:Предприятие</title>"),
        ("sign_in_200", 200, 'type="password"'),
        ("plain_200", 200, "Нарушение прав доступа"),
        ("sessions_blocked", 403, "#exception"),
        ("pool_exhausted", 406, "Истекло время ожидания"),
        ("unauthorised", 401, "Unauthorized"),
        ("rights", 401, '"code":"20"'),
        ("data_lock", 500, "Ошибка блокировки данных"),
        ("no_licence_500", 500, "лицензии"),
        ("no_licence_503", 503, "лицензии"),
        ("out_of_memory", 500, "Недостаточно памяти"),
        ("platform_error", 500, "by reason"),
        ("business_refusal", 500, "обработчика - 'ПередЗаписью'"),
        ("bad_gateway", 502, "Bad Gateway"),
    ],
)
async def test_faults_have_their_own_replies(
    onec: OneCClient, kind: str, status: int, sign: str
) -> None:
    onec.lab.faults.add(kind)

    response = await onec.get(f"/{PARTNERS}")
    onec.lab.faults.clear(kind)

    assert response.status_code == status
    assert sign in response.content.decode("cp1251" if kind == "plain_200" else "utf-8")
    assert (await onec.get(f"/{PARTNERS}")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("down", httpx.ConnectError),
        ("timeout", httpx.ReadTimeout),
        ("lost_reply", httpx.ReadError),
        ("hung_reply", httpx.ReadTimeout),
        ("cut", httpx.ReadError),
    ],
)
async def test_connections_break_where_they_break(
    onec: OneCClient, kind: str, error: type[Exception]
) -> None:
    onec.lab.faults.add(kind, seconds=60)

    with pytest.raises(error):
        await onec.get(f"/{PARTNERS}")

    assert onec.lab.request_log[-1].status in {0, 200}


@pytest.mark.parametrize(
    ("kind", "calls"),
    [("down", 0), ("data_lock", 0), ("lost_reply", 1), ("bad_gateway", 1), ("truncated", 1)],
)
async def test_a_write_is_executed_or_not(onec: OneCClient, kind: str, calls: int) -> None:
    onec.lab.faults.add(kind, method="POST", set=PHONE_CALLS, times=1)

    failed = False
    try:
        response = await onec.post(PHONE_CALLS, {})
        failed = response.status_code != 201
    except httpx.TransportError:
        failed = True

    assert failed is (kind != "truncated")
    assert len(onec.lab.phone_calls()) == calls


async def test_a_late_commit_comes_after_further_requests(onec: OneCClient) -> None:
    onec.lab.faults.add("late_commit", method="POST", after=2, times=1)

    failed = await onec.post(PHONE_CALLS, {"Тема": "поздний"})
    seen = [len(await onec.rows(f"/{PHONE_CALLS}")) for _ in range(4)]

    assert failed.status_code == 502
    assert seen == [0, 0, 1, 1]


async def test_a_late_commit_comes_when_asked_for(onec: OneCClient) -> None:
    onec.lab.faults.add("late_commit", method="POST", after=99, times=1, text="lost")

    with pytest.raises(httpx.ReadTimeout):
        await onec.post(PHONE_CALLS, {})
    await onec.post(PHONE_CALLS, {})
    late = onec.lab.late_writes

    assert onec.lab.commit_late_writes() == late == 1
    assert len(onec.lab.phone_calls()) == 2


async def test_slowness_is_awaited_and_adds_up(onec: OneCClient) -> None:
    onec.lab.faults.add("slow", seconds=3)
    onec.lab.faults.add("slow", seconds=2, set=PARTNERS)

    await onec.get(f"/{PARTNERS}", "$top=1")
    await onec.get(f"/{USERS}", "$top=1")

    assert onec.clock.slept == [5, 3]


async def test_a_shrunken_listing_loses_the_same_rows_each_time(onec: OneCClient) -> None:
    onec.lab.faults.add("shrunken", set=PARTNERS, share=0.5)

    first = {row["Ref_Key"] for row in await onec.rows(f"/{PARTNERS}")}
    again = {row["Ref_Key"] for row in await onec.rows(f"/{PARTNERS}")}
    others = await onec.rows(f"/{USERS}")

    assert 15 < len(first) < 48
    assert first == again
    assert len(others) == len(onec.lab.infobase.tables[USERS])


async def test_an_emptied_listing_is_an_honest_looking_200(onec: OneCClient) -> None:
    onec.lab.faults.add("shrunken", set=PARTNERS)

    response = await onec.get(f"/{PARTNERS}", "$inlinecount=allpages")

    assert (response.json()["value"], response.json()["odata.count"]) == ([], "0")


async def test_a_truncated_body_is_broken_json(onec: OneCClient) -> None:
    onec.lab.faults.add("truncated")

    response = await onec.get(f"/{PARTNERS}")

    with pytest.raises(ValueError, match=r"Unterminated|Expecting|Invalid"):
        response.json()


async def test_a_development_base_fails_eight_of_eleven_reads(onec: OneCClient) -> None:
    onec.lab.faults.add("flaky")

    statuses = [(await onec.get(f"/{PARTNERS}", "$top=1")).status_code for _ in range(11)]

    assert statuses.count(500) == 8
    assert (await onec.post(PHONE_CALLS, {})).status_code == 201


async def test_a_refusal_of_one_set_leaves_others_alone(onec: OneCClient) -> None:
    onec.lab.faults.add("business_refusal", set=REMINDERS, text="Не более трёх в день")
    call = await onec.a_call()

    refused = await onec.remind(call)

    assert error_of(refused)[:2] == (500, "-1")
    assert "Не более трёх в день" in error_of(refused)[2]


@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_any_request_can_fail(onec: OneCClient, failing: int) -> None:
    onec.lab.faults.add("data_lock", nth=failing, times=1)

    statuses = [(await onec.get(f"/{PARTNERS}", "$top=1")).status_code for _ in range(3)]

    assert [n for n, status in enumerate(statuses, 1) if status == 500] == [failing]


async def test_a_script_is_read_from_json(onec: OneCClient) -> None:
    file = read_faults_file(
        b'{"switches": {"lang": "en"}, "faults": '
        b'[{"kind": "rights", "method": "GET", "nth": 2, "times": 1}]}'
    )
    onec.lab.faults.extend(file.faults)

    statuses = [(await onec.get(f"/{PARTNERS}", "$top=1")).status_code for _ in range(3)]

    assert statuses == [200, 401, 200]
    assert file.switches == {"lang": "en"}


@pytest.mark.parametrize(
    "text", [b'{"faults": [{"kind": "rain"}]}', b'{"switches": {"colour": 1}}', b"[", b'{"x": 1}']
)
def test_a_wrong_script_is_refused_before_the_start(text: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        read_faults_file(text)


def test_every_kind_of_fault_can_be_made() -> None:
    assert {Fault(kind=kind).name for kind in KINDS} == KINDS


# ------------------------------------------------------------------ over a socket


async def test_over_a_socket_a_lost_connection_is_closed_without_a_byte(onec: OneCClient) -> None:
    addresses: list[str] = []
    ready = anyio.Event()

    def announce(_: object, address: str) -> None:
        addresses.append(address)
        ready.set()

    server = OneCServer(onec.lab, "127.0.0.1", 0, announce)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        await ready.wait()
        root = f"{addresses[0]}/odata/standard.odata/{PARTNERS}?$format=json"
        credentials = {"authorization": onec.lab.authorization()}
        async with httpx.AsyncClient(headers=credentials) as http:
            fine = await http.get(root)
            onec.lab.faults.add("down")
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get(root)
            onec.lab.faults.clear()
            onec.lab.faults.add("cut")
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get(root)
        server.should_exit = True

    assert len(fine.json()["value"]) == 63
