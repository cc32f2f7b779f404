"""The names by which people search for a call."""

from bridge.domain.calls.call import PhoneCall


def normalise_name(text: str) -> str:
    """Return *text* as names are compared: letter case, ё and the width of blanks do not count."""
    return " ".join(text.casefold().replace("ё", "е").split())


def searchable_names(call: PhoneCall) -> str:
    """Return the names by which *call* is found, normalised, one a line."""
    decision = call.decision
    names = [person.name for person in (*decision.targets, *call.known_targets)]
    if decision.fallback is not None:
        names.append(decision.fallback.name)
    for candidate in decision.candidates:
        names += [candidate.name, *(step.name for step in candidate.chain)]
    return normalise_name("\n".join(names))
