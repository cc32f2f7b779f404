"""Diagnose: what is well, what is not, and what to do about it; the words of the doctor.

The doctor's findings come from four sides: the settings, the data folder, 1C (through a probe), and
the last sync's report. Nothing here writes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bridge.domain.clock import age_by_wall
from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.errors import PbxRefused, PbxUnavailable, StoreDamaged, StoreError
from bridge.ports.onec import OneCProbe, ProbeFinding
from bridge.ports.pbx import PbxControl
from bridge.ports.stores.directory import SyncReport
from bridge.services.sync.report import describe_missing_extensions

#: A path token shorter than this can be guessed.
_GOOD_TOKEN = 16

#: With less room left, a sync of a large base may not find enough of it.
_GOOD_ROOM = 500 * 2**20

#: What to do about a damaged file; whoever deletes one should know what goes with it.
_CURES = {
    "directory.db": "run: onec-bridge sync; it sets the file aside and loads all of it anew",
    "ledger.db": "restart the service: it sets the file aside, takes over what can be read of it, "
    "and begins a new one; or stop it and restore the file from a backup",
    "audit.db": "restart the service: it sets the file aside and begins a new one; personal links "
    "made before open nothing then",
    "runs.db": "nothing: the next sync sets it aside; only the history of sync runs goes with it",
    "secret.key": "restart the service: it makes another; everybody signs in anew, personal links "
    "made before open nothing then",
}

#: What to do once a damaged file was set aside.
_AFTERCARE = {
    "ledger.db": "what could be read of it was taken over; compare the calls in 1C with the PBX's "
    "journal, and write by hand what is missing",
    "secret.key": "everybody signs in anew, and personal links made before open nothing",
    "rescue.jsonl": "write the calls in it by hand",
    "directory.db": "all of it was pulled anew",
    "audit.db": "personal links made before open nothing: make new ones by onec-bridge desk-link "
    "or in the console; who did what before stands in the damaged file only",
    "runs.db": "the history of sync runs began anew",
}

_VERDICTS = {"ok": CheckVerdict.OK, "warn": CheckVerdict.WARNING, "fail": CheckVerdict.FAILURE}

#: The menu of 1C where the publication is composed (facts/onec-odata.md §6.3).
_COMPOSITION = (
    "in 1C: Администрирование → Синхронизация данных → Настройка стандартного интерфейса OData"
)

_LONG_ADDRESSES = (
    "until then reminders are written, but neither changed nor withdrawn; on 1C's web server set "
    r"UrlSegmentMaxLength in HKLM\System\CurrentControlSet\Services\HTTP\Parameters to 1000 "
    "and restart the machine"
)

#: What a look says when it went well, and what to do when it did not.
_LOOKS = {
    "reach": (
        "1C answers; {sets} entity sets are published",
        "is BRIDGE_ONEC_URL the publication's root, is its web server up, is the user right?",
    ),
    "published": ("every entity set we need is published", f"publish them {_COMPOSITION}"),
    "fields": ("every field we need is there", "is this УТ 11? the release may lack them"),
    "attribute": (
        "users have the attribute “{title}”",
        "create the attribute for users in 1C, or set BRIDGE_EXTENSION_ATTRIBUTE",
    ),
    "clock": (
        "the web server's clock is {skew_s} s off ours; 1C's own cannot be asked",
        "set both clocks by NTP",
    ),
    "zone": (
        "it is {now} in {zone}; the newest call proves {proves}",
        "is BRIDGE_ONEC_TIMEZONE the zone of the 1C server's clock?",
    ),
    "partners": ("a partner can be read", "give the 1C user the right to read partners"),
    "reminders": (
        "the register of reminders can be read; writing and deleting records is not tried",
        "give the 1C user the rights to read and to change (that is also: delete) reminders",
    ),
    "addresses": (
        "the web server takes addresses of {length} characters, as reminders have",
        _LONG_ADDRESSES,
    ),
}


def examine_store(
    folder: str,
    *,
    obstacle: str,
    free: int,
    errors: Mapping[str, StoreError],
    damaged_copies: Sequence[str] = (),
) -> Sequence[CheckResult]:
    """Look at the data folder: whether it can be written, its room in bytes, its files.

    *troubles* are those of files by name, *aside* names those of which a damaged one is kept.
    """
    broken = [_unusable(name, error) for name, error in errors.items()]
    broken += [
        CheckResult(
            "store",
            CheckVerdict.WARNING,
            f"{name} was damaged or missing, and is kept as {name}.damaged or noted so",
            f"{_AFTERCARE[name]}; is the disk well? Delete the damaged file when nobody needs it",
        )
        for name in damaged_copies
        if name in _AFTERCARE
    ]
    if obstacle:
        advice = "mend its rights, or set BRIDGE_DATA_DIR"
        return [CheckResult("store", CheckVerdict.FAILURE, obstacle, advice), *broken]
    room = f"the data folder {folder} can be written; {free / 2**20:,.0f} MiB are free"
    if free < _GOOD_ROOM:
        advice = "make room: on a full disk calls are answered, but not recorded"
        return [CheckResult("store", CheckVerdict.WARNING, room, advice), *broken]
    return broken or [CheckResult("store", CheckVerdict.OK, room)]


def advice_for_damage(damage: StoreDamaged) -> str:
    """Say what to do about a damaged file."""
    return _CURES.get(
        damage.path.replace("\\", "/").rpartition("/")[2], "onec-bridge check looks closer"
    )


def _unusable(name: str, error: StoreError) -> CheckResult:
    if isinstance(error, StoreDamaged):
        return CheckResult(
            "store", CheckVerdict.FAILURE, f"{name} is damaged: {error.reason}", _CURES[name]
        )
    advice = "whose file is it, and who may read it? It was left alone"
    return CheckResult(
        "store", CheckVerdict.FAILURE, f"{name} cannot be used: {error.reason}", advice
    )


async def examine_pbx(pbx: PbxControl | None, now: datetime) -> CheckResult:
    """Ask the PBX for the calls of the last minute: whether it takes our key; nothing rings."""
    if pbx is None:
        words = "no key of the PBX's API is set: calls cannot be ordered, lost ends not looked up"
        return CheckResult("pbx", CheckVerdict.OK, words)
    try:
        await pbx.history(now - timedelta(minutes=1), now)
    except PbxRefused as error:
        advice = "are BRIDGE_SIPUNI_USER and BRIDGE_SIPUNI_KEY those of the cabinet?"
        return CheckResult("pbx", CheckVerdict.FAILURE, str(error), advice)
    except PbxUnavailable as error:
        advice = "is BRIDGE_SIPUNI_URL right, and reachable from here?"
        return CheckResult("pbx", CheckVerdict.WARNING, str(error), advice)
    return CheckResult("pbx", CheckVerdict.OK, "the PBX's API takes our key and tells its calls")


async def examine_onec(probe: OneCProbe) -> Sequence[CheckResult]:
    """Ask 1C and say what was seen in sentences."""
    return [_told(finding) for finding in await probe.run()]


def _told(finding: ProbeFinding) -> CheckResult:
    well, advice = _LOOKS[finding.name]
    verdict = _VERDICTS[finding.level]
    if verdict is CheckVerdict.OK and "missing" not in finding.fields:
        return CheckResult(f"1C {finding.name}", verdict, well.format(**finding.fields))
    return CheckResult(f"1C {finding.name}", verdict, _seen(finding.fields), advice)


def _seen(fields: Mapping[str, str]) -> str:
    """Say what is wrong, from whatever the look saw."""
    if "error" in fields:
        return fields["error"]
    words = {
        "missing": "missing: {}",
        "optional": "missing, we can do without: {}",
        "unread": "could not be read: {}",
        "title": "there is no user attribute “{}”",
        "skew_s": "the web server's clock is {} s off ours",
        "ahead_s": "the newest call in 1C lies {} s in the future of the zone set",
        "rows": "{} partners are visible",
    }
    told = [words[name].format(value) for name, value in fields.items() if name in words]
    return "; ".join(told)


def examine_secrets(
    *, basic: bool, token_length: int, admin_password: bool, host: str
) -> Sequence[CheckResult]:
    """Look at what protects the hooks and the console."""
    findings: list[CheckResult] = []
    if not basic and not token_length:
        findings.append(
            CheckResult(
                "hooks",
                CheckVerdict.FAILURE,
                "no secret protects the PBX hooks; the service will not start",
                "set BRIDGE_HOOK_USER and BRIDGE_HOOK_PASSWORD, or BRIDGE_HOOK_TOKEN",
            )
        )
    elif 0 < token_length < _GOOD_TOKEN:
        findings.append(
            CheckResult(
                "hooks",
                CheckVerdict.WARNING,
                f"the path token has {token_length} characters and can be guessed",
                f"take at least {_GOOD_TOKEN} random letters and digits for BRIDGE_HOOK_TOKEN",
            )
        )
    else:
        findings.append(CheckResult("hooks", CheckVerdict.OK, "a secret protects the PBX hooks"))
    if not admin_password and host not in ("127.0.0.1", "::1", "localhost"):
        findings.append(
            CheckResult(
                "console",
                CheckVerdict.WARNING,
                f"the service listens on {host} and the console has no password: "
                "it opens by one-time links alone",
                "set BRIDGE_ADMIN_PASSWORD, or make links: onec-bridge console-link",
            )
        )
    return findings


def examine_fallback(*, default_extension: str | None, dids: int) -> Sequence[CheckResult]:
    """Look at where callers go whom nobody is responsible for."""
    if default_extension or dids:
        return [
            CheckResult(
                "fallback", CheckVerdict.OK, "callers nobody is responsible for have a desk"
            )
        ]
    return [
        CheckResult(
            "fallback",
            CheckVerdict.WARNING,
            "a caller nobody is responsible for is left to the PBX's scheme",
            "set BRIDGE_DEFAULT_EXTENSION, or make sure the scheme's 0-branch leads to somebody",
        )
    ]


def examine_directory(
    report: SyncReport | None, *, now: datetime, stale: bool, error: StoreError | None = None
) -> Sequence[CheckResult]:
    """Look at the local index and at the data it was made from; *trouble* is that of its file."""
    if error is not None:
        words = f"the index cannot be read, every caller gets the default: {error.reason}"
        cure = (
            advice_for_damage(error) if isinstance(error, StoreDamaged) else "see the data folder"
        )
        return [CheckResult("index", CheckVerdict.FAILURE, words, cure)]
    if report is None:
        words = "nothing was pulled from 1C yet: every caller is unknown"
        return [CheckResult("index", CheckVerdict.FAILURE, words, "run: onec-bridge sync")]
    findings = [_freshness(report, now, stale=stale)]
    findings += [
        CheckResult("index", CheckVerdict.WARNING, entity.error, "publish it in 1C")
        for entity in report.entities
        if entity.error
    ]
    unread = {e.kind: e.unread_phones for e in report.entities if e.unread_phones}
    if unread:
        where = ", ".join(f"{count} of {kind.plural}" for kind, count in unread.items())
        findings.append(
            CheckResult(
                "phones",
                CheckVerdict.WARNING,
                f"{sum(unread.values())} phone fields hold no number that could be read ({where})",
                "correct them in 1C, or set BRIDGE_PHONE_AREA_CODE where only the city code is "
                "missing; examples: " + ", ".join(report.unread_examples[:3]),
            )
        )
    for extension, names in report.shared_extensions.items():
        findings.append(
            CheckResult(
                "extensions",
                CheckVerdict.WARNING,
                f"{extension} belongs to several users: {', '.join(names)}",
                "leave it to one of them in 1C; until then nobody is guessed",
            )
        )
    if report.nobody_reachable:
        findings.append(
            CheckResult(
                "extensions",
                CheckVerdict.FAILURE,
                "nobody in 1C has an extension: every caller goes to the default",
                "look at the user attribute of extensions in 1C and at "
                "BRIDGE_EXTENSION_ATTRIBUTE, then run: onec-bridge sync",
            )
        )
    elif report.managers_without_extension:
        findings.append(
            CheckResult(
                "extensions",
                CheckVerdict.WARNING,
                describe_missing_extensions(report.managers_without_extension),
                "fill in the user attribute in 1C where they answer customers",
            )
        )
    return findings


def _freshness(report: SyncReport, now: datetime, *, stale: bool) -> CheckResult:
    proven = report.proven_at
    if proven is None:
        words = "a part of the data was never compared with 1C"
        return CheckResult(
            "index", CheckVerdict.WARNING, words, "see the findings about the publication"
        )
    age = age_by_wall(proven, now)
    if age is None:
        words = f"the index is proven at {proven:%Y-%m-%d %H:%M} UTC, which is in the future"
        return CheckResult(
            "index", CheckVerdict.WARNING, words, "set the clock of this machine (NTP)"
        )
    seconds = int(age.total_seconds())
    words = f"{report.numbers} numbers, proven equal to 1C {seconds} s ago"
    if stale:
        return CheckResult(
            "index", CheckVerdict.WARNING, words, "is the service running? does sync fail?"
        )
    return CheckResult("index", CheckVerdict.OK, words)
