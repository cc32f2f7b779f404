"""1C as it is asked about one caller who is not in the index yet: by the digits of his number.

    phone lines with these digits ─► their owners, read as the pull reads them ─► partners above
      │ none
      └─► lines that other programs wrote, with the digits in other places

The lines are a set of their own, and a question for one number there is one narrow query. What
they name is read in full and believed only where the pull would find the same number in it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient, lenient_json_decoder, listing_query
from bridge.adapters.onec.protocol.errors import UnknownField
from bridge.adapters.onec.protocol.metadata import Metadata
from bridge.adapters.onec.reading.line_filters import narrow_filter, wide_filter
from bridge.adapters.onec.reading.objects import (
    ReadObject,
    as_group,
    is_group,
    read_contact_persons,
    read_counterparties,
    read_partners,
)
from bridge.adapters.onec.reading.parts import split_refs
from bridge.adapters.onec.reading.sets import EntitySetReader
from bridge.adapters.onec.schema import (
    Column,
    ContactPersonRow,
    CounterpartyRow,
    ListingRow,
    PartnerRow,
    RowPage,
)
from bridge.adapters.sqlite.directory.documents import distinct_phones
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

#: A number has one owner, or a few; a hundred lines with one number are somebody's import gone
#: wrong, and no reason to keep 1C busy.
_MOST_LINES: Final = 100

#: A set that is not published is not asked for again before this, seconds.
_ABSENT_S: Final = 3600.0

#: The wide question reads every line. Where it takes longer than this, seconds, or is refused, it
#: is left to the sync for a while: a caller must not wait for it, nor 1C work for it.
_WIDE_LIMIT_S: Final = 0.5
_WIDE_REST_S: Final = 3600.0


class _Reading(NamedTuple):
    """How rows of one kind are decoded, and read into nouns."""

    page: Callable[[bytes], RowPage[Any]]
    nouns: Callable[[Sequence[Any], PhoneRules], Iterable[ReadObject]]


_LINES: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ListingRow]))
_READINGS: Final = {
    EntityKind.CONTACT: _Reading(
        lenient_json_decoder(msgspec.json.Decoder(RowPage[ContactPersonRow])), read_contact_persons
    ),
    EntityKind.PARTNER: _Reading(
        lenient_json_decoder(msgspec.json.Decoder(RowPage[PartnerRow])), read_partners
    ),
    EntityKind.COUNTERPARTY: _Reading(
        lenient_json_decoder(msgspec.json.Decoder(RowPage[CounterpartyRow])), read_counterparties
    ),
}

Answer = TypeVar("Answer")


class ODataLookup:
    """An `OneCLookup` over one publication.

    *known* gives a partner that the directory holds: most partners above an owner need not be
    asked for. *metadata_cache* is the file in which the pull remembers what is published;
    *clock* gives seconds that only grow. *crowded* tells whether other callers wait for their turn:
    then nobody is looked for in the lines of other programs.
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
        self._known = find_partner
        self._clock = clock
        self._crowded = is_crowded
        self._absent: dict[EntityKind, float] = {}
        self._has_json = True
        self._wide_rests_until = float("-inf")

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def find_owners(self, number: PhoneNumber) -> FoundOwners:
        """Find the owners of *number*; of a publication that lacks a set only the others."""
        missing: dict[EntityKind, OneCNotPublished] = {}
        condition = narrow_filter(number, self._rules)
        kinds = [kind for kind in schema.PHONE_LINE_SETS if not self._is_absent(kind)]
        found = await _all(self._owners(kind, number, condition, missing) for kind in kinds)
        if len(missing) == len(kinds):
            # Next time all of them are asked for: who comes then comes after a long rest.
            self._absent.clear()
            raise next(iter(missing.values()))
        for kind, error in missing.items():
            self._absent[kind] = self._clock() + _ABSENT_S
            _log.warning("live_lookup_without", extra={"kind": kind, "reason": str(error)})
        owners = tuple(owner for some in found for owner in some)
        above = await self._above(owners)
        if build_caller_card(number, owners, above) is None:
            # Nobody, or those alone whom a number does not lead to.
            rest = [kind for kind in kinds if kind not in missing]
            if more := await self._elsewhere(number, rest):
                return FoundOwners(more, await self._above(more))
        return FoundOwners(owners, above)

    def _is_absent(self, kind: EntityKind) -> bool:
        return self._absent.get(kind, 0.0) > self._clock()

    # ------------------------------------------------------------ owners
    async def _elsewhere(
        self, number: PhoneNumber, kinds: Sequence[EntityKind]
    ) -> tuple[PhoneOwner, ...]:
        """Find the owners in lines that other programs wrote, where 1C is quick enough for it."""
        if self._clock() < self._wide_rests_until or self._crowded():
            return ()
        began = self._clock()
        missing: dict[EntityKind, OneCNotPublished] = {}
        try:
            for with_json in (True, False) if self._has_json else (False,):
                missing.clear()
                condition = wide_filter(number, self._rules, with_json=with_json)
                found = await _all(self._owners(kind, number, condition, missing) for kind in kinds)
                if not any(isinstance(error, UnknownField) for error in missing.values()):
                    break
                self._has_json = False
        except OneCError as error:
            self._rest_from_wide(str(error))
            return ()
        if missing:
            self._rest_from_wide(str(next(iter(missing.values()))))
        elif (took := self._clock() - began) > _WIDE_LIMIT_S:
            self._rest_from_wide(f"it took {took:.1f} s")
        return tuple(owner for some in found for owner in some)

    def _rest_from_wide(self, reason: str) -> None:
        self._wide_rests_until = self._clock() + _WIDE_REST_S
        _log.warning("live_lookup_narrow_only", extra={"reason": reason})

    async def _owners(
        self,
        kind: EntityKind,
        number: PhoneNumber,
        condition: str,
        missing: dict[EntityKind, OneCNotPublished],
    ) -> list[PhoneOwner]:
        """Find the owners of one kind; what is not published goes to *missing*."""
        query = listing_query("Ref_Key", filter=condition, top=str(_MOST_LINES))
        try:
            page = await self._client.read(schema.PHONE_LINE_SETS[kind], query, _LINES)
            refs = tuple(dict.fromkeys(Ref(row.ref.lower()) for row in page.value))
            nouns = await self._read(kind, refs, schema.LOOKUP_COLUMNS[kind]) if refs else []
        except OneCNotPublished as error:
            missing[kind] = error
            return []
        # The digits of a line may be older than its text, which is what people see and the pull
        # believes.
        return [noun for noun in nouns if any(p.number == number for p in distinct_phones(noun))]

    async def _read(
        self, kind: EntityKind, refs: Sequence[Ref], columns: tuple[Column, ...]
    ) -> list[PhoneOwner]:
        entity_set, reading = schema.ENTITY_SETS[kind], _READINGS[kind]
        parts = split_refs(refs, listing_query(await self._sets.select_option(entity_set, columns)))
        pages = await _all(
            self._sets.read_page(entity_set, columns, reading.page, options=part.query_options())
            for part in parts
        )
        nouns: list[PhoneOwner] = []
        rows = [row for page in pages for row in page.value]
        for row, read in zip(rows, reading.nouns(rows, self._rules), strict=True):
            noun = as_group(read.entity) if is_group(row) else read.entity
            if isinstance(noun, PhoneOwner):
                nouns.append(noun)
        return nouns

    # ------------------------------------------------------------ the partners above them
    async def _above(self, owners: Iterable[PhoneOwner]) -> tuple[Partner, ...]:
        """Give the partners above *owners*, from the directory where it has them.

        One that is not to be had ends its chain, as it does in the index.
        """
        partners: dict[Ref, Partner] = {}
        waiting: set[Ref] = set()
        for owner in owners:
            if isinstance(owner, Partner):
                partners[owner.ref] = owner
            _add(waiting, owner.parent if isinstance(owner, Partner) else owner.partner)
        while waiting := waiting - partners.keys():
            held = {ref: partner for ref in waiting if (partner := self._held(ref)) is not None}
            if strangers := sorted(waiting - held.keys()):
                for noun in await self._read(
                    EntityKind.PARTNER, strangers, schema.PARENT_PARTNER_COLUMNS
                ):
                    if isinstance(noun, Partner):
                        held[noun.ref] = noun
            partners |= held
            waiting = set()
            for partner in held.values():
                _add(waiting, None if partner.predefined else partner.parent)
        return tuple(partners.values())

    def _held(self, ref: Ref) -> Partner | None:
        try:
            return self._known(ref)
        except StoreError:
            # A broken directory is told of by the one who is answered from it; 1C has it too.
            return None


def _add(refs: set[Ref], ref: Ref | None) -> None:
    if ref is not None:
        refs.add(ref)


async def _all(questions: Iterable[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """Ask all at once and wait for every answer; then raise the first failure, if there is one."""
    answers: list[Answer] = []
    for answer in await asyncio.gather(*questions, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer
        answers.append(answer)
    return answers
