"""Deleting old records, and the days by which their age is counted; on the writer's thread."""

from datetime import datetime

from bridge.adapters.sqlite.calls.rows import (
    day_row,
    decode_call,
    decode_entry,
    decode_missed_call,
    to_micros,
)
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.delivery.retention import is_done
from bridge.ports.stores.retention import DeletedRecords

#: Calls read in one transaction: a caller's record may have to wait behind it.
_BATCH = 200


def delete_old_calls(
    file: SqliteFile, before: datetime, after: int
) -> tuple[int | None, DeletedRecords]:
    """Delete calls behind the row *after* that are old and done (`retention.is_done`).

    Return the last row that was read, None where no more are old, and what was deleted.
    """
    rows = file.read(
        "SELECT calls.id, calls.doc, outbox.doc FROM calls LEFT JOIN outbox USING (id) "
        "WHERE calls.at < ? AND calls.id > ? ORDER BY calls.id LIMIT ?",
        (to_micros(before), after, _BATCH),
    )
    waiting = {
        key
        for (text,) in file.read("SELECT doc FROM debts WHERE closed IS NULL")
        for key in decode_missed_call(text).call_keys
    }
    done: list[tuple[int, str]] = []
    for row, text, entry in rows:
        call = decode_call(text)
        outbox_entry = None if entry is None else decode_entry(entry)
        if is_done(call, outbox_entry, is_client_waiting=call.key in waiting):
            done.append((row, call.key))
    missed_calls = 0
    for row, key in done:
        file.execute("DELETE FROM outbox WHERE id = ?", (row,))
        missed_calls += file.execute("DELETE FROM debts WHERE key = ?", (key,))
        file.execute("DELETE FROM calls WHERE id = ?", (row,))
    last = rows[-1][0] if len(rows) == _BATCH else None
    kept = len(rows) - len(done)
    return last, DeletedRecords(calls=len(done), missed_calls=missed_calls, kept=kept)


def delete_old_events(file: SqliteFile, before: datetime) -> DeletedRecords:
    """Delete expired events and old talks; return how many.

    The condition is that of `ledger_rules.is_event_expired`.
    """
    events = file.execute(
        "DELETE FROM events WHERE at < ? AND call IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.key = events.call)",
        (to_micros(before),),
    )
    talks = file.execute(
        "DELETE FROM talks WHERE json_extract(doc, '$.at') < ?", (before.isoformat(),)
    )
    return DeletedRecords(events=events, talks=talks)


def record_day(file: SqliteFile, now: datetime) -> None:
    """Record that the service ran on the day of *now*; of each day the last moment is kept."""
    text, day = day_row(now)
    last = file.read("SELECT id, day FROM days ORDER BY id DESC LIMIT 1")
    if last and last[0][1] == day:
        file.execute("UPDATE days SET doc = ? WHERE id = ?", (text, last[0][0]))
        return
    file.execute("DELETE FROM days WHERE day = ?", (day,))
    file.execute(
        "INSERT INTO days (id, doc, day) "
        "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM days), ?, ?)",
        (text, day),
    )
