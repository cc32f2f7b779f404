"""Writes what 1C sends: JSON at three metadata levels, Atom, and refusals in both.

Bodies of collections are produced in pieces, so that a listing of a whole base streams.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from xml.sax.saxutils import escape

import msgspec

from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.odata.errors import ODataRefusal
from bridge.lab.onec.odata.reading.query import QueryPage

JSON: Final = "application/json;charset=utf-8"
_CHUNK: Final = 500
_NAMESPACES: Final = (
    'xmlns="http://www.w3.org/2005/Atom" '
    'xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
    'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
)
_ILLEGAL: Final = frozenset(map(chr, range(32))) - {"\t", "\n", "\r"}


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The representation a client asked for: `json` or Atom, and how much metadata."""

    json: bool
    level: str = "minimalmetadata"

    @property
    def has_links(self) -> bool:
        """Return whether `@navigationLinkUrl` members are sent."""
        return self.json and self.level != "nometadata"

    @property
    def content_type(self) -> str:
        """Return the type of an ordinary answer in this form."""
        return JSON if self.json else "application/atom+xml;type=feed;charset=utf-8"


def requested_format(options: dict[str, str], accept: str) -> ResponseFormat:
    """Read `$format` and `Accept`; without either it is Atom (docs/facts/onec-odata.md, 'Formats').

    Raises:
        ODataRefusal: a representation 1C does not have (code 3).
    """
    asked = options.get("$format") or ("json" if "application/json" in accept else "atom")
    name, _, rest = asked.partition(";")
    if name in {"json", "application/json"}:
        source = rest if "$format" in options else accept
        for level in ("nometadata", "fullmetadata"):
            if f"odata={level}" in source:
                return ResponseFormat(json=True, level=level)
        return ResponseFormat(json=True)
    if name in {"atom", "application/atom+xml", "xml", "application/xml"}:
        return ResponseFormat(json=False)
    raise ODataRefusal(406, "3", f"Тип представления {name} не поддерживается")


def collection(page: QueryPage, form: ResponseFormat, root: str) -> Iterator[bytes]:
    """Write a collection in pieces.

    Raises:
        ODataRefusal: a text cannot be written in Atom; this shows only after all rows are read.
    """
    if not form.json:
        yield _feed(page, root).encode()
        return
    head: dict[str, Any] = {}
    if form.level != "nometadata":
        head["odata.metadata"] = f"{root}$metadata#{page.entity_set.name}"
    if page.count is not None:
        # A string, not a number (docs/facts/onec-odata.md, 'Pages and counts').
        head["odata.count"] = str(page.count)
    text = msgspec.json.encode(head)[:-1]
    yield text + (b"," if head else b"") + b'"value":['
    first = True
    while rows := list(islice(page.rows, _CHUNK)):
        piece = msgspec.json.encode(rows)[1:-1]
        yield piece if first else b"," + piece
        first = False
    yield b"]}"


def entity(row: Row, set_name: str, form: ResponseFormat, root: str) -> bytes:
    """Write one entity; there is no `value` around it."""
    if not form.json:
        head = f"<?xml version='1.0' encoding='utf-8'?>\n<entry {_NAMESPACES}>"
        return f"{head}{_entry(row, set_name, root)}</entry>".encode()
    if form.level == "nometadata":
        return msgspec.json.encode(row)
    head_row = {"odata.metadata": f"{root}$metadata#{set_name}/@Element"}
    return msgspec.json.encode(head_row | row)


def value(found: Any, name: str, form: ResponseFormat, root: str) -> bytes:
    """Write one property that was walked to by the path."""
    if form.json:
        return msgspec.json.encode({"odata.metadata": f"{root}$metadata#{name}", "value": found})
    return f"<d:{name} {_NAMESPACES}>{_text(found)}</d:{name}>".encode()


def service(names: list[str], form: ResponseFormat, root: str) -> bytes:
    """Write the root document: the published sets."""
    if form.json:
        sets = [{"name": name, "url": name} for name in names]
        return msgspec.json.encode({"odata.metadata": f"{root}$metadata", "value": sets})
    sets_xml = "".join(
        f'<collection href="{name}"><atom:title>{name}</atom:title></collection>' for name in names
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?>\n<service xmlns=\"http://www.w3.org/2007/app\" "
        f'xmlns:atom="http://www.w3.org/2005/Atom" xml:base="{root}"><workspace>'
        f"<atom:title>Default</atom:title>{sets_xml}</workspace></service>"
    ).encode()


def refusal(refused: ODataRefusal, form: ResponseFormat, lang: str) -> bytes:
    """Write an `odata.error` (its name has a dot) or an `m:error`."""
    message = refused.message(lang)
    if form.json:
        return msgspec.json.encode(
            {"odata.error": {"code": refused.code, "message": {"lang": lang, "value": message}}}
        )
    if _ILLEGAL.intersection(message):
        message = base64.b64encode(message.encode()).decode()
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<m:error '
        'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        f"<m:code>{refused.code}</m:code><m:message>{escape(message)}</m:message></m:error>"
    ).encode()


# ------------------------------------------------------------------ Atom


def _feed(page: QueryPage, root: str) -> str:
    name = page.entity_set.name
    entries = "".join(f"<entry>{_entry(row, name, root)}</entry>" for row in page.rows)
    count = "" if page.count is None else f"<m:count>{page.count}</m:count>"
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n<feed {_NAMESPACES} xml:base=\"{root}\">"
        f'<id>{root}{name}</id><title type="text">{name}</title>{count}{entries}</feed>'
    )


def _entry(row: Row, name: str, root: str) -> str:
    ref = row.get("Ref_Key")
    where = f"{root}{name}(guid'{ref}')" if ref else f"{root}{name}"
    fields = "".join(
        _field(key, member) for key, member in row.items() if not key.endswith("@navigationLinkUrl")
    )
    return (
        f'<id>{escape(where)}</id><category term="StandardODATA.{name}" '
        'scheme="http://schemas.microsoft.com/ado/2007/08/dataservices/scheme"/>'
        f'<content type="application/xml"><m:properties>{fields}</m:properties></content>'
    )


def _field(name: str, member: Any) -> str:
    if member is None:
        return f'<d:{name} m:null="true"/>'
    if isinstance(member, list):
        lines = "".join(
            f"<d:element>{''.join(_field(key, part) for key, part in line.items())}</d:element>"
            for line in member
            if isinstance(line, dict)
        )
        return f"<d:{name}>{lines}</d:{name}>"
    if isinstance(member, dict):
        return f"<d:{name}>{''.join(_field(key, part) for key, part in member.items())}</d:{name}>"
    return f"<d:{name}>{_text(member)}</d:{name}>"


def _text(member: Any) -> str:
    text = str(member).lower() if isinstance(member, bool) else str(member)
    if _ILLEGAL.intersection(text):
        # The Atom writer cannot serialise it and the whole answer fails (docs/facts/onec-odata.md,
        # 'Values in JSON').
        raise ODataRefusal(400, "-1", "Ошибка преобразования данных XDTO: недопустимый символ XML")
    return escape(text)
