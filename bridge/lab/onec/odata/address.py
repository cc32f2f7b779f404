"""Reads a raw request target the way 1C behind a web server does: by hand.

Percent-decoding is done here and not by a framework, because a `+` of the query is a plus and
never a space (docs/facts/onec-odata.md, 'Encoding').
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from bridge.lab.onec.odata import errors

_GUID: Final = re.compile(r"guid'([^']*)'\Z")
_DATE: Final = re.compile(r"datetime'([^']*)'\Z")
_GUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")
#: A year must have four digits (docs/facts/onec-odata.md, 'Filter').
_DATE_TEXT: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?\Z")

KeyValue = str | int | bool


@dataclass(frozen=True, slots=True)
class PathSegment:
    """One step of the path: a name and, in parentheses, a key by part names (`""` if unnamed)."""

    name: str
    key: dict[str, KeyValue] | None = None


@dataclass(frozen=True, slots=True)
class ODataAddress:
    """A request target taken apart, everything decoded."""

    segments: tuple[PathSegment, ...]
    options: dict[str, str] = field(default_factory=dict)

    @property
    def set_name(self) -> str:
        """Return the entity set (or `$metadata`) the request is about; empty for the root."""
        return self.segments[0].name if self.segments else ""


def is_guid(text: str) -> bool:
    """Return whether *text* is a guid in its usual form."""
    return _GUID_TEXT.match(text) is not None


def datetime_text(text: str) -> str:
    """Return a datetime literal's text with seconds.

    Raises:
        ODataRefusal: it is not a date of four-digit year.
    """
    if _DATE_TEXT.match(text) is None:
        raise errors.bad_value(text, "DateTime")
    if len(text) == len("2026-01-01"):
        return f"{text}T00:00:00"
    return text if text.count(":") > 1 else f"{text}:00"


def parse_address(path: str, query: str) -> ODataAddress:
    """Parse the part of a raw target below the service root.

    Raises:
        ODataRefusal: a key cannot be read.
    """
    segments = tuple(_segment(unquote(raw)) for raw in path.split("/") if raw)
    return ODataAddress(segments, parse_query(query))


def parse_query(query: str) -> dict[str, str]:
    """Decode a query string by hand; a plus stays a plus, the first of equal names wins."""
    options: dict[str, str] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            options.setdefault(unquote(name), unquote(value))
    return options


def _segment(text: str) -> PathSegment:
    name, paren, inside = text.partition("(")
    if not paren:
        return PathSegment(text)
    if not inside.endswith(")"):
        raise errors.bad_option("key")
    return PathSegment(name, _key(inside[:-1]))


def _key(text: str) -> dict[str, KeyValue]:
    key: dict[str, KeyValue] = {}
    for part in _split(text):
        name, equals, value = part.partition("=")
        if not equals or "'" in name:
            name, value = "", part
        key[name.strip()] = _literal(value.strip())
    return key


def _split(text: str) -> list[str]:
    parts, start, quoted = [], 0, False
    for index, ch in enumerate(text):
        if ch == "'":
            quoted = not quoted
        elif ch == "," and not quoted:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part for part in parts if part]


def _literal(text: str) -> KeyValue:
    if found := _GUID.match(text):
        if not is_guid(found[1]):
            raise errors.bad_value(found[1], "Guid")
        return found[1].lower()
    if found := _DATE.match(text):
        return datetime_text(found[1])
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text in {"true", "false"}:
        return text == "true"
    if text.isascii() and text.isdigit():
        return int(text)
    raise errors.bad_value(text, "Guid")
