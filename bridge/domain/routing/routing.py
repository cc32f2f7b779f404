"""Who should answer: known number → candidates → owner chain → extension, each step recorded.

`decide_route` is the only place that answers "why did this call go there?", and its evidence is
the answer.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bridge.domain.directory.caller_card import (
    CallerCard,
    Candidate,
    OwnerStep,
)
from bridge.domain.directory.entities import (
    ExtensionOwner,
    Manager,
    Ref,
)
from bridge.domain.phone.callers import CallerKind
from bridge.domain.routing.decision import (
    DataAge,
    EvidenceStep,
    Finding,
    LiveLookupResult,
    NumberMemory,
    RouteDecision,
    RouteQuestion,
    RoutingRules,
    Rule,
    Target,
)

#: Finds the 1C user behind an extension.
OwnerOf = Callable[[str], ExtensionOwner]

_UNREADABLE = {
    CallerKind.SHORT: Finding.CALLER_SHORT,
    CallerKind.INTERNAL: Finding.CALLER_INTERNAL,
    CallerKind.WITHHELD: Finding.CALLER_WITHHELD,
    CallerKind.NONSENSE: Finding.CALLER_NONSENSE,
}

_OWN_RULE = (
    Rule.CONTACT_MANAGER,
    Rule.PARTNER_MANAGER,
    Rule.COUNTERPARTY_MANAGER,
)


class _Reached(NamedTuple):
    candidate: Candidate
    manager: Manager
    height: int


def decide_route(
    question: RouteQuestion,
    card: CallerCard | None,
    managers: Mapping[Ref, Manager],
    owner_of: OwnerOf,
    rules: RoutingRules,
    *,
    memory: NumberMemory | None = None,
    age: DataAge | None = None,
    index_error: str = "",
    live_lookup: LiveLookupResult | None = None,
) -> RouteDecision:
    """Decide who should answer the call in *question*.

    The main manager of the contact's partner wins; if that manager cannot be reached, the
    holding's; then the extension of the dialled number; then the default. *index_error* is why
    the index could not be asked, *live_lookup* is what 1C answered when the index had no owner.
    Never raises: a wrong manager costs a transfer, a missing answer costs the customer.
    """
    evidence: list[EvidenceStep] = []
    age = age or DataAge()
    if question.caller.kind is CallerKind.EXTERNAL:
        evidence.append(
            EvidenceStep(Finding.CALLER_READ, question.caller.raw, str(question.caller.number))
        )
        _add_index_state(evidence, age, index_error)
    else:
        evidence.append(
            EvidenceStep(
                _UNREADABLE[question.caller.kind],
                question.caller.raw,
                question.caller.extension or "",
            )
        )
    if card is None and live_lookup is not None:
        card = live_lookup.card
        if card is not None:
            evidence.append(live_lookup.step)
    if card is None or not card.candidates:
        # Where nothing was pulled, or nothing could be looked up, 1C may well know the number.
        looked_up = question.caller.kind is CallerKind.EXTERNAL and not index_error
        if looked_up and age.proven_at is not None:
            evidence.append(EvidenceStep(Finding.NUMBER_UNKNOWN, str(question.caller.number)))
        if live_lookup is not None:
            evidence.append(live_lookup.step)
        return _without_manager(question, (), rules, owner_of, evidence, age=age)

    memory = memory or NumberMemory()
    candidates = _chosen_first(card.candidates, memory, evidence)
    reached = [
        found
        for candidate in candidates
        if (found := _reach(candidate, managers, evidence)) is not None
    ]
    if not reached:
        return _without_manager(question, candidates, rules, owner_of, evidence, age=age)

    winner = _choose_one(reached, memory, evidence)
    manager = winner.manager
    extension = manager.extension or ""
    evidence.append(EvidenceStep(Finding.MANAGER_CHOSEN, manager.name, extension))
    rule = Rule.PARENT_MANAGER if winner.height else _OWN_RULE[winner.candidate.kind - 1]
    return RouteDecision(
        rule=rule,
        targets=(Target(extension, manager.ref, manager.name),),
        fallback=None,
        candidates=_first(winner.candidate, candidates),
        evidence=tuple(evidence),
        proven_at=age.proven_at,
    )


def _add_index_state(evidence: list[EvidenceStep], age: DataAge, broken: str) -> None:
    if broken:
        evidence.append(EvidenceStep(Finding.INDEX_BROKEN, detail=broken))
    elif age.proven_at is None:
        evidence.append(EvidenceStep(Finding.INDEX_EMPTY))
    elif age.is_stale:
        evidence.append(
            EvidenceStep(Finding.INDEX_STALE, detail=f"{age.proven_at:%d.%m.%Y %H:%M} UTC")
        )


def _chosen_first(
    candidates: tuple[Candidate, ...], memory: NumberMemory, evidence: list[EvidenceStep]
) -> tuple[Candidate, ...]:
    """Return the candidates, the one that an operator chose first, whatever managers they have."""
    if memory.chosen_owner is None or len(candidates) == 1:
        return candidates
    for chosen in candidates:
        if chosen.ref == memory.chosen_owner:
            evidence.append(EvidenceStep(Finding.CHOICE_REMEMBERED, chosen.name))
            return _first(chosen, candidates)
    return candidates


def _reach(
    candidate: Candidate, managers: Mapping[Ref, Manager], evidence: list[EvidenceStep]
) -> _Reached | None:
    """Return the first manager up the owner chain who can be called; None where there is none."""
    finding = Finding.CANDIDATE_ENDED if candidate.ended else Finding.CANDIDATE
    evidence.append(EvidenceStep(finding, candidate.name, candidate.kind.name.lower()))
    if not candidate.chain:
        evidence.append(EvidenceStep(Finding.NO_PARTNER, candidate.name))
    for height, step in enumerate(candidate.chain):
        manager = None if step.manager is None else managers.get(step.manager)
        if manager is not None and manager.is_reachable:
            return _Reached(candidate, manager, height)
        evidence.append(_why_unreachable(step, manager))
    return None


def _why_unreachable(step: OwnerStep, manager: Manager | None) -> EvidenceStep:
    if step.manager is None:
        return EvidenceStep(Finding.NO_MANAGER, step.name)
    if manager is None:
        return EvidenceStep(Finding.MANAGER_GONE, step.name)
    if manager.deletion_mark:
        finding = Finding.MANAGER_MARKED
    elif manager.invalid:
        finding = Finding.MANAGER_INVALID
    elif manager.service:
        finding = Finding.MANAGER_SERVICE
    else:
        finding = Finding.MANAGER_NO_EXTENSION
    return EvidenceStep(finding, step.name, manager.name)


def _choose_one(
    reached: list[_Reached], memory: NumberMemory, evidence: list[EvidenceStep]
) -> _Reached:
    """Choose among owners of one number; one common manager is no conflict."""
    first = reached[0]
    if all(other.manager.ref == first.manager.ref for other in reached):
        return first
    names = ", ".join(dict.fromkeys(found.manager.name for found in reached))
    evidence.append(EvidenceStep(Finding.SEVERAL_MANAGERS, detail=names))
    if first.candidate.ref == memory.chosen_owner:
        return first
    for found in reached:
        if memory.last_extension and found.manager.extension == memory.last_extension:
            evidence.append(
                EvidenceStep(Finding.TALKED_LAST, found.manager.name, memory.last_extension)
            )
            return found
    evidence.append(EvidenceStep(Finding.STABLE_ORDER, first.candidate.name))
    return first


def _without_manager(
    question: RouteQuestion,
    candidates: tuple[Candidate, ...],
    rules: RoutingRules,
    owner_of: OwnerOf,
    evidence: list[EvidenceStep],
    *,
    age: DataAge,
) -> RouteDecision:
    """Fall back to the dialled number's extension, then the default, then no target."""
    by_did = (rules.did_extensions or {}).get(question.did)
    extension = by_did or rules.default_extension
    if not extension:
        evidence.append(EvidenceStep(Finding.NOBODY))
        return RouteDecision(
            Rule.NOBODY, candidates=candidates, evidence=tuple(evidence), proven_at=age.proven_at
        )
    if by_did:
        evidence.append(EvidenceStep(Finding.DID_EXTENSION, question.did, extension))
    else:
        evidence.append(EvidenceStep(Finding.DEFAULT_EXTENSION, detail=extension))
    owner = owner_of(extension)
    if owner.manager is not None:
        evidence.append(EvidenceStep(Finding.EXTENSION_OWNER, owner.manager.name, extension))
        target = Target(extension, owner.manager.ref, owner.manager.name)
    else:
        if owner.shared:
            names = ", ".join(m.name for m in owner.shared)
            evidence.append(EvidenceStep(Finding.EXTENSION_SHARED, names, extension))
        else:
            evidence.append(EvidenceStep(Finding.EXTENSION_FREE, detail=extension))
        target = Target(extension)
    return RouteDecision(
        rule=Rule.DID if by_did else Rule.DEFAULT,
        fallback=target,
        candidates=candidates,
        evidence=tuple(evidence),
        proven_at=age.proven_at,
    )


def _first(winner: Candidate, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    if candidates[0] is winner:
        return candidates
    return (winner, *(c for c in candidates if c is not winner))
