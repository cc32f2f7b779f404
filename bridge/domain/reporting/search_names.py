"""By which names a person looks for a call."""

from bridge.domain.calls.call import PhoneCall


def normalise_name(text: str) -> str:
    """Make letter case, ё and blanks of no account."""
    return " ".join(text.casefold().replace("ё", "е").split())


def searchable_names(call: PhoneCall) -> str:
    """Return the names a person may look for a call by, folded."""
    decision = call.decision
    names = [person.name for person in (*decision.targets, *call.known_targets)]
    if decision.fallback is not None:
        names.append(decision.fallback.name)
    for candidate in decision.candidates:
        names += [candidate.name, *(step.name for step in candidate.chain)]
    return normalise_name("\n".join(names))
