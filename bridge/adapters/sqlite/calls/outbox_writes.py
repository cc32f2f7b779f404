"""Writes of outbox entries in SQL: which rows a rule of `ledger_rules` is asked about.

The conditions in SQL narrow down what is read; what becomes of an entry is decided by the pure
functions of `bridge.domain.delivery`, which every store shares. On the writer's thread, inside its
transaction.
"""

from datetime import datetime
from typing import Final

from bridge.adapters.sqlite.calls.rows import (
    CALL_KEY,
    ENTRY_IS_PENDING,
    ENTRY_STATE,
    decode_call,
    decode_entry,
    entry_row,
    to_micros,
)
from bridge.adapters.sqlite.calls.writes import (
    RescheduledBatch,
    RescheduleEntries,
    ResumeEntries,
    SaveEntry,
)
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.delivery import ledger_rules
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.delivery.outbox import (
    recover_after_crash,
    reopen_entry,
    reschedule_entry,
    resume_entry,
    retry_now,
)
from bridge.errors import StoreError

# ruff: noqa: S608 - tables and columns are constants of ours.

#: Entries rescheduled in one transaction: a caller's record may have to wait behind it.
_RESCHEDULED_AT_ONCE: Final = 200

#: SQL: the row id that a call and its entry share.
_ROW_OF_KEY: Final = f"(SELECT id FROM calls WHERE {CALL_KEY} = ?)"

#: SQL: the condition of `is_paused_at`; the stage twice, empty for any.
_IS_PAUSED_AT: Final = (
    f"{ENTRY_STATE} = 'due' AND {ENTRY_IS_PENDING} "
    "AND doc ->> '$.paused' AND (? = '' OR doc ->> '$.stage' = ?)"
)


def read_entry(file: SqliteFile, row: int) -> OutboxEntry | None:
    """Return the entry of the call in *row*; None where it has none."""
    found = file.read("SELECT doc FROM outbox WHERE id = ?", (row,))
    return decode_entry(found[0][0]) if found else None


def put_entry(
    file: SqliteFile, row: int, standing: OutboxEntry | None, entry: OutboxEntry | None
) -> None:
    """Write *entry* as the entry of the call in *row*, in place of *standing*."""
    if entry is None or entry == standing:
        return
    if standing is None:
        document, state, due = entry_row(entry)
        file.execute(
            "INSERT INTO outbox (id, doc, state, due) VALUES (?, ?, ?, ?)",
            (row, document, state, due),
        )
    else:
        _update(file, row, entry)


def reopen(file: SqliteFile, row: int, now: datetime) -> None:
    """Reopen the entry of the call in *row*, if there is one."""
    standing = read_entry(file, row)
    if standing is not None:
        put_entry(file, row, standing, reopen_entry(standing, now))


def save_entry(file: SqliteFile, write: SaveEntry) -> bool | StoreError:
    """Replace an entry; return False where there is none any more."""
    if write.guest and not ledger_rules.may_guest_change(_find(file, write.entry.key)):
        reason = "this entry is being sent to 1C right now; try again later"
        return StoreError(str(file.path), reason)
    rows = file.read(f"SELECT id, doc FROM calls WHERE {CALL_KEY} = ?", (write.entry.key,))
    if not rows:
        return False
    ((row, text),) = rows
    entry = ledger_rules.entry_to_save(write.entry, decode_call(text), write.now)
    return bool(_update(file, row, entry))


def drop_entry(file: SqliteFile, key: str) -> bool:
    """Delete the entry of *key*; return False where there was none."""
    return bool(file.execute(f"DELETE FROM outbox WHERE id = {_ROW_OF_KEY}", (key,)))


def retry_entry(file: SqliteFile, key: str, now: datetime) -> OutboxEntry | None:
    """Apply `retry_now` to the entry of *key*; return it, None where there is none."""
    rows = file.read(f"SELECT id, doc FROM outbox WHERE id = {_ROW_OF_KEY}", (key,))
    if not rows:
        return None
    ((row, text),) = rows
    standing = decode_entry(text)
    retried = retry_now(standing, now)
    put_entry(file, row, standing, retried)
    return retried


def recover_entries(file: SqliteFile, now: datetime) -> int:
    """Apply `recover_after_crash` to every entry that is left in `sending`; return their number."""
    rows = file.read(
        f"SELECT id, doc FROM outbox WHERE {ENTRY_STATE} = ? AND {ENTRY_IS_PENDING}",
        (EntryState.SENDING.value,),
    )
    recovered = 0
    for row, text in rows:
        entry = decode_entry(text)
        if ledger_rules.needs_recovery(entry):
            recovered += _update(file, row, recover_after_crash(entry, now))
    return recovered


def resume_entries(file: SqliteFile, write: ResumeEntries) -> int:
    """Apply `resume_entry` to paused entries, the longest paused first; return their number."""
    stage = "" if write.stage is None else write.stage.value
    order, skipped = "due", 0
    if write.place is not None:
        counted = f"SELECT count(*) FROM outbox WHERE {_IS_PAUSED_AT}"
        ((count,),) = file.read(counted, (stage, stage))
        order, skipped = "id DESC", ledger_rules.trial_index(count, write.place)
    rows = file.read(
        f"SELECT id, doc FROM outbox WHERE {_IS_PAUSED_AT} ORDER BY {order} LIMIT ? OFFSET ?",
        (stage, stage, write.limit, skipped),
    )
    resumed = 0
    for row, text in rows:
        entry = decode_entry(text)
        if ledger_rules.is_paused_at(entry, write.stage):
            resumed += _update(file, row, resume_entry(entry, write.now))
    return resumed


def reschedule_entries(file: SqliteFile, write: RescheduleEntries) -> RescheduledBatch:
    """Apply `reschedule_entry` to some entries that wait; the condition is that of `has_timers`."""
    rows = file.read(
        f"SELECT id, doc FROM outbox WHERE {ENTRY_STATE} = 'due' AND {ENTRY_IS_PENDING} "
        "AND id > ? AND (due > ? OR doc ->> '$.maybe_sent_at' IS NOT NULL "
        "OR doc ->> '$.verify_at' IS NOT NULL) ORDER BY id LIMIT ?",
        (write.after, to_micros(write.now), _RESCHEDULED_AT_ONCE),
    )
    changed = 0
    for row, text in rows:
        entry = decode_entry(text)
        if ledger_rules.has_timers(entry, write.now):
            rescheduled = reschedule_entry(entry, write.now, write.rules)
            changed += rescheduled != entry and _update(file, row, rescheduled)
    last_row = rows[-1][0] if len(rows) == _RESCHEDULED_AT_ONCE else None
    return RescheduledBatch(last_row, changed)


def _find(file: SqliteFile, key: str) -> OutboxEntry | None:
    rows = file.read(f"SELECT doc FROM outbox WHERE id = {_ROW_OF_KEY}", (key,))
    return decode_entry(rows[0][0]) if rows else None


def _update(file: SqliteFile, row: int, entry: OutboxEntry) -> int:
    return file.execute(
        "UPDATE outbox SET doc = ?, state = ?, due = ? WHERE id = ?", (*entry_row(entry), row)
    )
