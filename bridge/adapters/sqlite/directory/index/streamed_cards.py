"""Cards made of nouns while they pass by, instead of reading all of them back from the file."""

from collections.abc import Callable, Iterable

from bridge.adapters.sqlite.directory.index.caller_cards import PackedCards, PartnerChains
from bridge.adapters.sqlite.directory.index.phone_index import PhoneIndex
from bridge.domain.directory.entities import EntityKind, Partner, Ref
from bridge.ports.onec import DirectoryObject

#: The order in which that is possible: chains point at managers' rows and at partners.
_STAGES = {
    EntityKind.MANAGER: 0,
    EntityKind.PARTNER: 1,
    EntityKind.CONTACT: 2,
    EntityKind.COUNTERPARTY: 2,
}


class StreamedCards:
    """The cards of everything that a run brings, as long as it comes in an order that tells them.

    *settle* has all partners that passed by stand in their table, before it is read.
    """

    def __init__(self, phones: PhoneIndex, settle: Callable[[EntityKind], None]):
        self._phones = phones
        self._settle = settle
        self._manager_rows: dict[Ref, int] = {}
        self._partners = PartnerChains(self._manager_rows)
        #: None once they can no longer be told from what passed by alone.
        self._cards: PackedCards | None = PackedCards(self._partners)
        self._stage = 0
        self._holdings = False

    def begin_kind(self, kind: EntityKind) -> None:
        """Say that nouns of *kind* come now; there is no way back."""
        stage = _STAGES[kind]
        if stage < self._stage:
            self.discard()
        elif stage > self._stage:
            self._stage = stage
            if self._holdings and self._cards is not None:
                self._settle(EntityKind.PARTNER)
                self._phones.add_child_partners(self._cards)
                self._holdings = False

    def add_managers(self, rows: Iterable[tuple[Ref, int]]) -> None:
        """Take in managers with their rows."""
        self._manager_rows.update(rows)

    def add_owners(self, batch: Iterable[DirectoryObject]) -> None:
        """Make the cards of *batch*; partners within a holding wait until all are learned."""
        cards = self._cards
        if cards is None:
            return
        for noun in batch:
            if isinstance(noun, Partner):
                self._partners.add(noun)
                if noun.parent is not None:
                    self._holdings = True
                    continue
            cards.add(noun)

    def discard(self) -> None:
        """Make no cards of what passed by: something else changed that they depend on."""
        self._cards = None

    def finish(self) -> PackedCards | None:
        """Give the cards of everything, once; None where they must be made of the documents."""
        self.begin_kind(EntityKind.COUNTERPARTY)
        cards, self._cards = self._cards, None
        return cards
