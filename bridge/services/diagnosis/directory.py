"""Check results about the local index and the data it was made from."""

from collections.abc import Sequence
from datetime import datetime

from bridge.domain.clock import age_by_wall
from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.errors import StoreDamaged, StoreError
from bridge.ports.stores.directory import SyncReport
from bridge.services.diagnosis.store import advice_for_damage
from bridge.services.sync.report import describe_missing_extensions


def examine_directory(
    report: SyncReport | None, *, now: datetime, stale: bool, error: StoreError | None = None
) -> Sequence[CheckResult]:
    """Check the local index and the data it was made from; *error* is that of its file."""
    if error is not None:
        message = f"the index cannot be read, every caller gets the default: {error.reason}"
        advice = (
            advice_for_damage(error) if isinstance(error, StoreDamaged) else "see the data folder"
        )
        return [CheckResult("index", CheckVerdict.FAILURE, message, advice)]
    if report is None:
        message = "nothing was pulled from 1C yet: every caller is unknown"
        return [CheckResult("index", CheckVerdict.FAILURE, message, "run: onec-bridge sync")]
    results = [_freshness(report, now, stale=stale)]
    results += [
        CheckResult("index", CheckVerdict.WARNING, entity.error, "publish it in 1C")
        for entity in report.entities
        if entity.error
    ]
    unread = {e.kind: e.unread_phones for e in report.entities if e.unread_phones}
    if unread:
        where = ", ".join(f"{count} of {kind.plural}" for kind, count in unread.items())
        results.append(
            CheckResult(
                "phones",
                CheckVerdict.WARNING,
                f"{sum(unread.values())} phone fields hold no number that could be read ({where})",
                "correct them in 1C, or set BRIDGE_PHONE_AREA_CODE where only the city code is "
                "missing; examples: " + ", ".join(report.unread_examples[:3]),
            )
        )
    for extension, names in report.shared_extensions.items():
        results.append(
            CheckResult(
                "extensions",
                CheckVerdict.WARNING,
                f"{extension} belongs to several users: {', '.join(names)}",
                "leave it to one of them in 1C; until then nobody is guessed",
            )
        )
    if report.nobody_reachable:
        results.append(
            CheckResult(
                "extensions",
                CheckVerdict.FAILURE,
                "nobody in 1C has an extension: every caller goes to the default",
                "look at the user attribute of extensions in 1C and at "
                "BRIDGE_EXTENSION_ATTRIBUTE, then run: onec-bridge sync",
            )
        )
    elif report.managers_without_extension:
        results.append(
            CheckResult(
                "extensions",
                CheckVerdict.WARNING,
                describe_missing_extensions(report.managers_without_extension),
                "fill in the user attribute in 1C where they answer customers",
            )
        )
    return results


def _freshness(report: SyncReport, now: datetime, *, stale: bool) -> CheckResult:
    proven = report.proven_at
    if proven is None:
        message = "a part of the data was never compared with 1C"
        return CheckResult(
            "index", CheckVerdict.WARNING, message, "see the results about the publication"
        )
    age = age_by_wall(proven, now)
    if age is None:
        message = f"the index is proven at {proven:%Y-%m-%d %H:%M} UTC, which is in the future"
        return CheckResult(
            "index", CheckVerdict.WARNING, message, "set the clock of this machine (NTP)"
        )
    seconds = int(age.total_seconds())
    message = f"{report.numbers} numbers, proven equal to 1C {seconds} s ago"
    if stale:
        return CheckResult(
            "index", CheckVerdict.WARNING, message, "is the service running? does sync fail?"
        )
    return CheckResult("index", CheckVerdict.OK, message)
