"""Sipuni's statistics: the question for a time, signed, and the CSV that answers, row by row.

The 22 fields, the headers and the forms of parties: facts/telephony-apis.md §1.5. Columns are known
by their header, since options shift them; a body without the header row is no statistics.
"""

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from bridge.adapters.pbx.sipuni.vocabulary import read_outcome
from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.phone.callers import (
    Caller,
    CallerKind,
    read_did,
    read_outside_caller,
)
from bridge.domain.phone.phone import PhoneRules

#: What is asked for besides the time: all calls, with everybody who was rung and who talked.
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

#: "205 (Иванов И.) 65": who, his name, his seconds; the last two may be missing.
_PARTY: Final = re.compile(
    r"(?<![0-9+])(?P<who>\+?[0-9]+)(?![0-9])(?:\s*\([^)]*\))?(?:\s+[0-9]+(?![0-9]))?"
)
_UNIT: Final = re.compile(r"[,(]")
_NAME: Final = re.compile(r"\([^)]*[^\W\d_][^)]*\).*$")
_EXTENSION: Final = re.compile(r"[0-9]{2,5}")
_NUMBER: Final = re.compile(r"[0-9]{1,7}")
_YES: Final = frozenset({"1", "да", "есть", "true", "yes"})
_MAX_REF: Final = 64
_MAX_SCHEME: Final = 100


def signature(values: Mapping[str, str], user: str, key: str) -> str:
    """Sign a request: MD5 of its values by name, then the cabinet, then the key, joined by "+"."""
    signed = "+".join((*(values[name] for name in sorted(values)), user, key))
    return hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()


def export_query(since: datetime, until: datetime, zone: tzinfo) -> dict[str, str]:
    """Give the fields that ask for the calls between two moments, by the cabinet's clock.

    Whether the times of day bound the whole span or each day of it is not known, so only a span
    within one day is narrowed by them.
    """
    first, last = since.astimezone(zone), until.astimezone(zone)
    one_day = first.date() == last.date()
    whole = last.replace(second=0, microsecond=0)
    if whole < last and (later := whole + timedelta(minutes=1)).date() == last.date():
        last = later  # whether the last minute counts as a whole is not known either
    return {
        **_OPTIONS,
        "from": first.strftime("%d.%m.%Y"),
        "to": last.strftime("%d.%m.%Y"),
        "timeFrom": first.strftime("%H:%M") if one_day else "00:00",
        "timeTo": last.strftime("%H:%M") if one_day else "23:59",
    }


def read_export(body: bytes, zone: tzinfo, rules: PhoneRules) -> list[CallEvent]:
    """Read the calls of an export, each as one HISTORY event; rows without a time are left out.

    Raises:
        ValueError: the body holds no header row of the statistics.
    """
    sheet = csv.reader(io.StringIO(body.decode("utf-8-sig", "replace"), newline=""), delimiter=";")
    try:
        rows = list(sheet)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    headers = [[_header(cell) for cell in row] for row in rows[:_HEADER_WITHIN]]
    place = next((n for n, names in enumerate(headers) if _REQUIRED.issubset(names)), None)
    if place is None:
        raise ValueError("no header row")
    told = (dict(zip(headers[place], cells, strict=False)) for cells in rows[place + 1 :])
    events = (_read_row(row, zone, rules) for row in told)
    return [event for event in events if event is not None]


def _header(cell: str) -> str:
    """Give a column's name without its unit: "Длительность звонка, сек" has been seen without."""
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
        provider="sipuni",
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
    for beginning, direction in (
        ("вход", Direction.INBOUND),
        ("исход", Direction.OUTBOUND),
        ("внутр", Direction.INTERNAL),
    ):
        if kind.startswith(beginning):
            return direction
    return None


def _outcome(status: str, talk: timedelta | None) -> Outcome | None:
    """Return how a call ended: «Отвечен», «Не отвечен» and their kin, else what its talk tells.

    A word that nobody knows is no "not answered", also where it begins with «не».
    """
    known = read_outcome(status)
    if known is not None:
        return known
    beginning = status.casefold()
    for word, outcome in (
        ("отвеч", Outcome.ANSWERED),
        ("не отв", Outcome.NO_ANSWER),
        ("не прин", Outcome.NO_ANSWER),
        ("пропущ", Outcome.NO_ANSWER),
        ("занят", Outcome.BUSY),
    ):
        if beginning.startswith(word):
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
    """Give who dialled an outgoing call, else the last who talked, else who answered."""
    if direction is Direction.OUTBOUND:
        dialled = _extensions(source)
        if dialled:
            return dialled[0]
    if not answered:
        return ""
    told = (cells.get(name, "") for name in ("кто разговаривал", "кто ответил"))
    talked = next(filter(None, map(_extensions, told)), [])
    return talked[-1] if talked else ""


def _extensions(cell: str) -> list[str]:
    """Read the people of the company in *cell*, in order; numbers outside are left out."""
    return [found["who"] for found in _PARTY.finditer(cell) if _EXTENSION.fullmatch(found["who"])]


def _bare(party: str) -> str:
    """Give a party without the name behind it."""
    return _NAME.sub("", party).strip()


def _recorded(cells: Mapping[str, str]) -> bool:
    """Whether there is a recording; where the column is not sent, an answered call has one."""
    said = cells.get("запись существует")
    return said is None or said.casefold() in _YES


def _seconds(text: str) -> timedelta | None:
    return timedelta(seconds=int(text)) if _NUMBER.fullmatch(text) else None


def _moment(text: str, zone: tzinfo) -> datetime | None:
    for form in _TIME_FORMS:
        try:
            wall = datetime.strptime(text, form).replace(tzinfo=zone)
            return wall.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
