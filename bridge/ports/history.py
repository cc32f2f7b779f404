"""What somebody looks for among the calls, in words of a person."""

from dataclasses import dataclass

from bridge.ports.ledger import CallFilter

_EVERYTHING = CallFilter()


@dataclass(frozen=True, slots=True)
class CallSearch:
    """A filter, and what only a person asks for; empty parts do not count.

    *digits* are a part of a number; *name* a part of the caller's, his company's or the manager's
    name, in any letter case.
    """

    filter: CallFilter = _EVERYTHING
    digits: str = ""
    name: str = ""
