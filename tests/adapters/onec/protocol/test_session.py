"""Sessions are used where they are given, missed nowhere, and never touched by a write."""

from collections import deque
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal

import httpx
import msgspec
import pytest

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.protocol.session import SessionTransport
from bridge.domain.directory.entities import EntityKind
from bridge.errors import OneCUnavailable
from bridge.lab.onec.simulator import OneCLab
from bridge.ports.onec import Traffic
from tests.support.onec_lab import (
    list_versions,
    make_draft,
    make_journal,
    make_lab,
    make_source,
    pull_all,
)

pytestmark = pytest.mark.anyio

ROOT = "http://h/odata/standard.odata"
REFUSAL = {"odata.error": {"code": "6", "message": {"lang": "ru", "value": "нет поля"}}}


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers from a script; remembers what of a session each request carried."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies = deque(replies)
        self.seen: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = request.headers.get("IBSession", "")
        cookie = request.headers.get("Cookie", "")
        self.seen.append(f"{request.method} {asked}{cookie}".rstrip())
        reply = self.replies.popleft() if self.replies else gives()
        if isinstance(reply, Exception):
            raise reply
        return reply


class SessionSetup:
    """A client whose reads go through sessions."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.now = 0.0
        self.traffic = Traffic()
        self.wire = ScriptedTransport(*replies)
        self.transport = SessionTransport(self.wire, ROOT, self.traffic, clock=lambda: self.now)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self.http = httpx.AsyncClient(transport=self.transport, cookies=no_cookies)

    async def reads(self, times: int = 1) -> int:
        status = 0
        for _ in range(times):
            status = (await self.http.get(f"{ROOT}/Catalog")).status_code
        return status


def gives(session: str = "", status: int = 200, json: object = None) -> httpx.Response:
    cookie = {"Set-Cookie": f"ibsession={session}; path=/ut11"} if session else {}
    body = b"<title>Session not found</title>"
    if status == 200 or json is not None:
        body = msgspec.json.encode(json or {"value": []})
    return httpx.Response(status, headers=cookie, stream=httpx.ByteStream(body))


async def test_one_session_serves_read_after_read_and_is_ended() -> None:
    setup = SessionSetup(gives("one"))

    await setup.reads(3)
    await setup.http.aclose()

    assert setup.wire.seen == [
        "GET start",
        "GET ibsession=one",
        "GET ibsession=one",
        "GET finishibsession=one",
    ]


async def test_a_publication_without_sessions_is_asked_once() -> None:
    setup = SessionSetup()

    await setup.reads(3)
    await setup.http.aclose()

    assert setup.wire.seen == ["GET start", "GET", "GET"]


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_a_session_that_is_gone_is_replaced(status: int) -> None:
    setup = SessionSetup(gives("one"), gives(status=status), gives(), gives("two"))

    assert await setup.reads(4) == 200
    assert setup.wire.seen[1:] == ["GET ibsession=one", "GET", "GET start", "GET ibsession=two"]
    assert setup.traffic.requests == 1


async def test_sessions_that_are_lost_again_and_again_are_done_without() -> None:
    losses = [reply for n in "abc" for reply in (gives(n), gives(status=400), gives())]
    setup = SessionSetup(*losses)

    await setup.reads(8)

    assert setup.wire.seen[-4:] == ["GET ibsession=c", "GET", "GET", "GET"]


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_1cs_own_refusal_is_no_fault_of_the_session(status: int) -> None:
    setup = SessionSetup(gives("one"), gives(status=status, json=REFUSAL))

    assert await setup.reads(2) == status
    await setup.reads()
    assert setup.wire.seen == ["GET start", "GET ibsession=one", "GET ibsession=one"]


async def test_where_no_session_can_be_had_it_is_asked_without() -> None:
    setup = SessionSetup(gives(status=406))

    assert await setup.reads(2) == 200
    assert setup.wire.seen == ["GET start", "GET", "GET"]


async def test_a_refused_start_is_tried_again_with_the_next_read() -> None:
    setup = SessionSetup(gives(status=503), gives("one"))

    assert await setup.reads() == 503
    await setup.reads(2)
    assert setup.wire.seen == ["GET start", "GET start", "GET ibsession=one"]


async def test_a_session_that_was_idle_too_long_is_not_trusted() -> None:
    setup = SessionSetup(gives("one"), gives("two"))

    await setup.reads()
    setup.now += 16
    await setup.reads(2)

    assert setup.wire.seen == ["GET start", "GET start", "GET ibsession=two"]


async def test_a_session_serves_one_request_at_a_time() -> None:
    setup = SessionSetup(gives("one"), gives("two"))

    async with setup.http.stream("GET", ROOT), setup.http.stream("GET", ROOT):
        pass
    await setup.reads()

    assert setup.wire.seen[:2] == ["GET start", "GET start"]
    assert setup.wire.seen[2].startswith("GET ibsession=")


async def test_a_session_lost_with_its_connection_is_not_used_again() -> None:
    setup = SessionSetup(gives("one"), httpx.ReadError("reset"))
    await setup.reads()

    with pytest.raises(httpx.ReadError):
        await setup.reads()
    await setup.reads()

    assert setup.wire.seen[-1] == "GET start"


async def test_an_end_that_gets_no_answer_is_no_error() -> None:
    setup = SessionSetup(gives("one"), httpx.ConnectError("refused"))
    await setup.reads()

    await setup.http.aclose()

    assert setup.wire.seen[-1] == "GET finishibsession=one"


async def test_a_write_carries_no_session_even_where_1c_gives_cookies_unasked() -> None:
    wire = ScriptedTransport(gives("own"), gives())
    client = ODataClient(ODataConfig("http://h", "u", "p", reuse_sessions=True), transport=wire)

    await client.read("Catalog", {}, len)
    await client.write("POST", "Document", {}, len)

    assert wire.seen == ["GET start", "POST"]


async def test_cookies_are_not_kept_without_sessions_either() -> None:
    wire = ScriptedTransport(gives("own"))
    client = ODataClient(ODataConfig("http://h", "u", "p"), transport=wire)

    await client.read("Catalog", {}, len)
    await client.read("Catalog", {}, len)

    assert wire.seen == ["GET", "GET"]


# ---------------------------------------------------------------- against the simulator
def sessions_of(lab: OneCLab) -> set[str]:
    return lab._sessions  # noqa: SLF001 - what 1C's administrator sees in the list of sessions


@pytest.mark.parametrize("mode", ["unsupported", "supported"])
async def test_a_whole_company_is_read_with_sessions_and_without(
    mode: Literal["supported", "unsupported"],
) -> None:
    lab = make_lab(60)
    lab.switches.ibsession = mode
    source = make_source(lab, reuse_sessions=True)

    partners = await pull_all(source, EntityKind.PARTNER)
    session_count = len(sessions_of(lab))
    await source.aclose()

    assert len(partners) == len(lab.infobase.rows("Catalog_Партнеры"))
    assert session_count == (1 if mode == "supported" else 0)
    assert not sessions_of(lab)
    assert source.traffic.requests == len(lab.request_log)


async def test_sessions_ended_by_the_administrator_cost_one_more_question() -> None:
    lab = make_lab(5)
    lab.switches.ibsession = "supported"
    source = make_source(lab, reuse_sessions=True)
    await list_versions(source, EntityKind.PARTNER)
    sessions_of(lab).clear()
    lab.request_log.clear()

    assert await list_versions(source, EntityKind.PARTNER)
    assert [entry.status for entry in lab.request_log] == [400, 200]


async def test_an_exhausted_pool_is_reported_as_1c_reports_it() -> None:
    lab = make_lab(5)
    lab.switches.ibsession = "pool_exhausted"

    with pytest.raises(OneCUnavailable, match="Истекло время ожидания сеанса"):
        await list_versions(make_source(lab, reuse_sessions=True), EntityKind.PARTNER)


async def test_a_delivery_knows_no_sessions() -> None:
    lab = make_lab(5)
    lab.switches.ibsession = "supported"

    await make_journal(lab).create_phone_call(make_draft(lab))

    assert not sessions_of(lab)
