"""Batches of ledger writes in one transaction each; for the writer's thread and its connection."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from bridge.adapters.sqlite.calls import outbox_writes
from bridge.adapters.sqlite.calls.retention import delete_old_calls, delete_old_events, record_day
from bridge.adapters.sqlite.calls.rows import (
    CALL_KEY,
    call_row,
    decode_call,
    decode_entry,
    encode_event,
    encode_talk,
    missed_call_row,
    to_micros,
)
from bridge.adapters.sqlite.calls.writes import (
    ApplyChange,
    CheckFile,
    DeletedBatch,
    DeleteOldCalls,
    DeleteOldEvents,
    DropEntry,
    LedgerWrite,
    RecordCall,
    RecordDay,
    RecordEvent,
    RecoverEntries,
    RescheduleEntries,
    ResumeEntries,
    RetryEntry,
    SaveChoice,
    SaveEntry,
    WriteResult,
)
from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION, SqliteFile
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery import ledger_rules
from bridge.errors import StoreError
from bridge.ports.stores.ledger import LedgerChange

# ruff: noqa: S608 - tables and columns are constants of ours.

#: Rows of one INSERT; few forms of the statement, so that SQLite's cache of them keeps all.
_ROWS_AT_ONCE: Final = 64

#: A call with its entry as one row of one statement, and so one durable transaction by itself. The
#: interpreter's lock changes hands with every statement, and the event loop, which is busy with
#: other callers, may keep it for milliseconds each time: ten statements cost more than the disk.
_RECORDING: Final = (
    """
    CREATE TEMP VIEW IF NOT EXISTS recording AS SELECT 0 AS id, '' AS call, '' AS key, 0 AS at,
    0 AS number, '' AS ref, '' AS client, '' AS entry, '' AS state, 0 AS due
    """,
    """
    CREATE TEMP TRIGGER IF NOT EXISTS record INSTEAD OF INSERT ON recording BEGIN
    INSERT INTO calls (id, doc, key, at, number, ref, client)
    VALUES (new.id, new.call, new.key, new.at, new.number, new.ref, new.client)
    ON CONFLICT DO NOTHING;
    INSERT INTO outbox (id, doc, state, due) SELECT new.id, new.entry, new.state, new.due
    WHERE new.entry IS NOT NULL AND EXISTS (SELECT 1 FROM calls WHERE id = new.id);
    END
    """,
)
_NO_ENTRY: Final = (None, None, None)

#: Batches after which the log is moved into the file when no job waits, and the bytes of the log
#: at which SQLite does so while jobs wait.
_BATCHES_BETWEEN_CHECKPOINTS: Final = 200
_MAX_LOG_BYTES: Final = 16 << 20


def open_as_guest(path: Path) -> SqliteFile:
    """Open the ledger for the writer of a guest."""
    file = SqliteFile(path)
    defer_checkpoints(file)
    return file


def defer_checkpoints(file: SqliteFile) -> None:
    """Let SQLite move the log into the file only where it has become very long."""
    ((page,),) = file.read("PRAGMA page_size")
    file.execute(f"PRAGMA wal_autocheckpoint = {_MAX_LOG_BYTES // page}")


class LedgerWriter:
    """Does batches of writes, each durable when it returns."""

    def __init__(self) -> None:
        self._file: SqliteFile | None = None
        self._highest_row = 0
        self._batches = 0

    def checkpoint(self, file: SqliteFile) -> None:
        """Move the log into the file, if many batches were written; takes some milliseconds."""
        if self._batches >= _BATCHES_BETWEEN_CHECKPOINTS:
            self._batches = 0
            file.read("PRAGMA wal_checkpoint(PASSIVE)")

    def write_all(
        self, file: SqliteFile, writes: Sequence[LedgerWrite]
    ) -> list[WriteResult | StoreError]:
        """Do *writes* in their order, but new calls first and together; return their results."""
        self._batches += 1
        records = [write for write in writes if isinstance(write, RecordCall)]
        if len(records) == len(writes) <= _ROWS_AT_ONCE:
            return [*self._record(file, records)]
        with file.transaction():
            recorded = [
                call
                for at in range(0, len(records), _ROWS_AT_ONCE)
                for call in self._record(file, records[at : at + _ROWS_AT_ONCE])
            ]
            rest = iter(recorded)
            results = [
                next(rest) if isinstance(write, RecordCall) else _write(file, write)
                for write in writes
            ]
        if any(isinstance(write, ApplyChange) for write in writes):
            self._file = None  # calls may have been added: the highest row is another
        return results

    def _record(self, file: SqliteFile, records: Sequence[RecordCall]) -> list[PhoneCall]:
        """Insert calls and entries by one statement; of each key the first one stands."""
        if not records:
            return []
        if file is not self._file:
            for statement in _RECORDING:
                file.execute(statement)
            ((self._highest_row,),) = file.read("SELECT coalesce(max(id), 0) FROM calls")
            self._file = file
        first = self._highest_row + 1
        before = file.connection.total_changes
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(records))
        file.execute(
            f"INSERT INTO recording VALUES {places}",
            [
                value
                for row, record in enumerate(records, first)
                for value in (row, *record.call_row, *(record.entry_row or _NO_ENTRY))
            ],
        )
        self._highest_row += len(records)
        entries = sum(record.entry_row is not None for record in records)
        if file.connection.total_changes - before == len(records) + entries:
            return [record.call for record in records]
        new = {row for (row,) in file.read("SELECT id FROM calls WHERE id >= ?", (first,))}
        return [
            record.call if row in new else _record_again(file, record)
            for row, record in enumerate(records, first)
        ]


def _record_again(file: SqliteFile, record: RecordCall) -> PhoneCall:
    """Apply `record_again` to a call whose key is there already; return the call that stands."""
    key = record.call.key
    ((row, text),) = file.read(f"SELECT id, doc FROM calls WHERE {CALL_KEY} = ?", (key,))
    standing, standing_entry = decode_call(text), outbox_writes.read_entry(file, row)
    entry = None if record.entry_row is None else decode_entry(record.entry_row[0])
    recorded = ledger_rules.record_again(standing, standing_entry, record.call, entry)
    if recorded.call != standing:
        _put_call(file, recorded.call)
    outbox_writes.put_entry(file, row, standing_entry, recorded.entry)
    return recorded.call


def _write(file: SqliteFile, write: LedgerWrite) -> WriteResult | StoreError:
    match write:
        case RecordEvent(document, received_at):
            file.execute("INSERT INTO events (doc, at) VALUES (?, ?)", (document, received_at))
        case ApplyChange(change, now):
            _apply_change(file, change, now)
        case SaveChoice(number, document):
            file.execute(
                "INSERT INTO choices (id, doc) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
                (number, document),
            )
        case DeleteOldCalls() | DeleteOldEvents() | RecordDay():
            return _write_retention(file, write)
        case CheckFile(write=True):
            file.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        case CheckFile():
            pass
        case RecordCall():
            raise TypeError("calls are recorded together")
        case _:
            return _write_entries(file, write)
    return None


def _write_entries(
    file: SqliteFile,
    write: SaveEntry | DropEntry | RetryEntry | RecoverEntries | ResumeEntries | RescheduleEntries,
) -> WriteResult | StoreError:
    match write:
        case SaveEntry():
            return outbox_writes.save_entry(file, write)
        case DropEntry(key):
            return outbox_writes.drop_entry(file, key)
        case RetryEntry(key, now):
            return outbox_writes.retry_entry(file, key, now)
        case RecoverEntries(now):
            return outbox_writes.recover_entries(file, now)
        case ResumeEntries():
            return outbox_writes.resume_entries(file, write)
        case RescheduleEntries():
            return outbox_writes.reschedule_entries(file, write)


def _write_retention(
    file: SqliteFile, write: DeleteOldCalls | DeleteOldEvents | RecordDay
) -> WriteResult:
    match write:
        case DeleteOldCalls(before, after):
            return DeletedBatch(*delete_old_calls(file, before, after))
        case DeleteOldEvents(before):
            return DeletedBatch(None, delete_old_events(file, before))
        case RecordDay(now):
            record_day(file, now)
    return None


def _apply_change(file: SqliteFile, change: LedgerChange, now: datetime) -> None:
    for call in change.calls:
        _put_call(file, call)
    for entry in change.entries:
        ((row,),) = file.read(f"SELECT id FROM calls WHERE {CALL_KEY} = ?", (entry.key,))
        standing = outbox_writes.read_entry(file, row)
        added = ledger_rules.add_or_keep(standing, entry)
        outbox_writes.put_entry(file, row, standing, added)
    for key in change.reopened:
        for (row,) in file.read(f"SELECT id FROM calls WHERE {CALL_KEY} = ?", (key,)):
            outbox_writes.reopen(file, row, now)
    for missed_call in change.missed_calls:
        file.execute(
            "INSERT INTO debts (doc, key, client, closed) VALUES (?, ?, ?, ?) ON CONFLICT (key) "
            "DO UPDATE SET doc = excluded.doc, client = excluded.client, closed = excluded.closed",
            missed_call_row(missed_call),
        )
    for talk in change.talks:
        file.execute(
            "INSERT INTO talks (id, doc) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
            (talk.number, encode_talk(talk)),
        )
    if change.new_events:
        file.execute_many(
            "INSERT INTO events (doc, at, call) VALUES (?, ?, ?)",
            [
                (encode_event(event), to_micros(event.received_at), key)
                for event, key in change.new_events
            ],
        )
    for row, key in change.assigned_events:
        file.execute("UPDATE events SET call = ? WHERE id = ?", (key, row))


def _put_call(file: SqliteFile, call: PhoneCall) -> None:
    document, *columns = call_row(call)
    changed = file.execute(
        "UPDATE calls SET doc = ?, key = ?, at = ?, number = ?, ref = ?, client = ? WHERE key = ?",
        (document, *columns, call.key),
    )
    if not changed:
        file.execute(
            "INSERT INTO calls (id, doc, key, at, number, ref, client) "
            "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM calls), ?, ?, ?, ?, ?, ?)",
            (document, *columns),
        )
