"""What `check` says of the files beside the databases: gone, cut short, open to others, waiting."""

from collections.abc import Mapping, Sequence

from bridge.domain.reporting.check_results import CheckResult, CheckVerdict

#: What a file that cannot be used costs, and what to do.
_COSTS: Mapping[str, tuple[CheckVerdict, str]] = {
    "secret.key": (
        CheckVerdict.FAILURE,
        "mend its rights, or restart the service: it makes another, and everybody signs in anew",
    ),
    "metadata.json": (
        CheckVerdict.WARNING,
        "delete it: every sync reads 1C's description anew until then, which takes half a minute",
    ),
}
_LOCK = CheckVerdict.FAILURE, "delete it, or mend its rights, while neither service nor sync runs"


def examine_files(
    *,
    missing: Sequence[str],
    unusable: Mapping[str, str],
    open_to_others: Sequence[str],
    rescued: Sequence[str],
) -> Sequence[CheckResult]:
    """Look at the data folder's other files; nothing is said where all is well."""
    findings = [
        CheckResult(
            "store",
            CheckVerdict.FAILURE,
            f"{name} is missing or empty, though this installation had one",
            "restore it from a backup while the service is stopped; the service begins a new one",
        )
        for name in missing
    ]
    for name, reason in unusable.items():
        verdict, advice = _COSTS.get(name, _LOCK)
        findings.append(CheckResult("store", verdict, f"{name} cannot be used: {reason}", advice))
    if rescued:
        words = f"calls wait to be recorded in {', '.join(rescued)}"
        advice = "the service records them when its data folder can be written; do not delete it"
        findings.append(CheckResult("store", CheckVerdict.WARNING, words, advice))
    if open_to_others:
        words = f"other users of this machine may read {', '.join(open_to_others)}"
        advice = "they hold telephone numbers and passwords; run: chmod go= FILE"
        findings.append(CheckResult("store", CheckVerdict.WARNING, words, advice))
    return findings
