"""The caller card: what the phone index answers for one number.

Cards are NamedTuples, not dataclasses: one is decoded on the path of every call, and a tuple is
written as a short array and built in C.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from bridge.domain.directory.entities import (
    ContactPerson,
    Partner,
    PhoneOwner,
    Ref,
    may_be_caller,
)
from bridge.domain.phone.phone import PhoneNumber


class CandidateKind(IntEnum):
    """Whose phone it is, in the order in which owners win."""

    CONTACT = 1
    PARTNER = 2
    COUNTERPARTY = 3


class OwnerStep(NamedTuple):
    """One step up the owner chain: a partner and its main manager as 1C names it."""

    partner: Ref
    name: str
    #: None where 1C names none; a manager whom 1C names may be missing from its own list.
    manager: Ref | None


class Candidate(NamedTuple):
    """One owner of a number: who it is, and the chain of managers that may be responsible."""

    kind: CandidateKind
    ref: Ref
    name: str
    #: The partner first, then its holdings upwards; empty when the owner has no partner.
    chain: tuple[OwnerStep, ...]
    code: str = ""
    customer: bool = False
    ended: bool = False
    #: The extension typed behind the number («доб. 314»); shown, never matched.
    extension: str | None = None

    @property
    def partner(self) -> OwnerStep | None:
        """Return the partner that this owner is, or belongs to."""
        return self.chain[0] if self.chain else None


class CallerCard(NamedTuple):
    """What is known of one number: its candidates, already in stable order."""

    number: PhoneNumber
    candidates: tuple[Candidate, ...]


def candidate_sort_key(candidate: Candidate) -> tuple[bool, int, bool, str, str, str]:
    """Return the key of the stable order: active first, then kind, customers first, lowest code."""
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
    """Return the chain from *partner* up; *partners* gives (name, parent, manager) of each.

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
    """Return the candidate that *owner* is for one of its numbers."""
    if isinstance(owner, ContactPerson):
        kind = CandidateKind.CONTACT
        ended = owner.ended is not None
    else:
        kind = CandidateKind.PARTNER if isinstance(owner, Partner) else CandidateKind.COUNTERPARTY
        ended = False
    return Candidate(kind, owner.ref, owner.name, chain, code, customer, ended, extension)


def build_caller_card(
    number: PhoneNumber, owners: Iterable[PhoneOwner], parent_partners: Iterable[Partner]
) -> CallerCard | None:
    """Return the card of *number* from its *owners*, as the phone index would build it.

    *parent_partners* are the partners they belong to, with their holdings; owners who are no
    callers or do not have the number are left out. None when none is left.
    """
    owners = tuple(owners)
    partners = {p.ref: p for p in parent_partners} | {
        o.ref: o for o in owners if isinstance(o, Partner)
    }
    # A predefined partner is no holding, and has no manager who answers its callers.
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
