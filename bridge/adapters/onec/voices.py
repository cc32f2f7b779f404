"""Who spoke when 1C's address answered, and in what words; for people, so always in few words."""

import base64
import binascii
import re
from dataclasses import dataclass
from enum import Enum, auto
from html import unescape
from typing import Final

import msgspec

from bridge.adapters.onec import schema

_MAX_WORDS: Final = 500
_BOM: Final = b"\xef\xbb\xbf"
_TAGS: Final = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_ATOM_ERROR: Final = re.compile(r"<(?:\w+:)?error\b[^>]*/dataservices/metadata")
_CODE: Final = re.compile(r"<(?:\w+:)?code\b[^>]*>(.*?)</", re.DOTALL)
_MESSAGE: Final = re.compile(r"<(?:\w+:)?message\b[^>]*>(.*?)</", re.DOTALL)
_SESSION_XML: Final = re.compile(r"<exception\b[^>]*virtual-resource-system")
_DESCRIPTION: Final = re.compile(r"<descr\b[^>]*>(.*?)</descr>", re.DOTALL)


class Voice(Enum):
    """Who answered: 1C's OData, its session layer, or a server before it."""

    ODATA = auto()
    SESSION = auto()
    PAGE = auto()


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that is not what was asked for, in *words* for people.

    *last_words* are the words of a session layer without its own formula: the administrator's.
    *body* is what a page says below its title.
    """

    voice: Voice
    status: int
    words: str
    code: str = ""
    last_words: str = ""
    body: str = ""


def without_bom(body: bytes) -> bytes:
    """Give *body* without the byte order mark that 1C puts before some of its answers."""
    return body.removeprefix(_BOM)


def hear(status: int, body: bytes, location: str = "") -> Said:
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
    text = _decoded(raw)
    if _ATOM_ERROR.search(text):
        return Said(Voice.ODATA, status, _plain(_message(_first(_MESSAGE, text))), _code(text))
    if _SESSION_XML.search(text):
        words = _plain(_first(_DESCRIPTION, text))
        return Said(Voice.SESSION, status, words, last_words=words)
    return Said(Voice.PAGE, status, _plain(f"{location} {_page(text)}"), body=_plain(text))


def _odata(status: int, found: dict[object, object]) -> Said | None:
    error = found.get("odata.error")
    if not isinstance(error, dict):
        return None
    message = error.get("message")
    if isinstance(message, dict):
        message = message.get("value")
    return Said(Voice.ODATA, status, _plain(str(message or "")), str(error.get("code", "")))


def _session(status: int, found: dict[object, object]) -> Said | None:
    exception = found.get("exception")
    if "#exception" not in found or not isinstance(exception, dict):
        return None
    inner = exception.get("inner")
    descr = inner.get("descr") if isinstance(inner, dict) else None
    text = str(descr or exception.get("descr") or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The first line is 1C's formula, the administrator's own words follow it.
    return Said(
        Voice.SESSION, status, _plain(text), last_words=_plain(" ".join(lines[1:] or lines))
    )


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


def _page(text: str) -> str:
    """Give a page's title, or the cause that the platform names."""
    folded = text.casefold()
    for reason in schema.REASON_WORDS:
        at = folded.find(reason)
        if at >= 0:
            return text[at + len(reason) :]
    return _first(_TITLE, text) or text


def _plain(text: str) -> str:
    """Make one short line of a text that may hold tags, line breaks and control characters."""
    bare = unescape(_TAGS.sub(" ", text))
    return " ".join("".join(c if c.isprintable() else " " for c in bare).split())[:_MAX_WORDS]
