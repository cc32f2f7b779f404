"""Check results about the files beside the databases: missing, unusable, readable to others."""

from collections.abc import Mapping, Sequence

from bridge.domain.reporting.check_results import CheckResult, CheckVerdict

#: How bad it is that a file cannot be used, and what to do.
_UNUSABLE: Mapping[str, tuple[CheckVerdict, str]] = {
    "secret.key": (
        CheckVerdict.FAILURE,
        "mend its rights, or restart the service: it makes another, and everybody signs in anew",
    ),
    "metadata.json": (
        CheckVerdict.WARNING,
        "delete it: every sync reads 1C's description anew until then, which takes half a minute",
    ),
}
_LOCK_FILE = (
    CheckVerdict.FAILURE,
    "delete it, or mend its rights, while neither service nor sync runs",
)


def examine_files(
    *,
    missing: Sequence[str],
    unusable: Mapping[str, str],
    open_to_others: Sequence[str],
    rescued: Sequence[str],
) -> Sequence[CheckResult]:
    """Check the data folder's other files; nothing is returned where all is well."""
    results = [
        CheckResult(
            "store",
            CheckVerdict.FAILURE,
            f"{name} is missing or empty, though this installation had one",
            "restore it from a backup while the service is stopped; the service begins a new one",
        )
        for name in missing
    ]
    for name, reason in unusable.items():
        verdict, advice = _UNUSABLE.get(name, _LOCK_FILE)
        results.append(CheckResult("store", verdict, f"{name} cannot be used: {reason}", advice))
    if rescued:
        message = f"calls wait to be recorded in {', '.join(rescued)}"
        advice = "the service records them when its data folder can be written; do not delete it"
        results.append(CheckResult("store", CheckVerdict.WARNING, message, advice))
    if open_to_others:
        message = f"other users of this machine may read {', '.join(open_to_others)}"
        advice = "they hold telephone numbers and passwords; run: chmod go= FILE"
        results.append(CheckResult("store", CheckVerdict.WARNING, message, advice))
    return results
