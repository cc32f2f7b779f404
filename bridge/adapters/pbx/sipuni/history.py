"""Sipuni's statistics: the signed request for a span of time, and its CSV answer, row by row.

Columns are known by their headers, since options shift them; a body without the header row is no
statistics. Source: docs/facts/sipuni.md, 'API'.
"""

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from bridge.adapters.pbx.sipuni.raw_events import PROVIDER
from bridge.adapters.pbx.sipuni.vocabulary import read_outcome
from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.phone.callers import (
    Caller,
    CallerKind,
    read_did,
    read_outside_caller,
)
from bridge.domain.phone.phone import PhoneRules

#: What is requested besides the time: all calls, with every extension that rang and talked.
_OPTIONS: Final = {
    "anonymous": "1",
    "crmLinks": "0",
    "dtmfUserAnswer": "0",
    "firstTime": "0",
    "fromNumber": "",
    "hangupinitor": "1",
    "ignoreSpecChar": "1",
    "names": "1",
    "numbersInvolved": "1",
    "numbersRinged": "1",
    "outgoingLine": "1",
    "rating": "",
    "showTreeId": "0",
    "state": "0",
    "toAnswer": "",
    "toNumber": "",
    "tree": "",
    "type": "0",
}

#: Without these a table is something else.
_REQUIRED: Final = frozenset({"тип", "статус", "время", "откуда", "куда"})
_HEADER_WITHIN: Final = 5
_TIME_FORMS: Final = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")

#: "205 (Иванов И.) 65": the number, a name, seconds of talk; the last two may be missing.
_PARTY: Final = re.compile(
    r"(?<![0-9+])(?P<number>\+?[0-9]+)(?![0-9])(?:\s*\([^)]*\))?(?:\s+[0-9]+(?![0-9]))?"
)
_UNIT: Final = re.compile(r"[,(]")
_NAME: Final = re.compile(r"\([^)]*[^\W\d_][^)]*\).*$")
_EXTENSION: Final = re.compile(r"[0-9]{2,5}")
_SECONDS: Final = re.compile(r"[0-9]{1,7}")
_YES: Final = frozenset({"1", "да", "есть", "true", "yes"})
_MAX_REF: Final = 64
_MAX_SCHEME: Final = 100


def signature(values: Mapping[str, str], user: str, key: str) -> str:
    """Return the MD5 of a request's values by name, the cabinet and the key, joined by "+"."""
    signed = "+".join((*(values[name] for name in sorted(values)), user, key))
    return hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()


def export_query(since: datetime, until: datetime, zone: tzinfo) -> dict[str, str]:
    """Return the fields that request the calls between two moments, by the cabinet's clock.

    Whether the times of day bound the whole span or each day of it is not known, so only a span
    within one day is narrowed by them.
    """
    first, last = since.astimezone(zone), until.astimezone(zone)
    one_day = first.date() == last.date()
    whole = last.replace(second=0, microsecond=0)
    if whole < last and (later := whole + timedelta(minutes=1)).date() == last.date():
        last = later  # whether the last minute is included as a whole is not known either
    return {
        **_OPTIONS,
        "from": first.strftime("%d.%m.%Y"),
        "to": last.strftime("%d.%m.%Y"),
        "timeFrom": first.strftime("%H:%M") if one_day else "00:00",
        "timeTo": last.strftime("%H:%M") if one_day else "23:59",
    }


def read_export(body: bytes, zone: tzinfo, rules: PhoneRules) -> list[CallEvent]:
    """Return the calls of an export, each as one HISTORY event; rows without a time are left out.

    Raises:
        ValueError: the body holds no header row of the statistics.
    """
    text = io.StringIO(body.decode("utf-8-sig", "replace"), newline="")
    sheet = csv.reader(text, delimiter=";")
    try:
        rows = list(sheet)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    headers = [[_column_name(cell) for cell in row] for row in rows[:_HEADER_WITHIN]]
    header_row = next((n for n, names in enumerate(headers) if _REQUIRED.issubset(names)), None)
    if header_row is None:
        raise ValueError("no header row")
    names = headers[header_row]
    cells_of_rows = (dict(zip(names, row, strict=False)) for row in rows[header_row + 1 :])
    events = (_read_row(cells, zone, rules) for cells in cells_of_rows)
    return [event for event in events if event is not None]


def _column_name(cell: str) -> str:
    """Return a column's name without its unit: "Длительность звонка, сек" was seen without one."""
    return _UNIT.split(cell.strip().casefold(), maxsplit=1)[0].strip()


def _read_row(row: Mapping[str, str], zone: tzinfo, rules: PhoneRules) -> CallEvent | None:
    cells = {name: cell.strip() for name, cell in row.items()}
    started_at = _moment(cells["время"], zone) if "время" in cells else None
    if started_at is None:
        return None
    talk = _seconds(cells.get("длительность разговора", ""))
    outcome = _outcome(cells.get("статус", ""), talk)
    lasted = _seconds(cells.get("длительность звонка", ""))
    source, destination = cells.get("откуда", ""), cells.get("куда", "")
    direction = _direction(cells.get("тип", ""))
    call_ref = cells.get("id записи", "")[:_MAX_REF]
    answered = outcome is Outcome.ANSWERED
    return CallEvent(
        provider=PROVIDER,
        kind=EventKind.HISTORY,
        at=started_at + (lasted or timedelta(0)),
        call_ref=call_ref,
        code="history",
        direction=direction,
        client=_client(source, destination, direction, rules),
        did=_did(destination, direction, rules),
        extension=_extension(cells, source, direction, answered=answered),
        started_at=started_at,
        outcome=outcome,
        talk_time=talk if answered else None,
        rung_extensions=tuple(dict.fromkeys(_extensions(cells.get("кому звонили", "")))),
        recording=call_ref if answered and _recorded(cells) else "",
        scheme=cells.get("схема", "")[:_MAX_SCHEME],
    )


def _direction(kind: str) -> Direction | None:
    kind = kind.casefold()
    for prefix, direction in (
        ("вход", Direction.INBOUND),
        ("исход", Direction.OUTBOUND),
        ("внутр", Direction.INTERNAL),
    ):
        if kind.startswith(prefix):
            return direction
    return None


def _outcome(status: str, talk: timedelta | None) -> Outcome | None:
    """Return how a call ended: by «Отвечен», «Не отвечен» and the like, else by its talk time.

    An unknown status is not "no answer", also where it begins with «не».
    """
    known = read_outcome(status)
    if known is not None:
        return known
    folded = status.casefold()
    for prefix, outcome in (
        ("отвеч", Outcome.ANSWERED),
        ("не отв", Outcome.NO_ANSWER),
        ("не прин", Outcome.NO_ANSWER),
        ("пропущ", Outcome.NO_ANSWER),
        ("занят", Outcome.BUSY),
    ):
        if folded.startswith(prefix):
            return outcome
    if talk is None:
        return None
    return Outcome.ANSWERED if talk else Outcome.NO_ANSWER


def _client(
    source: str, destination: str, direction: Direction | None, rules: PhoneRules
) -> Caller | None:
    match direction:
        case Direction.INBOUND:
            return read_outside_caller(_bare(source), rules)
        case Direction.OUTBOUND:
            return read_outside_caller(_bare(destination), rules)
        case Direction.INTERNAL:
            dialled = _extensions(source)
            if dialled:
                return Caller(CallerKind.INTERNAL, dialled[0], extension=dialled[0])
    return None


def _did(destination: str, direction: Direction | None, rules: PhoneRules) -> str:
    if direction is not Direction.INBOUND or _extensions(destination):
        return ""
    return read_did(_bare(destination), rules)


def _extension(
    cells: Mapping[str, str], source: str, direction: Direction | None, *, answered: bool
) -> str:
    """Return the extension that dialled, else the last that talked, else the one that answered."""
    if direction is Direction.OUTBOUND:
        dialled = _extensions(source)
        if dialled:
            return dialled[0]
    if not answered:
        return ""
    columns = (cells.get(name, "") for name in ("кто разговаривал", "кто ответил"))
    talked = next(filter(None, map(_extensions, columns)), [])
    return talked[-1] if talked else ""


def _extensions(cell: str) -> list[str]:
    """Return the extensions in *cell*, in order; numbers outside are left out."""
    numbers = (found["number"] for found in _PARTY.finditer(cell))
    return [number for number in numbers if _EXTENSION.fullmatch(number)]


def _bare(party: str) -> str:
    """Return a party without the name behind it."""
    return _NAME.sub("", party).strip()


def _recorded(cells: Mapping[str, str]) -> bool:
    """Return whether there is a recording; without the column, an answered call has one."""
    cell = cells.get("запись существует")
    return cell is None or cell.casefold() in _YES


def _seconds(text: str) -> timedelta | None:
    return timedelta(seconds=int(text)) if _SECONDS.fullmatch(text) else None


def _moment(text: str, zone: tzinfo) -> datetime | None:
    for form in _TIME_FORMS:
        try:
            wall = datetime.strptime(text, form).replace(tzinfo=zone)
            return wall.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
