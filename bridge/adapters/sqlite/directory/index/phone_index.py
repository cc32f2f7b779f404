"""The phone index: number → caller card, derived from the documents of the same file.

Two ways lead to the same cards (`caller_cards`): `rebuild` reads all documents once and writes
every card anew; `update` recomputes the cards of the numbers that a run changed.
"""

from collections.abc import Iterator, Sequence
from functools import partial

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
from bridge.adapters.sqlite.directory.index.changes import IndexChanges, OwnerKey
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

# ruff: noqa: S608 - table and expression are constants of ours.

_KIND_OF = {
    CandidateKind.CONTACT: EntityKind.CONTACT,
    CandidateKind.PARTNER: EntityKind.PARTNER,
    CandidateKind.COUNTERPARTY: EntityKind.COUNTERPARTY,
}

# Above both, reading everything once is cheaper than looking up the owners of every changed number.
_MANY_NUMBERS = 10_000
_LARGE_SHARE = 1 / 8

#: Cards in one statement, and the digits of the number that precedes each.
_BATCH = 5_000
_DIGITS = 20

_REPLACE = (
    "INSERT INTO phone (number, card) VALUES (?, ?) "
    "ON CONFLICT (number) DO UPDATE SET card = excluded.card"
)


class PhoneIndex:
    """The table `phone` of a directory file, inside the writer's transaction."""

    def __init__(self, file: SqliteFile):
        self._file = file

    def create(self) -> None:
        """Create the index in a file that has none."""
        self._file.execute("CREATE TABLE phone (number INTEGER PRIMARY KEY, card BLOB NOT NULL)")

    def delete_all(self) -> None:
        """Delete all numbers."""
        self._file.execute("DELETE FROM phone")

    def count(self) -> int:
        """Return the number of phone numbers."""
        return int(self._file.read("SELECT count(*) FROM phone")[0][0])

    def rebuild(self) -> int:
        """Build every card anew from the documents; return the number of phone numbers."""
        cards = self.build_cards()
        worker = WorkerThread()
        try:
            numbers = self.replace_all(cards, worker)
            worker.wait()
        finally:
            worker.close()
        return numbers

    def replace_all(self, cards: PackedCards, worker: WorkerThread) -> int:
        """Replace all cards by *cards* in *worker*; return how many they are."""
        worker.submit(self.delete_all)
        for batch in cards.sorted_batches(_BATCH):
            worker.submit(partial(self._add_many, batch))
        return len(cards)

    def _add_many(self, batch: Sequence[tuple[PhoneNumber, bytes]]) -> None:
        """Insert cards of numbers that have none, without the interpreter's lock."""
        numbered = [b"%0*d%b" % (_DIGITS, number, card) for number, card in batch]
        number = f"CAST(CAST(substr(?1, {VALUE_OFFSET}, {_DIGITS}) AS TEXT) AS INTEGER)"
        card = f"substr(?1, {VALUE_OFFSET} + {_DIGITS}, {VALUE_LENGTH} - {_DIGITS})"
        self._file.execute(
            f"INSERT INTO phone (number, card) SELECT {number}, {card} FROM json_each(?2)",
            join_values(numbered),
        )

    def write_differences(self, cards: PackedCards) -> int:
        """Replace all cards by *cards*, writing those that differ; return how many they are."""
        above = 0
        for batch in cards.sorted_batches(_BATCH):
            self._write_differences(batch, above, batch[-1][0])
            above = batch[-1][0] + 1
        self._file.execute("DELETE FROM phone WHERE number >= ?", (above,))
        return len(cards)

    def _write_differences(
        self, batch: Sequence[tuple[PhoneNumber, bytes]], first: int, last: int
    ) -> None:
        """Replace the cards of the numbers from *first* to *last* by those of *batch*."""
        held: dict[PhoneNumber, bytes] = dict(
            self._file.read(
                "SELECT number, card FROM phone WHERE number BETWEEN ? AND ?", (first, last)
            )
        )
        differ = [(number, card) for number, card in batch if held.pop(number, None) != card]
        self._file.execute_many("DELETE FROM phone WHERE number = ?", ((n,) for n in held))
        self._file.execute_many(_REPLACE, differ)

    def build_cards(self) -> PackedCards:
        """Return the cards of all documents."""
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
        """Add the partners that have a parent: their chains need all other partners first."""
        where = f"WHERE {PARENT_EXPRESSION} IS NOT NULL"
        for _, partner in read_objects(self._file, EntityKind.PARTNER, where):
            cards.add(partner)

    def update(self, changes: IndexChanges, numbers: int) -> int:
        """Rewrite the cards that *changes* concern; return how many numbers there are then.

        *numbers* is how many there were before.
        """
        for ref in self._families(changes):
            for owner in self._owners_in(ref):
                changes.numbers.update(phone.number for phone in distinct_phones(owner))
        if len(changes.numbers) > max(_MANY_NUMBERS, numbers * _LARGE_SHARE):
            return self.rebuild()
        partners = PartnerChains(self._manager_rows())
        owners: dict[OwnerKey, PhoneOwner | None] = {}
        for number in sorted(changes.numbers):
            old = self._file.read("SELECT card FROM phone WHERE number = ?", (number,))
            keys = set(changes.owners_by_number.get(number, ()))
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

    def _families(self, changes: IndexChanges) -> set[Ref]:
        """Return the changed partners with everything below them in their holdings."""
        waiting = set(changes.partners)
        if changes.managers:
            for _, partner in read_objects(self._file, EntityKind.PARTNER):
                if isinstance(partner, Partner) and partner.manager in changes.managers:
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
        """Return an owner who may be a caller, and add the partners above to *partners*."""
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
    """Yield the candidate that *owner* is for *number*, if it is one of the owner's."""
    if owner is not None:
        for phone in distinct_phones(owner):
            if phone.number == number:
                yield partners.build_candidate(owner)._replace(extension=phone.extension)
