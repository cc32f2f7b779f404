"""Who is who in 1C: partners, contact persons, counterparties, managers, and the caller's card.

`…` nouns hold what the pull read; `CallerCard` is what the phone index answers with. Cards are
NamedTuples, not dataclasses: one is decoded on the ringing path of every call, and a tuple is
written as a short array and built in C.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NamedTuple, NewType

from bridge.domain.phone.fields import ParsedPhone, PhoneNumber

if TYPE_CHECKING:
    #: `Ref_Key` of a 1C object: a lower-case guid. 1C's forms show upper case; compare lower.
    Ref = NewType("Ref", str)

    #: `DataVersion`: opaque, compared for equality only (facts/onec-odata.md §3.3).
    Version = NewType("Version", str)
else:
    # The call of a NewType is Python's: it took a tenth of the time in which a row is read.
    Ref = Version = str

#: The zero guid, 1C's empty reference.
EMPTY_REF = Ref("00000000-0000-0000-0000-000000000000")


class EntityKind(StrEnum):
    """What the pull keeps in the directory, one listing each."""

    MANAGER = "manager"
    PARTNER = "partner"
    CONTACT = "contact"
    COUNTERPARTY = "counterparty"

    @property
    def plural(self) -> str:
        """Name several of them, as people read it."""
        return _PLURALS[self]


_PLURALS = {
    EntityKind.MANAGER: "managers",
    EntityKind.PARTNER: "partners",
    EntityKind.CONTACT: "contact persons",
    EntityKind.COUNTERPARTY: "counterparties",
}


class PhoneField(NamedTuple):
    """One phone row of a tabular section: the text people see, and the numbers read from it."""

    text: str
    phones: tuple[ParsedPhone, ...]


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """The raw value of the extension attribute: *text*, or a reference to a list value."""

    text: str = ""
    value_ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Manager:
    """A 1C user: who answers calls. *extension* is None when 1C has none for him."""

    ref: Ref
    version: Version
    name: str
    extension: str | None = None
    #: Недействителен: he has left; Служебный: a technical account; neither may be offered calls.
    invalid: bool = False
    service: bool = False
    deletion_mark: bool = False
    #: As read from ДополнительныеРеквизиты, before list values and the register are consulted.
    attribute: AttributeValue | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether a call may be sent to him."""
        return bool(self.extension) and not (self.invalid or self.service or self.deletion_mark)


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner (Партнеры); *parent* is his holding, *manager* the main manager."""

    ref: Ref
    version: Version
    name: str
    code: str = ""
    parent: Ref | None = None
    manager: Ref | None = None
    customer: bool = False
    deletion_mark: bool = False
    #: НашеПредприятие, РозничныйПокупатель, НеизвестныйПартнер: never a caller.
    predefined: bool = False
    phone_fields: tuple[PhoneField, ...] = ()


@dataclass(frozen=True, slots=True)
class ContactPerson:
    """A contact person of a partner; *ended* when the relation is over (still matched)."""

    ref: Ref
    version: Version
    name: str
    partner: Ref | None = None
    position: str = ""
    ended: date | None = None
    deletion_mark: bool = False
    phone_fields: tuple[PhoneField, ...] = ()


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A legal entity (Контрагенты) of a partner; a call points at the partner, never at it."""

    ref: Ref
    version: Version
    name: str
    partner: Ref | None = None
    tax_id: str = ""
    deletion_mark: bool = False
    phone_fields: tuple[PhoneField, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtensionSources:
    """Where extensions stand besides the users themselves (facts/ut11-metadata.md §6).

    *property* is the attribute (None: 1C has none of that title); *register* gives the value by
    user when it is kept as additional information; *listed* gives the texts of list values.
    """

    attribute_ref: Ref | None = None
    register_values: Mapping[Ref, AttributeValue] | None = None
    list_values: Mapping[Ref, str] | None = None


PhoneOwner = Partner | ContactPerson | Counterparty


class CandidateKind(IntEnum):
    """Whose phone it is, in the order in which owners win."""

    CONTACT = 1
    PARTNER = 2
    COUNTERPARTY = 3


class OwnerStep(NamedTuple):
    """One step up the owner chain: a partner and the main manager 1C names for him."""

    partner: Ref
    name: str
    #: None where 1C names nobody; a manager whom 1C names may be missing from its own list.
    manager: Ref | None


class Candidate(NamedTuple):
    """One owner of a number: who it is, and the chain of managers that may be responsible."""

    kind: CandidateKind
    ref: Ref
    name: str
    #: The partner first, then his holdings upwards; empty when the owner has no partner.
    chain: tuple[OwnerStep, ...]
    code: str = ""
    customer: bool = False
    ended: bool = False
    #: The extension typed behind the number («доб. 314»); shown, never matched.
    extension: str | None = None

    @property
    def partner(self) -> OwnerStep | None:
        """The partner this owner is, or belongs to."""
        return self.chain[0] if self.chain else None


class CallerCard(NamedTuple):
    """All a number tells: its candidates, already in stable order."""

    number: PhoneNumber
    candidates: tuple[Candidate, ...]


class ExtensionOwner(NamedTuple):
    """Who answers an extension; *shared* when 1C names several users and none may be guessed."""

    manager: Manager | None
    shared: tuple[Manager, ...] = ()


def candidate_sort_key(candidate: Candidate) -> tuple[bool, int, bool, str, str, str]:
    """Sort candidates as design.md §7 says: active, kind, customers first, lowest code."""
    return (
        candidate.ended,
        candidate.kind,
        not candidate.customer,
        candidate.code or "\uffff",
        candidate.name,
        candidate.ref,
    )


def build_owner_chain(
    partner: Ref | None,
    partners: Mapping[Ref, tuple[str, Ref | None, Ref | None]],
) -> tuple[OwnerStep, ...]:
    """Walk from *partner* up its holdings; *partners* gives (name, parent, manager) of each.

    A partner that 1C does not list ends the chain (a dangling reference), a cycle ends it too.
    """
    steps: list[OwnerStep] = []
    seen: set[Ref] = set()
    while partner is not None and partner not in seen:
        seen.add(partner)
        known = partners.get(partner)
        if known is None:
            break
        name, parent, manager = known
        steps.append(OwnerStep(partner, name, manager))
        partner = parent
    return tuple(steps)


def build_candidate(
    owner: PhoneOwner,
    chain: tuple[OwnerStep, ...],
    extension: str | None,
    *,
    customer: bool,
    code: str,
) -> Candidate:
    """Make the candidate that *owner* is for one of his numbers."""
    if isinstance(owner, ContactPerson):
        kind = CandidateKind.CONTACT
        ended = owner.ended is not None
    else:
        kind = CandidateKind.PARTNER if isinstance(owner, Partner) else CandidateKind.COUNTERPARTY
        ended = False
    return Candidate(kind, owner.ref, owner.name, chain, code, customer, ended, extension)


def may_be_caller(owner: PhoneOwner) -> bool:
    """Whether the owner's numbers lead to him at all."""
    return not owner.deletion_mark and not (isinstance(owner, Partner) and owner.predefined)


def build_caller_card(
    number: PhoneNumber, owners: Iterable[PhoneOwner], parent_partners: Iterable[Partner]
) -> CallerCard | None:
    """Make the card of *number* from its *owners*, as the phone index would.

    *parent_partners* are the partners they belong to, with their holdings; owners who are no
    callers or do not have the number are left out. None when nobody is left.
    """
    owners = tuple(owners)
    partners = {p.ref: p for p in parent_partners} | {
        o.ref: o for o in owners if isinstance(o, Partner)
    }
    # A predefined partner is nobody's holding, and has no manager worth asking.
    steps = {p.ref: (p.name, p.parent, p.manager) for p in partners.values() if not p.predefined}
    candidates: list[Candidate] = []
    for owner in filter(may_be_caller, owners):
        typed = next((p for f in owner.phone_fields for p in f.phones if p.number == number), None)
        if typed is None:
            continue
        chain = build_owner_chain(owner.ref if isinstance(owner, Partner) else owner.partner, steps)
        partner = partners[chain[0].partner] if chain else None
        candidates.append(
            build_candidate(
                owner,
                chain,
                typed.extension,
                customer=partner is not None and partner.customer,
                code="" if partner is None else partner.code,
            )
        )
    return (
        CallerCard(number, tuple(sorted(candidates, key=candidate_sort_key)))
        if candidates
        else None
    )


def with_extension(manager: Manager, sources: ExtensionSources) -> Manager:
    """Give *manager* with the extension that 1C holds for him now."""
    value = (
        manager.attribute
        if sources.register_values is None
        else sources.register_values.get(manager.ref)
    )
    text = ""
    if value is not None:
        text = (
            value.text
            if value.value_ref is None
            else (sources.list_values or {}).get(value.value_ref, "")
        )
    return replace(manager, extension=text.strip() or None)


def find_extension_owner(extension: str, managers: Mapping[Ref, Manager]) -> ExtensionOwner:
    """Find the 1C user behind *extension*; two users with one extension are never guessed."""
    found = tuple(m for m in managers.values() if m.is_reachable and m.extension == extension)
    if len(found) == 1:
        return ExtensionOwner(found[0])
    return ExtensionOwner(None, found)
