"""The tables of the ledger with their columns and indexes, created where they are missing."""

from typing import Final

from bridge.adapters.sqlite.calls.rows import COLUMNS, TABLES
from bridge.adapters.sqlite.file.tables import SqliteDb

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


def create_tables(db: SqliteDb) -> None:
    """Create the tables, columns and indexes that are missing."""
    if set(TABLES) <= db.tables() and db.file.read(_IS_COMPLETE):
        return  # nothing is written: the file may belong to another process
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


#: A ledger of a release that did not record days gets the days of its calls.
_DAYS_OF_CALLS: Final = (
    "INSERT INTO days (day, doc) SELECT at / 86400000000, json_object('at', "
    "strftime('%Y-%m-%dT%H:%M:%SZ', max(at) / 1000000, 'unixepoch')) FROM calls "
    "WHERE at IS NOT NULL GROUP BY 1 ORDER BY max(id)"
)


#: What the first ledgers kept inside their documents, moved into the columns.
_FROM_DOCUMENTS: Final = {
    "calls": "UPDATE calls SET key = doc ->> '$.key', at = doc ->> '$.at', "
    "number = doc ->> '$.number', ref = '', client = '', doc = doc -> '$.call'",
    "outbox": "UPDATE outbox SET state = doc ->> '$.state', due = doc ->> '$.due', "
    "doc = doc -> '$.entry'",
    "events": "UPDATE events SET call = '', at = 0",
}
