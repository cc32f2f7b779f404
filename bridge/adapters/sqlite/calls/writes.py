"""The writes of the ledger, each a value, and the one thread's doing of them in one commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bridge.adapters.sqlite.calls.retention import delete_old_calls, delete_old_events, record_day
from bridge.adapters.sqlite.calls.rows import (
    CALL_KEY,
    ENTRY_IS_PENDING,
    ENTRY_STATE,
    CallRow,
    call_row,
    decode_call,
    decode_entry,
    encode_event,
    encode_talk,
    entry_row,
    missed_call_row,
    to_micros,
)
from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION, SqliteFile
from bridge.domain.calls.call import PhoneCall, join_question
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.outbox import (
    recover_after_crash,
    reopen_entry,
    reschedule_entry,
    resume_entry,
    retry_now,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import StoreError
from bridge.ports.stores.ledger import LedgerChange
from bridge.ports.stores.retention import DeletedRecords

# ruff: noqa: S608 - tables and columns are constants of this house.


@dataclass(frozen=True, slots=True)
class RecordCall:
    """A call and what it owes, once by its key; comes out as the call that stands."""

    call: PhoneCall
    call_row: CallRow
    entry_row: tuple[str, str, int] | None


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """An event as it came, until its call is told of it."""

    document: str
    received_at: int


@dataclass(frozen=True, slots=True)
class ApplyChange:
    """One step of following the calls; all of it or nothing."""

    change: LedgerChange
    now: datetime


@dataclass(frozen=True, slots=True)
class SaveEntry:
    """An entry moved on; comes out False when there is none any more.

    *guest*: another process delivers, so what it is sending now is not touched.
    """

    entry: OutboxEntry
    now: datetime
    guest: bool


@dataclass(frozen=True, slots=True)
class DropEntry:
    """An entry forgotten; comes out False when there was none."""

    key: str


@dataclass(frozen=True, slots=True)
class RetryEntry:
    """An entry made due on a person's word; comes out as it stands then, None when it is gone."""

    key: str
    now: datetime


@dataclass(frozen=True, slots=True)
class RecoverEntries:
    """Entries left in `sending` made due again; comes out as their number."""

    now: datetime


@dataclass(frozen=True, slots=True)
class ResumeEntries:
    """Held entries of one stage, or of all, made due again; comes out as their number."""

    now: datetime
    stage: DeliveryStage | None
    limit: int
    freshest: bool = False


@dataclass(frozen=True, slots=True)
class RearmEntries:
    """Waiting entries given moments that hold behind a step, few at once, behind the row *after*.

    Comes out as the last row it looked at and the number of those that changed.
    """

    now: datetime
    rules: DeliveryRules
    after: int


@dataclass(frozen=True, slots=True)
class RearmedBatch:
    """What a `Rearm` did; *last* is None where no more wait."""

    last_row: int | None
    changed: int


@dataclass(frozen=True, slots=True)
class SaveChoice:
    """An operator's word about a number."""

    number: PhoneNumber
    document: str


@dataclass(frozen=True, slots=True)
class DeleteOldCalls:
    """Calls received before a moment that are done, with all that hangs on them.

    Few at once, behind the row *after*: callers' records wait behind it.
    """

    before: datetime
    after: int


@dataclass(frozen=True, slots=True)
class DeleteOldEvents:
    """What no call needs any more, behind all `Forget`."""

    before: datetime


@dataclass(frozen=True, slots=True)
class DeletedBatch:
    """What a `Forget` did; *last* is the last row it looked at, None where no more are old."""

    last_row: int | None
    deleted: DeletedRecords


@dataclass(frozen=True, slots=True)
class RecordDay:
    """The service runs on this day."""

    now: datetime


@dataclass(frozen=True, slots=True)
class CheckFile:
    """Whether the file takes what is written; *probe*: something is written to learn it."""

    write: bool


LedgerWrite = (
    RecordCall
    | RecordEvent
    | ApplyChange
    | DeleteOldCalls
    | DeleteOldEvents
    | RecordDay
    | SaveEntry
    | DropEntry
    | RetryEntry
    | RecoverEntries
    | ResumeEntries
    | RearmEntries
    | SaveChoice
    | CheckFile
)
WriteResult = PhoneCall | OutboxEntry | DeletedBatch | RearmedBatch | bool | int | None

#: Rows of one INSERT; few forms of the statement, so that SQLite's cache of them keeps all.
_ROWS_AT_ONCE = 64

#: A call with its debt as one row of one statement, and so one durable transaction by itself. The
#: interpreter's lock changes hands with every statement, and the event loop, which is busy with
#: other callers, may keep it for milliseconds each time: ten statements cost more than the disk.
_RECORDING = (
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

#: Entries rearmed in one transaction: a caller's record may have to wait behind it.
_REARMED_AT_ONCE = 200

_NO_ENTRY = (None, None, None)
_BY_KEY = f"(SELECT id FROM calls WHERE {CALL_KEY} = ?)"


#: Batches after which the log is emptied into the file when nobody waits, and the bytes of the log
#: at which SQLite does so while somebody does.
_BATCHES = 200
_LONGEST_LOG = 16 << 20


def open_as_guest(path: Path) -> SqliteFile:
    """Open the ledger for its writer, which empties the log itself (`LedgerWriter.empty_log`)."""
    file = SqliteFile(path)
    defer_checkpoints(file)
    return file


def defer_checkpoints(file: SqliteFile) -> None:
    """Have SQLite empty the log only where it has become very long."""
    ((page,),) = file.read("PRAGMA page_size")
    file.execute(f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG // page}")


class LedgerWriter:
    """Does batches of writes, each durable when it returns; for one thread and its connection."""

    def __init__(self) -> None:
        self._file: SqliteFile | None = None
        self._highest = 0
        self._batches = 0

    def checkpoint(self, file: SqliteFile) -> None:
        """Bring what the log holds into the file, if that is much; it takes some milliseconds."""
        if self._batches >= _BATCHES:
            self._batches = 0
            file.read("PRAGMA wal_checkpoint(PASSIVE)")

    def write_all(
        self, file: SqliteFile, writes: Sequence[LedgerWrite]
    ) -> list[WriteResult | StoreError]:
        """Do *writes* in their order, but new calls first and together: they are the hot ones."""
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
            outcomes = [
                next(rest) if isinstance(write, RecordCall) else _write(file, write)
                for write in writes
            ]
        if any(isinstance(write, ApplyChange) for write in writes):
            self._file = None  # calls may have been added: the highest number is another
        return outcomes

    def _record(self, file: SqliteFile, records: Sequence[RecordCall]) -> list[PhoneCall]:
        """Insert calls and entries by one statement; of each key the first one stands."""
        if not records:
            return []
        if file is not self._file:
            for statement in _RECORDING:
                file.execute(statement)
            ((self._highest,),) = file.read("SELECT coalesce(max(id), 0) FROM calls")
            self._file = file
        first = self._highest + 1
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
        self._highest += len(records)
        entries = sum(record.entry_row is not None for record in records)
        if file.connection.total_changes - before == len(records) + entries:
            return [record.call for record in records]
        new = {row for (row,) in file.read("SELECT id FROM calls WHERE id >= ?", (first,))}
        return [
            record.call if row in new else _standing(file, record)
            for row, record in enumerate(records, first)
        ]


def _standing(file: SqliteFile, record: RecordCall) -> PhoneCall:
    """Give the call that is there already; its question joins it where it began with events."""
    ((row, text),) = file.read(
        f"SELECT id, doc FROM calls WHERE {CALL_KEY} = ?", (record.call.key,)
    )
    standing = decode_call(text)
    joined = join_question(standing, record.call)
    if joined != standing:
        _put_call(file, joined)
    if record.entry_row is not None:
        # Events may have put the call there while its own record waited for a disk that refused.
        _add_entry(file, row, decode_entry(record.entry_row[0]))
        if joined != standing or record.call.applied_events:
            _wake(file, row, record.call.received_at)
    return joined


def _write(file: SqliteFile, write: LedgerWrite) -> WriteResult | StoreError:
    match write:
        case RecordEvent(text, at):
            file.execute("INSERT INTO events (doc, at) VALUES (?, ?)", (text, at))
        case ApplyChange(change, now):
            _apply(file, change, now)
        case SaveChoice(number, text):
            file.execute(
                "INSERT INTO choices (id, doc) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
                (number, text),
            )
        case SaveEntry(entry, now, guest):
            return _save_entry(file, entry, now, guest=guest)
        case DropEntry() | RetryEntry() | RecoverEntries() | ResumeEntries() | RearmEntries():
            return _change_entries(file, write)
        case DeleteOldCalls() | DeleteOldEvents() | RecordDay():
            return _grow_old(file, write)
        case CheckFile(write=True):
            file.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        case RecordCall():
            raise TypeError("calls are recorded together")
    return None


def _change_entries(
    file: SqliteFile, write: DropEntry | RetryEntry | RecoverEntries | ResumeEntries | RearmEntries
) -> WriteResult:
    match write:
        case DropEntry(key):
            return bool(file.execute(f"DELETE FROM outbox WHERE id = {_BY_KEY}", (key,)))
        case RetryEntry(key, now):
            return _retry(file, key, now)
        case RecoverEntries(now):
            return _recover(file, now)
        case ResumeEntries():
            return _release(file, write)
        case RearmEntries():
            return _rearm(file, write)


def _grow_old(file: SqliteFile, write: DeleteOldCalls | DeleteOldEvents | RecordDay) -> WriteResult:
    match write:
        case DeleteOldCalls(before, after):
            return DeletedBatch(*delete_old_calls(file, before, after))
        case DeleteOldEvents(before):
            return DeletedBatch(None, delete_old_events(file, before))
        case RecordDay(now):
            record_day(file, now)
    return None


def _apply(file: SqliteFile, change: LedgerChange, now: datetime) -> None:
    for call in change.calls:
        _put_call(file, call)
    for entry in change.entries:
        ((row,),) = file.read(f"SELECT id FROM calls WHERE {CALL_KEY} = ?", (entry.key,))
        _add_entry(file, row, entry)
    for key in change.reopened:
        for (row,) in file.read(f"SELECT id FROM calls WHERE {CALL_KEY} = ?", (key,)):
            _wake(file, row, now)
    for debt in change.missed_calls:
        file.execute(
            "INSERT INTO debts (doc, key, client, closed) VALUES (?, ?, ?, ?) ON CONFLICT (key) "
            "DO UPDATE SET doc = excluded.doc, client = excluded.client, closed = excluded.closed",
            missed_call_row(debt),
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
                (encode_event(raw), to_micros(raw.received_at), key)
                for raw, key in change.new_events
            ],
        )
    for row, key in change.assigned_events:
        file.execute("UPDATE events SET call = ? WHERE id = ?", (key, row))


def _put_call(file: SqliteFile, call: PhoneCall) -> None:
    text, *columns = call_row(call)
    changed = file.execute(
        "UPDATE calls SET doc = ?, key = ?, at = ?, number = ?, ref = ?, client = ? WHERE key = ?",
        (text, *columns, call.key),
    )
    if not changed:
        file.execute(
            "INSERT INTO calls (id, doc, key, at, number, ref, client) "
            "VALUES ((SELECT coalesce(max(id), 0) + 1 FROM calls), ?, ?, ?, ?, ?, ?)",
            (text, *columns),
        )


def _add_entry(file: SqliteFile, row: int, entry: OutboxEntry) -> None:
    file.execute(
        "INSERT INTO outbox (id, doc, state, due) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (row, *entry_row(entry)),
    )


def _update_entry(file: SqliteFile, row: int, entry: OutboxEntry) -> int:
    return file.execute(
        "UPDATE outbox SET doc = ?, state = ?, due = ? WHERE id = ?", (*entry_row(entry), row)
    )


def _wake(file: SqliteFile, row: int, now: datetime) -> None:
    for (text,) in file.read("SELECT doc FROM outbox WHERE id = ?", (row,)):
        entry = decode_entry(text)
        after = reopen_entry(entry, now)
        if after != entry:
            _update_entry(file, row, after)


def _save_entry(
    file: SqliteFile, entry: OutboxEntry, now: datetime, *, guest: bool
) -> bool | StoreError:
    """Replace an entry; one that rests while its call has moved on is taken up again at once."""
    if guest and _is_sending(file, entry.key):
        return StoreError(
            str(file.path), "this entry is being sent to 1C right now; try again later"
        )
    rows = file.read(f"SELECT id, doc FROM calls WHERE {CALL_KEY} = ?", (entry.key,))
    if not rows:
        return False
    ((row, text),) = rows
    rests = entry.state is EntryState.DELIVERED or entry.stage is DeliveryStage.VERIFY
    if (
        rests
        and entry.state is not EntryState.SENDING
        and decode_call(text).revision > entry.revision
    ):
        entry = reopen_entry(entry, now)
    return bool(_update_entry(file, row, entry))


def _is_sending(file: SqliteFile, key: str) -> bool:
    rows = file.read(f"SELECT {ENTRY_STATE} FROM outbox WHERE id = {_BY_KEY}", (key,))
    return rows == [(EntryState.SENDING,)]


def _retry(file: SqliteFile, key: str, now: datetime) -> OutboxEntry | None:
    rows = file.read(f"SELECT id, doc FROM outbox WHERE id = {_BY_KEY}", (key,))
    if not rows:
        return None
    ((row, text),) = rows
    entry = decode_entry(text)
    after = retry_now(entry, now)
    if after != entry:
        _update_entry(file, row, after)
    return after


def _recover(file: SqliteFile, now: datetime) -> int:
    left = file.read(
        f"SELECT id, doc FROM outbox WHERE {ENTRY_STATE} = ? AND {ENTRY_IS_PENDING}",
        (EntryState.SENDING.value,),
    )
    for row, text in left:
        _update_entry(file, row, recover_after_crash(decode_entry(text), now))
    return len(left)


def _release(file: SqliteFile, write: ResumeEntries) -> int:
    stage = "" if write.stage is None else write.stage.value
    order = "id DESC" if write.freshest else "due"
    held = file.read(
        f"SELECT id, doc FROM outbox WHERE {ENTRY_STATE} = 'due' AND {ENTRY_IS_PENDING} AND doc ->> '$.paused' "
        f"AND (? = '' OR doc ->> '$.stage' = ?) ORDER BY {order} LIMIT ?",
        (stage, stage, write.limit),
    )
    for row, text in held:
        _update_entry(file, row, resume_entry(decode_entry(text), write.now))
    return len(held)


def _rearm(file: SqliteFile, write: RearmEntries) -> RearmedBatch:
    """Rearm what waits; an entry that is due and was never in doubt has nothing to rearm."""
    rows = file.read(
        f"SELECT id, doc FROM outbox WHERE {ENTRY_STATE} = 'due' AND {ENTRY_IS_PENDING} AND id > ? AND (due > ? "
        "OR doc ->> '$.maybe_sent_at' IS NOT NULL OR doc ->> '$.verify_at' IS NOT NULL) "
        "ORDER BY id LIMIT ?",
        (write.after, to_micros(write.now), _REARMED_AT_ONCE),
    )
    changed = 0
    for row, text in rows:
        entry = decode_entry(text)
        after = reschedule_entry(entry, write.now, write.rules)
        if after != entry:
            changed += _update_entry(file, row, after)
    return RearmedBatch(rows[-1][0] if len(rows) == _REARMED_AT_ONCE else None, changed)
