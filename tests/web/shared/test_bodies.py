"""Bodies: refused by the head where they may not come, and bounded where they may."""

import json

import pytest
from starlette.types import Message, Receive, Scope, Send

from bridge.web.hooks import MAX_BODY
from bridge.web.shared.bodies import MAX_API_BODY
from tests.web.web_fixture import ADMIN, AS_ADMIN, WebFixture, send_raw_query, web_with_known_caller

pytestmark = pytest.mark.anyio


class Unread:
    """A body that must not be asked for: it counts who does."""

    def __init__(self, size: int = 1000) -> None:
        self.asked = 0
        self.size = size

    async def __call__(self) -> Message:
        self.asked += 1
        if self.asked > self.size:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}


async def send(web: WebFixture, method: str, path: str, body: Receive, **headers: str) -> int:
    statuses: list[int] = []

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("203.0.113.7", 1),
        "server": ("127.0.0.1", 80),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }
    sender: Send = answer
    await web.app()(scope, body, sender)
    return statuses[0]


@pytest.mark.parametrize(
    ("method", "path", "refused"),
    [
        ("POST", "/sipuni/events", 401),
        ("POST", "/hook/wrong/sipuni/events", 404),
        ("POST", "/api/v1/calls", 401),
        ("PUT", "/api/v1/callers/79035550123/choice", 401),
        ("POST", "/api/v1/calls/abc/notes", 401),
        ("POST", "/api/v1/outbox/abc/retry", 401),
        ("POST", "/desk/calls/abc/note", 401),
        ("POST", "/nowhere", 404),
    ],
)
async def test_a_stranger_is_refused_before_his_body_is_read(
    method: str, path: str, refused: int
) -> None:
    body = Unread()

    status = await send(WebFixture(), method, path, body, content_type="application/json")

    assert status == refused
    assert body.asked == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/calls"),
        ("PUT", "/api/v1/callers/79035550123/choice"),
        ("POST", "/api/v1/calls/abc/notes"),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
async def test_the_api_reads_no_more_than_its_limit(
    method: str, path: str, announced: bool
) -> None:
    body = Unread()
    length = {"content_length": str(MAX_API_BODY + 1)} if announced else {}
    bearer = {"authorization": f"Bearer {ADMIN}", "content_type": "application/json"}

    status = await send(WebFixture(), method, path, body, **bearer, **length)

    assert status == 413
    assert body.asked == (0 if announced else MAX_API_BODY // 1000 + 1)


async def test_a_sign_in_form_is_bounded_though_anybody_may_send_it() -> None:
    body = Unread()

    status = await send(WebFixture(), "POST", "/login/admin", body)

    assert status == 413
    assert body.asked < 100


async def test_a_form_that_was_cut_short_is_no_fault_of_ours() -> None:
    status = await send(WebFixture(), "POST", "/login/admin", Unread(1))

    assert status == 400


async def test_an_event_of_a_usual_size_and_far_above_is_read() -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        answer = await pbx.post("/sipuni/events", content=b"event=1&a=" + b"x" * (MAX_BODY - 10))

    assert answer.json() == {"success": True}
    assert len(web.ledger.kept_events) == 1


async def test_an_event_too_large_to_be_one_is_not_acknowledged() -> None:
    web = web_with_known_caller()
    async with web.pbx() as pbx:
        answer = await pbx.post("/sipuni/events", content=b"event=1&a=" + b"x" * MAX_BODY)

    assert (answer.status_code, answer.json()) == (413, {"success": False})
    assert not web.ledger.kept_events


async def test_a_page_reads_no_query_without_an_end() -> None:
    async with WebFixture().client() as admin:
        answer = await admin.get("/api/v1/outbox?" + "a=b&" * 8000, auth=AS_ADMIN)

    assert answer.status_code == 414
    assert json.loads(answer.content)["error"]


@pytest.mark.parametrize("path", ["/sipuni/route", "/sipuni/route/", "/ut11/hs/sipuni/get"])
async def test_a_question_with_a_query_of_64_kb_is_answered(path: str) -> None:
    query = b"fromnum=79035550123&label=" + b"a" * 65536

    status, answer = await send_raw_query(web_with_known_caller().app(), path, query)

    assert (status, json.loads(answer)["choice"]) == (200, 1)


@pytest.mark.parametrize("digits", ["9" * 5000, "9" * 18, "0" * 400, "²"])
@pytest.mark.parametrize("path", ["/console/audit?before=", "/console/calls?after="])
async def test_no_page_breaks_over_digits_without_an_end(path: str, digits: str) -> None:
    async with WebFixture().client() as admin:
        answer = await admin.get(f"{path}{digits}", auth=AS_ADMIN)

    assert answer.status_code == 200
