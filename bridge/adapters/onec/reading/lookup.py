"""1C asked about one caller who is not in the index yet: by the digits of the caller's number.

    phone lines with these digits ─► their owners, read as the pull does ─► parent partners
      │ none
      └─► lines that other programs wrote, with the digits in other places

The lines are an entity set of their own, and a request for one number is one narrow query. The
owners found so are read in full, and count only where the pull would find the same number in them.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder
from bridge.adapters.onec.protocol.errors import UnknownField
from bridge.adapters.onec.protocol.metadata import Metadata
from bridge.adapters.onec.protocol.query import listing_query
from bridge.adapters.onec.reading.line_filters import narrow_filter, wide_filter
from bridge.adapters.onec.reading.objects import (
    PHONE_OWNER_READERS,
    as_group,
    is_group,
)
from bridge.adapters.onec.reading.parts import split_refs
from bridge.adapters.onec.reading.sets import EntitySetReader
from bridge.adapters.onec.schema import (
    Column,
    ListingRow,
    RowPage,
)
from bridge.domain.directory.caller_card import build_caller_card
from bridge.domain.directory.entities import (
    EntityKind,
    Partner,
    PhoneOwner,
    Ref,
)
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.errors import OneCError, OneCNotPublished, StoreError
from bridge.ports.onec import FoundOwners

_log = logging.getLogger(__name__)

#: A number has one owner, or a few; a hundred lines with one number come of a failed import, and
#: 1C is not kept busy with them.
_MAX_LINES: Final = 100

#: Seconds before a set that is not published is asked for again.
_UNPUBLISHED_S: Final = 3600.0

#: The wide search reads every line. Where it takes longer than `_MAX_WIDE_S`, or is refused, it is
#: not used for `_WIDE_PAUSE_S`: a caller must not wait for it, and the sync finds the same.
_MAX_WIDE_S: Final = 0.5
_WIDE_PAUSE_S: Final = 3600.0

_LINES: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ListingRow]))

Answer = TypeVar("Answer")


class ODataLookup:
    """An `OneCLookup` over one publication.

    *find_partner* returns a partner that the directory holds: most parent partners need not be
    requested. *metadata_cache* is the file in which the pull keeps what is published; *clock*
    gives seconds that only grow. *is_crowded* returns whether other callers wait for their turn:
    then the lines of other programs are not searched.
    """

    def __init__(
        self,
        client: ODataClient,
        *,
        rules: PhoneRules,
        find_partner: Callable[[Ref], Partner | None],
        metadata_cache: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        is_crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._sets = EntitySetReader(client, Metadata(client, metadata_cache, may_request=False))
        self._rules = rules
        self._find_partner = find_partner
        self._clock = clock
        self._is_crowded = is_crowded
        self._unpublished_until: dict[EntityKind, float] = {}
        self._has_json_storage = True
        self._wide_paused_until = float("-inf")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def find_owners(self, number: PhoneNumber) -> FoundOwners:
        """Return the owners of *number*; kinds whose set is not published are left out."""
        missing: dict[EntityKind, OneCNotPublished] = {}
        condition = narrow_filter(number, self._rules)
        kinds = [kind for kind in schema.PHONE_LINE_SETS if not self._is_unpublished(kind)]
        found = await _all(self._owners(kind, number, condition, missing) for kind in kinds)
        if len(missing) == len(kinds):
            # The next caller comes after a long pause, and every kind is tried again.
            self._unpublished_until.clear()
            raise next(iter(missing.values()))
        for kind, error in missing.items():
            self._unpublished_until[kind] = self._clock() + _UNPUBLISHED_S
            _log.warning("live_lookup_without", extra={"kind": kind, "reason": str(error)})
        owners = tuple(owner for some in found for owner in some)
        parents = await self._parent_partners(owners)
        if build_caller_card(number, owners, parents) is None:
            # No owners, or only owners who get no caller card.
            rest = [kind for kind in kinds if kind not in missing]
            if more := await self._search_wide(number, rest):
                return FoundOwners(more, await self._parent_partners(more))
        return FoundOwners(owners, parents)

    def _is_unpublished(self, kind: EntityKind) -> bool:
        return self._unpublished_until.get(kind, 0.0) > self._clock()

    # ------------------------------------------------------------ owners
    async def _search_wide(
        self, number: PhoneNumber, kinds: Sequence[EntityKind]
    ) -> tuple[PhoneOwner, ...]:
        """Return the owners in lines that other programs wrote, where 1C is fast enough for it."""
        if self._clock() < self._wide_paused_until or self._is_crowded():
            return ()
        started_at = self._clock()
        missing: dict[EntityKind, OneCNotPublished] = {}
        try:
            for with_json in (True, False) if self._has_json_storage else (False,):
                missing.clear()
                condition = wide_filter(number, self._rules, with_json=with_json)
                found = await _all(self._owners(kind, number, condition, missing) for kind in kinds)
                if not any(isinstance(error, UnknownField) for error in missing.values()):
                    break
                self._has_json_storage = False
        except OneCError as error:
            self._pause_wide_search(str(error))
            return ()
        if missing:
            self._pause_wide_search(str(next(iter(missing.values()))))
        elif (took := self._clock() - started_at) > _MAX_WIDE_S:
            self._pause_wide_search(f"it took {took:.1f} s")
        return tuple(owner for some in found for owner in some)

    def _pause_wide_search(self, reason: str) -> None:
        self._wide_paused_until = self._clock() + _WIDE_PAUSE_S
        _log.warning("live_lookup_narrow_only", extra={"reason": reason})

    async def _owners(
        self,
        kind: EntityKind,
        number: PhoneNumber,
        condition: str,
        missing: dict[EntityKind, OneCNotPublished],
    ) -> list[PhoneOwner]:
        """Return the owners of one kind; the error of an unpublished set goes to *missing*."""
        query = listing_query("Ref_Key", filter=condition, top=str(_MAX_LINES))
        try:
            page = await self._client.read(schema.PHONE_LINE_SETS[kind], query, _LINES)
            refs = tuple(dict.fromkeys(Ref(row.ref.lower()) for row in page.value))
            owners = await self._read(kind, refs, schema.LOOKUP_COLUMNS[kind]) if refs else []
        except OneCNotPublished as error:
            missing[kind] = error
            return []
        # The digits of a line may be older than its presentation, which the pull reads.
        return [owner for owner in owners if _has_number(owner, number)]

    async def _read(
        self, kind: EntityKind, refs: Sequence[Ref], columns: tuple[Column, ...]
    ) -> list[PhoneOwner]:
        entity_set, reader = schema.ENTITY_SETS[kind], PHONE_OWNER_READERS[kind]
        parts = split_refs(refs, listing_query(await self._sets.select_option(entity_set, columns)))
        pages = await _all(
            self._sets.read_page(entity_set, columns, reader.decode, options=part.query_options())
            for part in parts
        )
        owners: list[PhoneOwner] = []
        rows = [row for page in pages for row in page.value]
        for row, read in zip(rows, reader.read(rows, self._rules), strict=True):
            entity = as_group(read.entity) if is_group(row) else read.entity
            if isinstance(entity, PhoneOwner):
                owners.append(entity)
        return owners

    # ------------------------------------------------------------ parent partners
    async def _parent_partners(self, owners: Iterable[PhoneOwner]) -> tuple[Partner, ...]:
        """Return the partners above *owners*, from the directory where it has them.

        A partner that 1C does not return ends its chain, as it does in the index.
        """
        partners: dict[Ref, Partner] = {}
        waiting: set[Ref] = set()
        for owner in owners:
            if isinstance(owner, Partner):
                partners[owner.ref] = owner
            _add(waiting, owner.parent if isinstance(owner, Partner) else owner.partner)
        while waiting := waiting - partners.keys():
            held = {
                ref: partner for ref in waiting if (partner := self._held_partner(ref)) is not None
            }
            if unknown := sorted(waiting - held.keys()):
                for owner in await self._read(
                    EntityKind.PARTNER, unknown, schema.PARENT_PARTNER_COLUMNS
                ):
                    if isinstance(owner, Partner):
                        held[owner.ref] = owner
            partners |= held
            waiting = set()
            for partner in held.values():
                _add(waiting, None if partner.predefined else partner.parent)
        return tuple(partners.values())

    def _held_partner(self, ref: Ref) -> Partner | None:
        try:
            return self._find_partner(ref)
        except StoreError:
            # A broken directory is reported by the routing that reads it; 1C has the partner too.
            return None


def _has_number(owner: PhoneOwner, number: PhoneNumber) -> bool:
    return any(phone.number == number for field in owner.phone_fields for phone in field.phones)


def _add(refs: set[Ref], ref: Ref | None) -> None:
    if ref is not None:
        refs.add(ref)


async def _all(requests: Iterable[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """Return the answers to all requests, sent at once; raise the first failure after all ended."""
    answers: list[Answer] = []
    for answer in await asyncio.gather(*requests, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer
        answers.append(answer)
    return answers
