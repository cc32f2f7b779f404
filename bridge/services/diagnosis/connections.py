"""Check results about 1C and the PBX: what their own answers show."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bridge.domain.reporting.check_results import CheckResult, CheckVerdict
from bridge.errors import PbxRefused, PbxUnavailable
from bridge.ports.onec import OneCProbe, ProbeFinding
from bridge.ports.pbx import PbxControl

_VERDICTS = {"ok": CheckVerdict.OK, "warn": CheckVerdict.WARNING, "fail": CheckVerdict.FAILURE}

#: The menu of 1C where the publication is set up.
#: Source: docs/facts/onec-odata.md, "Publishing".
_PUBLISHING_MENU = (
    "in 1C: Администрирование → Синхронизация данных → Настройка стандартного интерфейса OData"
)

_LONG_ADDRESSES = (
    "until then reminders are written, but neither changed nor withdrawn; on 1C's web server set "
    r"UrlSegmentMaxLength in HKLM\System\CurrentControlSet\Services\HTTP\Parameters to 1000 "
    "and restart the machine"
)

#: By finding: the sentence where all is well, and the advice where it is not.
_SENTENCES = {
    "reach": (
        "1C answers; {sets} entity sets are published",
        "is BRIDGE_ONEC_URL the publication's root, is its web server up, is the user right?",
    ),
    "published": ("every entity set we need is published", f"publish them {_PUBLISHING_MENU}"),
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


async def examine_onec(probe: OneCProbe) -> Sequence[CheckResult]:
    """Return what 1C shows, in sentences."""
    return [_check_result(finding) for finding in await probe.run()]


def _check_result(finding: ProbeFinding) -> CheckResult:
    sentence, advice = _SENTENCES[finding.name]
    verdict = _VERDICTS[finding.level]
    if verdict is CheckVerdict.OK and "missing" not in finding.fields:
        return CheckResult(f"1C {finding.name}", verdict, sentence.format(**finding.fields))
    return CheckResult(f"1C {finding.name}", verdict, _failure_message(finding.fields), advice)


def _failure_message(fields: Mapping[str, str]) -> str:
    """Return what is wrong, from the fields of a finding."""
    if "error" in fields:
        return fields["error"]
    sentences = {
        "missing": "missing: {}",
        "optional": "missing, we can do without: {}",
        "unread": "could not be read: {}",
        "title": "there is no user attribute “{}”",
        "skew_s": "the web server's clock is {} s off ours",
        "ahead_s": "the newest call in 1C lies {} s in the future of the zone set",
        "rows": "{} partners are visible",
    }
    found = [sentences[name].format(v) for name, v in fields.items() if name in sentences]
    return "; ".join(found)


async def examine_pbx(pbx: PbxControl | None, now: datetime) -> CheckResult:
    """Ask the PBX for the calls of the last minute: does it accept our key? Nothing rings."""
    if pbx is None:
        message = "no key of the PBX's API is set: calls cannot be ordered, lost ends not looked up"
        return CheckResult("pbx", CheckVerdict.OK, message)
    try:
        await pbx.history(now - timedelta(minutes=1), now)
    except PbxRefused as error:
        advice = "are BRIDGE_SIPUNI_USER and BRIDGE_SIPUNI_KEY those of the cabinet?"
        return CheckResult("pbx", CheckVerdict.FAILURE, str(error), advice)
    except PbxUnavailable as error:
        advice = "is BRIDGE_SIPUNI_URL right, and reachable from here?"
        return CheckResult("pbx", CheckVerdict.WARNING, str(error), advice)
    return CheckResult("pbx", CheckVerdict.OK, "the PBX's API takes our key and tells its calls")
