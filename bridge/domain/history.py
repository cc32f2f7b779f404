"""What somebody looks for among the calls."""

from dataclasses import dataclass
from datetime import datetime

from bridge.domain.call_events import Direction
from bridge.domain.calls import Disposition, PhoneCall
from bridge.domain.phone import PhoneNumber


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Every part narrows the search; what is empty does not. Times are aware UTC.

    *since* and *until* bound the moment a call was received, the second excluded. *extension*
    rang, talked, dialled or was told. *number* is whole, *digits* a part of one; *name* is a part
    of the caller's, his company's or the manager's name, in any letter case.
    """

    since: datetime | None = None
    until: datetime | None = None
    direction: Direction | None = None
    disposition: Disposition | None = None
    extension: str = ""
    number: PhoneNumber | None = None
    digits: str = ""
    name: str = ""


def fold(text: str) -> str:
    """Make letter case, ё and blanks of no account."""
    return " ".join(text.casefold().replace("ё", "е").split())


def names_in(call: PhoneCall) -> str:
    """Give the names a person may look for a call by, folded."""
    decision = call.decision
    names = [person.name for person in (*decision.targets, *call.people)]
    if decision.fallback is not None:
        names.append(decision.fallback.name)
    for candidate in decision.candidates:
        names += [candidate.name, *(step.name for step in candidate.chain)]
    return fold("\n".join(names))
