"""The result of a background sync process, and the log and alarms that follow from it.

The process writes one JSON document to stdout. The service logs and publishes once when syncing
begins to fail, and once when it works again.
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
    """How a sync process ended: its *message*, and the *alarm* that it raises, if any.

    *output* is what it wrote to stderr besides its log.
    """

    code: int
    message: str = ""
    alarm: AlarmName | None = None
    output: str = ""

    @property
    def outcome(self) -> SyncOutcome:
        """Return the outcome of its exit code."""
        return SyncOutcome.from_exit_code(self.code)


def read_process_result(code: int, out: str, output: str = "") -> SyncProcessResult:
    """Read what a process that ended with *code* wrote to stdout, and besides its log."""
    document = _read_document(out)
    outcome = SyncOutcome.from_exit_code(code)
    if outcome is SyncOutcome.DONE:
        nobody = document.get("nobody_reachable") is True
        message, alarm = (_NOBODY, "extensions_lost") if nobody else ("", None)
        return SyncProcessResult(code, message, _alarm_named(alarm), output)
    message = str(document.get("error") or "") or ("" if document else out.strip()[-300:])
    if not message:
        last = output.strip().splitlines()[-1:]
        message = ": ".join([f"sync ended with code {code}", *last])
    elif message in output:
        output = ""  # the same sentence, as a person at a terminal reads it
    alarm_name: AlarmName | None = None
    if outcome is SyncOutcome.REFUSED:
        alarm_name = _alarm_named(document.get("alarm")) or "sync_refused"
    elif outcome is SyncOutcome.UNAUTHORISED:
        alarm_name = "onec_refuses"
    elif outcome is SyncOutcome.FAILED:
        alarm_name = "sync_failed"
    return SyncProcessResult(code, message, alarm_name, output)


class SyncResultReporter:
    """Logs and publishes how background syncs end, and counts the equal outcomes in a row."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events
        self._last: SyncProcessResult | None = None
        self._in_a_row = 0
        self._raised: set[AlarmName] = set()

    def report(self, process_result: SyncProcessResult) -> None:
        """Log and publish what differs from the run before."""
        before, self._last = self._last, process_result
        is_same = before is not None and before.outcome is process_result.outcome
        self._in_a_row = self._in_a_row + 1 if is_same else 1
        if before is not None and (before.code, before.alarm) == (
            process_result.code,
            process_result.alarm,
        ):
            return  # the message of one failure differs from run to run; its code does not
        self._clear_alarms(process_result)
        if process_result.outcome is SyncOutcome.DONE:
            if before is not None and before.outcome is not SyncOutcome.DONE:
                _log.info("sync_back")
            self._events.publish(OneCAvailability(True, "sync with 1C works"))
        else:
            extra = {"code": process_result.code, "reason": process_result.message}
            if process_result.output:
                extra["output"] = process_result.output
            _log.error("sync_failed", extra=extra)
        if process_result.outcome in _ONEC_AWAY:
            self._events.publish(OneCAvailability(False, process_result.message))
        elif process_result.outcome is SyncOutcome.REFUSED:
            self._events.publish(OneCAvailability(True, "1C answers; what it lost is refused"))
        if process_result.alarm is not None:
            self._raised.add(process_result.alarm)
            self._events.publish(
                Alarm(
                    process_result.alarm, process_result.message, _subject_of(process_result.alarm)
                )
            )

    def pause_before_next(self, usual: timedelta) -> timedelta:
        """Return the pause before the next run; *usual* is the one after a success."""
        if self._last is None:
            return usual
        return pause_after_outcome(usual, self._last.outcome, self._in_a_row)

    def _clear_alarms(self, process_result: SyncProcessResult) -> None:
        """Clear what is over; a failure does not show what became of a refusal."""
        over: dict[AlarmName, str] = {}
        if process_result.alarm != "sync_failed":
            over["sync_failed"] = "sync got further again"
        if process_result.outcome not in {SyncOutcome.UNAUTHORISED, SyncOutcome.UNREACHABLE}:
            over["onec_refuses"] = "1C accepts the bridge's user again"
        if process_result.outcome is SyncOutcome.DONE or process_result.alarm == "extensions_lost":
            # Rows are counted before what calls are routed by is checked.
            over["sync_refused"] = "the listings are believed again"
        if process_result.outcome is SyncOutcome.DONE and process_result.alarm is None:
            over["extensions_lost"] = "what calls are routed by is there again, or was accepted"
        for name, message in over.items():
            if name in self._raised:
                self._raised.remove(name)
                self._events.publish(Alarm(name, message, _subject_of(name), clear=True))


def _subject_of(name: AlarmName) -> str:
    # 1C may refuse other parts of the bridge, or not, at the same time.
    return "sync" if name == "onec_refuses" else ""


def _read_document(text: str) -> Mapping[str, object]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _alarm_named(name: object) -> AlarmName | None:
    known: Sequence[AlarmName] = get_args(AlarmName)
    return next((alarm for alarm in known if alarm == name), None)
