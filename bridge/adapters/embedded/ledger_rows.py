"""The ledger's tables: what stands in their documents, and the writes that go into one commit.

A call and its outbox entry have one row id, so an entry needs no index of its own. Moments that
SQL compares stand beside the noun as microseconds since 1970, because ISO texts do not sort where
some have fractions of a second and some have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from bridge.adapters.embedded.sqlite_file import SqliteFile
from bridge.adapters.embedded.sqlite_tables import SqliteDb
from bridge.domain.calls import PhoneCall
from bridge.domain.directory import Ref
from bridge.domain.outbox import EntryState, OutboxEntry, recovered, retried
from bridge.domain.phone import PhoneNumber
from bridge.errors import StoreError
from bridge.ports import RawEvent

# ruff: noqa: S608 - tables and expressions are constants of this house.

TABLES: Final = ("calls", "outbox", "events", "choices")

# What the indexes are on, letter for letter.
KEY = "json_extract(calls.doc, '$.key')"
AT = "json_extract(calls.doc, '$.at')"
NUMBER = "json_extract(calls.doc, '$.number')"
STATE = "json_extract(outbox.doc, '$.state')"
DUE = "json_extract(outbox.doc, '$.due')"
#: Said in every question that the partial index shall answer.
OWED = f"{STATE} <> 'settled'"

_INDEXES = (
    ("UNIQUE INDEX calls_by_key", "calls", f"({KEY})"),
    ("INDEX calls_by_time", "calls", f"({AT})"),
    ("INDEX calls_by_number", "calls", f"({NUMBER}) WHERE {NUMBER} IS NOT NULL"),
    ("INDEX outbox_owed", "outbox", f"({STATE}, {DUE}) WHERE {OWED}"),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _CallRow(msgspec.Struct, gc=False):
    key: str
    at: int
    number: PhoneNumber | None
    call: PhoneCall


class _EntryRow(msgspec.Struct, gc=False):
    state: EntryState
    due: int
    entry: OutboxEntry


class _ChoiceRow(msgspec.Struct, gc=False):
    owner: Ref
    at: datetime


_encode = msgspec.json.Encoder().encode
_call_row = msgspec.json.Decoder(_CallRow).decode
_entry_row = msgspec.json.Decoder(_EntryRow).decode
_choice_row = msgspec.json.Decoder(_ChoiceRow).decode


def micros(moment: datetime) -> int:
    """Give a moment as the documents compare it."""
    return (moment - _EPOCH) // _MICROSECOND


def call_text(call: PhoneCall) -> str:
    """Write a call's document."""
    row = _CallRow(call.key, micros(call.received_at), call.caller.number, call)
    return _encode(row).decode()


def read_call(text: str) -> PhoneCall:
    """Read a call's document."""
    return _call_row(text).call


def entry_text(entry: OutboxEntry) -> str:
    """Write an entry's document."""
    return _encode(_EntryRow(entry.state, micros(entry.due_at), entry)).decode()


def read_entry(text: str) -> OutboxEntry:
    """Read an entry's document."""
    return _entry_row(text).entry


def event_text(event: RawEvent) -> str:
    """Write an event's document."""
    return _encode(event).decode()


def choice_text(owner: Ref, at: datetime) -> str:
    """Write the document of an operator's choice; its row id is the number."""
    return _encode(_ChoiceRow(owner, at)).decode()


def read_choice(text: str) -> Ref:
    """Read whom an operator chose."""
    return _choice_row(text).owner


def create(db: SqliteDb) -> None:
    """Have the tables and their indexes in the file."""
    if set(TABLES) <= db.tables():
        return
    with db.transaction():
        for name in TABLES:
            db.table(name, persist_empty=True)
        for index, table, columns in _INDEXES:
            # An index says its columns without the table's name.
            bare = columns.replace(f"{table}.doc", "doc")
            db.file.execute(
                f"CREATE {index.replace('INDEX ', 'INDEX IF NOT EXISTS ')} ON {table} {bare}"
            )


# ---------------------------------------------------------------- writes
@dataclass(frozen=True, slots=True)
class RecordCall:
    """A call and what it owes, once by its key; comes out as the call that stands."""

    call: PhoneCall
    text: str
    entry: str | None


@dataclass(frozen=True, slots=True)
class KeepEvent:
    """An event as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class SaveEntry:
    """An entry moved on; comes out False when there is none any more.

    *guest*: another process delivers, so what it is sending now is not touched.
    """

    key: str
    text: str
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
class Recover:
    """Entries left in `sending` made due again; comes out as their number."""

    now: datetime


@dataclass(frozen=True, slots=True)
class KeepChoice:
    """An operator's word about a number."""

    number: PhoneNumber
    text: str


Write = RecordCall | KeepEvent | SaveEntry | DropEntry | RetryEntry | Recover | KeepChoice
Outcome = PhoneCall | OutboxEntry | bool | int | None

#: Rows of one INSERT; few forms of the statement, so that SQLite's cache of them keeps all.
_ROWS_AT_ONCE = 64

#: A call with its debt as one row of one statement, and so one durable transaction by itself. The
#: interpreter's lock changes hands with every statement, and the event loop, which is busy with
#: other callers, may keep it for milliseconds each time: ten statements cost more than the disk.
_RECORDING = (
    "CREATE TEMP VIEW recording AS SELECT 0 AS id, '' AS call, '' AS entry",
    (
        "CREATE TEMP TRIGGER record INSTEAD OF INSERT ON recording BEGIN "
        "INSERT INTO calls (id, doc) VALUES (new.id, new.call) ON CONFLICT DO NOTHING; "
        "INSERT INTO outbox (id, doc) SELECT new.id, new.entry "
        "WHERE new.entry IS NOT NULL AND EXISTS (SELECT 1 FROM calls WHERE id = new.id); "
        "END"
    ),
)

_BY_KEY = f"(SELECT id FROM calls WHERE {KEY} = ?)"


class LedgerWriter:
    """Does batches of writes, each durable when it returns; for one thread and its connection."""

    def __init__(self) -> None:
        self._file: SqliteFile | None = None
        self._highest = 0

    def write_all(self, file: SqliteFile, writes: Sequence[Write]) -> list[Outcome | StoreError]:
        """Do *writes* in their order, but new calls first and together: they are the hot ones."""
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
            return [
                next(rest) if isinstance(write, RecordCall) else _write(file, write)
                for write in writes
            ]

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
        places = ", ".join(["(?, ?, ?)"] * len(records))
        file.execute(
            f"INSERT INTO recording (id, call, entry) VALUES {places}",
            [
                value
                for row, record in enumerate(records, first)
                for value in (row, record.text, record.entry)
            ],
        )
        self._highest += len(records)
        entries = sum(record.entry is not None for record in records)
        if file.connection.total_changes - before == len(records) + entries:
            return [record.call for record in records]
        new = {row for (row,) in file.read("SELECT id FROM calls WHERE id >= ?", (first,))}
        return [
            record.call if row in new else _standing(file, record.call.key)
            for row, record in enumerate(records, first)
        ]


def _standing(file: SqliteFile, key: str) -> PhoneCall:
    ((text,),) = file.read(f"SELECT doc FROM calls WHERE {KEY} = ?", (key,))
    return read_call(text)


def _write(file: SqliteFile, write: Write) -> Outcome | StoreError:
    match write:
        case KeepEvent(text):
            file.execute("INSERT INTO events (doc) VALUES (?)", (text,))
        case KeepChoice(number, text):
            file.execute(
                "INSERT INTO choices (id, doc) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc",
                (number, text),
            )
        case SaveEntry(key, text, guest):
            if guest and _is_sending(file, key):
                return StoreError(
                    str(file.path), "this entry is being sent to 1C right now; try again later"
                )
            return bool(
                file.execute(f"UPDATE outbox SET doc = ? WHERE id = {_BY_KEY}", (text, key))
            )
        case DropEntry(key):
            return bool(file.execute(f"DELETE FROM outbox WHERE id = {_BY_KEY}", (key,)))
        case RetryEntry(key, now):
            return _retry(file, key, now)
        case Recover(now):
            return _recover(file, now)
        case RecordCall():
            raise TypeError("calls are recorded together")
    return None


def _is_sending(file: SqliteFile, key: str) -> bool:
    rows = file.read(f"SELECT {STATE} FROM outbox WHERE id = {_BY_KEY}", (key,))
    return rows == [(EntryState.SENDING,)]


def _retry(file: SqliteFile, key: str, now: datetime) -> OutboxEntry | None:
    rows = file.read(f"SELECT doc FROM outbox WHERE id = {_BY_KEY}", (key,))
    if not rows:
        return None
    entry = read_entry(rows[0][0])
    after = retried(entry, now)
    if after != entry:
        file.execute(f"UPDATE outbox SET doc = ? WHERE id = {_BY_KEY}", (entry_text(after), key))
    return after


def _recover(file: SqliteFile, now: datetime) -> int:
    left = file.read(
        f"SELECT id, doc FROM outbox WHERE {STATE} = ? AND {OWED}", (EntryState.SENDING.value,)
    )
    return max(
        0,
        file.execute_many(
            "UPDATE outbox SET doc = ? WHERE id = ?",
            [(entry_text(recovered(read_entry(text), now)), row) for row, text in left],
        ),
    )
