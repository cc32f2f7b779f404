"""The phone index: number → caller card, derived from the documents of the same file.

Two ways lead to the same cards (`caller_cards`): `rebuild` reads all documents once and writes
every card anew; `patch` recomputes the cards of the numbers that a run touched.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from bridge.adapters.sqlite.directory.documents import (
    PARENT_EXPRESSION,
    PARTNER_EXPRESSION,
    REF_EXPRESSION,
    TABLES,
    decode_object,
    distinct_phones,
    read_objects,
)
from bridge.adapters.sqlite.directory.index.caller_cards import (
    WITHOUT_MANAGERS,
    PackedCards,
    PartnerChains,
    pack_candidate,
    pack_card,
    unpack_card,
)
from bridge.adapters.sqlite.file.bulk import (
    VALUE_LENGTH,
    VALUE_OFFSET,
    WorkerThread,
    join_values,
)
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.directory.caller_card import (
    Candidate,
    CandidateKind,
    candidate_sort_key,
)
from bridge.domain.directory.entities import (
    EntityKind,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    may_be_caller,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.onec import DirectoryObject

# ruff: noqa: S608 - table and expression are constants of this house.

_KIND_OF = {
    CandidateKind.CONTACT: EntityKind.CONTACT,
    CandidateKind.PARTNER: EntityKind.PARTNER,
    CandidateKind.COUNTERPARTY: EntityKind.COUNTERPARTY,
}

# Above both, reading everything once is cheaper than looking up every touched number's owners.
_MANY_NUMBERS = 10_000
_LARGE_SHARE = 1 / 8

#: Cards in one statement, and the digits of a number before its card there.
_BATCH = 5_000
_DIGITS = 20

_REPLACE = (
    "INSERT INTO phone (number, card) VALUES (?, ?) "
    "ON CONFLICT (number) DO UPDATE SET card = excluded.card"
)

#: Objects made until the collector looks for cycles: more than live at one time in a page of 1C.
_SELDOM = 50_000


class OwnerKey(NamedTuple):
    """An owner of numbers, by kind and reference."""

    kind: EntityKind
    ref: Ref


@dataclass(slots=True)
class IndexChanges:
    """What a run changed, as far as cards depend on it."""

    numbers: set[PhoneNumber] = field(default_factory=set)
    #: Owners that have a touched number now.
    owners_by_number: dict[PhoneNumber, set[OwnerKey]] = field(default_factory=dict)
    #: Partners whose words in the cards of others changed.
    partners: set[Ref] = field(default_factory=set)
    #: Managers that appeared or vanished: chains name their rows.
    managers: set[Ref] = field(default_factory=set)

    def add(
        self, kind: EntityKind, old: DirectoryObject | None, new: DirectoryObject | None
    ) -> None:
        """Take in that *old* became *new*; None when it was not there, or is no more."""
        noun = new or old
        if noun is None or (old and new and replace(old, version=new.version) == new):
            return
        if isinstance(noun, Manager):
            if old is None or new is None:
                self.managers.add(noun.ref)
            return
        for version in (old, new):
            if version is not None:
                self.numbers.update(phone.number for phone in distinct_phones(version))
        if new is not None:
            for phone in distinct_phones(new):
                self.owners_by_number.setdefault(phone.number, set()).add(OwnerKey(kind, noun.ref))
        if isinstance(noun, Partner) and _words(old) != _words(new):
            self.partners.add(noun.ref)

    def __bool__(self) -> bool:
        return bool(self.numbers or self.partners or self.managers)


def _words(partner: DirectoryObject | None) -> tuple[object, ...] | None:
    """Give what of a partner stands in the cards of others."""
    if not isinstance(partner, Partner) or partner.predefined:
        return None
    return (partner.name, partner.parent, partner.manager, partner.code, partner.customer)


class PhoneIndex:
    """The table `phone` of a directory file, inside the writer's transaction."""

    def __init__(self, file: SqliteFile):
        self._file = file

    def create(self) -> None:
        """Make the index in a file that has none."""
        self._file.execute("CREATE TABLE phone (number INTEGER PRIMARY KEY, card BLOB NOT NULL)")

    def delete_all(self) -> None:
        """Forget all numbers."""
        self._file.execute("DELETE FROM phone")

    def count(self) -> int:
        """Count the numbers."""
        return int(self._file.read("SELECT count(*) FROM phone")[0][0])

    def rebuild(self) -> int:
        """Read all documents and write every card anew; give the number of numbers."""
        cards = self.build_cards()
        beside = WorkerThread()
        try:
            numbers = self.replace_all(cards, beside)
            beside.wait()
        finally:
            beside.close()
        return numbers

    def replace_all(self, cards: PackedCards, worker: WorkerThread) -> int:
        """Have *cards* and no others, as soon as *beside* gets there; give how many they are."""
        worker.submit(self.delete_all)
        for batch in cards.sorted_batches(_BATCH):
            worker.submit(partial(self._add_many, batch))
        return len(cards)

    def _add_many(self, batch: Sequence[tuple[PhoneNumber, bytes]]) -> None:
        """Write cards of numbers that are not there, without Python's lock."""
        numbered = [b"%0*d%b" % (_DIGITS, number, card) for number, card in batch]
        number = f"CAST(CAST(substr(?1, {VALUE_OFFSET}, {_DIGITS}) AS TEXT) AS INTEGER)"
        card = f"substr(?1, {VALUE_OFFSET} + {_DIGITS}, {VALUE_LENGTH} - {_DIGITS})"
        self._file.execute(
            f"INSERT INTO phone (number, card) SELECT {number}, {card} FROM json_each(?2)",
            join_values(numbered),
        )

    def write_differences(self, cards: PackedCards) -> int:
        """Have *cards* and no others, writing those that differ; give how many they are."""
        above = 0
        for batch in cards.sorted_batches(_BATCH):
            self._level(batch, above, batch[-1][0])
            above = batch[-1][0] + 1
        self._file.execute("DELETE FROM phone WHERE number >= ?", (above,))
        return len(cards)

    def _level(self, batch: Sequence[tuple[PhoneNumber, bytes]], first: int, last: int) -> None:
        """Have the cards of *batch*, which are all from the number *first* to *last*."""
        held: dict[PhoneNumber, bytes] = dict(
            self._file.read(
                "SELECT number, card FROM phone WHERE number BETWEEN ? AND ?", (first, last)
            )
        )
        differ = [(number, card) for number, card in batch if held.pop(number, None) != card]
        self._file.execute_many("DELETE FROM phone WHERE number = ?", ((n,) for n in held))
        self._file.execute_many(_REPLACE, differ)

    def build_cards(self) -> PackedCards:
        """Read all documents and make every card anew."""
        partners = PartnerChains(self._manager_rows())
        cards = PackedCards(partners)
        for _, partner in read_objects(self._file, EntityKind.PARTNER):
            if isinstance(partner, Partner):
                partners.add(partner)
                if partner.parent is None:
                    cards.add(partner)
        self.add_child_partners(cards)
        for kind in (EntityKind.CONTACT, EntityKind.COUNTERPARTY):
            for _, owner in read_objects(self._file, kind):
                cards.add(owner)
        return cards

    def add_child_partners(self, cards: PackedCards) -> None:
        """Add the partners that have another one above them: they wait until all are learned."""
        where = f"WHERE {PARENT_EXPRESSION} IS NOT NULL"
        for _, partner in read_objects(self._file, EntityKind.PARTNER, where):
            cards.add(partner)

    def update(self, touched: IndexChanges, numbers: int) -> int:
        """Rewrite the cards that *touched* reaches; *numbers* were held, give how many are now."""
        for ref in self._families(touched):
            for noun in self._owners_in(ref):
                touched.numbers.update(phone.number for phone in distinct_phones(noun))
        if len(touched.numbers) > max(_MANY_NUMBERS, numbers * _LARGE_SHARE):
            return self.rebuild()
        partners = PartnerChains(self._manager_rows())
        owners: dict[OwnerKey, PhoneOwner | None] = {}
        for number in sorted(touched.numbers):
            old = self._file.read("SELECT card FROM phone WHERE number = ?", (number,))
            keys = set(touched.owners_by_number.get(number, ()))
            if old:
                keys.update(
                    OwnerKey(_KIND_OF[c.kind], c.ref)
                    for c in unpack_card(number, old[0][0], WITHOUT_MANAGERS).candidates
                )
            found: list[Candidate] = []
            for key in keys:
                if key not in owners:
                    owners[key] = self._caller(key, partners)
                found += _candidates(owners[key], number, partners)
            numbers += self._replace(number, found, partners, there=bool(old))
        return numbers

    def _replace(
        self, number: PhoneNumber, found: list[Candidate], partners: PartnerChains, *, there: bool
    ) -> int:
        if not found:
            self._file.execute("DELETE FROM phone WHERE number = ?", (number,))
            return -there
        ordered = sorted(found, key=candidate_sort_key)
        card = pack_card([pack_candidate(c, partners.manager_rows) for c in ordered])
        self._file.execute(_REPLACE, (number, card))
        return not there

    def _families(self, touched: IndexChanges) -> set[Ref]:
        """Give the touched partners with everything below them in their holdings."""
        waiting = set(touched.partners)
        if touched.managers:
            for _, partner in read_objects(self._file, EntityKind.PARTNER):
                if isinstance(partner, Partner) and partner.manager in touched.managers:
                    waiting.add(partner.ref)
        family: set[Ref] = set()
        while waiting:
            ref = waiting.pop()
            family.add(ref)
            below = self._some(EntityKind.PARTNER, PARENT_EXPRESSION, ref)
            waiting.update(p.ref for p in below if p.ref not in family)
        return family

    def _owners_in(self, partner: Ref) -> Iterator[DirectoryObject]:
        yield from self._some(EntityKind.PARTNER, REF_EXPRESSION, partner)
        yield from self._some(EntityKind.CONTACT, PARTNER_EXPRESSION, partner)
        yield from self._some(EntityKind.COUNTERPARTY, PARTNER_EXPRESSION, partner)

    def _caller(self, key: OwnerKey, partners: PartnerChains) -> PhoneOwner | None:
        """Read an owner if he is a caller, and learn the partners above him."""
        owner = next(self._some(key.kind, REF_EXPRESSION, key.ref), None)
        if owner is None or isinstance(owner, Manager) or not may_be_caller(owner):
            return None
        above = owner.ref if isinstance(owner, Partner) else owner.partner
        while above is not None and not partners.has(above):
            partner = next(self._some(EntityKind.PARTNER, REF_EXPRESSION, above), None)
            if not isinstance(partner, Partner):
                break
            partners.add(partner)
            above = None if partner.predefined else partner.parent
        return owner

    def _manager_rows(self) -> dict[Ref, int]:
        return {manager.ref: row for row, manager in read_objects(self._file, EntityKind.MANAGER)}

    def _some(self, kind: EntityKind, where: str, value: object) -> Iterator[DirectoryObject]:
        rows = self._file.read(f"SELECT doc FROM {TABLES[kind]} WHERE {where} = ?", (value,))
        return (decode_object(kind, text) for (text,) in rows)


def _candidates(
    owner: PhoneOwner | None, number: PhoneNumber, partners: PartnerChains
) -> Iterator[Candidate]:
    """Give the candidate that *owner* is for *number*, if he has it."""
    if owner is not None:
        for phone in distinct_phones(owner):
            if phone.number == number:
                yield partners.build_candidate(owner)._replace(extension=phone.extension)


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Keep the collector from walking a million objects that have no cycles again and again."""
    usual = gc.get_threshold()
    gc.set_threshold(_SELDOM, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
