"""The body of an event push, in whatever form: read, or given back as it came."""

import gzip
import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.pbx.sipuni.bodies import decode_body, encode_body, parse_body
from bridge.adapters.pbx.sipuni.questions import SipuniTelephony
from bridge.ports.pbx import RawRequest
from tests.support.builders import RULES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = {"event": "1", "call_id": "1.2", "src_num": "79001234567"}
FIELDS = tuple(EVENT.items())
PBX = SipuniTelephony("auto", RULES)


def read(body: bytes, content_type: str = "") -> list[dict[str, str]]:
    return [dict(fields) for fields in parse_body(body, content_type)]


@pytest.mark.parametrize(
    "content",
    [
        EVENT,
        [EVENT],
        {"request": EVENT},
        {"event": EVENT},
        {"data": {"events": [EVENT]}},
        {"action": "notify", "request": EVENT},
        {"event": 1, "call_id": "1.2", "src": {"num": 79001234567}},
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_json_is_read_however_it_is_wrapped(content: object, content_type: str) -> None:
    (found,) = read(json.dumps(content).encode(), content_type)

    assert {"event": "1", "call_id": "1.2"}.items() <= found.items()
    assert "79001234567" in found.values()


def test_a_list_is_as_many_events_and_what_stands_beside_it_belongs_to_each() -> None:
    content = {"user_id": "012345", "events": [EVENT, EVENT | {"event": "2"}]}

    assert [(e["event"], e["user_id"]) for e in read(json.dumps(content).encode())] == [
        ("1", "012345"),
        ("2", "012345"),
    ]


def test_one_event_a_line() -> None:
    lines = f"{json.dumps(EVENT)}\n{json.dumps(EVENT | {'event': '3'})}\n"

    assert [event["event"] for event in read(lines.encode())] == ["1", "3"]


@pytest.mark.parametrize("name", ["json", "data", "payload"])
def test_json_in_a_field_of_a_form(name: str) -> None:
    body = f"{name}={quote(json.dumps(EVENT))}&sign=ab"

    assert read(body.encode()) == [EVENT | {"sign": "ab"}]


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=ab", "", "text/plain"])
def test_multipart_with_and_without_its_type(content_type: str) -> None:
    parts = "".join(
        f'--ab\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in EVENT.items()
    )

    assert read(f"{parts}--ab--\r\n".encode(), content_type) == [EVENT]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_cyrillic_in_either_encoding(encoding: str) -> None:
    status = quote("Не отвечен".encode(encoding))
    bare = json.dumps(EVENT | {"status": "Не отвечен"}, ensure_ascii=False)

    assert read(f"call_id=1.2&status={status}".encode())[0]["status"] == "Не отвечен"
    assert read(bare.encode(encoding))[0]["status"] == "Не отвечен"


def test_cyrillic_of_windows_in_a_query() -> None:
    encoded = f"call_id=1.2&status={quote('Отвечен'.encode('cp1251'))}".encode()
    request = RawRequest((("call_id", "1.2"), ("status", "\ufffd")), query_string=encoded)

    (event,) = PBX.parse_events(request, NOW)

    assert dict(event.fields)["status"] == "Отвечен"


def test_gzip_is_unpacked_and_a_bomb_is_not() -> None:
    assert read(gzip.compress(json.dumps(EVENT).encode())) == [EVENT]
    assert read(gzip.compress(b"=" * (1 << 24))) == []


@pytest.mark.parametrize(
    "body",
    [
        b"<call id='1.2'/>",
        b"\xff\xfe\x00binary",
        b"base64:not",
        b'{"event": "1", "call_',
        b"[1]",
        b"{}",
    ],
)
def test_what_cannot_be_read_is_kept_whole(body: bytes) -> None:
    request = RawRequest((("user_id", "1"),), content_type="x/y", body=body)

    (kept,) = PBX.parse_events(request, NOW)

    assert decode_body(kept.body) == body
    assert (kept.fields, kept.content_type) == ((("user_id", "1"),), "x/y")
    assert PBX.reparse_event(kept) == (kept,)


def test_a_body_kept_by_an_older_bridge_is_read_by_this_one() -> None:
    body = json.dumps([EVENT, EVENT]).encode()
    kept = RawRequest(())
    (raw,) = PBX.parse_events(kept, NOW)
    old = type(raw)("sipuni", NOW, (), encode_body(body), "text/plain")

    assert [event.fields for event in PBX.reparse_event(old)] == [FIELDS, FIELDS]


def test_fields_beyond_measure_do_not_hide_the_call() -> None:
    query = (*((f"x{n}", "y") for n in range(300)), *FIELDS)

    (event,) = PBX.parse_events(RawRequest(query), NOW)

    assert set(FIELDS) <= set(event.fields)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_no_body_makes_the_reading_raise_or_vanish(body: bytes, content_type: str) -> None:
    request = RawRequest((), content_type=content_type, body=body)

    kept = PBX.parse_events(request, NOW)

    assert kept
    assert not body.strip() or any(event.fields or event.body for event in kept)
