"""Caller cards made of objects as a bulk load brings them, instead of reading them back."""

from collections.abc import Callable, Iterable

from bridge.adapters.sqlite.directory.index.caller_cards import PackedCards, PartnerChains
from bridge.adapters.sqlite.directory.index.phone_index import PhoneIndex
from bridge.domain.directory.entities import EntityKind, Partner, Ref
from bridge.ports.onec import DirectoryObject

#: The order in which that is possible: owner chains need managers' row ids, then partners.
_STAGES = {
    EntityKind.MANAGER: 0,
    EntityKind.PARTNER: 1,
    EntityKind.CONTACT: 2,
    EntityKind.COUNTERPARTY: 2,
}


class StreamedCards:
    """The cards of everything that a bulk load brings, as long as it comes in order of `_STAGES`.

    *finish_kind* has all objects of a kind written to their table, before it is read.
    """

    def __init__(self, phones: PhoneIndex, finish_kind: Callable[[EntityKind], None]):
        self._phones = phones
        self._finish_kind = finish_kind
        self._manager_rows: dict[Ref, int] = {}
        self._partners = PartnerChains(self._manager_rows)
        #: None once they have to be made of the documents instead.
        self._cards: PackedCards | None = PackedCards(self._partners)
        self._stage = 0
        self._has_child_partners = False

    def begin_kind(self, kind: EntityKind) -> None:
        """Begin the objects of *kind*; a kind of an earlier stage discards the cards."""
        stage = _STAGES[kind]
        if stage < self._stage:
            self.discard()
        elif stage > self._stage:
            self._stage = stage
            if self._has_child_partners and self._cards is not None:
                self._finish_kind(EntityKind.PARTNER)
                self._phones.add_child_partners(self._cards)
                self._has_child_partners = False

    def add_managers(self, rows: Iterable[tuple[Ref, int]]) -> None:
        """Add managers with their row ids."""
        self._manager_rows.update(rows)

    def add_owners(self, batch: Iterable[DirectoryObject]) -> None:
        """Build the cards of *batch*; partners with a parent wait until all partners came."""
        cards = self._cards
        if cards is None:
            return
        for owner in batch:
            if isinstance(owner, Partner):
                self._partners.add(owner)
                if owner.parent is not None:
                    self._has_child_partners = True
                    continue
            cards.add(owner)

    def discard(self) -> None:
        """Make no cards of these objects: something else changed that cards depend on."""
        self._cards = None

    def finish(self) -> PackedCards | None:
        """Return the cards of everything; None where they must be made of the documents."""
        self.begin_kind(EntityKind.COUNTERPARTY)
        cards, self._cards = self._cards, None
        return cards
