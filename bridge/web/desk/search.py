"""Search of the directory for an operator: by a part of a name, or by a whole number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.domain.delivery.caller_names import candidate_name
from bridge.domain.directory.caller_card import (
    Candidate,
    CandidateKind,
    OwnerStep,
    build_owner_chain,
)
from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    Manager,
    Partner,
    Ref,
)
from bridge.domain.phone.callers import CallerKind, read_caller
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import Directory
from bridge.web.access import format_visible_number
from bridge.web.desk.cards import DeskAudience, main_manager_of
from bridge.web.desk_state.state import OneCLink

#: More hits are not shown, as the page states.
MAX_HITS = 20

#: What is typed beyond this is not looked at.
MAX_SEARCH_LENGTH = 100

#: Shorter texts find all names.
MIN_SEARCH_LENGTH = 2

#: Fewer digits are part of a name ("Школа 57").
_FEWEST_DIGITS = 5


@dataclass(frozen=True, slots=True)
class FoundPhone:
    """A number to call; *shown* hides its middle where it *is_masked*."""

    number: PhoneNumber
    shown: str
    extension: str | None = None
    is_masked: bool = False


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One owner or colleague found. *ref* is empty for a number that 1C does not know."""

    ref: str
    name: str
    company: str = ""
    manager: str = ""
    #: A colleague's own telephone.
    extension: str = ""
    phones: tuple[FoundPhone, ...] = ()
    link: str | None = None


_KINDS = {
    ContactPerson: CandidateKind.CONTACT,
    Partner: CandidateKind.PARTNER,
    Counterparty: CandidateKind.COUNTERPARTY,
}


class DirectorySearch:
    """Finds partners, contact persons, counterparties and colleagues."""

    def __init__(self, directory: Directory, phones: PhoneRules, open_in_onec: OneCLink) -> None:
        self._directory = directory
        self._phones = phones
        self._open = open_in_onec

    def find(self, typed: str, audience: DeskAudience) -> Sequence[SearchHit]:
        """Return the hits for *typed*, at most `MAX_HITS`, the best first.

        May raise StoreError.
        """
        typed = typed.strip()
        if len(typed) < MIN_SEARCH_LENGTH:
            return ()
        number = self._number(typed)
        if number is not None:
            return self._with_number(number)
        return [
            self._hit(found, audience) for found in self._directory.find_by_name(typed, MAX_HITS)
        ]

    def pick(
        self, typed: str, ref: str, place: int, audience: DeskAudience
    ) -> tuple[SearchHit, FoundPhone] | None:
        """Return a number of a hit of `find`, as a form names it; None when it is no longer so."""
        hit = next((hit for hit in self.find(typed, audience) if hit.ref == ref), None)
        if hit is None or not 0 <= place < len(hit.phones):
            return None
        return hit, hit.phones[place]

    def _number(self, typed: str) -> PhoneNumber | None:
        digits = sum(sign.isdigit() for sign in typed)
        if digits < _FEWEST_DIGITS or any(sign.isalpha() for sign in typed):
            return None
        caller = read_caller(typed, self._phones)
        return caller.number if caller.kind is CallerKind.EXTERNAL else None

    def _with_number(self, number: PhoneNumber) -> Sequence[SearchHit]:
        card = self._directory.look_up(number)
        managers = self._directory.managers()
        if card is None:
            shown = format_visible_number(number, in_full=True)  # the viewer typed it
            return [SearchHit("", shown, phones=(FoundPhone(number, shown),))]
        return [
            self._candidate_hit(
                c,
                [FoundPhone(number, format_visible_number(number, in_full=True), c.extension)],
                managers,
            )
            for c in card.candidates
        ]

    def _hit(self, found: DirectoryObject, audience: DeskAudience) -> SearchHit:
        if isinstance(found, Manager):
            return SearchHit(found.ref, found.name, extension=found.extension or "")
        managers = self._directory.managers()
        kind = _KINDS[type(found)]
        partner = found.ref if isinstance(found, Partner) else found.partner
        owner = Candidate(kind, found.ref, found.name, self._chain(partner))
        phones: dict[PhoneNumber, FoundPhone] = {}
        for phone in (phone for field in found.phone_fields for phone in field.phones):
            whole = audience.sees_number(phone.number, [owner], managers)
            shown = format_visible_number(phone.number, in_full=whole)
            phones[phone.number] = FoundPhone(
                phone.number, shown, phone.extension, is_masked=not whole
            )
        return self._candidate_hit(owner, list(phones.values()), managers)

    def _candidate_hit(
        self, owner: Candidate, phones: Sequence[FoundPhone], managers: Mapping[Ref, Manager]
    ) -> SearchHit:
        partner = owner.partner
        apart = partner is not None and partner.partner != owner.ref
        manager = main_manager_of(owner, managers)
        return SearchHit(
            ref=owner.ref,
            name=owner.name.strip() or candidate_name(owner),
            company=partner.name.strip() if partner is not None and apart else "",
            manager="" if manager is None else manager.name,
            phones=tuple(phones),
            link=self._open(owner.kind, owner.ref),
        )

    def _chain(self, partner: Ref | None) -> tuple[OwnerStep, ...]:
        """Return the owner chain from *partner* up, as the index builds it."""
        steps: dict[Ref, tuple[str, Ref | None, Ref | None]] = {}
        above = partner
        while above is not None and above not in steps:
            found = self._directory.partner(above)
            if found is None:
                break
            steps[above] = (found.name, found.parent, found.manager)
            above = found.parent
        return build_owner_chain(partner, steps)
