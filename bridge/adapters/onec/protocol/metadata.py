"""Which of the fields we use this publication has: `$metadata`, read as a stream and remembered.

On a real UT 11 the document has 17 MB and takes half a minute (facts/onec-odata.md §2.9), so only
the names of our own sets are kept, on disk, and believed for a day. A memory may say "it is there"
but never "it is not": what is missing is asked for anew before anybody is told to publish it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final
from xml.parsers import expat

import msgspec

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.schema import USED_COLUMNS, Column
from bridge.errors import (
    OneCInvalidResponse,
    OneCNotPublished,
    OneCSessionsBlocked,
    OneCUnavailable,
)

_BELIEVED_S: Final = 24 * 3600.0
_PATH: Final = "$metadata"
_TYPES: Final = frozenset({"EntityType", "ComplexType"})
_ROW_TYPE: Final = "_RowType"

#: Properties by entity set; lines of a tabular section stand under a name of their own.
Fields = Mapping[str, frozenset[str]]


class _Memory(msgspec.Struct):
    """What the disk keeps. *size* and *modified* are the document's own headers."""

    asked: frozenset[str]
    size: str
    modified: str
    checked_at: float
    fields: dict[str, frozenset[str]]


class Metadata:
    """What the publication has of the sets and fields in `NEEDED`.

    *cache* is a file of ours to remember it in between runs; *clock* gives seconds since 1970.
    Where *asks* is false 1C is never asked: what another one has remembered is believed, however
    old. That is for questions that cannot wait half a minute.
    """

    def __init__(
        self,
        client: ODataClient,
        cache: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        may_request: bool = True,
    ) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._asks = may_request
        self._fields: Fields | None = None
        self._fresh = False

    async def fields(self) -> Fields | None:
        """Give the fields of our sets, remembered or read now; None if they are not to be had.

        Raises:
            OneCUnauthorized: the user may not even ask.
            OneCBlocked: the infobase is closed.
        """
        if self._fields is None and not self._asks:
            return await self.refresh()
        if self._fields is None:
            memory = self._remembered()
            age = None if memory is None else self._clock() - memory.checked_at
            if memory is not None and age is not None and 0 <= age < _BELIEVED_S:
                self._fields = memory.fields
            else:
                await self.refresh()
        return self._fields

    async def refresh(self) -> Fields | None:
        """Ask 1C now, unless this object has done so before; None if it gives no metadata."""
        if not self._asks:
            memory = self._remembered()
            self._fields = None if memory is None else memory.fields
            return self._fields
        if self._fresh:
            return self._fields
        self._fresh = True
        try:
            self._fields = await self._read()
        except OneCSessionsBlocked:
            raise
        except (OneCUnavailable, OneCInvalidResponse, OneCNotPublished):
            # Without it the columns common to all releases will do (`columns_of`).
            self._fields = None
        return self._fields

    async def _read(self) -> Fields:
        memory = self._remembered()
        async with self._client.stream(_PATH) as (headers, pieces):
            size, modified = headers.get("Content-Length", ""), headers.get("Last-Modified", "")
            if memory is not None and size and (size, modified) == (memory.size, memory.modified):
                fields: Fields = memory.fields
            else:
                parser = _Parser(used_type_names())
                async for piece in pieces:
                    parser.feed(piece)
                fields = parser.finish()
        self._remember(
            _Memory(used_type_names(), size, modified, self._clock(), {**fields}),
        )
        return fields

    def _remembered(self) -> _Memory | None:
        if self._cache is None:
            return None
        try:
            memory = msgspec.json.decode(self._cache.read_bytes(), type=_Memory)
        except (OSError, ValueError):
            # Absent, or of another version of ours: it is only a memory.
            return None
        return memory if memory.asked == used_type_names() else None

    def _remember(self, memory: _Memory) -> None:
        if self._cache is None:
            return
        beside = self._cache.with_suffix(".new")
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(msgspec.json.encode(memory))
            beside.replace(self._cache)
        except OSError:
            # A full or read-only disk costs the next run half a minute, nothing else.
            return


def used_type_names() -> frozenset[str]:
    """Name the entity types that hold our fields, tabular sections among them."""
    return frozenset(
        _type_of(entity_set, column.path)[0]
        for entity_set, columns in USED_COLUMNS.items()
        for column in columns
    )


def missing_columns(
    entity_set: str, columns: Iterable[Column], fields: Fields
) -> tuple[Column, ...]:
    """Tell which of *columns* the publication lacks."""
    return tuple(c for c in columns if not _has(entity_set, c, fields))


def available_columns(
    entity_set: str, columns: Iterable[Column], fields: Fields | None
) -> tuple[Column, ...]:
    """Give the columns to ask for: those that are there, or those that every release has."""
    if fields is None:
        return tuple(c for c in columns if c.in_every_release)
    return tuple(c for c in columns if _has(entity_set, c, fields))


def require_columns(entity_set: str, columns: Iterable[Column], fields: Fields) -> None:
    """Refuse a publication without the set, or without a field that it is of no use without.

    Raises:
        OneCNotPublished: naming what is missing.
    """
    if entity_set not in fields:
        raise OneCNotPublished(entity_set, "the entity set is not published")
    absent = [c.path for c in missing_columns(entity_set, columns, fields) if c.required]
    if absent:
        raise OneCNotPublished(entity_set, f"not published: {', '.join(absent)}")


def _has(entity_set: str, column: Column, fields: Fields) -> bool:
    type_name, name = _type_of(entity_set, column.path)
    if type_name != entity_set and type_name not in fields:
        # The lines are not described apart: the section itself has to be believed.
        section = column.path.partition("/")[0]
        return section in fields.get(entity_set, frozenset())
    return name in fields.get(type_name, frozenset())


def _type_of(entity_set: str, path: str) -> tuple[str, str]:
    section, slash, name = path.partition("/")
    return (f"{entity_set}_{section}", name) if slash else (entity_set, path)


class _Parser:
    """Collects property names of the wanted entity types from a stream of XML."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._found: dict[str, set[str]] = {}
        self._open: set[str] | None = None
        self._schema = False
        self._expat = expat.ParserCreate(namespace_separator=" ")
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.StartDoctypeDeclHandler = self._doctype

    def feed(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            OneCNonsense: it is no metadata; with an authorisation problem 1C sends a page, and 200.
        """
        self._parse(piece, last=False)

    def finish(self) -> Fields:
        """Give what was found.

        Raises:
            OneCNonsense: the document broke off, or had no schema in it.
        """
        self._parse(b"", last=True)
        if not self._schema:
            raise OneCInvalidResponse(_PATH, "a document without a schema")
        return {name: frozenset(found) for name, found in self._found.items()}

    def _parse(self, piece: bytes, *, last: bool) -> None:
        try:
            self._expat.Parse(piece, last)
        except expat.ExpatError as error:
            raise OneCInvalidResponse(_PATH, f"not metadata: {error}") from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "Property":
            if self._open is not None:
                self._open.add(attributes.get("Name", ""))
        elif name in _TYPES:
            # Lines of a section may be described as an entity, as a row type, or both.
            type_name = attributes.get("Name", "").removesuffix(_ROW_TYPE)
            if type_name in self._wanted:
                self._open = self._found.setdefault(type_name, set())
        elif name == "Schema":
            self._schema = True

    def _end(self, tag: str) -> None:
        if tag.rpartition(" ")[2] in _TYPES:
            self._open = None

    def _doctype(self, *_: object) -> None:
        # No metadata has one; a page does, and entities of an attacker would.
        raise OneCInvalidResponse(_PATH, "a page that is not 1C's")
