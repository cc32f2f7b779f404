"""The ledger's calls as pages look for them and count them: read-only, off the event loop.

SQL narrows down by the columns of a document, in C and without the interpreter's lock; a name it
finds anywhere in the document, and that it is one of the names is verified.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bridge.adapters.sqlite.calls.queries import call_conditions
from bridge.adapters.sqlite.calls.rows import (
    CALL_NUMBER,
    CALL_RECEIVED_AT,
    decode_call,
    to_micros,
)
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.reporting.figures import CallFact
from bridge.domain.reporting.search_names import normalise_name, searchable_names
from bridge.domain.routing.decision import Rule
from bridge.domain.whole_numbers import read_whole_number
from bridge.errors import StoreDamaged, StoreError
from bridge.ports.stores.calls import CallSearch

# ruff: noqa: S608 - tables and expressions are constants of this house.

_FACT: Final = (
    f"SELECT {CALL_RECEIVED_AT}, doc ->> '$.direction', doc ->> '$.state.disposition', "
    f"doc ->> '$.decision.rule', doc ->> '$.state.wait_time', doc ->> '$.provider' FROM calls "
    f"WHERE {CALL_RECEIVED_AT} >= ? AND {CALL_RECEIVED_AT} < ? AND NOT doc ->> '$.is_test_request' ORDER BY {CALL_RECEIVED_AT}"
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class SqliteCallHistory:
    """Reads the ledger at *path*; raises StoreError when it cannot."""

    def __init__(self, path: Path):
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="call-history")
        self._file: SqliteFile | None = None

    async def find(
        self, wanted: CallSearch, *, limit: int, after: str = ""
    ) -> tuple[Sequence[PhoneCall], str]:
        """Find calls, newest first, and the word by which the next page goes on; empty: no more.

        *after* is such a word; one that is none begins anew.
        """
        return await self._do(lambda file: _find(file, wanted, limit, after))

    async def facts(self, since: datetime, until: datetime) -> Sequence[CallFact]:
        """Give what figures are made of, for the calls received from *since* until *until*."""
        return await self._do(lambda file: _facts(file, since, until))

    async def each(self, since: datetime, look: Callable[[PhoneCall], None]) -> None:
        """Show every call received since *since* to *look*, in a thread of ours."""
        await self._do(lambda file: _each(file, since, look))

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_file)
        self._thread.shutdown()

    async def _do(self, question: Callable[[SqliteFile], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._ask, question)

    def _ask(self, question: Callable[[SqliteFile], T]) -> T:
        try:
            if self._file is not None and self._file.was_replaced():
                self._close_file()
            if self._file is None:
                self._file = SqliteFile(self._path, read_only=True)
            return question(self._file)
        except StoreError:
            self._close_file()
            raise
        except DECODE_ERRORS as error:
            raise StoreDamaged(str(self._path), f"a document is damaged: {error}") from error

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _find(
    file: SqliteFile, wanted: CallSearch, limit: int, after: str
) -> tuple[list[PhoneCall], str]:
    where, values = _conditions(wanted)
    cursor = _read_cursor(after)
    if cursor is not None:
        where += f" AND ({CALL_RECEIVED_AT}, calls.id) < (?, ?)"
        values += cursor
    question = (
        f"SELECT {CALL_RECEIVED_AT}, calls.id, calls.doc FROM calls WHERE {where} "
        f"ORDER BY {CALL_RECEIVED_AT} DESC, calls.id DESC"
    )
    names = [normalise_name(word) for word in wanted.name.split()]
    found: list[PhoneCall] = []
    place = ""
    for at, row, text in file.stream(question, values):
        call = decode_call(text)
        if names:
            known = searchable_names(call)
            if not all(name in known for name in names):
                continue
        if len(found) == limit:
            return found, place
        found.append(call)
        place = f"{at}-{row}"
    return found, ""


def _conditions(wanted: CallSearch) -> tuple[str, list[object]]:
    where, values = call_conditions(wanted.filter, None, None)
    if wanted.digits:
        where += f" AND instr({CALL_NUMBER}, ?) > 0"
        values.append(wanted.digits)
    for word in wanted.name.split():
        where += " AND calls.doc GLOB ?"
        values.append(f"*{_in_any_case(word)}*")
    return where, values


def _in_any_case(word: str) -> str:
    """Write *word* as a GLOB pattern that minds neither case nor ё; SQLite knows ASCII's alone."""
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


def _each(file: SqliteFile, since: datetime, look: Callable[[PhoneCall], None]) -> None:
    question = (
        f"SELECT calls.doc FROM calls WHERE {CALL_RECEIVED_AT} >= ? ORDER BY {CALL_RECEIVED_AT}"
    )
    for (text,) in file.stream(question, (to_micros(since),)):
        look(decode_call(text))
