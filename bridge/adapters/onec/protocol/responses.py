"""Which server answered at 1C's address, and with which message, shortened for people."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from html import unescape
from typing import Final

import msgspec

from bridge.adapters.onec.protocol.decoding import without_bom
from bridge.adapters.onec.protocol.error_pages import (
    has_password_field,
    one_line_text,
    page_message,
)

_MAX_MESSAGE: Final = 500
#: How many bytes of a page are searched for a cause.
_MAX_SEARCHED: Final = 100_000
_ATOM_ERROR: Final = re.compile(r"<(?:\w+:)?error\b[^<>]*/dataservices/metadata")
_CODE: Final = re.compile(r"<(?:\w+:)?code\b[^<>]*>([^<]*)</")
_MESSAGE: Final = re.compile(r"<(?:\w+:)?message\b[^<>]*>([^<]*)</")
_SESSION_XML: Final = re.compile(r"<exception\b[^<>]*virtual-resource-system")
_DESCRIPTION: Final = re.compile(r"<descr\b[^<>]*>([^<]*)</descr>")


class ResponseKind(Enum):
    """Who answered: 1C's OData, its session layer, or a server before it."""

    ODATA = auto()
    SESSION = auto()
    PAGE = auto()


@dataclass(frozen=True, slots=True)
class ParsedResponse:
    """An answer that is not what was asked for; *message* is the reason, for people.

    *administrator_message* is the message of a session layer without its own formula.
    *page_text* is the whole text of a page; *has_password_field*: it asks for a password.
    """

    kind: ResponseKind
    status: int
    message: str
    code: str = ""
    administrator_message: str = ""
    page_text: str = ""
    has_password_field: bool = False


def parse_response(status: int, body: bytes, location: str = "") -> ParsedResponse:
    """Return which server answered with *body*, and with which message."""
    raw = without_bom(body).strip()
    if raw.startswith(b"{"):
        parsed = _parse_json(status, raw)
        if parsed is not None:
            return parsed
    text = _decoded(raw[:_MAX_SEARCHED])
    if _ATOM_ERROR.search(text):
        messages = [_unpacked(unescape(found)) for found in _MESSAGE.findall(text)]
        return ParsedResponse(
            ResponseKind.ODATA, status, _shortened(_joined(messages)), _code(text)
        )
    if _SESSION_XML.search(text):
        message = _shortened(_joined(unescape(found) for found in _DESCRIPTION.findall(text)))
        return ParsedResponse(ResponseKind.SESSION, status, message, administrator_message=message)
    message = f"{one_line_text(location)} {page_message(text)}".strip()[:_MAX_MESSAGE]
    return ParsedResponse(
        ResponseKind.PAGE,
        status,
        message,
        page_text=one_line_text(text),
        has_password_field=has_password_field(text),
    )


def _parse_json(status: int, raw: bytes) -> ParsedResponse | None:
    """Return the response of a JSON object; None where it has no message for people."""
    try:
        content = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    parsed = _parse_odata_error(status, content) or _parse_session_error(status, content)
    if parsed is not None:
        return parsed
    message = _shortened(_joined(_texts(content)))
    if not message:
        return None
    return ParsedResponse(ResponseKind.PAGE, status, message, page_text=message)


def _parse_odata_error(status: int, content: dict[object, object]) -> ParsedResponse | None:
    error = content.get("odata.error")
    if not isinstance(error, dict):
        return None
    message = _shortened(_joined(_texts(error)))
    return ParsedResponse(ResponseKind.ODATA, status, message, str(error.get("code", "")))


def _parse_session_error(status: int, content: dict[object, object]) -> ParsedResponse | None:
    exception = content.get("exception")
    if "#exception" not in content or not isinstance(exception, dict):
        return None
    inner = exception.get("inner")
    text = _joined(_texts(inner), "\n") if isinstance(inner, dict) else ""
    text = text or str(exception.get("descr") or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The first line is 1C's formula, the administrator's own message follows it.
    administrator_message = _shortened(" ".join(lines[1:] or lines))
    return ParsedResponse(
        ResponseKind.SESSION,
        status,
        _shortened(text),
        administrator_message=administrator_message,
    )


#: Members that hold messages for people, and those under which more of them are nested.
_MESSAGE_MEMBERS: Final = (
    "message", "value", "descr", "detail", "error_description", "title", "error",
)  # fmt: skip
_NESTING_MEMBERS: Final = (
    "error", "message", "innererror", "internalexception", "inner", "exception",
)  # fmt: skip
_MAX_DEPTH: Final = 8


def _texts(content: Mapping[object, object], depth: int = 0) -> list[str]:
    """Return the messages in *content*, those of nested errors after its own."""
    if depth > _MAX_DEPTH:
        return []
    texts = [text for name in _MESSAGE_MEMBERS if isinstance(text := content.get(name), str)]
    for name in _NESTING_MEMBERS:
        inner = content.get(name)
        if isinstance(inner, dict):
            texts += _texts(inner, depth + 1)
    return texts


def _joined(texts: Iterable[str], separator: str = ": ") -> str:
    """Return *texts* joined, each once; a nested message often repeats the one around it."""
    distinct: list[str] = []
    for text in texts:
        if text.strip() and not any(text.strip() in other for other in distinct):
            distinct.append(text.strip())
    return separator.join(distinct)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # Pages of Russian IIS installations come in windows-1251, whatever they declare.
        return raw.decode("cp1251", "replace")


def _code(text: str) -> str:
    found = _CODE.search(text)
    return unescape(found[1]).strip() if found else ""


def _unpacked(text: str) -> str:
    """Return *text* without the base64 in which 1C wraps a text that XML cannot carry."""
    packed = "".join(text.split())
    if " " in text.strip() or not packed.isascii() or len(packed) % 4:
        return text
    try:
        return base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _shortened(text: str) -> str:
    """Return one short line of a text that may hold tags, line breaks and control characters."""
    return one_line_text(text)[:_MAX_MESSAGE]
