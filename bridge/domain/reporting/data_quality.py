"""What is wrong in 1C's data, and how many calls each issue cost.

An issue costs a call when the caller did not reach the responsible manager because of it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import Finding, Rule

#: Calls that reached an owner's manager, whatever else was found on the way.
_REACHED = frozenset({Rule.CONTACT_MANAGER, Rule.PARTNER_MANAGER, Rule.COUNTERPARTY_MANAGER})

#: So many last digits make a number the same one, however its beginning was typed.
_TAIL = 7

_NO_DIGITS = re.compile(r"[^0-9]+")


class DataQualityIssueKind(StrEnum):
    """What can be wrong."""

    NO_MANAGER = "no_manager"
    NO_EXTENSION = "no_extension"
    UNREADABLE = "unreadable"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class DataQualityIssue:
    """One thing to correct in 1C: *owner_name* has it, *detail* is its value."""

    kind: DataQualityIssueKind
    owner_name: str
    detail: str = ""
    call_count: int = 0
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class DataQualityIssues:
    """The issues of one kind, the costly first; *total* may be more than are listed."""

    kind: DataQualityIssueKind
    total: int
    call_count: int
    issues: Sequence[DataQualityIssue] = ()


@dataclass(slots=True)
class IssueCosts:
    """Counts what issues cost, call by call; *call_count* is of the inbound calls counted."""

    call_count: int = 0
    by_partner: Counter[Ref] = field(default_factory=Counter)
    by_manager: Counter[str] = field(default_factory=Counter)
    by_shared_number: Counter[PhoneNumber] = field(default_factory=Counter)
    owners: dict[PhoneNumber, tuple[str, ...]] = field(default_factory=dict)
    by_unknown_number: Counter[PhoneNumber] = field(default_factory=Counter)

    def add_call(self, call: PhoneCall) -> None:
        """Count one call."""
        if call.direction is not Direction.INBOUND or call.is_test_request:
            return
        self.call_count += 1
        decision, number = call.decision, call.caller.number
        missed_owner = decision.rule not in _REACHED
        for step in decision.evidence:
            match step.finding:
                case Finding.NO_MANAGER if missed_owner and decision.candidates:
                    self.by_partner.update(self._unmanaged(call))
                case Finding.MANAGER_NO_EXTENSION if missed_owner:
                    self.by_manager[step.detail] += 1
                case Finding.NUMBER_UNKNOWN if number is not None:
                    self.by_unknown_number[number] += 1
                case Finding.SEVERAL_MANAGERS if number is not None:
                    self.by_shared_number[number] += 1
                    self.owners[number] = tuple(c.name for c in decision.candidates)

    @staticmethod
    def _unmanaged(call: PhoneCall) -> set[Ref]:
        """Return the partners nearest to the caller for whom 1C names no main manager."""
        chains = (candidate.chain for candidate in call.decision.candidates)
        return {chain[0].partner for chain in chains if chain and chain[0].manager is None}

    def unknown_last_digits(self) -> Mapping[str, int]:
        """Count calls of unknown callers by the last digits of their numbers."""
        tails: Counter[str] = Counter()
        for number, calls in self.by_unknown_number.items():
            tails[str(number)[-_TAIL:]] += calls
        return tails

    def shared_numbers(self, limit: int) -> DataQualityIssues:
        """List the numbers whose owners have several managers, and that called."""
        issues = [
            DataQualityIssue(
                DataQualityIssueKind.SHARED, str(number), "; ".join(self.owners[number]), calls
            )
            for number, calls in self.by_shared_number.most_common(limit)
        ]
        return DataQualityIssues(
            DataQualityIssueKind.SHARED,
            len(self.by_shared_number),
            self.by_shared_number.total(),
            issues,
        )


def count_unread_calls(typed: str, unknown_tails: Mapping[str, int]) -> int:
    """Count unknown callers' calls whose last digits stand in a field that was not read."""
    digits = _NO_DIGITS.sub("", typed)
    return sum(unknown_tails.get(tail, 0) for tail in set(_tails(digits)))


def _tails(digits: str) -> Iterator[str]:
    for at in range(len(digits) - _TAIL + 1):
        yield digits[at : at + _TAIL]
