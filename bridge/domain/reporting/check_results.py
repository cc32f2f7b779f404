"""What `onec-bridge check` finds: one fact, how bad it is, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class CheckVerdict(StrEnum):
    """How bad a result is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One result of the check; *advice* is what to do when it is not OK."""

    area: str
    verdict: CheckVerdict
    message: str
    advice: str = ""
