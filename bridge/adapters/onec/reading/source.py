"""1C as the pull reads it: complete listings, bodies in batches, and where extensions stand."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import (
    ODataClient,
    decode_count,
    lenient_json_decoder,
    listing_query,
    require_count,
)
from bridge.adapters.onec.protocol.errors import RequestTooLarge
from bridge.adapters.onec.protocol.metadata import Metadata
from bridge.adapters.onec.reading.extensions import find_extension_sources
from bridge.adapters.onec.reading.objects import (
    ReadObject,
    as_group,
    is_group,
    read_contact_persons,
    read_counterparties,
    read_managers,
    read_partners,
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
    ContactPersonRow,
    CounterpartyRow,
    ListingRow,
    ManagerRow,
    ObjectRow,
    OwnerRow,
    PartnerRow,
    RowPage,
)
from bridge.domain.directory.entities import EntityKind, ExtensionSources, PhoneOwner, Ref, Version
from bridge.domain.phone.phone import PhoneRules
from bridge.errors import OneCInvalidResponse, OneCNotPublished
from bridge.ports.onec import DirectoryObject, Listing, Traffic

_PAGE: Final = 1000
_WALKS: Final = 3
_LISTING_COLUMNS: Final = (Column("Ref_Key", required=True), Column("DataVersion", required=True))
_PHONE_COLUMNS: Final = (Column("Ref_Key", required=True), schema.PHONE_SECTION)

_LISTING: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ListingRow]))
_PHONES: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[OwnerRow]))
_ROWS: Final[dict[EntityKind, Callable[[bytes], RowPage[Any]]]] = {
    EntityKind.MANAGER: lenient_json_decoder(msgspec.json.Decoder(RowPage[ManagerRow])),
    EntityKind.PARTNER: lenient_json_decoder(msgspec.json.Decoder(RowPage[PartnerRow])),
    EntityKind.CONTACT: lenient_json_decoder(msgspec.json.Decoder(RowPage[ContactPersonRow])),
    EntityKind.COUNTERPARTY: lenient_json_decoder(msgspec.json.Decoder(RowPage[CounterpartyRow])),
}

R = TypeVar("R", bound=ListingRow)


class ODataSource:
    """A `OneCSource` over one publication.

    *attribute* is the title (or reference) of the users' attribute that holds extensions;
    *metadata_cache* a file of ours that spares 1C half a minute per run.
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
        self._title = extension_attribute
        self._sources: ExtensionSources | None = None
        self._parts = PartsReader(client.concurrency, _PAGE)

    @property
    def traffic(self) -> Traffic:
        """Requests and bytes since this source was made."""
        return self._client.traffic

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def extension_sources(self) -> ExtensionSources:
        """Find the extension attribute, and read what of it stands outside the users."""
        try:
            self._sources = await find_extension_sources(self._sets, self._title)
        except OneCNotPublished:
            self._sources = ExtensionSources()  # where the asker goes on, it is without them
            raise
        return self._sources

    # ------------------------------------------------------------ listing
    async def listing(self, kind: EntityKind, known_fingerprint: str = "") -> Listing:
        """List every object of *kind*, complete or not at all.

        Without `allowedOnly`: rows hidden by rights are an error, never a shorter list. The
        fingerprint is that of 1C's answer, letter for letter: where nothing moved 1C says the same
        again, and what it said the last time need not even be parsed.
        """

        def read(body: bytes) -> Listing:
            fingerprint = sha256(body).hexdigest()
            if fingerprint == known_fingerprint:
                return Listing(None, fingerprint)
            return Listing(_versions(_LISTING(body).value), fingerprint)

        entity_set = schema.ENTITY_SETS[kind]
        # What is missing of the bodies is said now, not after a listing of a million.
        await self._sets.select_option(entity_set, schema.COLUMNS[kind])
        try:
            return await self._sets.read_page(entity_set, _LISTING_COLUMNS, read, splittable=True)
        except RequestTooLarge:
            return Listing(await self._list_by_pages(entity_set))

    async def list_versions(self, kind: EntityKind) -> dict[Ref, Version]:
        """List every object of *kind* as `listing` does, whatever is known."""
        return dict((await self.listing(kind)).versions or {})

    async def _list_by_pages(self, entity_set: str) -> dict[Ref, Version]:
        """Walk the set by pages until as many objects are found as 1C counts.

        Ties lose rows, other ones in every walk, so walks add up; a count that moves meanwhile
        begins anew.
        """
        found: dict[Ref, Version] = {}
        count = await self._count(entity_set)
        for _ in range(_WALKS):
            parts = split_rows(count, self._parts.page_size)
            async with self._rows(entity_set, _LISTING_COLUMNS, _LISTING, parts) as pages:
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
        one = {"top": "1", "inlinecount": "allpages"}
        page = await self._sets.read_page(entity_set, _LISTING_COLUMNS, _LISTING, options=one)
        if page.count is not None:
            return require_count(entity_set, page.count)
        return await self._client.read(f"{entity_set}/$count", {}, decode_count)

    # ------------------------------------------------------------ bodies
    async def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[DirectoryObject]]:
        """Bring the bodies of *refs* in batches, each exactly once, read into domain nouns."""
        if kind is EntityKind.MANAGER and self._sources is None:
            await self.extension_sources()
        entity_set, columns, reader = schema.ENTITY_SETS[kind], schema.COLUMNS[kind], _ROWS[kind]
        query = listing_query(await self._sets.select_option(entity_set, columns))
        read = self._reader_of(kind)
        wanted = set(refs)
        again: dict[Ref, PhoneOwner] = {}
        page_size = self._parts.page_size
        by_keys = is_cheaper_by_refs(len(wanted), listed, refs_per_request(query), page_size)
        # Pages first; what their ties lost is then asked for by key, and is gone if not there.
        for walk in ("keys",) if by_keys else ("pages", "keys"):
            parts: Sequence[RequestPart] = (
                split_rows(listed, page_size)
                if walk == "pages"
                else split_refs([ref for ref in refs if ref in wanted], query)
            )
            async with self._rows(entity_set, columns, reader, parts) as pages:
                async for page in pages:
                    if nouns := _take(page.value, wanted, read, again):
                        yield nouns
                    if not wanted:
                        break
        async with aclosing(self._look_again(entity_set, again)) as looks:
            async for looked in looks:
                yield looked

    async def _look_again(
        self, entity_set: str, again: dict[Ref, PhoneOwner]
    ) -> AsyncGenerator[Sequence[DirectoryObject], None]:
        """ReadObject the storages of the phones that the short columns did not tell."""
        if not again:
            return
        query = listing_query(await self._sets.select_option(entity_set, _PHONE_COLUMNS))
        parts = split_refs(tuple(again), query)
        async with self._rows(entity_set, _PHONE_COLUMNS, _PHONES, parts) as pages:
            async for page in pages:
                fields = read_phone_fields(page.value, self._rules)
                nouns = [
                    replace(owner, phone_fields=mine)
                    for row, (mine, _) in zip(page.value, fields, strict=True)
                    if (owner := again.pop(Ref(row.ref.lower()), None)) is not None
                ]
                if nouns:
                    yield nouns

    def _reader_of(self, kind: EntityKind) -> Callable[[Sequence[Any]], Iterable[ReadObject]]:
        rules = self._rules
        match kind:
            case EntityKind.PARTNER:
                return partial(read_partners, rules=rules)
            case EntityKind.CONTACT:
                return partial(read_contact_persons, rules=rules)
            case EntityKind.COUNTERPARTY:
                return partial(read_counterparties, rules=rules)
        attribute = None if self._sources is None else self._sources.attribute_ref
        return partial(read_managers, extension_property=attribute)

    def _rows(
        self,
        entity_set: str,
        columns: tuple[Column, ...],
        reader: Callable[[bytes], RowPage[R]],
        parts: Iterable[RequestPart],
    ) -> AbstractAsyncContextManager[AsyncGenerator[RowPage[R], None]]:
        """Ask for all *parts*; what is still under way when the context is left is dropped."""

        async def ask(part: RequestPart) -> RowPage[R]:
            return await self._sets.read_page(
                entity_set, columns, reader, options=part.query_options(), splittable=True
            )

        return aclosing(self._parts.answers(parts, ask))


def _versions(rows: Iterable[ListingRow]) -> dict[Ref, Version]:
    # Cast as a whole: calls for every row would cost a third of a large listing.
    return cast("dict[Ref, Version]", {row.ref.lower(): row.version or "" for row in rows})


def _take(
    rows: Sequence[ObjectRow],
    wanted: set[Ref],
    read: Callable[[Sequence[Any]], Iterable[ReadObject]],
    again: dict[Ref, PhoneOwner],
) -> list[DirectoryObject]:
    """Read the rows still wanted; those with an unread phone wait in *again*."""
    fresh: list[ObjectRow] = []
    for row in rows:
        ref = Ref(row.ref.lower())
        if ref in wanted:
            wanted.remove(ref)
            fresh.append(row)
    nouns: list[DirectoryObject] = []
    for row, (noun, unread) in zip(fresh, read(fresh), strict=True):
        if is_group(row):
            nouns.append(as_group(noun))
        elif unread and isinstance(noun, PhoneOwner):
            again[noun.ref] = noun
        else:
            nouns.append(noun)
    return nouns
