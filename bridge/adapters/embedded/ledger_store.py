"""The ledger on SQLite: calls and what they owe 1C, durable before anybody is answered.

Writes go through one thread that commits in groups (`ledger_writer`); reads through another with
its own connection, which no writer blocks. So the event loop never touches the disk. The file
belongs to one process, `serve`; others come as guests (`shared`) for a short look or a short
write, and what they changed is seen at the next look.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from bridge.adapters.embedded.ledger_rows import (
    AT,
    DUE,
    KEY,
    NUMBER,
    OWED,
    STATE,
    DropEntry,
    KeepChoice,
    KeepEvent,
    LedgerWriter,
    Outcome,
    RecordCall,
    Recover,
    RetryEntry,
    SaveEntry,
    Write,
    call_text,
    choice_text,
    create,
    entry_text,
    event_text,
    micros,
    read_call,
    read_choice,
    read_entry,
)
from bridge.adapters.embedded.ledger_writer import GroupWriter
from bridge.adapters.embedded.sqlite_file import Row, SqliteFile, WriterLock
from bridge.adapters.embedded.sqlite_tables import SqliteDb
from bridge.domain.calls import PhoneCall
from bridge.domain.directory import Ref
from bridge.domain.outbox import EntryState, OutboxEntry
from bridge.domain.phone import PhoneNumber
from bridge.domain.routing import NumberMemory
from bridge.errors import StoreError
from bridge.ports import Clock, OutboxCounts, RawEvent

# ruff: noqa: S608 - tables and expressions are constants of this house.

T = TypeVar("T")

#: A call this young may still be ringing: its card is worth more than any older one.
_FRESH = timedelta(minutes=1)

_NOTHING_KNOWN = NumberMemory()
_BOTH = "SELECT outbox.doc, calls.doc FROM outbox JOIN calls USING (id)"
_LAST_SIGN = "\U0010ffff"


class LedgerStore:
    """`Ledger` on SQLite. Made by `open`."""

    def __init__(
        self, path: Path, clock: Clock, lock: WriterLock | None, choices: dict[PhoneNumber, Ref]
    ):
        self._path = path
        self._clock = clock
        self._lock = lock
        self._memory = {number: NumberMemory(choice=owner) for number, owner in choices.items()}
        self._writer: GroupWriter[Write, Outcome] = GroupWriter(
            lambda: SqliteFile(path), LedgerWriter().write_all
        )
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-reader")
        self._file: SqliteFile | None = None  # the reader thread's

    @classmethod
    def open(cls, path: Path, clock: Clock, *, shared: bool = False) -> "LedgerStore":
        """Open the ledger at *path*, making it when there is none.

        Without *shared* it is this process's alone. A guest (*shared*) may read, and retry or
        drop an entry, but not one that is being sent.

        Raises:
            StoreError: another process has it, or the file cannot be used.
        """
        lock = None if shared else WriterLock(path.with_suffix(".lock"))
        if lock is not None and not lock.acquire():
            raise StoreError(str(path), "another onec-bridge serves with this data directory")
        try:
            with SqliteDb(path) as db:
                create(db)
                choices = {
                    PhoneNumber(number): read_choice(text)
                    for number, text in db.table("choices").rows.all()
                }
        except msgspec.MsgspecError as error:
            _release(lock)
            raise StoreError(str(path), f"a document is damaged: {error}") from error
        except BaseException:
            _release(lock)
            raise
        return cls(path, clock, lock, choices)

    # ------------------------------------------------------------ writes
    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        """Write the call and its debt in one transaction, once; give the call that stands."""
        text = None if entry is None else entry_text(entry)
        return cast("PhoneCall", await self._writer.submit(RecordCall(call, call_text(call), text)))

    async def record_event(self, event: RawEvent) -> None:
        """Keep a PBX event."""
        await self._writer.submit(KeepEvent(event_text(event)))

    async def save_entry(self, entry: OutboxEntry) -> bool:
        """Replace an entry by its key; False when a person dropped it meanwhile.

        A row that is gone is not made again, so no delivery undoes a person's drop.
        """
        save = SaveEntry(entry.key, entry_text(entry), guest=self._lock is None)
        return bool(await self._writer.submit(save))

    async def drop_entry(self, key: str) -> bool:
        """Forget a debt on a person's word; the call stays in the journal."""
        return bool(await self._writer.submit(DropEntry(key)))

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        """Make an entry due at once on a person's word, unless it is being sent this moment."""
        return cast("OutboxEntry | None", await self._writer.submit(RetryEntry(key, now)))

    async def recover(self) -> int:
        """Turn entries that a crash left in `sending` into due ones; give their number."""
        if self._lock is None:
            raise StoreError(str(self._path), "only the process that delivers may recover")
        return cast("int", await self._writer.submit(Recover(self._clock())))

    async def remember_choice(self, number: PhoneNumber, owner: Ref) -> None:
        """Keep an operator's word on whose number this is."""
        await self._writer.submit(KeepChoice(number, choice_text(owner, self._clock())))
        self._memory[number] = NumberMemory(choice=owner)

    # ------------------------------------------------------------ reads
    def memory(self, number: PhoneNumber) -> NumberMemory:
        """Tell what people taught about a number; never touches the disk."""
        return self._memory.get(number, _NOTHING_KNOWN)

    async def due(self, now: datetime, limit: int) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Give entries to deliver: the freshest calls first, then the longest due."""
        return await self._read(lambda file: _due(file, now, limit))

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """List entries, newest first; all states when none is named."""
        wanted = tuple(state.value for state in states)
        where = f"WHERE {STATE} IN ({', '.join('?' * len(wanted))})" if wanted else ""
        if wanted and EntryState.SETTLED not in states:
            where += f" AND {OWED}"
        return await self._pairs(f"{where} ORDER BY id DESC LIMIT ?", (*wanted, limit))

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        """Give one entry by its key, or by an unambiguous beginning of it."""
        exact = await self._pairs(f"WHERE {KEY} = ?", (key,))
        if exact or not key:
            return exact[0] if exact else None
        like = await self._pairs(f"WHERE {KEY} >= ? AND {KEY} < ? LIMIT 2", (key, key + _LAST_SIGN))
        return like[0] if len(like) == 1 else None

    async def counts(self) -> OutboxCounts:
        """Count what is owed; the oldest debt is told by the moment its call came."""
        return await self._read(_counts)

    async def calls(
        self, *, limit: int = 50, before: datetime | None = None, number: PhoneNumber | None = None
    ) -> Sequence[PhoneCall]:
        """List calls, newest first."""
        conditions = ["1"]
        values: list[object] = []
        if before is not None:
            conditions.append(f"{AT} < ?")
            values.append(micros(before))
        if number is not None:
            conditions.append(f"{NUMBER} = ?")
            values.append(number)
        where = " AND ".join(conditions)
        return await self._calls(
            f"WHERE {where} ORDER BY {AT} DESC, id DESC LIMIT ?", (*values, limit)
        )

    async def call(self, key: str) -> PhoneCall | None:
        """Give one call."""
        found = await self._calls(f"WHERE {KEY} = ?", (key,))
        return found[0] if found else None

    async def calls_since(self, moment: datetime) -> Sequence[PhoneCall]:
        """Give the calls received since *moment*, oldest first."""
        return await self._calls(f"WHERE {AT} >= ? ORDER BY {AT}, id", (micros(moment),))

    async def close(self) -> None:
        """Write what waits and let go of the file."""
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(self._reader, self._close_file)
        self._reader.shutdown()
        _release(self._lock)

    async def _calls(self, rest: str, values: Sequence[object]) -> list[PhoneCall]:
        question = f"SELECT doc FROM calls {rest}"
        return await self._read(
            lambda file: [read_call(text) for (text,) in file.read(question, values)]
        )

    async def _pairs(
        self, rest: str, values: Sequence[object]
    ) -> list[tuple[OutboxEntry, PhoneCall]]:
        return await self._read(lambda file: _paired(file.read(f"{_BOTH} {rest}", values)))

    async def _read(self, question: Callable[[SqliteFile], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, self._ask, question)

    def _ask(self, question: Callable[[SqliteFile], T]) -> T:
        try:
            if self._file is None:
                self._file = SqliteFile(self._path, read_only=True)
            return question(self._file)
        except StoreError:
            self._close_file()
            raise
        except msgspec.MsgspecError as error:
            raise StoreError(str(self._path), f"a document is damaged: {error}") from error

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _release(lock: WriterLock | None) -> None:
    if lock is not None:
        lock.release()


def _paired(rows: Sequence[Row]) -> list[tuple[OutboxEntry, PhoneCall]]:
    return [(read_entry(entry), read_call(call)) for entry, call in rows]


def _due(file: SqliteFile, now: datetime, limit: int) -> list[tuple[OutboxEntry, PhoneCall]]:
    fresh: list[tuple[int, OutboxEntry]] = []
    # Rows are numbered as the calls came: the fresh ones are the last ones.
    for row, text in file.stream("SELECT id, doc FROM outbox ORDER BY id DESC"):
        entry = read_entry(text)
        if entry.created_at < now - _FRESH or len(fresh) == limit:
            break
        if entry.owed_now(now):
            fresh.append((row, entry))
    found = [
        (entry, read_call(file.read("SELECT doc FROM calls WHERE id = ?", (row,))[0][0]))
        for row, entry in fresh
    ]
    rows = file.read(
        f"{_BOTH} WHERE {STATE} = 'due' AND {DUE} <= ? AND {OWED} ORDER BY {DUE}, id LIMIT ?",
        (micros(now), limit),
    )
    keys = {entry.key for _, entry in fresh}
    return (found + [pair for pair in _paired(rows) if pair[0].key not in keys])[:limit]


def _counts(file: SqliteFile) -> OutboxCounts:
    ((total,),) = file.read("SELECT count(*) FROM outbox")
    owed = {
        state: (count, oldest)
        for state, count, oldest in file.read(
            f"SELECT {STATE}, count(*), min(id) FROM outbox WHERE {OWED} GROUP BY {STATE}"
        )
    }
    due, oldest = owed.get(EntryState.DUE.value, (0, None))
    rows = file.read("SELECT doc FROM outbox WHERE id = ?", (oldest,))
    return OutboxCounts(
        due=due,
        sending=owed.get(EntryState.SENDING.value, (0, None))[0],
        dead=owed.get(EntryState.DEAD.value, (0, None))[0],
        settled=total - sum(count for count, _ in owed.values()),
        oldest_due=read_entry(rows[0][0]).created_at if rows else None,
    )
