"""Who spoke when 1C's address answered, and in what words; for people, so always in few words."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from html import unescape
from typing import Final

import msgspec

from bridge.adapters.onec.protocol.error_pages import (
    has_password_field,
    one_line_text,
    page_message,
)

_MAX_WORDS: Final = 500
_MAX_BODY: Final = 100_000  # of a page, in which causes are looked for
_BOM: Final = b"\xef\xbb\xbf"
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
    """An answer that is not what was asked for, in *words* for people.

    *last_words* are the words of a session layer without its own formula: the administrator's.
    *body* is all that a page says; *sign_in*: it asks for a password.
    """

    kind: ResponseKind
    status: int
    message: str
    code: str = ""
    administrator_message: str = ""
    page_text: str = ""
    has_password_field: bool = False


def without_bom(body: bytes) -> bytes:
    """Give *body* without the byte order mark that 1C puts before some of its answers."""
    return body.removeprefix(_BOM)


def parse_response(status: int, body: bytes, location: str = "") -> ParsedResponse:
    """Tell who speaks in *body*, and what he says."""
    raw = without_bom(body).strip()
    if raw.startswith(b"{"):
        try:
            found = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            said = _odata(status, found) or _session(status, found)
            if said is not None:
                return said
            words = _plain(_joined(_texts(found)))
            if words:
                return ParsedResponse(ResponseKind.PAGE, status, words, page_text=words)
    text = _decoded(raw[:_MAX_BODY])
    if _ATOM_ERROR.search(text):
        messages = [_message(unescape(found)) for found in _MESSAGE.findall(text)]
        return ParsedResponse(ResponseKind.ODATA, status, _plain(_joined(messages)), _code(text))
    if _SESSION_XML.search(text):
        words = _plain(_joined(unescape(found) for found in _DESCRIPTION.findall(text)))
        return ParsedResponse(ResponseKind.SESSION, status, words, administrator_message=words)
    words = f"{one_line_text(location)} {page_message(text)}".strip()[:_MAX_WORDS]
    return ParsedResponse(
        ResponseKind.PAGE,
        status,
        words,
        page_text=one_line_text(text),
        has_password_field=has_password_field(text),
    )


def _odata(status: int, found: dict[object, object]) -> ParsedResponse | None:
    error = found.get("odata.error")
    if not isinstance(error, dict):
        return None
    return ParsedResponse(
        ResponseKind.ODATA, status, _plain(_joined(_texts(error))), str(error.get("code", ""))
    )


def _session(status: int, found: dict[object, object]) -> ParsedResponse | None:
    exception = found.get("exception")
    if "#exception" not in found or not isinstance(exception, dict):
        return None
    inner = exception.get("inner")
    text = _joined(_texts(inner), "\n") if isinstance(inner, dict) else ""
    text = text or str(exception.get("descr") or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The first line is 1C's formula, the administrator's own words follow it.
    return ParsedResponse(
        ResponseKind.SESSION,
        status,
        _plain(text),
        administrator_message=_plain(" ".join(lines[1:] or lines)),
    )


#: Members that hold words for people, and those under which more of them are nested.
_WORDED: Final = ("message", "value", "descr", "detail", "error_description", "title", "error")
_NESTED: Final = ("error", "message", "innererror", "internalexception", "inner", "exception")
_MOST_NESTED: Final = 8


def _texts(found: Mapping[object, object], depth: int = 0) -> list[str]:
    """Give the words in *found*, those of nested errors after its own."""
    if depth > _MOST_NESTED:
        return []
    texts = [text for name in _WORDED if isinstance(text := found.get(name), str)]
    for name in _NESTED:
        inner = found.get(name)
        if isinstance(inner, dict):
            texts += _texts(inner, depth + 1)
    return texts


def _joined(texts: Iterable[str], between: str = ": ") -> str:
    """Join *texts*, each once; a nested message often repeats the one around it."""
    told: list[str] = []
    for text in texts:
        if text.strip() and not any(text.strip() in other for other in told):
            told.append(text.strip())
    return between.join(told)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # Pages of Russian IIS installations come in windows-1251, whatever they declare.
        return raw.decode("cp1251", "replace")


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return unescape(found[1]) if found else ""


def _code(text: str) -> str:
    return _first(_CODE, text).strip()


def _message(text: str) -> str:
    """Undo the base64 in which 1C wraps a text that XML cannot carry."""
    packed = "".join(text.split())
    if " " in text.strip() or not packed.isascii() or len(packed) % 4:
        return text
    try:
        return base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _plain(text: str) -> str:
    """Make one short line of a text that may hold tags, line breaks and control characters."""
    return one_line_text(text)[:_MAX_WORDS]
