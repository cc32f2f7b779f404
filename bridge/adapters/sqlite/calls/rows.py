"""The ledger's tables: what stands in their documents, and the columns they are found by.

A call and its outbox entry have one row id, so an entry needs no index of its own. What is
searched for stands beside the document in a column: an index on a column is written in a third of
the time of one on an expression over JSON. Moments that SQL compares are microseconds since 1970,
because ISO texts do not sort where some have fractions of a second and some have none.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Ref
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.number_memory import Talk

#: Of a ledger made now: a record touches eight pages, and half of the usual size is a fifth faster.
LEDGER_PAGE_SIZE: Final = 2048

TABLES: Final = ("calls", "outbox", "events", "choices", "debts", "talks", "days")

#: Those that every ledger has, also one of an earlier bridge.
FIRST_TABLES: Final = frozenset({"calls", "outbox", "events"})

#: The columns beside the documents: name and type.
COLUMNS: Final = {
    "calls": (
        ("key", "TEXT"),
        ("at", "INTEGER"),
        ("number", "INTEGER"),
        ("ref", "TEXT"),  # the PBX's id
        ("client", "TEXT"),
    ),
    "outbox": (("state", "TEXT"), ("due", "INTEGER")),
    "events": (("call", "TEXT"), ("at", "INTEGER")),
    "days": (("day", "INTEGER"),),
    "debts": (("key", "TEXT"), ("client", "TEXT"), ("closed", "INTEGER")),
}

CALL_KEY = "calls.key"
CALL_RECEIVED_AT = "calls.at"
CALL_NUMBER = "calls.number"
CALL_REF = "calls.ref"
CALL_CLIENT = "calls.client"
ENTRY_STATE = "outbox.state"
ENTRY_DUE_AT = "outbox.due"
#: Said in every question that the partial index shall answer.
ENTRY_IS_PENDING = f"{ENTRY_STATE} <> 'settled'"

_INDEXES = (
    "UNIQUE INDEX IF NOT EXISTS calls_by_key ON calls (key)",
    "INDEX IF NOT EXISTS calls_by_time ON calls (at)",
    "INDEX IF NOT EXISTS calls_by_number ON calls (number) WHERE number IS NOT NULL",
    "INDEX IF NOT EXISTS calls_by_ref ON calls (ref) WHERE ref <> ''",
    "INDEX IF NOT EXISTS calls_by_client ON calls (client, at) WHERE client <> ''",
    "INDEX IF NOT EXISTS outbox_owed ON outbox (state, due) WHERE state <> 'settled'",
    "INDEX IF NOT EXISTS events_untold ON events (id) WHERE call IS NULL",
    "UNIQUE INDEX IF NOT EXISTS debts_by_key ON debts (key)",
    "INDEX IF NOT EXISTS debts_open ON debts (client) WHERE closed IS NULL",
    "INDEX IF NOT EXISTS events_unread ON events (id) WHERE call = '?'",
)

_IS_COMPLETE = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'events_unread'"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _DayRow(msgspec.Struct, gc=False):
    at: datetime


class _ChoiceRow(msgspec.Struct, gc=False):
    owner: Ref
    at: datetime


_encode = msgspec.json.Encoder().encode
_day_row = msgspec.json.Decoder(_DayRow).decode
_choice_row = msgspec.json.Decoder(_ChoiceRow).decode
_call = msgspec.json.Decoder(PhoneCall).decode
_entry = msgspec.json.Decoder(OutboxEntry).decode
_event = msgspec.json.Decoder(RawEvent).decode
_debt = msgspec.json.Decoder(MissedCall).decode
_talk = msgspec.json.Decoder(Talk).decode

CallRow = tuple[str, str, int, int | None, str, str]


def to_micros(moment: datetime) -> int:
    """Give a moment as the columns compare it."""
    return (moment - _EPOCH) // _MICROSECOND


def call_row(call: PhoneCall) -> CallRow:
    """Write a call: its document, then its columns."""
    return (
        _encode(call).decode(),
        call.key,
        to_micros(call.received_at),
        call.caller.number,
        call.state.call_ref,
        call.client_key,
    )


def decode_call(text: str) -> PhoneCall:
    """Read a call's document."""
    return _call(text)


def entry_row(entry: OutboxEntry) -> tuple[str, str, int]:
    """Write an entry: its document, then its columns."""
    return _encode(entry).decode(), entry.state.value, to_micros(entry.due_at)


def decode_entry(text: str) -> OutboxEntry:
    """Read an entry's document."""
    return _entry(text)


def encode_event(event: RawEvent) -> str:
    """Write an event's document."""
    return _encode(event).decode()


def decode_event(text: str) -> RawEvent:
    """Read an event's document."""
    return _event(text)


def missed_call_row(debt: MissedCall) -> tuple[str, str, str, int | None]:
    """Write a missed-call debt: its document, then its columns."""
    closed = None if debt.closed_at is None else to_micros(debt.closed_at)
    return _encode(debt).decode(), debt.key, debt.client, closed


def decode_missed_call(text: str) -> MissedCall:
    """Read a missed-call debt's document."""
    return _debt(text)


def encode_talk(talk: Talk) -> str:
    """Write who talked to a number last; the row id is the number."""
    return _encode(talk).decode()


def decode_talk(text: str) -> Talk:
    """Read who talked to a number last."""
    return _talk(text)


def encode_choice(owner: Ref, at: datetime) -> str:
    """Write the document of an operator's choice; its row id is the number."""
    return _encode(_ChoiceRow(owner, at)).decode()


def decode_choice(text: str) -> Ref:
    """Read whom an operator chose."""
    return _choice_row(text).owner


def day_row(moment: datetime) -> tuple[str, int]:
    """Write a day that was seen: its document, then its column, days since 1970."""
    return _encode(_DayRow(moment)).decode(), (moment - _EPOCH).days


def decode_day(text: str) -> datetime:
    """Read the moment that a day was seen last."""
    return _day_row(text).at


def day_of_column(number: int) -> date:
    """Give the day of a column."""
    return (_EPOCH + timedelta(days=number)).date()


def create_tables(db: SqliteDb) -> None:
    """Have the tables, their columns and their indexes in the file."""
    if set(TABLES) <= db.tables() and db.file.read(_IS_COMPLETE):
        return  # no write: the file may be another process's
    with db.transaction():
        before = db.tables()
        for name in set(TABLES) - db.tables():
            db.table(name, persist_empty=True)
        for table, columns in COLUMNS.items():
            there = {row[1] for row in db.file.read(f"PRAGMA table_info({table})")}
            missing = [(name, kind) for name, kind in columns if name not in there]
            for name, kind in missing:
                db.file.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
            if missing and table in _FROM_DOCUMENTS:
                db.file.execute(_FROM_DOCUMENTS[table])
        for index in _INDEXES:
            db.file.execute(f"CREATE {index}")
        if "days" not in before:
            db.file.execute(_DAYS_OF_CALLS)


#: A file of before days were noted has seen those of its calls.
_DAYS_OF_CALLS: Final = (
    "INSERT INTO days (day, doc) SELECT at / 86400000000, json_object('at', "
    "strftime('%Y-%m-%dT%H:%M:%SZ', max(at) / 1000000, 'unixepoch')) FROM calls "
    "WHERE at IS NOT NULL GROUP BY 1 ORDER BY max(id)"
)


#: What the first form of the file kept inside its documents, moved into the columns.
_FROM_DOCUMENTS: Final = {
    "calls": "UPDATE calls SET key = doc ->> '$.key', at = doc ->> '$.at', "
    "number = doc ->> '$.number', ref = '', client = '', doc = doc -> '$.call'",
    "outbox": "UPDATE outbox SET state = doc ->> '$.state', due = doc ->> '$.due', "
    "doc = doc -> '$.entry'",
    "events": "UPDATE events SET call = '', at = 0",
}
