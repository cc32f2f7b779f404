"""The OData client on the wire: encoding, credentials, one retry of reads and none of writes."""

import asyncio
import gzip
from pathlib import Path

import httpx
import msgspec
import pytest

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.protocol.decoding import decode_count, lenient_json_decoder
from bridge.adapters.onec.protocol.errors import RequestTooLarge
from bridge.adapters.onec.protocol.query import listing_query, text_literal
from bridge.adapters.onec.schema import DeletionMarkBody, ListingRow, RowPage
from bridge.errors import (
    OneCAlreadyExists,
    OneCInvalidResponse,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnavailable,
    SettingsError,
)
from tests.support.onec_lab import make_client, make_lab

pytestmark = pytest.mark.anyio

ROWS = lenient_json_decoder(msgspec.json.Decoder(RowPage[ListingRow]))
CREATED = lenient_json_decoder(msgspec.json.Decoder(ListingRow))
PARTNERS = "Catalog_Партнеры"
EMPTY = httpx.Response(200, json={"value": []})
FULL = {"value": [{"Ref_Key": "a", "DataVersion": "v"}]}


class Script:
    """Answers with one reply after the other and keeps the requests."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def client_of(script: Script, url: str = "http://h/ут11") -> ODataClient:
    config = ODataConfig(url, "Обмен", "секрет")
    return ODataClient(config, transport=httpx.MockTransport(script))


async def test_a_question_reaches_1c_in_utf8_with_blanks_as_percent_20() -> None:
    script = Script(httpx.Response(200, json=FULL))
    query = listing_query("Ref_Key", filter=f"Телефон eq {text_literal('+7 d’ОН & Co')}")
    await client_of(script).read(PARTNERS, query, ROWS)

    raw = script.requests[0].url.raw_path.decode()
    assert raw.startswith("/%D1%83%D1%8211/odata/standard.odata/Catalog_%D0%9F")
    assert "$format=application/json%3Bodata%3Dnometadata&$select=Ref_Key&$filter=" in raw
    assert "%20eq%20'%2B7%20" in raw
    assert "%26%20Co'" in raw
    assert "+" not in raw


async def test_a_filter_of_plus_apostrophe_and_cyrillic_is_understood() -> None:
    lab = make_lab(5)
    ref = lab.add_partner("ООО «+7 д'Артаньян»")
    query = listing_query(
        "Ref_Key", filter=f"Description eq {text_literal('ООО «+7 д' + chr(39) + 'Артаньян»')}"
    )

    page = await make_client(lab).read(PARTNERS, query, ROWS)

    assert [row.ref for row in page.value] == [ref]


async def test_credentials_are_utf8_and_hidden() -> None:
    script = Script(EMPTY)
    await client_of(script).read(PARTNERS, {}, ROWS)

    assert script.requests[0].headers["Authorization"] == "Basic 0J7QsdC80LXQvTrRgdC10LrRgNC10YI="
    assert "секрет" not in repr(ODataConfig("http://h", "u", "секрет"))


@pytest.mark.parametrize(
    "url",
    [
        "http://h/b",
        "http://h/b/",
        "http://h/b/odata/standard.odata",
        "http://h/b/odata/standard.odata/",
    ],
)
def test_the_service_address_is_added_unless_it_is_there(url: str) -> None:
    assert ODataConfig(url, "u", "p").root == "http://h/b/odata/standard.odata"


async def test_marks_compression_and_illegal_characters_do_not_break_reading() -> None:
    bom = b"\xef\xbb\xbf"
    body = bom + '{"value":[{"Ref_Key":"a","DataVersion":"н\x01о\nвый\\ud800"}]}'.encode() + b" "
    zipped = httpx.Response(200, content=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    broken = httpx.Response(200, content=b'{"value":[{"Ref_Key":"a\xff"}]}')
    client = client_of(Script(zipped, broken))

    assert (await client.read(PARTNERS, {}, ROWS)).value[0].version == "н\x01о\nвый?"
    assert (await client.read(PARTNERS, {}, ROWS)).value[0].ref == "a\ufffd"
    assert client.traffic.requests == 2
    assert client.traffic.bytes == len(body) + len(b'{"value":[{"Ref_Key":"a\xff"}]}')


def test_a_count_stands_behind_a_byte_order_mark() -> None:
    assert decode_count(b"\xef\xbb\xbf1103") == 1103


async def test_a_read_that_fails_in_passing_is_asked_once_more() -> None:
    busy = httpx.Response(500, json={"odata.error": {"code": "-1", "message": {"value": "…"}}})
    for failure in (busy, httpx.ReadTimeout("slow"), httpx.Response(503), httpx.Response(200)):
        script = Script(failure, httpx.Response(200, json=FULL))
        assert (await client_of(script).read(PARTNERS, {}, ROWS)).value[0].ref == "a"


async def test_a_read_is_not_asked_a_third_time() -> None:
    script = Script(*[httpx.ConnectError("refused") for _ in range(3)])

    with pytest.raises(OneCUnavailable, match="connect error: refused"):
        await client_of(script).read(PARTNERS, {}, ROWS)
    assert len(script.requests) == 2


async def test_a_closed_infobase_is_not_asked_twice() -> None:
    lab = make_lab(5)
    lab.faults.add("sessions_blocked", text="Обновление до 18:00")

    with pytest.raises(OneCSessionsBlocked) as caught:
        await make_client(lab).read(PARTNERS, listing_query("Ref_Key"), ROWS)
    assert caught.value.detail == "Обновление до 18:00"
    assert lab.request_counts["GET", PARTNERS] == 1


async def test_an_answer_too_large_is_not_asked_again_by_those_who_can_ask_for_less() -> None:
    script = Script(httpx.Response(500, html="<title>error</title>"))

    with pytest.raises(RequestTooLarge):
        await client_of(script).read(PARTNERS, {}, ROWS, splittable=True)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, json={"error": "?"}),
        httpx.Response(200, content=b'{"value":[{"Ref_Key":"a"'),
        httpx.Response(200, json=[1]),
        httpx.Response(200, html="<title>Ведутся работы</title>"),
        httpx.Response(302, headers={"Location": "https://login"}),
    ],
)
async def test_what_is_not_a_collection_is_nonsense(reply: httpx.Response) -> None:
    with pytest.raises(OneCInvalidResponse):
        await client_of(Script(reply, reply)).read(PARTNERS, {}, ROWS)


async def test_a_write_takes_its_reference_from_the_body() -> None:
    location = "http://h/Document_ТелефонныйЗвонок(guid'x')".encode()
    reply = httpx.Response(201, json={"Ref_Key": "a"}, headers=[(b"Location", location)])
    script = Script(reply)

    created = await client_of(script).write("POST", "Set", DeletionMarkBody(), CREATED)

    assert created.ref == "a"
    assert script.requests[0].content == b'{"DeletionMark":true}'
    assert script.requests[0].headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    "reply",
    [
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
        httpx.Response(502, html="<title>502 Bad Gateway</title>"),
        httpx.Response(200, html="<title>Ведутся работы</title>"),
        httpx.Response(201, content=b'{"Ref_Key":"a'),
        httpx.Response(201, json={"Number": "1"}),
        httpx.Response(204),
    ],
)
async def test_a_write_whose_answer_is_lost_is_of_unknown_outcome_and_never_repeated(
    reply: httpx.Response | Exception,
) -> None:
    script = Script(reply)

    with pytest.raises(OneCOutcomeUnknown):
        await client_of(script).write("POST", "Set", DeletionMarkBody(), CREATED)
    assert len(script.requests) == 1


async def test_a_write_that_never_left_is_surely_undone() -> None:
    with pytest.raises(OneCUnavailable) as caught:
        await client_of(Script(httpx.ConnectError("refused"))).write(
            "POST", "Set", DeletionMarkBody(), CREATED
        )
    assert type(caught.value) is OneCUnavailable


async def test_a_repeated_key_differs_from_other_refusals() -> None:
    there = {"odata.error": {"code": "15", "message": {"value": "уже существует"}}}

    with pytest.raises(OneCAlreadyExists):
        await client_of(Script(httpx.Response(400, json=there))).write(
            "POST", "Set", DeletionMarkBody(), CREATED
        )


async def test_a_refusal_without_a_body_does_not_hang_on_the_open_socket() -> None:
    """The standalone server: 405, neither length nor chunks, and the connection stays."""
    hung_up = asyncio.Event()

    async def standalone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
        await writer.drain()
        while await reader.read(1024):
            pass
        hung_up.set()
        writer.close()

    server = await asyncio.start_server(standalone, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = ODataClient(ODataConfig(f"http://127.0.0.1:{port}", "u", "p", timeout_s=5))
    try:
        with pytest.raises(OneCRejected, match="PATCH") as caught:
            await client.write("PATCH", "Set(guid'x')", DeletionMarkBody(), CREATED)
        assert caught.value.status == 405
        await asyncio.wait_for(hung_up.wait(), 5)
    finally:
        await client.aclose()
        server.close()
        await server.wait_closed()


async def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way, most = 0, 0

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        under_way -= 1
        return httpx.Response(200, json=FULL)

    config = ODataConfig("http://h/b", "u", "p", concurrency=2)
    client = ODataClient(config, transport=httpx.MockTransport(slow))
    await asyncio.gather(*(client.read(PARTNERS, {}, ROWS) for _ in range(7)))

    assert most == 2


def test_a_bad_authority_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for ca_file in (broken, tmp_path / "absent.pem"):
        with pytest.raises(SettingsError, match="BRIDGE_ONEC_CA_FILE"):
            ODataClient(ODataConfig("https://h", "u", "p", ca_file=ca_file))


async def test_an_address_that_is_none_is_named() -> None:
    client = ODataClient(ODataConfig("http://h:port/b", "u", "p"))
    try:
        with pytest.raises(SettingsError, match="BRIDGE_ONEC_URL"):
            await client.read(PARTNERS, {}, ROWS)
    finally:
        await client.aclose()
