"""Diagnose: what is well, what is not, and what to do about it; the words of the doctor.

The doctor's findings come from three sides: the settings, 1C (through a probe), and the last
sync's report. Nothing here writes.
"""

from collections.abc import Sequence
from datetime import datetime

from bridge.domain.checkup import Checkup, Verdict
from bridge.ports import OneCProbe, SyncReport
from bridge.services.pull import unanswered

#: A path token shorter than this can be guessed.
_GOOD_TOKEN = 16


async def examine_onec(probe: OneCProbe) -> Sequence[Checkup]:
    """Ask 1C; the first failure that makes the others pointless ends it."""
    return [finding async for finding in probe.examine()]


def examine_secrets(
    *, basic: bool, token_length: int, admin_password: bool, host: str
) -> Sequence[Checkup]:
    """Look at what protects the hooks and the console."""
    findings: list[Checkup] = []
    if not basic and not token_length:
        findings.append(
            Checkup(
                "hooks",
                Verdict.FAILURE,
                "no secret protects the PBX hooks; the service will not start",
                "set BRIDGE_HOOK_USER and BRIDGE_HOOK_PASSWORD, or BRIDGE_HOOK_TOKEN",
            )
        )
    elif 0 < token_length < _GOOD_TOKEN:
        findings.append(
            Checkup(
                "hooks",
                Verdict.WARNING,
                f"the path token has {token_length} characters and can be guessed",
                f"take at least {_GOOD_TOKEN} random letters and digits for BRIDGE_HOOK_TOKEN",
            )
        )
    else:
        findings.append(Checkup("hooks", Verdict.WELL, "a secret protects the PBX hooks"))
    if not admin_password and host not in ("127.0.0.1", "::1", "localhost"):
        findings.append(
            Checkup(
                "console",
                Verdict.WARNING,
                f"the service listens on {host} and the console has no password: "
                "it answers on loopback only",
                "set BRIDGE_ADMIN_PASSWORD to open it to others",
            )
        )
    return findings


def examine_fallback(*, default_extension: str | None, dids: int) -> Sequence[Checkup]:
    """Look at where callers go whom nobody is responsible for."""
    if default_extension or dids:
        return [Checkup("fallback", Verdict.WELL, "callers nobody is responsible for have a desk")]
    return [
        Checkup(
            "fallback",
            Verdict.WARNING,
            "a caller nobody is responsible for is left to the PBX's scheme",
            "set BRIDGE_DEFAULT_EXTENSION, or make sure the scheme's 0-branch leads to somebody",
        )
    ]


def examine_directory(
    report: SyncReport | None, *, now: datetime, stale: bool
) -> Sequence[Checkup]:
    """Look at the local index and at the data it was made from."""
    if report is None:
        words = "nothing was pulled from 1C yet: every caller is unknown"
        return [Checkup("index", Verdict.FAILURE, words, "run: onec-bridge sync")]
    findings = [_freshness(report, now, stale=stale)]
    for entity in report.entities:
        if entity.error:
            findings.append(Checkup("index", Verdict.WARNING, entity.error, "publish it in 1C"))
        if entity.unread_phones:
            findings.append(
                Checkup(
                    "phones",
                    Verdict.WARNING,
                    f"{entity.unread_phones} phone fields of {entity.kind.value}s hold no number "
                    "that could be read",
                    "correct them in 1C; examples: " + ", ".join(report.unread_examples[:3]),
                )
            )
    for extension, names in report.shared_extensions.items():
        findings.append(
            Checkup(
                "extensions",
                Verdict.WARNING,
                f"{extension} belongs to several users: {', '.join(names)}",
                "leave it to one of them in 1C; until then nobody is guessed",
            )
        )
    if report.managers_without_extension:
        findings.append(
            Checkup(
                "extensions",
                Verdict.WARNING,
                unanswered(report.managers_without_extension),
                "fill in the user attribute in 1C where they answer customers",
            )
        )
    return findings


def _freshness(report: SyncReport, now: datetime, *, stale: bool) -> Checkup:
    proven = report.proven_at
    if proven is None:
        words = "a part of the data was never compared with 1C"
        return Checkup("index", Verdict.WARNING, words, "see the findings about the publication")
    seconds = int((now - proven).total_seconds())
    words = f"{report.numbers} numbers, proven equal to 1C {seconds} s ago"
    if stale:
        return Checkup("index", Verdict.WARNING, words, "is the service running? does sync fail?")
    return Checkup("index", Verdict.WELL, words)
