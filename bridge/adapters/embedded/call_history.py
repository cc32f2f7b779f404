"""The ledger's calls as pages look for them and count them: read-only, off the event loop.

SQL narrows down by the columns of a document, in C and without the interpreter's lock; what it
cannot compare (letter case beyond ASCII) it guesses, and each guess is verified.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from bridge.adapters.embedded.ledger_rows import AT, NUMBER, micros, read_call
from bridge.adapters.embedded.sqlite_file import SqliteFile
from bridge.domain.call_events import Direction
from bridge.domain.calls import Disposition, PhoneCall
from bridge.domain.decision import Rule
from bridge.domain.figures import CallFact
from bridge.domain.history import CallFilter, fold, names_in
from bridge.errors import StoreError

# ruff: noqa: S608 - tables and expressions are constants of this house.

_CALL: Final = "json_extract(calls.doc, '$.call.{}')"
_DIRECTION: Final = _CALL.format("direction")
_DISPOSITION: Final = _CALL.format("life.disposition")
_ENDS: Final = (
    f"{_CALL.format('decision.targets[0][0]')} = ?1 OR {_CALL.format('placed_by')} = ?1 "
    f"OR {_CALL.format('decision.fallback[0]')} = ?1 "
    "OR EXISTS (SELECT 1 FROM json_each(calls.doc, '$.call.life.rung') AS e WHERE e.value = ?1) "
    "OR EXISTS (SELECT 1 FROM json_each(calls.doc, '$.call.life.talked') AS e WHERE e.value = ?1)"
)
_FACT: Final = (
    f"SELECT {AT}, {_DIRECTION}, {_DISPOSITION}, {_CALL.format('decision.rule')}, "
    f"{_CALL.format('life.wait')} FROM calls "
    f"WHERE {AT} >= ? AND {AT} < ? AND coalesce({_CALL.format('blank')}, 0) = 0 ORDER BY {AT}"
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class CallHistory:
    """Reads the ledger at *path*; raises StoreError when it cannot."""

    def __init__(self, path: Path):
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="call-history")
        self._file: SqliteFile | None = None

    async def find(
        self, wanted: CallFilter, *, limit: int, after: str = ""
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
            if self._file is None:
                self._file = SqliteFile(self._path, read_only=True)
            return question(self._file)
        except StoreError:
            self._close_file()
            raise
        except (msgspec.MsgspecError, ValueError) as error:
            raise StoreError(str(self._path), f"a document is damaged: {error}") from error

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _find(
    file: SqliteFile, wanted: CallFilter, limit: int, after: str
) -> tuple[list[PhoneCall], str]:
    where, values = _conditions(wanted)
    cursor = _read_cursor(after)
    if cursor is not None:
        where.append(f"({AT}, calls.id) < (?, ?)")
        values += cursor
    # ?1 is the extension wherever it stands; the plain marks count on from behind it.
    values = [wanted.extension, *values]
    question = (
        f"SELECT {AT}, calls.id, calls.doc FROM calls WHERE ?1 = ?1 AND {' AND '.join(where)} "
        f"ORDER BY {AT} DESC, calls.id DESC"
    )
    names = [fold(word) for word in wanted.name.split()]
    found: list[PhoneCall] = []
    place = ""
    for at, row, text in file.stream(question, values):
        call = read_call(text)
        if names:
            known = names_in(call)
            if not all(name in known for name in names):
                continue
        if len(found) == limit:
            return found, place
        found.append(call)
        place = f"{at}-{row}"
    return found, ""


def _conditions(wanted: CallFilter) -> tuple[list[str], list[Any]]:
    where, values = ["1"], list[Any]()

    def must(condition: str, *given: object) -> None:
        where.append(condition)
        values.extend(given)

    if wanted.since is not None:
        must(f"{AT} >= ?", micros(wanted.since))
    if wanted.until is not None:
        must(f"{AT} < ?", micros(wanted.until))
    if wanted.direction is not None:
        must(f"{_DIRECTION} = ?", wanted.direction.value)
    if wanted.disposition is not None:
        must(f"coalesce({_DISPOSITION}, 'ringing') = ?", wanted.disposition.value)
    if wanted.extension:
        must(f"({_ENDS})")
    if wanted.number is not None:
        must(f"{NUMBER} = ?", wanted.number)
    if wanted.digits:
        must(f"instr({NUMBER}, ?) > 0", wanted.digits)
    for word in wanted.name.split():
        spellings = sorted({word, word.lower(), word.upper(), word.capitalize()})
        must(
            f"({' OR '.join(['instr(calls.doc, ?) > 0'] * len(spellings))})",
            *(_as_in_json(spelling) for spelling in spellings),
        )
    return where, values


def _as_in_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]


def _read_cursor(text: str) -> list[int] | None:
    at, _, row = text.partition("-")
    plain = all(part.isascii() and part.isdigit() and len(part) < 18 for part in (at, row))  # noqa: PLR2004 - an SQLite integer
    return [int(at), int(row)] if plain else None


def _facts(file: SqliteFile, since: datetime, until: datetime) -> list[CallFact]:
    return [
        CallFact(
            _EPOCH + timedelta(microseconds=at),
            Direction(direction),
            Disposition(disposition or Disposition.RINGING),
            Rule(rule),
            None if wait is None else msgspec.convert(wait, timedelta),
        )
        for at, direction, disposition, rule, wait in file.stream(
            _FACT, (micros(since), micros(until))
        )
    ]


def _each(file: SqliteFile, since: datetime, look: Callable[[PhoneCall], None]) -> None:
    question = f"SELECT calls.doc FROM calls WHERE {AT} >= ? ORDER BY {AT}"
    for (text,) in file.stream(question, (micros(since),)):
        look(read_call(text))
