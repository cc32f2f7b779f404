"""The fields in the body of an event push, in whatever form a cabinet or a script sends it.

The form is known by the body itself where its content type is missing or wrong: a form,
multipart, JSON (one event, a list of them, one wrapped in another object), gzip. Texts are UTF-8,
else Windows-1251. A body of another form gives no fields; the caller stores it as it came.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from email import message_from_bytes, policy
from typing import Any, Final
from urllib.parse import parse_qsl

from bridge.adapters.pbx.sipuni.fields import vendor_field_name

Fields = tuple[tuple[str, str], ...]

_MAX_DECOMPRESSED: Final = 1 << 20
_MAX_EVENTS: Final = 500
_MAX_DEPTH: Final = 6
_GZIP: Final = b"\x1f\x8b"
_BOUNDARY: Final = re.compile(rb"\s*--(?P<boundary>[^\s\"]{1,70})\r?\n")
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?(?P<charset>[\w-]{1,20})", re.IGNORECASE)
#: Fields that make an object of JSON an event rather than a wrapping of events.
_EVENT_FIELDS: Final = frozenset({"call_id", "src_num", "dst_num", "event", "callbackId"})
_BASE64: Final = "base64:"


def parse_body(body: bytes, content_type: str) -> list[Fields]:
    """Return the fields of each event in *body*; empty where it holds none that can be read."""
    body = decompressed(body)
    if not body.strip():
        return []
    named = _CHARSET.search(content_type)
    charset = named["charset"] if named else ""
    found = _json_events(body, charset)
    if found is None:
        found = _multipart_events(body, content_type)
    if found is None:
        found = _form_events(body, charset)
    return [fields for fields in found if fields]


def parse_form(encoded: bytes, charset: str = "") -> Fields:
    """Return the fields of a URL-encoded text, each read as UTF-8 or else as Windows-1251."""
    pairs = parse_qsl(encoded.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return tuple((_latin(name, charset), _latin(value, charset)) for name, value in pairs)


def decompressed(body: bytes) -> bytes:
    """Return *body* without gzip; as it came where it is not gzip, or becomes too large."""
    if not body.startswith(_GZIP):
        return body
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = decompressor.decompress(body, _MAX_DECOMPRESSED)
    except zlib.error:
        return body
    return plain if decompressor.eof else body


def encode_body(body: bytes) -> str:
    """Return *body* as a text that can be stored, and read back by `decode_body`."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _BASE64 + base64.b64encode(body).decode()
    return _BASE64 + base64.b64encode(body).decode() if text.startswith(_BASE64) else text


def decode_body(text: str) -> bytes:
    """Return the body that `encode_body` made *text* of."""
    if not text.startswith(_BASE64):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_BASE64), validate=True)
    except ValueError:
        return text.encode()


# ---------------------------------------------------------------- JSON


def _json_events(body: bytes, charset: str) -> list[Fields] | None:
    """Return the events of a JSON body, or of one JSON text a line; None where it is no JSON."""
    text = _decoded(body, charset).lstrip("\ufeff").strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        return _events_in(json.loads(text))
    except (ValueError, RecursionError):
        pass
    try:
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return []
    return [fields for line in lines for fields in _events_in(line)]


def _events_in(content: Any) -> list[Fields]:
    """Return the events in *content*: itself, in a list, or wrapped in other objects."""
    found: list[Fields] = []
    for event in _objects(content, _MAX_DEPTH):
        if len(found) == _MAX_EVENTS:
            break
        found.append(tuple(_flattened(event, "", _MAX_DEPTH)))
    return found


def _objects(content: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that are events; one without an event's fields yields those inside it."""
    if depth == 0:
        return
    if isinstance(content, list):
        for element in content:
            yield from _objects(element, depth - 1)
    elif isinstance(content, dict):
        nested = [value for value in content.values() if not _is_plain(value)]
        own = {
            vendor_field_name(name)
            for name, value in content.items()
            if not isinstance(value, list)
        }
        wrapped = [event for value in nested for event in _objects(value, depth - 1)]
        if own & _EVENT_FIELDS and not _wraps_all(content, wrapped):
            yield content
        elif wrapped:
            # Fields beside the wrapped events belong to each of them.
            shared = {n: v for n, v in content.items() if vendor_field_name(n) and _is_plain(v)}
            for event in wrapped:
                yield shared | dict(event)
        elif content:
            yield content


def _wraps_all(content: Mapping[str, Any], wrapped: list[Mapping[str, Any]]) -> bool:
    """Return whether the events are inside a member named as a field: {"event": {"call_id": …}}."""
    own = {vendor_field_name(name) for name, value in content.items() if _is_plain(value)}
    inside = [{vendor_field_name(name) for name in event} for event in wrapped]
    return not own & _EVENT_FIELDS and any("call_id" in names for names in inside)


def _is_plain(value: object) -> bool:
    return not isinstance(value, (dict, list))


def _flattened(event: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the fields of an event: of {"src": {"num": …}} the field src_num."""
    for name, value in event.items():
        if isinstance(value, dict):
            if depth:
                yield from _flattened(value, f"{prefix}{name}_", depth - 1)
        elif isinstance(value, list):
            yield f"{prefix}{name}", ",".join(_text(element) for element in value)
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: object) -> str:
    """Return a value as the HTTP push would send it; in JSON numbers may be numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else json.dumps(value, ensure_ascii=False)


# ---------------------------------------------------------------- forms


def _multipart_events(body: bytes, content_type: str) -> list[Fields] | None:
    """Return the event of a multipart body; None where it is none."""
    bounded = _BOUNDARY.match(body)
    if bounded is None:
        return None
    if "boundary" not in content_type.lower():
        boundary = bounded["boundary"].decode("latin-1")
        content_type = f'multipart/form-data; boundary="{boundary}"'
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = message_from_bytes(head + body.lstrip(), policy=policy.HTTP)
    fields: list[tuple[str, str]] = []
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            fields.append((name, _decoded(payload, part.get_content_charset() or "")))
    return _form_or_json_events(tuple(fields))


def _form_events(body: bytes, charset: str) -> list[Fields]:
    if b"=" not in body:
        return []
    return _form_or_json_events(parse_form(body.strip(), charset))


def _form_or_json_events(fields: Fields) -> list[Fields]:
    """Return the event of a form; the events of a form that has them as JSON in one field."""
    names = {vendor_field_name(name) for name, _ in fields}
    if not names & _EVENT_FIELDS:
        for name, value in fields:
            found = _json_events(value.encode("utf-8", "replace"), "")
            if found:
                rest = tuple(pair for pair in fields if pair[0] != name)
                return [(*event, *rest) for event in found]
        if not names - {""}:
            return []
    return [fields]


def _latin(text: str, charset: str) -> str:
    return text if text.isascii() else _decoded(text.encode("latin-1", "replace"), charset)


def _decoded(raw: bytes, charset: str) -> str:
    for name in filter(None, (charset, "utf-8", "cp1251")):
        try:
            return raw.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("utf-8", "replace")
