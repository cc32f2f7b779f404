"""The extended statistics: asked for by one request, read by another while their key lives.

docs/facts/mango.md, 'History'. A call's fields are `context_…`, those of its legs `call_…`, as
public clients read them.
"""

import base64
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bridge.lab.mango.api.access import RequestRefused, optional_text, required_text
from bridge.lab.mango.calls import LegPlace, MangoCall, MangoCode, MangoKind, MangoLeg
from bridge.lab.mango.lab import MangoLab

Row = dict[str, object]

LIMITS: Final = {1, 5, 10, 20, 50, 100, 500, 1000, 2000, 5000}
#: A live client measured: 30 days are refused, a second less is not.
LONGEST_PERIOD: Final = timedelta(days=30)
SHORTEST_SEARCH: Final = 3
_DATES: Final = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y")
_ISO_DATES: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
_CONTEXT_TYPES: Final = {
    MangoKind.INCOMING: 1,
    MangoKind.OUTGOING: 2,
    MangoKind.INTERNAL: 3,
    MangoKind.CALLBACK: 2,
}


@dataclass(frozen=True, slots=True)
class StatisticsReport:
    """A report that was requested; *days* are those of that moment."""

    asked_at: float
    days: list[Row]


class CallStatistics:
    """The statistics of all calls that are over, also of those whose events were lost."""

    def __init__(self, lab: MangoLab) -> None:
        self._lab = lab
        self._reports: dict[str, StatisticsReport] = {}

    def ask(self, fields: Mapping[str, object]) -> str:
        """Return the key to a report.

        Raises:
            RequestRefused: a parameter is missing (3103) or wrong (3104).
        """
        start, end = self._moment(fields, "start_date"), self._moment(fields, "end_date")
        limit, offset = _number(fields, "limit"), _number(fields, "offset")
        is_short = timedelta(0) <= end - start < LONGEST_PERIOD
        if limit not in LIMITS or offset < 0 or not is_short:
            raise RequestRefused(MangoCode.WRONG_FORMAT)
        search = optional_text(fields, "search_string")
        if search and len(search) < SHORTEST_SEARCH:
            raise RequestRefused(MangoCode.WRONG_FORMAT)
        types = _numbers(fields.get("context_type"))
        status = _numbers(fields.get("context_status"))
        calls = [
            call
            for call in self._lab.calls
            if call.is_over
            and start.timestamp() <= call.began_at <= end.timestamp()
            and (not types or _context_type(call) in types)
            and (not status or int(call.answered_leg is not None) in status)
            and (not search or search in f"{_caller_number(call)} {_called_number(call)}")
        ]
        calls.sort(key=lambda call: call.began_at, reverse=True)
        key = base64.b64encode(f"report:{len(self._reports) + 1}".encode()).decode()
        days = self._days(calls[offset : offset + limit])
        self._reports[key] = StatisticsReport(self._lab.clock(), days)
        return key

    def read(self, key: str) -> tuple[str, list[Row] | None]:
        """Return the status of a report, and its days once there are any."""
        report, switches = self._reports.get(key), self._lab.switches
        if report is None:
            return "not-found", None
        age = self._lab.clock() - report.asked_at
        if age < switches.stats_ready_after_s:
            return "work", _first_part(report.days) if switches.stats_partial else None
        if age > switches.stats_ready_after_s + switches.stats_key_valid_s:
            return "not-found", None
        return "complete", report.days

    def _moment(self, fields: Mapping[str, object], name: str) -> datetime:
        """Return a date as the wall clock of the cabinet's zone means it."""
        text = required_text(fields, name)
        forms = _DATES + (_ISO_DATES if self._lab.switches.stats_iso_dates else ())
        for form in forms:
            try:
                # The zone is the cabinet's, no text names it.
                moment = datetime.strptime(text, form)  # noqa: DTZ007 - the cabinet gives no zone
            except ValueError:
                continue
            return moment.replace(tzinfo=ZoneInfo(self._lab.cabinet.zone))
        raise RequestRefused(MangoCode.WRONG_FORMAT)

    def _days(self, calls: list[MangoCall]) -> list[Row]:
        by_day: defaultdict[str, list[MangoCall]] = defaultdict(list)
        zone = ZoneInfo(self._lab.cabinet.zone)
        for call in calls:
            began = datetime.fromtimestamp(call.began_at, UTC).astimezone(zone)
            by_day[began.strftime("%d.%m.%Y")].append(call)
        return [
            {
                "list": [self._entry(call) for call in day],
                "period": period,
                "total_calls_count": len(day),
                "total_calls_duration": sum(call.ended_at - call.began_at for call in day),
                "total_talks_duration": sum(_talk_s(call.answered_leg) for call in day),
            }
            for period, day in by_day.items()
        ]

    def _entry(self, call: MangoCall) -> Row:
        cabinet, plan = self._lab.cabinet, call.plan
        caller = cabinet.employee(plan.extension)
        rows = [self._leg(call, leg) for leg in call.legs if leg.place is LegPlace.EMPLOYEE]
        queues = [leg for leg in call.legs if leg.place is LegPlace.QUEUE]
        if queues:
            group = cabinet.group(queues[0].group)
            whole = self._leg(call, queues[0])
            whole |= {
                "call_type": "group",
                "call_abonent_id": group.group_id if group else None,
                "call_abonent_info": group.name if group else "",
                "members": rows,
            }
            rows = [whole]
        if self._lab.switches.stats_service_rows:
            rows.append({"call_type": "number", "call_abonent_info": "", "call_end_reason": 110})
        return {
            "entry_id": call.entry_id,
            "context_type": _context_type(call),
            "context_status": int(call.answered_leg is not None),
            "caller_id": caller.user_id if caller else None,
            "caller_name": caller.name if caller else "",
            "caller_number": _caller_number(call),
            "called_number": _called_number(call),
            "context_start_time": call.began_at,
            "duration": call.ended_at - call.began_at,
            "talk_duration": _talk_s(call.answered_leg),
            "context_init_type": 4 if plan.kind is MangoKind.CALLBACK else 0,
            "recall_status": 2,
            "context_calls": rows,
        }

    def _leg(self, call: MangoCall, leg: MangoLeg) -> Row:
        employee = self._lab.cabinet.employee(leg.callee.extension)
        rang_until = leg.connected_at or leg.ended_at
        row: Row = {
            "call_type": "user" if employee else "number",
            "call_abonent_id": employee.user_id if employee else None,
            "call_abonent_info": employee.name if employee else leg.callee.number,
            "call_abonent_number": leg.callee.number or None,
            "call_start_time": leg.appeared_at,
            "call_answer_time": leg.connected_at or None,
            "call_end_time": leg.ended_at,
            "call_duration": leg.ended_at - leg.appeared_at,
            "talk_duration": _talk_s(leg),
            "dial_duration": rang_until - leg.appeared_at,
            "hold_duration": None,
            "call_end_reason": leg.reason,
            "recording_id": [leg.recording_id] if leg.recording_id else [],
            "DirectionInbound": call.plan.kind is MangoKind.INCOMING,
            "DirectionOutbound": call.plan.kind is not MangoKind.INCOMING,
            "BlindTransfer": leg.transfer == "blind",
            "ConsultTransfer": leg.transfer == "consultative",
            "Intercepted": leg.reason == MangoCode.INTERCEPTED,
            "IvrNotUsed": all(one.place is not LegPlace.MENU for one in call.legs),
            "members": None,
        }
        if self._lab.switches.stats_call_ids:
            row["external_call_id"] = leg.call_id
        return row


def _first_part(days: list[Row]) -> list[Row]:
    """Return the newest call alone."""
    return [day | {"list": rows[:1]} for day in days[:1] if isinstance(rows := day["list"], list)]


def _context_type(call: MangoCall) -> int:
    return _CONTEXT_TYPES[call.plan.kind]


def _caller_number(call: MangoCall) -> str:
    return call.plan.caller if call.plan.kind is MangoKind.INCOMING else call.plan.extension


def _called_number(call: MangoCall) -> str:
    return call.line.number if call.plan.kind is MangoKind.INCOMING else call.plan.number


def _talk_s(leg: MangoLeg | None) -> int:
    return leg.ended_at - leg.connected_at if leg and leg.connected_at else 0


def _number(fields: Mapping[str, object], name: str) -> int:
    try:
        return int(required_text(fields, name))
    except ValueError:
        raise RequestRefused(MangoCode.WRONG_FORMAT) from None


def _numbers(value: object) -> set[int]:
    """Return a filter that is one number or a list of them, as texts too."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    texts = {str(one) for one in values}
    if not all(text.isdecimal() for text in texts):
        raise RequestRefused(MangoCode.WRONG_FORMAT)
    return {int(text) for text in texts}
