"""What is asked of the ledger, as SQL over its columns and documents."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.adapters.sqlite.calls.rows import (
    CALL_CLIENT,
    CALL_NUMBER,
    CALL_RECEIVED_AT,
    ENTRY_DUE_AT,
    ENTRY_IS_PENDING,
    ENTRY_STATE,
    decode_call,
    decode_choice,
    decode_entry,
    decode_talk,
    to_micros,
)
from bridge.adapters.sqlite.file.sqlite_file import Row, SqliteFile
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.domain.calls.call import PhoneCall
from bridge.domain.clock import TOLERANCE
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory
from bridge.ports.stores.calls import CallFilter
from bridge.ports.stores.outbox import OutboxCounts

# ruff: noqa: S608 - tables and columns are constants of this house.

#: A call this young may still be ringing: its card is worth more than any older one.
_FRESH = timedelta(minutes=1)

EMPTY_MEMORY = NumberMemory()
SELECT_ENTRIES_WITH_CALLS = "SELECT outbox.doc, calls.doc FROM outbox JOIN calls USING (id)"


def read_number_memories(db: SqliteDb) -> dict[PhoneNumber, NumberMemory]:
    """Read what people taught about numbers: an operator's choice, and who talked last."""
    memory = {
        PhoneNumber(number): NumberMemory(last_extension=decode_talk(text).extension)
        for number, text in db.table("talks").rows.all()
    }
    for number, text in db.table("choices").rows.all():
        known = memory.get(PhoneNumber(number), EMPTY_MEMORY)
        memory[PhoneNumber(number)] = replace(known, chosen_owner=decode_choice(text))
    return memory


def read_numbers_with_talks(file: SqliteFile) -> set[PhoneNumber]:
    """Read the numbers of which it is known who talked to them last."""
    return {PhoneNumber(number) for (number,) in file.read("SELECT id FROM talks")}


#: The telephones of a call: whoever talked, rang or dialled, and whom the PBX was told.
_TELEPHONES = (
    "(doc ->> '$.placed_by' = ? OR EXISTS (SELECT 1 FROM json_each(doc, '$.state.talked_extensions') "
    "WHERE value = ?) OR EXISTS (SELECT 1 FROM json_each(doc, '$.state.rung_extensions') WHERE value = ?) "
    "OR coalesce(doc ->> '$.decision.targets[0][0]', doc ->> '$.decision.fallback[0]') = ?)"
)


def call_conditions(
    wanted: CallFilter, before: datetime | None, number: PhoneNumber | None
) -> tuple[str, list[object]]:
    """Say in SQL which calls are wanted; what has an index of its own comes first."""
    number = wanted.number if number is None else number
    found: list[tuple[str, Sequence[object]]] = [("1", ())]
    if number is not None:
        found.append((f"{CALL_NUMBER} = ?", (number,)))
    if wanted.client is not None:
        found.append((f"{CALL_CLIENT} = ?", (wanted.client,)))
    ends = (before, wanted.until)
    found += [(f"{CALL_RECEIVED_AT} < ?", (to_micros(end),)) for end in ends if end is not None]
    if wanted.since is not None:
        found.append((f"{CALL_RECEIVED_AT} >= ?", (to_micros(wanted.since),)))
    if wanted.direction is not None:
        found.append(("doc ->> '$.direction' = ?", (wanted.direction,)))
    if wanted.dispositions:
        places = ", ".join("?" * len(wanted.dispositions))
        found.append((f"doc ->> '$.state.disposition' IN ({places})", wanted.dispositions))
    if wanted.extension is not None:
        found.append((_TELEPHONES, (wanted.extension,) * 4))
    return " AND ".join(c for c, _ in found), [v for _, values in found for v in values]


def decode_pairs(rows: Sequence[Row]) -> list[tuple[OutboxEntry, PhoneCall]]:
    """Read rows of `BOTH`."""
    return [(decode_entry(entry), decode_call(call)) for entry, call in rows]


def read_due_entries(
    file: SqliteFile, now: datetime, limit: int
) -> list[tuple[OutboxEntry, PhoneCall]]:
    """Give entries to deliver: the freshest calls first, then the longest due."""
    fresh: list[tuple[int, OutboxEntry]] = []
    # Rows are numbered as the calls came: the fresh ones are the last ones.
    for row, text in file.stream("SELECT id, doc FROM outbox ORDER BY id DESC"):
        entry = decode_entry(text)
        # One from the future is of before the wall clock was put back.
        is_fresh = now - _FRESH <= entry.created_at <= now + TOLERANCE
        if not is_fresh or len(fresh) == limit:
            break
        if entry.is_due(now):
            fresh.append((row, entry))
    found = [
        (entry, decode_call(file.read("SELECT doc FROM calls WHERE id = ?", (row,))[0][0]))
        for row, entry in fresh
    ]
    rows = file.read(
        f"{SELECT_ENTRIES_WITH_CALLS} WHERE {ENTRY_STATE} = 'due' AND {ENTRY_DUE_AT} <= ? AND {ENTRY_IS_PENDING} ORDER BY {ENTRY_DUE_AT}, id LIMIT ?",
        (to_micros(now), limit),
    )
    keys = {entry.key for _, entry in fresh}
    return (found + [pair for pair in decode_pairs(rows) if pair[0].key not in keys])[:limit]


def count_entries(file: SqliteFile) -> OutboxCounts:
    """Count what is owed, by state."""
    ((total,),) = file.read("SELECT count(*) FROM outbox")
    owed = {
        state: (count, oldest)
        for state, count, oldest in file.read(
            f"SELECT {ENTRY_STATE}, count(*), min(id) FROM outbox WHERE {ENTRY_IS_PENDING} GROUP BY {ENTRY_STATE}"
        )
    }
    due, oldest = owed.get(EntryState.DUE.value, (0, None))
    rows = file.read("SELECT doc FROM outbox WHERE id = ?", (oldest,))
    return OutboxCounts(
        due=due,
        sending=owed.get(EntryState.SENDING.value, (0, None))[0],
        dead=owed.get(EntryState.DEAD.value, (0, None))[0],
        delivered=total - sum(count for count, _ in owed.values()),
        oldest_due=decode_entry(rows[0][0]).created_at if rows else None,
    )
