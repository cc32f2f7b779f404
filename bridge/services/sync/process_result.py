"""What a background sync process says at its end, and what the service makes of it.

The process writes one JSON document to stdout. The service logs and publishes on the edge only:
when syncing starts to fail, and when it works again.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, get_args

from bridge.domain.directory.sync_pause import SyncOutcome, pause_after_outcome
from bridge.ports.alarms import Alarm, AlarmName
from bridge.ports.events import EventPublisher, OneCAvailability

_log = logging.getLogger(__name__)

_ONEC_AWAY: Final = frozenset({SyncOutcome.UNREACHABLE, SyncOutcome.UNAUTHORISED})

_NOBODY: Final = (
    "nobody in 1C has an extension, so every caller goes to the default: look at the user "
    "attribute of extensions in 1C and at BRIDGE_EXTENSION_ATTRIBUTE"
)


@dataclass(frozen=True, slots=True)
class SyncProcessResult:
    """How a sync process ended: in which *words*, and which *alarm* that is; none when it is well.

    *output* is what it wrote to stderr besides its log.
    """

    code: int
    message: str = ""
    alarm: AlarmName | None = None
    output: str = ""

    @property
    def outcome(self) -> SyncOutcome:
        """Return what its exit code stands for."""
        return SyncOutcome.from_exit_code(self.code)


def read_process_result(code: int, out: str, output: str = "") -> SyncProcessResult:
    """Read what a process that ended with *code* wrote to stdout, and besides its log."""
    document = _document(out)
    outcome = SyncOutcome.from_exit_code(code)
    if outcome is SyncOutcome.DONE:
        nobody = document.get("nobody_reachable") is True
        words, alarm = (_NOBODY, "extensions_lost") if nobody else ("", None)
        return SyncProcessResult(code, words, _alarm_named(alarm), output)
    words = str(document.get("error") or "") or ("" if document else out.strip()[-300:])
    if not words:
        last = output.strip().splitlines()[-1:]
        words = ": ".join([f"sync ended with code {code}", *last])
    elif words in output:
        output = ""  # the same sentence, as a person at a terminal reads it
    alarm_name: AlarmName | None = None
    if outcome is SyncOutcome.REFUSED:
        alarm_name = _alarm_named(document.get("alarm")) or "sync_refused"
    elif outcome is SyncOutcome.UNAUTHORISED:
        alarm_name = "onec_refuses"
    elif outcome is SyncOutcome.FAILED:
        alarm_name = "sync_failed"
    return SyncProcessResult(code, words, alarm_name, output)


class SyncResultReporter:
    """Logs and publishes how background syncs end, and counts the failures in a row."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events
        self._last: SyncProcessResult | None = None
        self._in_a_row = 0
        self._standing: set[AlarmName] = set()

    def report(self, end: SyncProcessResult) -> None:
        """Take in the end of a run: log and publish what differs from the run before."""
        before, self._last = self._last, end
        same = before is not None and before.outcome is end.outcome
        self._in_a_row = self._in_a_row + 1 if same else 1
        if before is not None and (before.code, before.alarm) == (end.code, end.alarm):
            return  # the words of one trouble differ from run to run; its code does not
        self._take_back(end)
        if end.outcome is SyncOutcome.DONE:
            if before is not None and before.outcome is not SyncOutcome.DONE:
                _log.info("sync_back")
            self._events.publish(OneCAvailability(True, "sync with 1C works"))
        else:
            extra = {"code": end.code, "reason": end.message}
            if end.output:
                extra["output"] = end.output
            _log.error("sync_failed", extra=extra)
        if end.outcome in _ONEC_AWAY:
            self._events.publish(OneCAvailability(False, end.message))
        elif end.outcome is SyncOutcome.REFUSED:
            self._events.publish(OneCAvailability(True, "1C answers; what it lost is refused"))
        if end.alarm is not None:
            self._standing.add(end.alarm)
            self._events.publish(Alarm(end.alarm, end.message, _subject_of(end.alarm)))

    def pause_before_next(self, usual: timedelta) -> timedelta:
        """Return the pause before the next run, where the *usual* one would do after a success."""
        if self._last is None:
            return usual
        return pause_after_outcome(usual, self._last.outcome, self._in_a_row)

    def _take_back(self, end: SyncProcessResult) -> None:
        """Take back what does not stand any more; of what was refused a failure tells nothing."""
        over: dict[AlarmName, str] = {}
        if end.alarm != "sync_failed":
            over["sync_failed"] = "sync got further again"
        if end.outcome not in {SyncOutcome.UNAUTHORISED, SyncOutcome.UNREACHABLE}:
            over["onec_refuses"] = "1C accepts the bridge's user again"
        if end.outcome is SyncOutcome.DONE or end.alarm == "extensions_lost":
            # Rows are counted before it is seen what they are worth.
            over["sync_refused"] = "the listings are believed again"
        if end.outcome is SyncOutcome.DONE and end.alarm is None:
            over["extensions_lost"] = "what calls are routed by is there again, or was accepted"
        for name, words in over.items():
            if name in self._standing:
                self._standing.remove(name)
                self._events.publish(Alarm(name, words, _subject_of(name), clear=True))


def _subject_of(name: AlarmName) -> str:
    # Other parts of the bridge may be turned down by 1C, or not, at the same time.
    return "sync" if name == "onec_refuses" else ""


def _document(text: str) -> Mapping[str, object]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _alarm_named(name: object) -> AlarmName | None:
    known: Sequence[AlarmName] = get_args(AlarmName)
    return next((alarm for alarm in known if alarm == name), None)
