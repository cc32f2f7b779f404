"""The phone index: number → caller card, derived from the documents of the same file.

Two ways lead to the same cards. `rebuild` reads all documents once and writes every card anew;
`patch` recomputes the cards of the numbers that a run touched. The rules of both stand here:

- a marked object is nobody's caller, nor is a predefined partner; a contact person or counterparty
  stays one when his partner is marked, for the partner's manager still knows him;
- a predefined partner (НашеПредприятие, РозничныйПокупатель, …) is nobody's holding and has no
  manager worth asking: chains end before him, his contact persons are callers without a partner.
"""

import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from bridge.adapters.directory_documents import (
    TABLES,
    decode_noun,
    pack_candidate,
    pack_card,
    phones_of,
    unpack_card,
)
from bridge.adapters.sqlite_file import SqliteFile
from bridge.domain.directory import (
    Candidate,
    CandidateKind,
    EntityKind,
    Manager,
    Owner,
    Partner,
    Ref,
    candidate_of,
    owner_chain,
    stable_order,
)
from bridge.domain.phone import PhoneNumber
from bridge.errors import StoreError
from bridge.ports import Noun

_KIND_OF = {
    CandidateKind.CONTACT: EntityKind.CONTACT,
    CandidateKind.PARTNER: EntityKind.PARTNER,
    CandidateKind.COUNTERPARTY: EntityKind.COUNTERPARTY,
}

# Above both, reading everything once is cheaper than looking up every touched number's owners.
_MANY_NUMBERS = 10_000
_LARGE_SHARE = 1 / 8


class OwnerKey(NamedTuple):
    """An owner of numbers, by kind and reference."""

    kind: EntityKind
    ref: Ref


def is_caller(owner: Owner) -> bool:
    """Whether the owner's numbers lead to him at all."""
    return not owner.marked and not (isinstance(owner, Partner) and owner.predefined)


@dataclass(slots=True)
class Touched:
    """What a run changed, as far as cards depend on it."""

    numbers: set[PhoneNumber] = field(default_factory=set)
    #: Owners that have a touched number now.
    holders: dict[PhoneNumber, set[OwnerKey]] = field(default_factory=dict)
    #: Partners whose words in the cards of others changed.
    partners: set[Ref] = field(default_factory=set)
    #: Managers that appeared or vanished: chains name their rows.
    managers: set[Ref] = field(default_factory=set)

    def note(self, kind: EntityKind, old: Noun | None, new: Noun | None) -> None:
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
                self.numbers.update(phone.number for phone in phones_of(version))
        if new is not None:
            for phone in phones_of(new):
                self.holders.setdefault(phone.number, set()).add(OwnerKey(kind, noun.ref))
        if isinstance(noun, Partner) and _words(old) != _words(new):
            self.partners.add(noun.ref)

    def __bool__(self) -> bool:
        return bool(self.numbers or self.partners or self.managers)


def _words(partner: Noun | None) -> tuple[object, ...] | None:
    """Give what of a partner stands in the cards of others."""
    if not isinstance(partner, Partner) or partner.predefined:
        return None
    return (partner.name, partner.parent, partner.manager, partner.code, partner.customer)


class _Partners:
    """Partners as far as cards of others need them; shared strings are kept once."""

    def __init__(self, manager_rows: dict[Ref, int]):
        self._manager_rows = manager_rows
        self._steps: dict[Ref, tuple[str, Ref | None, Ref | None]] = {}
        self._words: dict[Ref, tuple[str, bool]] = {}
        self._known: dict[Ref, Ref] = {}

    def learn(self, partner: Partner) -> None:
        """Take in one partner; a predefined one is in nobody's chain."""
        if partner.predefined:
            return
        manager = partner.manager and self._known.setdefault(partner.manager, partner.manager)
        self._steps[partner.ref] = (partner.name, partner.parent, manager)
        self._words[partner.ref] = (partner.code, partner.customer)

    def candidate(self, owner: Owner) -> Candidate:
        """Make the candidate of *owner*, whose partners are all learned."""
        if isinstance(owner, Partner):
            chain = owner_chain(owner.ref, self._steps, self._manager_rows)
            return candidate_of(owner, chain, None, customer=owner.customer, code=owner.code)
        chain = owner_chain(owner.partner, self._steps, self._manager_rows)
        code, customer = self._words[chain[0].partner] if chain else ("", False)
        return candidate_of(owner, chain, None, customer=customer, code=code)


class PhoneIndex:
    """The table `phone` of a directory file, inside the writer's transaction."""

    def __init__(self, file: SqliteFile):
        self._file = file

    def create(self) -> None:
        """Have the index in the file."""
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS phone (number INTEGER PRIMARY KEY, card BLOB NOT NULL)"
        )

    def clear(self) -> None:
        """Forget all numbers."""
        self._file.execute("DELETE FROM phone")

    def rebuild(self) -> int:
        """Write every card anew; give the number of numbers."""
        cards = _Cards(_Partners(self._manager_rows()))
        for noun in self._nouns(EntityKind.PARTNER):
            cards.learn(noun)
        held_back = array("q")
        for row, noun in self._nouns(EntityKind.PARTNER):
            pass
