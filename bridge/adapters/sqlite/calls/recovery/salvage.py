"""Copying what can still be read of a damaged ledger, row by row, into its successor.

A damaged page hides the rows on it and no others: reading goes on behind it. A document that
cannot be decoded is not copied; it is kept in the file that was set aside.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from bridge.adapters.sqlite.calls.migration import (
    ManagersByRow,
    read_managers_by_row,
    upgrade_document,
)
from bridge.adapters.sqlite.calls.rows import (
    COLUMNS,
    decode_call,
    decode_choice,
    decode_entry,
    decode_event,
    decode_missed_call,
    decode_talk,
    entry_row,
)
from bridge.adapters.sqlite.file.sqlite_file import Row, SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS, SQLITE_ERRORS
from bridge.domain.delivery.entry import EntryState
from bridge.domain.delivery.outbox import recover_after_crash
from bridge.errors import StoreDamaged

# ruff: noqa: S608 - tables and columns are constants of ours.

_DECODERS: Final[dict[str, Callable[[str], object]]] = {
    "calls": decode_call,
    "outbox": decode_entry,
    "choices": decode_choice,
    "debts": decode_missed_call,
    "talks": decode_talk,
    "events": decode_event,
}
_LAST_ROW: Final = 1 << 62


def salvage(source: Path, target: SqliteFile, now: datetime) -> int:
    """Copy what can be read of the file at *source* to *target*; return the number of calls.

    What was being sent is due again, and is looked for in 1C before it is created.
    """
    try:
        connection = sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)
    except SQLITE_ERRORS:
        return 0
    try:
        with target.transaction():
            return _copy_all(connection, target, now)
    finally:
        connection.close()


def check_documents(file: SqliteFile) -> None:
    """Decode every document of the ledger; raises StoreDamaged where one cannot be."""
    for table, decode in _DECODERS.items():
        for _, text in file.stream(f"SELECT id, doc FROM {table}"):
            try:
                decode(text)
            except DECODE_ERRORS as error:
                reason = f"a document of {table} is damaged: {type(error).__name__}"
                raise StoreDamaged(str(file.path), reason) from error


def _copy_all(source: sqlite3.Connection, target: SqliteFile, now: datetime) -> int:
    calls = 0
    managers = read_managers_by_row(target.path.parent)
    for table, decode in _DECODERS.items():
        columns = ("id", "doc", *(name for name, _ in COLUMNS.get(table, ())))
        places = ", ".join("?" * len(columns))
        rows = _upgraded(table, _rows(source, table, columns), managers)
        readable = (row for row in rows if _is_readable(decode, row[1]))
        if table == "outbox":
            readable = (_recovered(row, now) for row in readable)
        statement = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({places})"
        copied = target.execute_many(statement, readable)
        calls += copied if table == "calls" else 0
    # An entry without its call cannot be delivered: the document is made of the call.
    target.execute("DELETE FROM outbox WHERE id NOT IN (SELECT id FROM calls)")
    return calls


def _rows(source: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows that can be read; behind damage with steps that double."""
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE id > ? ORDER BY id"
    last, step = 0, 0
    while last + step < _LAST_ROW:
        try:
            for row in source.execute(query, (last + step,)):
                last, step = int(row[0]), 0
                yield row
        except (*SQLITE_ERRORS, *DECODE_ERRORS):
            step = 2 * step + 1
        else:
            return


def _upgraded(table: str, rows: Iterable[Row], managers: ManagersByRow) -> Iterator[Row]:
    """Yield *rows* with today's keys; one that is no document is left out."""
    for number, text, *columns in rows:
        with suppress(*DECODE_ERRORS):
            yield number, upgrade_document(table, text, managers), *columns


def _is_readable(decode: Callable[[str], object], text: str) -> bool:
    try:
        decode(text)
    except DECODE_ERRORS:
        return False
    return True


def _recovered(row: Row, now: datetime) -> Row:
    entry = decode_entry(row[1])
    if entry.state is not EntryState.SENDING:
        return row
    return (row[0], *entry_row(recover_after_crash(entry, now)))
