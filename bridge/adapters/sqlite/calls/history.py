"""Searching and counting the ledger's calls for pages: read-only, off the event loop.

SQL narrows down by columns and parts of the document, in C and without the interpreter's lock. A
name may be found anywhere in the document; that it is one of its names is verified in Python.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from bridge.adapters.sqlite.calls.queries import call_conditions
from bridge.adapters.sqlite.calls.rows import (
    CALL_NUMBER,
    CALL_RECEIVED_AT,
    decode_call,
    to_micros,
)
from bridge.adapters.sqlite.file.read_thread import ReadThread
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.reporting.figures import CallFact
from bridge.domain.reporting.search_names import normalise_name, searchable_names
from bridge.domain.routing.decision import Rule
from bridge.domain.whole_numbers import read_whole_number
from bridge.ports.stores.calls import CallSearch

# ruff: noqa: S608 - tables and expressions are constants of ours.

_FACT: Final = (
    f"SELECT {CALL_RECEIVED_AT}, doc ->> '$.direction', doc ->> '$.state.disposition', "
    f"doc ->> '$.decision.rule', doc ->> '$.state.wait_time', doc ->> '$.provider' FROM calls "
    f"WHERE {CALL_RECEIVED_AT} >= ? AND {CALL_RECEIVED_AT} < ? "
    f"AND NOT doc ->> '$.is_test_request' ORDER BY {CALL_RECEIVED_AT}"
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SqliteCallHistory:
    """Reads the ledger at *path*; every method may raise StoreError."""

    def __init__(self, path: Path):
        self._thread = ReadThread(path, "call-history")

    async def find(
        self, search: CallSearch, *, limit: int, after: str = ""
    ) -> tuple[Sequence[PhoneCall], str]:
        """Return calls, newest first, and the cursor of the next page, empty: no more.

        *after* is such a cursor; one that cannot be read begins at the first page.
        """
        return await self._thread.run(lambda file: _find(file, search, limit, after))

    async def facts(self, since: datetime, until: datetime) -> Sequence[CallFact]:
        """Return one fact for each call received from *since* until *until*."""
        return await self._thread.run(lambda file: _facts(file, since, until))

    async def each(self, since: datetime, look: Callable[[PhoneCall], None]) -> None:
        """Call *look* with every call received since *since*, in a thread of this object."""
        await self._thread.run(lambda file: _for_each(file, since, look))

    async def close(self) -> None:
        """Close the file."""
        await self._thread.close()


def _find(
    file: SqliteFile, search: CallSearch, limit: int, after: str
) -> tuple[list[PhoneCall], str]:
    where, values = _conditions(search)
    cursor = _read_cursor(after)
    if cursor is not None:
        where += f" AND ({CALL_RECEIVED_AT}, calls.id) < (?, ?)"
        values += cursor
    query = (
        f"SELECT {CALL_RECEIVED_AT}, calls.id, calls.doc FROM calls WHERE {where} "
        f"ORDER BY {CALL_RECEIVED_AT} DESC, calls.id DESC"
    )
    names = [normalise_name(word) for word in search.name.split()]
    found: list[PhoneCall] = []
    cursor_text = ""
    for at, row, text in file.stream(query, values):
        call = decode_call(text)
        if names:
            known = searchable_names(call)
            if not all(name in known for name in names):
                continue
        if len(found) == limit:
            return found, cursor_text
        found.append(call)
        cursor_text = f"{at}-{row}"
    return found, ""


def _conditions(search: CallSearch) -> tuple[str, list[object]]:
    where, values = call_conditions(search.filter, None, None)
    if search.digits:
        where += f" AND instr({CALL_NUMBER}, ?) > 0"
        values.append(search.digits)
    for word in search.name.split():
        where += " AND calls.doc GLOB ?"
        values.append(f"*{_in_any_case(word)}*")
    return where, values


def _in_any_case(word: str) -> str:
    """Return *word* as a GLOB pattern for any case and ё or е; SQLite folds ASCII only."""
    return "".join(_either(sign) for sign in _as_in_json(word))


def _either(sign: str) -> str:
    if sign.casefold() in "её":
        return "[еЕёЁ]"
    if sign.isalpha():
        return f"[{sign.lower()}{sign.upper()}]"
    return f"[{sign}]" if sign in "*?[" else sign


def _as_in_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]


def _read_cursor(text: str) -> list[int] | None:
    at, _, row = text.partition("-")
    places = [
        read_whole_number(part, 10**17) for part in (at, row)
    ]  # microseconds, an SQLite integer
    return [place for place in places if place is not None] if None not in places else None


def _facts(file: SqliteFile, since: datetime, until: datetime) -> list[CallFact]:
    return [
        CallFact(
            _EPOCH + timedelta(microseconds=at),
            Direction(direction),
            Disposition(disposition or Disposition.RINGING),
            Rule(rule),
            None if wait is None else msgspec.convert(wait, timedelta),
            provider or "",
        )
        for at, direction, disposition, rule, wait, provider in file.stream(
            _FACT, (to_micros(since), to_micros(until))
        )
    ]


def _for_each(file: SqliteFile, since: datetime, look: Callable[[PhoneCall], None]) -> None:
    query = f"SELECT calls.doc FROM calls WHERE {CALL_RECEIVED_AT} >= ? ORDER BY {CALL_RECEIVED_AT}"
    for (text,) in file.stream(query, (to_micros(since),)):
        look(decode_call(text))
