"""The cabinet's own statistics: what became of every call, and the CSV of `statistic/export`.

The headers were seen in public clients, thirteen of them; the positions of 0-2, 4, 5, 7 and 11 too.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.lab.sipuni.switches import CabinetSwitches

ANSWERED, UNANSWERED = "Отвечен", "Не отвечен"
COLUMNS = (
    "Тип",
    "Статус",
    "Время",
    "Схема",
    "Откуда",
    "Куда",
    "Кто ответил",
    "Длительность звонка, сек",
    "Длительность разговора, сек",
    "Кто разговаривал",
    "Кому звонили",
    "ID записи",
    "Запись существует",
)
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One call in the statistics once it is over.

    Attributes:
        kind: `Входящий`, `Исходящий` or `Внутренний`.
        started: Unix seconds; *duration_s* counts from here, ringing included.
        talks: (extension, seconds) of all who talked, in order; empty when unanswered.
        rung: extensions whose telephones rang.
        record_id: the recording's id, which may differ from *call_id*.
        recorded: whether the recording exists.
    """

    call_id: str
    kind: str
    started: int
    source: str
    destination: str
    tree_name: str = ""
    talks: tuple[tuple[str, int], ...] = ()
    rung_extensions: tuple[str, ...] = ()
    duration_s: int = 0
    record_id: str = ""
    recorded: bool = False

    @property
    def status(self) -> str:
        """Return the value of the column Статус."""
        return ANSWERED if self.talks else UNANSWERED

    @property
    def talk_s(self) -> int:
        """Count the seconds of all talks."""
        return sum(seconds for _, seconds in self.talks)


def select_rows(
    rows: Iterable[HistoryRow], params: Mapping[str, str], zone: ZoneInfo, switches: CabinetSwitches
) -> list[HistoryRow]:
    """Choose the rows an export asks for: its period, `type`, `state`, and the limit of rows.

    Raises:
        ValueError: the period is missing or cannot be read, or a code is unknown.
    """
    is_within = _period(params, zone, switches)
    kind = _chosen(params.get("type", "0"), switches.type_codes)
    state = _chosen(params.get("state", "0"), switches.state_codes)
    found = sorted(
        (
            row
            for row in rows
            if is_within(row.started) and row.kind in kind and row.status in state
        ),
        key=lambda row: row.started,
        reverse=switches.export_newest_first,
    )
    return found[: switches.export_limit or None]


def history_csv(
    rows: Iterable[HistoryRow], names: Mapping[str, str], zone: ZoneInfo, switches: CabinetSwitches
) -> bytes:
    """Write *rows* as this cabinet would; *names* are the people of extensions."""
    lines = [_line(row, names, zone, switches) for row in rows]
    columns = tuple(reversed(COLUMNS)) if switches.reordered_columns else COLUMNS
    header = [
        name.removesuffix(", сек") if switches.headers_without_units else name for name in columns
    ]
    return csv_bytes([header, *([line[name] for name in columns] for line in lines)], switches)


def csv_bytes(lines: Iterable[Iterable[str]], switches: CabinetSwitches) -> bytes:
    """Write *lines* with semicolons, in the mark and the line ends of this cabinet."""
    sheet = io.StringIO()
    csv.writer(
        sheet, delimiter=";", lineterminator="\r\n" if switches.export_crlf else "\n"
    ).writerows(lines)
    return ((_BOM if switches.export_bom else "") + sheet.getvalue()).encode()


def _line(
    row: HistoryRow, names: Mapping[str, str], zone: ZoneInfo, switches: CabinetSwitches
) -> dict[str, str]:
    form = "%d.%m.%Y %H:%M" if switches.time_without_seconds else "%d.%m.%Y %H:%M:%S"
    values = (
        row.kind,
        row.status,
        datetime.fromtimestamp(row.started, tz=zone).strftime(form),
        row.tree_name,
        row.source,
        row.destination,
        row.talks[0][0] if row.talks else "",
        str(row.duration_s),
        str(row.talk_s),
        # A party: extension, name, seconds.
        ", ".join(f"{who} ({names.get(who, '')}) {seconds}" for who, seconds in row.talks),
        ", ".join(row.rung_extensions),
        row.record_id if row.recorded or switches.export_unrecorded_ids else "",
        str(int(row.recorded)),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _chosen(code: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values a filter's *code* lets through; 0 and an empty code mean all of them."""
    number = int(code or "0")
    if not 0 <= number <= len(values):
        raise ValueError(f"no code {number}")
    return values if number == 0 else (values[number - 1],)


def _period(
    params: Mapping[str, str], zone: ZoneInfo, switches: CabinetSwitches
) -> Callable[[int], bool]:
    """Return the condition that a call's start must meet."""
    if not (params.get("from") and params.get("to")):
        raise ValueError("no period")
    first = _moment(params["from"], params.get("timeFrom") or "00:00", zone)
    last = _moment(params["to"], params.get("timeTo") or "23:59", zone)
    last += timedelta(seconds=59 if switches.export_last_minute else 0)

    def is_within(started: int) -> bool:
        at = datetime.fromtimestamp(started, tz=zone)
        if not switches.export_times_daily:
            return first <= at <= last
        is_day = first.date() <= at.date() <= last.date()
        return is_day and first.time() <= at.time() <= last.time()

    return is_within


def _moment(day: str, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.strptime(f"{day} {clock}", "%d.%m.%Y %H:%M").replace(tzinfo=zone)
