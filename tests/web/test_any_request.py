"""Whatever anybody sends to whatever address: an answer that is none of ours to be ashamed of."""

import json
import string
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Mount, Route

from bridge.domain.delivery.entry import EntryState
from tests.support.builders import call
from tests.web.web_fixture import AS_ADMIN, BASIC, TOKEN, web_with_known_caller

#: What people, browsers and attackers put where a text is expected.
NASTY = (
    "",
    "0",
    "-1",
    "9" * 30,
    "9" * 5000,
    "１２",
    "²",
    "1e9",
    "NaN",
    "null",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "%00",
    "\x00",
    "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "2026-02-30",
    "0001-01-01",
    "9999-12-31T23:59:59+23:59",
    "+79035550123",
    "205",
    "//evil.example",
    "javascript:alert(1)",
    "inbound",
    "ringing",
    "en",
)
NAMES = (
    "after",
    "before",
    "place",
    "act",
    "address",
    "at",
    "by",
    "caller",
    "choice",
    "client",
    "company",
    "d",
    "date",
    "day",
    "days",
    "did",
    "digits",
    "direction",
    "disposition",
    "dtmf",
    "extension",
    "first",
    "from",
    "fromnum",
    "key",
    "kind",
    "label",
    "lang",
    "last",
    "limit",
    "line",
    "name",
    "next",
    "note",
    "number",
    "outcome",
    "owner",
    "page",
    "partner",
    "password",
    "q",
    "row",
    "search",
    "since",
    "state",
    "text",
    "time",
    "to",
    "tonum",
    "until",
    "user",
    "week",
    "who",
    "words",
    "event",
    "call_id",
    "src_num",
    "dst_num",
    "timestamp",
    "status",
)

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40))
fields = st.dictionaries(st.sampled_from(NAMES), texts, max_size=6)
bodies = st.one_of(
    st.none(),
    st.binary(max_size=200),
    st.sampled_from((b"[" * 5000, b'{"a":' * 5000, b"\xff\xfe", b"a=" * 2000)),
    fields,
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=8,
    ).map(lambda value: ("json", value)),
)
kinds = st.sampled_from(
    (
        None,
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain; charset=utf-99",
        "application/x-www-form-urlencoded; charset=cp1251",
    )
)
plain = st.text(string.printable.strip(), max_size=40)
headers = st.dictionaries(
    st.sampled_from(
        (
            "accept",
            "accept-language",
            "cookie",
            "last-event-id",
            "sec-fetch-site",
            "origin",
            "x-forwarded-for",
            "x-forwarded-proto",
            "forwarded",
            "if-none-match",
            "if-modified-since",
            "range",
            "authorization",
        )
    ),
    plain,
    max_size=4,
)


def addresses() -> list[str]:
    """Return every address of the application, as its templates."""
    found: list[str] = []
    for route in web_with_known_caller().app().routes:
        if isinstance(route, Route):
            found.append(route.path)
        elif isinstance(route, Mount):
            found.append(f"{route.path}/{{path}}")
        elif path := getattr(route, "path", ""):
            found.append(str(path))
    return sorted(set(found))


def fill(template: str, parts: list[str]) -> str:
    """Put *parts* into the places of a template."""
    pieces = template.split("{")
    filled = pieces[0]
    for number, piece in enumerate(pieces[1:]):
        name, _, rest = piece.partition("}")
        value = TOKEN if name == "token" else parts[number % len(parts)]
        filled += quote(value, safe="") + rest
    return filled


def body_of(body: object, kind: str | None, others: dict[str, str]) -> dict[str, Any]:
    """Return body and headers as the client wants them."""
    sent: dict[str, Any] = {"headers": others if kind is None else {**others, "content-type": kind}}
    if isinstance(body, tuple):
        sent["content"] = json.dumps(body[1]).encode()
    elif isinstance(body, dict):
        sent["data"] = body
    else:
        sent["content"] = body or b""
    return sent


requests = st.builds(
    lambda body, rest: {**rest, **body},
    st.builds(body_of, bodies, kinds, headers),
    st.fixed_dictionaries(
        {
            "method": st.sampled_from(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")),
            "parts": st.lists(texts, min_size=1, max_size=3),
            "params": fields,
            "auth": st.sampled_from((None, AS_ADMIN, BASIC, ("admin", "wrong"))),
        }
    ),
)


@pytest.mark.parametrize("template", addresses())
def test_no_request_breaks_the_service(template: str) -> None:
    web = web_with_known_caller()
    web.add_entry(call(), state=EntryState.DEAD, last_error="Нет прав")
    web.event_feed.close()  # streams end at once
    web.desk_state.calls.close()
    app = web.app()

    async def ask(method: str, path: str, auth: Any, sent: dict[str, Any]) -> httpx.Response:
        async with web.client(app=app, auth=auth) as client:
            return await client.request(method, path, **sent)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sent=requests)
    def answers(sent: dict[str, Any]) -> None:
        path = fill(template, sent.pop("parts"))
        answer = anyio.run(ask, sent.pop("method"), path, sent.pop("auth"), sent)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        assert "Traceback" not in answer.text

    answers()


@pytest.mark.parametrize("template", addresses())
def test_no_text_in_any_field_breaks_the_service(template: str) -> None:
    web = web_with_known_caller()
    web.event_feed.close()
    web.desk_state.calls.close()
    app = web.app()

    async def ask_all() -> None:
        async with web.client(app=app, auth=AS_ADMIN) as client:
            for text in NASTY:
                # A client sends no address over 64 KiB.
                share = len(NAMES) if len(text) < 100 else 10
                asked = dict.fromkeys(NAMES[:share], text)
                answer = await client.get(fill(template, [text]), params=asked)
                assert answer.status_code < 500 or answer.status_code == 503, (
                    text[:40],
                    answer.text,
                )

    anyio.run(ask_all)
