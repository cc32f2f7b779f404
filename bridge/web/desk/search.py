"""Search of the directory as an operator does it: a piece of a name, or a whole number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.domain.directory import (
    Candidate,
    CandidateKind,
    ContactPerson,
    Counterparty,
    Manager,
    OwnerStep,
    Partner,
    Ref,
    owner_chain,
)
from bridge.domain.phone import CallerKind, PhoneNumber, PhoneRules, read_caller
from bridge.domain.writeback import candidate_name
from bridge.ports import Directory
from bridge.ports.onec import Noun
from bridge.web.access import show_number
from bridge.web.desk.cards import Sight, manager_of
from bridge.web.desk.parts import OpenInOneC

#: More than this nobody reads; the words say so.
MOST_FOUND = 20

#: What is typed beyond this is not looked at.
LONGEST_SEARCH = 100

#: Shorter texts find everybody.
SHORTEST = 2

#: Fewer digits are part of a name ("Школа 57").
_FEWEST_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Phone:
    """A number to call; *shown* hides its middle where it is *hidden*."""

    number: PhoneNumber
    shown: str
    extension: str | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody found. *ref* is empty for a number that 1C does not know."""

    ref: str
    name: str
    company: str = ""
    manager: str = ""
    #: A colleague's own telephone.
    extension: str = ""
    phones: tuple[Phone, ...] = ()
    link: str | None = None


_KINDS = {
    ContactPerson: CandidateKind.CONTACT,
    Partner: CandidateKind.PARTNER,
    Counterparty: CandidateKind.COUNTERPARTY,
}


class Search:
    """Finds partners, contact persons, counterparties and colleagues."""

    def __init__(self, directory: Directory, phones: PhoneRules, open_in_onec: OpenInOneC) -> None:
        self._directory = directory
        self._phones = phones
        self._open = open_in_onec

    def find(self, typed: str, sight: Sight) -> Sequence[Hit]:
        """Find who is meant by *typed*, at most `MOST_FOUND`, the best first.

        May raise StoreError.
        """
        typed = typed.strip()
        if len(typed) < SHORTEST:
            return ()
        number = self._number(typed)
        if number is not None:
            return self._with_number(number)
        return [self._hit(noun, sight) for noun in self._directory.find(typed, MOST_FOUND)]

    def pick(self, typed: str, ref: str, place: int, sight: Sight) -> tuple[Hit, Phone] | None:
        """Give a number of a hit of `find`, as a form names it; None when it is no longer so."""
        hit = next((hit for hit in self.find(typed, sight) if hit.ref == ref), None)
        if hit is None or not 0 <= place < len(hit.phones):
            return None
        return hit, hit.phones[place]

    def _number(self, typed: str) -> PhoneNumber | None:
        digits = sum(sign.isdigit() for sign in typed)
        if digits < _FEWEST_DIGITS or any(sign.isalpha() for sign in typed):
            return None
        caller = read_caller(typed, self._phones)
        return caller.number if caller.kind is CallerKind.EXTERNAL else None

    def _with_number(self, number: PhoneNumber) -> Sequence[Hit]:
        card = self._directory.look_up(number)
        managers = self._directory.managers()
        if card is None:
            shown = show_number(number, whole=True)  # he typed it himself
            return [Hit("", shown, phones=(Phone(number, shown),))]
        return [
            self._candidate_hit(
                c, [Phone(number, show_number(number, whole=True), c.extension)], managers
            )
            for c in card.candidates
        ]

    def _hit(self, noun: Noun, sight: Sight) -> Hit:
        if isinstance(noun, Manager):
            return Hit(noun.ref, noun.name, extension=noun.extension or "")
        managers = self._directory.managers()
        kind = _KINDS[type(noun)]
        partner = noun.ref if isinstance(noun, Partner) else noun.partner
        owner = Candidate(kind, noun.ref, noun.name, self._chain(partner, managers))
        phones: dict[PhoneNumber, Phone] = {}
        for phone in (phone for field in noun.fields for phone in field.phones):
            whole = sight.whole(phone.number, [owner], managers)
            shown = show_number(phone.number, whole=whole)
            phones[phone.number] = Phone(phone.number, shown, phone.extension, hidden=not whole)
        return self._candidate_hit(owner, list(phones.values()), managers)

    def _candidate_hit(
        self, owner: Candidate, phones: Sequence[Phone], managers: Mapping[int, Manager]
    ) -> Hit:
        partner = owner.partner
        apart = partner is not None and partner.partner != owner.ref
        manager = manager_of(owner, managers)
        return Hit(
            ref=owner.ref,
            name=owner.name.strip() or candidate_name(owner),
            company=partner.name.strip() if partner is not None and apart else "",
            manager="" if manager is None else manager.name,
            phones=tuple(phones),
            link=self._open(owner.kind, owner.ref),
        )

    def _chain(self, partner: Ref | None, managers: Mapping[int, Manager]) -> tuple[OwnerStep, ...]:
        """Walk up from *partner* in the directory, as the index did when it was built."""
        steps: dict[Ref, tuple[str, Ref | None, Ref | None]] = {}
        above = partner
        while above is not None and above not in steps:
            found = self._directory.partner(above)
            if found is None:
                break
            steps[above] = (found.name, found.parent, found.manager)
            above = found.parent
        return owner_chain(partner, steps, {m.ref: row for row, m in managers.items()})
