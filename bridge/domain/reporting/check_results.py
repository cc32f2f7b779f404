"""What the doctor finds: one fact, how bad it is, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class CheckVerdict(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One finding of the doctor; *advice* says what to do when it is not well."""

    area: str
    verdict: CheckVerdict
    message: str
    advice: str = ""
