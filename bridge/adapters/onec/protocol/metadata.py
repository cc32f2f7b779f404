"""Which of the fields we use this publication has: `$metadata`, read as a stream and cached.

On a real UT 11 the document has 17 MB and takes half a minute, so only the fields of our own sets
are kept, in a file, and used for a day. What the file does not have is not reported as missing
before 1C is asked again.
Source: docs/facts/onec-odata.md, 'Metadata'.
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

_MAX_AGE_S: Final = 24 * 3600.0
_PATH: Final = "$metadata"
_TYPES: Final = frozenset({"EntityType", "ComplexType"})
_ROW_TYPE: Final = "_RowType"

#: Properties by entity set; lines of a tabular section stand under a name of their own.
Fields = Mapping[str, frozenset[str]]


class _CachedMetadata(msgspec.Struct):
    """What the file holds. *size* and *modified* are the document's own headers."""

    type_names: frozenset[str] = msgspec.field(name="asked")
    size: str
    modified: str
    checked_at: float
    fields: dict[str, frozenset[str]]


class Metadata:
    """What the publication has of the sets and fields in `USED_COLUMNS`.

    *cache* is a file of ours that keeps it between runs; *clock* gives seconds since 1970.
    Where *may_request* is false 1C is never asked: the file that another object has written is
    used, however old. That is for requests that cannot wait half a minute.
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
        self._may_request = may_request
        self._fields: Fields | None = None
        self._was_requested = False

    async def fields(self) -> Fields | None:
        """Return the fields of our sets, cached or read now; None if 1C does not give them.

        Raises:
            OneCUnauthorized: the user may not read metadata.
            OneCSessionsBlocked: the infobase takes no sessions.
        """
        if self._fields is None and not self._may_request:
            return await self.refresh()
        if self._fields is None:
            cached = self._load()
            age = None if cached is None else self._clock() - cached.checked_at
            if cached is not None and age is not None and 0 <= age < _MAX_AGE_S:
                self._fields = cached.fields
            else:
                await self.refresh()
        return self._fields

    async def refresh(self) -> Fields | None:
        """Return the fields asked for now, once per object; None if 1C gives no metadata."""
        if not self._may_request:
            cached = self._load()
            self._fields = None if cached is None else cached.fields
            return self._fields
        if self._was_requested:
            return self._fields
        self._was_requested = True
        try:
            self._fields = await self._read()
        except OneCSessionsBlocked:
            raise
        except (OneCUnavailable, OneCInvalidResponse, OneCNotPublished):
            # Without it the columns common to all releases will do (`available_columns`).
            self._fields = None
        return self._fields

    async def _read(self) -> Fields:
        cached = self._load()
        async with self._client.stream(_PATH) as (headers, pieces):
            size, modified = headers.get("Content-Length", ""), headers.get("Last-Modified", "")
            if cached is not None and size and (size, modified) == (cached.size, cached.modified):
                fields: Fields = cached.fields
            else:
                parser = _Parser(used_type_names())
                async for piece in pieces:
                    parser.feed(piece)
                fields = parser.finish()
        self._save(
            _CachedMetadata(used_type_names(), size, modified, self._clock(), {**fields}),
        )
        return fields

    def _load(self) -> _CachedMetadata | None:
        if self._cache is None:
            return None
        try:
            cached = msgspec.json.decode(self._cache.read_bytes(), type=_CachedMetadata)
        except (OSError, ValueError):
            # Absent, or written by another version of ours.
            return None
        return cached if cached.type_names == used_type_names() else None

    def _save(self, cached: _CachedMetadata) -> None:
        if self._cache is None:
            return
        new_file = self._cache.with_suffix(".new")
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            new_file.write_bytes(msgspec.json.encode(cached))
            new_file.replace(self._cache)
        except OSError:
            # On a full or read-only disk the next run reads the metadata again.
            return


def used_type_names() -> frozenset[str]:
    """Return the names of the entity types that hold our fields, tabular sections among them."""
    return frozenset(
        _type_of(entity_set, column.path)[0]
        for entity_set, columns in USED_COLUMNS.items()
        for column in columns
    )


def missing_columns(
    entity_set: str, columns: Iterable[Column], fields: Fields
) -> tuple[Column, ...]:
    """Return those of *columns* that the publication lacks."""
    return tuple(c for c in columns if not _has(entity_set, c, fields))


def available_columns(
    entity_set: str, columns: Iterable[Column], fields: Fields | None
) -> tuple[Column, ...]:
    """Return the columns to select: those that are there, or those that every release has."""
    if fields is None:
        return tuple(c for c in columns if c.in_every_release)
    return tuple(c for c in columns if _has(entity_set, c, fields))


def require_columns(entity_set: str, columns: Iterable[Column], fields: Fields) -> None:
    """Check that the set is published, with every required column.

    Raises:
        OneCNotPublished: it is not; the detail names what is missing.
    """
    if entity_set not in fields:
        raise OneCNotPublished(entity_set, "the entity set is not published")
    absent = [c.path for c in missing_columns(entity_set, columns, fields) if c.required]
    if absent:
        raise OneCNotPublished(entity_set, f"not published: {', '.join(absent)}")


def _has(entity_set: str, column: Column, fields: Fields) -> bool:
    type_name, name = _type_of(entity_set, column.path)
    if type_name != entity_set and type_name not in fields:
        # The columns of the section are not described: the section itself has to do.
        section = column.path.partition("/")[0]
        return section in fields.get(entity_set, frozenset())
    return name in fields.get(type_name, frozenset())


def _type_of(entity_set: str, path: str) -> tuple[str, str]:
    section, slash, name = path.partition("/")
    return (f"{entity_set}_{section}", name) if slash else (entity_set, path)


class _Parser:
    """Collects property names of the entity types *type_names* from a stream of XML."""

    def __init__(self, type_names: frozenset[str]) -> None:
        self._type_names = type_names
        self._found: dict[str, set[str]] = {}
        self._current: set[str] | None = None
        self._has_schema = False
        self._expat = expat.ParserCreate(namespace_separator=" ")
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.StartDoctypeDeclHandler = self._doctype

    def feed(self, piece: bytes) -> None:
        """Parse the next piece.

        Raises:
            OneCInvalidResponse: it is no metadata; where rights are missing 1C may send a page
                with status 200.
        """
        self._parse(piece, last=False)

    def finish(self) -> Fields:
        """Return the fields that were found.

        Raises:
            OneCInvalidResponse: the document broke off, or had no schema in it.
        """
        self._parse(b"", last=True)
        if not self._has_schema:
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
            if self._current is not None:
                self._current.add(attributes.get("Name", ""))
        elif name in _TYPES:
            # Lines of a section may be described as an entity, as a row type, or both.
            type_name = attributes.get("Name", "").removesuffix(_ROW_TYPE)
            if type_name in self._type_names:
                self._current = self._found.setdefault(type_name, set())
        elif name == "Schema":
            self._has_schema = True

    def _end(self, tag: str) -> None:
        if tag.rpartition(" ")[2] in _TYPES:
            self._current = None

    def _doctype(self, *_: object) -> None:
        # No metadata has a document type; a page does, and so would an attack by entities.
        raise OneCInvalidResponse(_PATH, "a page that is not 1C's")
