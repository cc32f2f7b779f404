"""1C as the pull reads it: complete listings, objects in batches, the extension attribute."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.decoding import (
    decode_count,
    lenient_json_decoder,
    require_count,
)
from bridge.adapters.onec.protocol.errors import RequestTooLarge
from bridge.adapters.onec.protocol.metadata import Metadata
from bridge.adapters.onec.protocol.query import listing_query
from bridge.adapters.onec.reading.extensions import find_extension_sources
from bridge.adapters.onec.reading.objects import (
    PHONE_OWNER_READERS,
    PhoneOwnerReader,
    ReadObject,
    as_group,
    is_group,
    read_managers,
    read_phone_fields,
)
from bridge.adapters.onec.reading.parts import (
    PartsReader,
    RequestPart,
    is_cheaper_by_refs,
    refs_per_request,
    split_refs,
    split_rows,
)
from bridge.adapters.onec.reading.sets import EntitySetReader
from bridge.adapters.onec.schema import (
    Column,
    ListingRow,
    ManagerRow,
    ObjectRow,
    OwnerRow,
    RowPage,
)
from bridge.domain.directory.entities import EntityKind, ExtensionSources, PhoneOwner, Ref, Version
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import OneCInvalidResponse, OneCNotPublished
from bridge.ports.onec import DirectoryObject, Listing, Traffic

_PAGE_SIZE: Final = 1000
_MAX_WALKS: Final = 3
_LISTING_COLUMNS: Final = (Column("Ref_Key", required=True), Column("DataVersion", required=True))
_PHONE_COLUMNS: Final = (Column("Ref_Key", required=True), schema.PHONE_SECTION)

_LISTING: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ListingRow]))
_PHONES: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[OwnerRow]))
_OBJECTS: Final[dict[EntityKind, Callable[[bytes], RowPage[Any]]]] = {
    EntityKind.MANAGER: lenient_json_decoder(msgspec.json.Decoder(RowPage[ManagerRow])),
    **{kind: reader.decode for kind, reader in PHONE_OWNER_READERS.items()},
}

R = TypeVar("R", bound=ListingRow)


class ODataSource:
    """A `OneCSource` over one publication.

    *extension_attribute* is the title (or reference) of the users' attribute that holds
    extensions; *metadata_cache* is a file of ours that saves half a minute of 1C's time per run.
    """

    def __init__(
        self,
        client: ODataClient,
        *,
        rules: PhoneRules,
        extension_attribute: str,
        metadata_cache: Path | None = None,
    ) -> None:
        self._client = client
        self._sets = EntitySetReader(client, Metadata(client, metadata_cache))
        self._rules = rules
        self._extension_attribute = extension_attribute
        self._sources: ExtensionSources | None = None
        self._parts = PartsReader(client.concurrency, _PAGE_SIZE)

    @property
    def traffic(self) -> Traffic:
        """Return the requests and bytes since this source was made."""
        return self._client.traffic

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def extension_sources(self) -> ExtensionSources:
        """Return the extension attribute, and its values that stand outside the users."""
        try:
            self._sources = await find_extension_sources(self._sets, self._extension_attribute)
        except OneCNotPublished:
            self._sources = ExtensionSources()  # a caller that goes on does so without extensions
            raise
        return self._sources

    # ------------------------------------------------------------ listing
    async def listing(self, kind: EntityKind, known_fingerprint: str = "") -> Listing:
        """Return every object of *kind*, complete or not at all.

        Without `allowedOnly`: rows hidden by rights are an error, never a shorter list. The
        fingerprint is the hash of the answer's bytes: where nothing changed 1C gives the same
        bytes, and an answer with *known_fingerprint* is not parsed.
        """

        def decode(body: bytes) -> Listing:
            fingerprint = sha256(body).hexdigest()
            if fingerprint == known_fingerprint:
                return Listing(None, fingerprint)
            return Listing(_versions(_LISTING(body).value), fingerprint)

        entity_set = schema.ENTITY_SETS[kind]
        # A missing column is reported before a listing of a million objects is read.
        await self._sets.select_option(entity_set, schema.COLUMNS[kind])
        try:
            return await self._sets.read_page(entity_set, _LISTING_COLUMNS, decode, splittable=True)
        except RequestTooLarge:
            return Listing(await self._list_by_pages(entity_set))

    async def _list_by_pages(self, entity_set: str) -> dict[Ref, Version]:
        """Return the listing read by pages, until as many objects are found as 1C counts.

        Pages in an order with ties lose rows, other ones in every walk, so walks are united. Where
        the count changes meanwhile, the listing begins anew.
        """
        found: dict[Ref, Version] = {}
        count = await self._count(entity_set)
        for _ in range(_MAX_WALKS):
            parts = split_rows(count, self._parts.page_size)
            async with self._pages(entity_set, _LISTING_COLUMNS, _LISTING, parts) as pages:
                async for page in pages:
                    found |= _versions(page.value)
            before, count = count, await self._count(entity_set)
            if count != before:
                found.clear()
            elif len(found) == count:
                return found
        raise OneCInvalidResponse(
            entity_set, f"the listing is not complete: {len(found)} found, 1C counts {count}"
        )

    async def _count(self, entity_set: str) -> int:
        options = {"top": "1", "inlinecount": "allpages"}
        page = await self._sets.read_page(entity_set, _LISTING_COLUMNS, _LISTING, options=options)
        if page.count is not None:
            return require_count(entity_set, page.count)
        return await self._client.read(f"{entity_set}/$count", {}, decode_count)

    # ------------------------------------------------------------ objects
    async def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[DirectoryObject]]:
        """Yield the objects of *refs* in batches, each exactly once."""
        if kind is EntityKind.MANAGER and self._sources is None:
            await self.extension_sources()
        entity_set, columns = schema.ENTITY_SETS[kind], schema.COLUMNS[kind]
        decode, read = _OBJECTS[kind], self._reader_of(kind)
        query = listing_query(await self._sets.select_option(entity_set, columns))
        missing = set(refs)
        incomplete: dict[Ref, PhoneOwner] = {}
        page_size = self._parts.page_size
        by_refs = is_cheaper_by_refs(len(missing), listed, refs_per_request(query), page_size)
        # Pages first; objects that ties left out are then asked for by reference, and are deleted
        # if they are not there.
        for way in ("refs",) if by_refs else ("pages", "refs"):
            parts: Sequence[RequestPart] = (
                split_rows(listed, page_size)
                if way == "pages"
                else split_refs([ref for ref in refs if ref in missing], query)
            )
            async with self._pages(entity_set, columns, decode, parts) as pages:
                async for page in pages:
                    if objects := _take(page.value, missing, read, incomplete):
                        yield objects
                    if not missing:
                        break
        async with aclosing(self._read_storages(entity_set, incomplete)) as batches:
            async for batch in batches:
                yield batch

    async def _read_storages(
        self, entity_set: str, incomplete: dict[Ref, PhoneOwner]
    ) -> AsyncGenerator[Sequence[DirectoryObject], None]:
        """Yield the objects in *incomplete* with phones that stand in the storages only."""
        if not incomplete:
            return
        query = listing_query(await self._sets.select_option(entity_set, _PHONE_COLUMNS))
        parts = split_refs(tuple(incomplete), query)
        async with self._pages(entity_set, _PHONE_COLUMNS, _PHONES, parts) as pages:
            async for page in pages:
                fields_of_rows = read_phone_fields(page.value, self._rules)
                objects = [
                    replace(owner, phone_fields=fields)
                    for row, (fields, _) in zip(page.value, fields_of_rows, strict=True)
                    if (owner := incomplete.pop(Ref(row.ref.lower()), None)) is not None
                ]
                if objects:
                    yield objects

    def _reader_of(
        self, kind: EntityKind
    ) -> Callable[[Sequence[Any]], Iterable[ReadObject[DirectoryObject]]]:
        if kind is not EntityKind.MANAGER:
            return partial(_read_owners, PHONE_OWNER_READERS[kind], self._rules)
        attribute = None if self._sources is None else self._sources.attribute_ref
        return partial(read_managers, extension_property=attribute)

    def _pages(
        self,
        entity_set: str,
        columns: tuple[Column, ...],
        decode: Callable[[bytes], RowPage[R]],
        parts: Iterable[RequestPart],
    ) -> AbstractAsyncContextManager[AsyncGenerator[RowPage[R], None]]:
        """Return the pages of all *parts*; leaving the context drops requests under way."""

        async def request(part: RequestPart) -> RowPage[R]:
            return await self._sets.read_page(
                entity_set, columns, decode, options=part.query_options(), splittable=True
            )

        return aclosing(self._parts.answers(parts, request))


def _versions(rows: Iterable[ListingRow]) -> dict[Ref, Version]:
    # Cast as a whole: calls of Ref and Version for every row would take a third of the time.
    return cast("dict[Ref, Version]", {row.ref.lower(): row.version or "" for row in rows})


def _read_owners(
    reader: PhoneOwnerReader, rules: PhoneRules, rows: Sequence[Any]
) -> Iterable[ReadObject[DirectoryObject]]:
    return reader.read(rows, rules)


def _take(
    rows: Sequence[ObjectRow],
    missing: set[Ref],
    read: Callable[[Sequence[Any]], Iterable[ReadObject[DirectoryObject]]],
    incomplete: dict[Ref, PhoneOwner],
) -> list[DirectoryObject]:
    """Return the objects of rows still *missing*; those with unread phones go to *incomplete*."""
    new_rows: list[ObjectRow] = []
    for row in rows:
        ref = Ref(row.ref.lower())
        if ref in missing:
            missing.remove(ref)
            new_rows.append(row)
    objects: list[DirectoryObject] = []
    for row, (entity, unread) in zip(new_rows, read(new_rows), strict=True):
        if is_group(row):
            objects.append(as_group(entity))
        elif unread and isinstance(entity, PhoneOwner):
            incomplete[entity.ref] = entity
        else:
            objects.append(entity)
    return objects
