"""The ledger on SQLite: calls and what they owe 1C, durable before anybody is answered.

Writes go through one thread that commits in groups (`ledger_writer`); reads through another with
its own connection, which no writer blocks. So the event loop never touches the disk. The file
belongs to one process, `serve`; others come as guests (`shared`) for a short look or a short
write, and what they changed is seen at the next look.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar, cast

from bridge.adapters.sqlite.calls.group_writer import GroupWriter
from bridge.adapters.sqlite.calls.queries import (
    EMPTY_MEMORY,
    SELECT_ENTRIES_WITH_CALLS,
    call_conditions,
    count_entries,
    decode_pairs,
    read_due_entries,
    read_number_memories,
    read_numbers_with_talks,
)
from bridge.adapters.sqlite.calls.recovery.ledger_file import LedgerFile, LedgerReplaced
from bridge.adapters.sqlite.calls.rows import (
    CALL_KEY,
    CALL_RECEIVED_AT,
    CALL_REF,
    ENTRY_IS_PENDING,
    ENTRY_STATE,
    LEDGER_PAGE_SIZE,
    call_row,
    create_tables,
    day_of_column,
    decode_call,
    decode_day,
    decode_event,
    decode_missed_call,
    encode_choice,
    encode_event,
    entry_row,
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
    LedgerWriter,
    RearmedBatch,
    RearmEntries,
    RecordCall,
    RecordDay,
    RecordEvent,
    RecoverEntries,
    ResumeEntries,
    RetryEntry,
    SaveChoice,
    SaveEntry,
    WriteResult,
    open_as_guest,
)
from bridge.adapters.sqlite.file.integrity import check_integrity
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.adapters.sqlite.file.store_errors import decoding_documents
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory
from bridge.errors import StoreDamaged, StoreError, StoreInUse
from bridge.ports.clock import Clock
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.calls import CallFilter
from bridge.ports.stores.ledger import LedgerChange
from bridge.ports.stores.outbox import OutboxCounts
from bridge.ports.stores.retention import DeletedRecords

# ruff: noqa: S608 - tables and expressions are constants of this house.

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: The look at which all of the file is read: the first one keeps a start waiting.
_READ_WHOLE_AT = 2

_LAST_SIGN = "\U0010ffff"


class SqliteLedger:
    """`Ledger` on SQLite. Made by `open`."""

    #: What alarms call it.
    name = "ledger.db"

    def __init__(self, path: Path, clock: Clock, lock: WriterLock | None):
        self._path = path
        self._clock = clock
        self._lock = lock
        self._memory: dict[PhoneNumber, NumberMemory] = {}
        #: The owner's; a guest leaves the file as it is.
        self._kept: LedgerFile | None = None
        #: What the last write met, while none has gone well since.
        self._trouble: StoreError | None = None
        self._looks = 0
        writer = LedgerWriter()
        self._writer: GroupWriter[LedgerWrite, WriteResult]
        if lock is None:
            self._writer = GroupWriter(
                lambda: open_as_guest(path), writer.write_all, writer.checkpoint
            )
        else:
            kept = self._kept = LedgerFile(path, clock, lock, self._learn)
            self._writer = GroupWriter(
                kept.open,
                kept.write,
                kept.checkpoint,
                retry_after=(StoreDamaged, LedgerReplaced),
                discard=kept.discard,
            )
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-reader")
        self._file: SqliteFile | None = None  # the reader thread's

    @classmethod
    def open(cls, path: Path, clock: Clock, *, as_guest: bool = False) -> "SqliteLedger":
        """Open the ledger at *path*, making it when there is none.

        Without *shared* it is this process's alone, and what is wrong with it stops nothing: it is
        mended, or has a `trouble` until `examine` finds it well. A guest (*shared*) may read, and
        retry or drop an entry, but not one that is being sent.

        Raises:
            StoreError: another process has it; for a guest also where it cannot be used.
        """
        if as_guest:
            store = cls(path, clock, None)
            with decoding_documents(path), SqliteDb(path, page_size=LEDGER_PAGE_SIZE) as db:
                create_tables(db)
                store._learn(db)
            return store
        store = cls(path, clock, WriterLock(path.with_suffix(".lock")))
        if store._kept is not None:
            store._open_first(store._kept)
        return store

    def _open_first(self, kept: LedgerFile) -> None:
        try:
            kept.open().close()
        except StoreInUse:
            raise
        except StoreError as error:
            self._trouble = error

    def _learn(self, db: SqliteDb) -> None:
        """Take up what people taught, where memory does not know better."""
        for number, known in read_number_memories(db).items():
            self._memory.setdefault(number, known)

    # ------------------------------------------------------------ health
    async def examine(self) -> StoreError | None:
        """Return what keeps the ledger from being written, after a try to mend it."""
        if self._kept is not None and self._trouble is None:
            self._looks += 1
            if self._looks == _READ_WHOLE_AT:
                await asyncio.to_thread(self._read_whole)
        try:
            await self._submit(CheckFile(write=self._trouble is not None))
        except StoreError as error:
            return error
        return None

    def take_losses(self) -> list[str]:
        """Return what happened to the file since this was asked last."""
        return [] if self._kept is None else self._kept.take_losses()

    def suspect_damage(self, reason: str) -> None:
        """Have the file read whole at the next look."""
        self._met(StoreDamaged(str(self._path), reason))

    def _read_whole(self) -> None:
        """Look once for damage that nobody met yet; beside the callers."""
        try:
            file = SqliteFile(self._path, read_only=True)
            try:
                check_integrity(file)
            finally:
                file.close()
        except StoreDamaged as error:
            self._met(error)
        except StoreError as error:
            _log.warning("ledger_not_examined", extra={"reason": str(error)})

    def _met(self, error: StoreError) -> None:
        if self._kept is not None and isinstance(error, StoreDamaged):
            self._kept.suspect_damage(error)

    async def _submit(self, write: LedgerWrite) -> WriteResult:
        try:
            outcome = await self._writer.submit(write)
        except StoreError as error:
            self._trouble = error
            raise
        self._trouble = None
        return outcome

    # ------------------------------------------------------------ writes
    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        """Write the call and its debt in one transaction, once; give the call that stands."""
        owed = None if entry is None else entry_row(entry)
        return cast("PhoneCall", await self._submit(RecordCall(call, call_row(call), owed)))

    async def record_event(self, event: RawEvent) -> None:
        """Keep a PBX event until its call is told of it."""
        await self._submit(RecordEvent(encode_event(event), to_micros(event.received_at)))

    async def apply_change(self, change: LedgerChange) -> None:
        """Make one step of following the calls durable."""
        await self._submit(ApplyChange(change, self._clock()))
        for talk in change.talks:
            known = self._memory.get(talk.number, EMPTY_MEMORY)
            self._memory[talk.number] = replace(known, last_extension=talk.extension)

    async def delete_older_than(self, before: datetime) -> DeletedRecords:
        """Delete what was received before that moment and is done."""
        gone, after = DeletedRecords(), 0
        while True:
            batch = cast("DeletedBatch", await self._submit(DeleteOldCalls(before, after)))
            gone = replace(
                gone,
                calls=gone.calls + batch.deleted.calls,
                missed_calls=gone.missed_calls + batch.deleted.missed_calls,
                kept=gone.kept + batch.deleted.kept,
            )
            if batch.last_row is None:
                break
            after = batch.last_row
        rest = cast("DeletedBatch", await self._submit(DeleteOldEvents(before))).deleted
        if rest.talks:
            known = await self._read(read_numbers_with_talks)
            for number, memory in self._memory.items():
                if memory.last_extension is not None and number not in known:
                    self._memory[number] = replace(memory, last_extension=None)
        return replace(gone, events=rest.events, talks=rest.talks)

    async def record_day(self, now: datetime) -> None:
        """Note that the service runs on the day of *now*."""
        await self._submit(RecordDay(now))

    async def days_seen(self) -> Sequence[date]:
        """Give the days that were noted, the one noted last at the end."""
        question = "SELECT day FROM days ORDER BY id"
        return await self._read(lambda file: [day_of_column(day) for (day,) in file.read(question)])

    async def last_seen(self) -> datetime | None:
        """Give the moment that was noted last; None before the first."""
        question = "SELECT doc FROM days ORDER BY id DESC LIMIT 1"
        found = await self._read(lambda file: [decode_day(text) for (text,) in file.read(question)])
        return found[0] if found else None

    async def save_entry(self, entry: OutboxEntry) -> bool:
        """Replace an entry by its key; False when a person dropped it meanwhile.

        A row that is gone is not made again, so no delivery undoes a person's drop.
        """
        save = SaveEntry(entry, self._clock(), guest=self._lock is None)
        return bool(await self._submit(save))

    async def drop_entry(self, key: str) -> bool:
        """Forget a debt on a person's word; the call stays in the journal."""
        return bool(await self._submit(DropEntry(key)))

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        """Make an entry due at once on a person's word, unless it is being sent this moment."""
        return cast("OutboxEntry | None", await self._submit(RetryEntry(key, now)))

    async def recover_after_crash(self) -> int:
        """Turn entries that a crash left in `sending` into due ones; give their number."""
        if self._lock is None:
            raise StoreError(str(self._path), "only the process that delivers may recover")
        return cast("int", await self._submit(RecoverEntries(self._clock())))

    async def resume_entries(
        self, now: datetime, stage: DeliveryStage | None, limit: int, *, freshest: bool = False
    ) -> int:
        """Apply `outbox.released` to held entries of *stage*, or of all; return their number."""
        return cast("int", await self._submit(ResumeEntries(now, stage, limit, freshest)))

    async def reschedule_entries(self, now: datetime, rules: DeliveryRules) -> int:
        """Apply `outbox.rearmed` to all entries; give the number of those that changed."""
        changed, after = 0, 0
        while True:
            batch = cast("RearmedBatch", await self._submit(RearmEntries(now, rules, after)))
            changed += batch.changed
            if batch.last_row is None:
                return changed
            after = batch.last_row

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        """Keep an operator's word on whose number this is."""
        await self._submit(SaveChoice(number, encode_choice(owner, self._clock())))
        known = self._memory.get(number, EMPTY_MEMORY)
        self._memory[number] = replace(known, chosen_owner=owner)

    async def rewrite_choices(self) -> None:
        """LedgerWrite what operators chose to a file that lost it."""
        now = self._clock()
        for number, known in list(self._memory.items()):
            if known.chosen_owner is not None:
                await self._submit(SaveChoice(number, encode_choice(known.chosen_owner, now)))

    # ------------------------------------------------------------ reads
    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        """Tell what people taught about a number; never touches the disk."""
        return self._memory.get(number, EMPTY_MEMORY)

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Give entries to deliver: the freshest calls first, then the longest due."""
        return await self._read(lambda file: read_due_entries(file, now, limit))

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """List entries, newest first; all states when none is named."""
        wanted = tuple(state.value for state in states)
        where = f"WHERE {ENTRY_STATE} IN ({', '.join('?' * len(wanted))})" if wanted else ""
        if wanted and EntryState.DELIVERED not in states:
            where += f" AND {ENTRY_IS_PENDING}"
        return await self._pairs(f"{where} ORDER BY id DESC LIMIT ?", (*wanted, limit))

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        """Give one entry by its key, or by an unambiguous beginning of it."""
        exact = await self._pairs(f"WHERE {CALL_KEY} = ?", (key,))
        if exact or not key:
            return exact[0] if exact else None
        like = await self._pairs(
            f"WHERE {CALL_KEY} >= ? AND {CALL_KEY} < ? LIMIT 2", (key, key + _LAST_SIGN)
        )
        return like[0] if len(like) == 1 else None

    async def count_entries(self) -> OutboxCounts:
        """Count what is owed; the oldest debt is told by the moment its call came."""
        return await self._read(count_entries)

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        matching: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        """List calls, newest first."""
        where, values = call_conditions(matching or CallFilter(), before, number)
        return await self._calls(
            f"WHERE {where} ORDER BY {CALL_RECEIVED_AT} DESC, id DESC LIMIT ?", (*values, limit)
        )

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        """Give kept events that no call was told of yet, oldest first."""
        question = "SELECT id, doc FROM events WHERE call IS NULL ORDER BY id LIMIT ?"
        return await self._read(
            lambda file: [(row, decode_event(text)) for row, text in file.read(question, (limit,))]
        )

    async def unread_events(self, limit: int, after: int = -1) -> Sequence[tuple[int, RawEvent]]:
        """Return events that could not be read behind number *after*, each with its number."""
        question = "SELECT id, doc FROM events WHERE call = '?' AND id > ? ORDER BY id LIMIT ?"
        return await self._read(
            lambda file: [
                (n, decode_event(text)) for n, text in file.read(question, (after, limit))
            ]
        )

    async def count_unread_events(self) -> int:
        """Return how many events are kept that could not be read."""
        question = "SELECT count(*) FROM events WHERE call = '?'"
        return await self._read(lambda file: int(file.read(question)[0][0]))

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        """Give the events a call was told of, as they came, oldest first."""
        question = "SELECT doc FROM events WHERE call = ? ORDER BY id"
        return await self._read(
            lambda file: [decode_event(text) for (text,) in file.read(question, (key,))]
        )

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        """Give the clients who wait to be called back, the longest waiting first."""
        question = "SELECT doc FROM debts WHERE closed IS NULL ORDER BY id"
        return await self._read(
            lambda file: [decode_missed_call(text) for (text,) in file.read(question)]
        )

    async def call(self, key: str) -> PhoneCall | None:
        """Give one call."""
        found = await self._calls(f"WHERE {CALL_KEY} = ?", (key,))
        return found[0] if found else None

    async def call_by_ref(self, ref: str) -> PhoneCall | None:
        """Give the latest call that the PBX knows by *ref*."""
        found = await self._calls(
            f"WHERE {CALL_REF} = ? AND {CALL_REF} <> '' ORDER BY id DESC LIMIT 1", (ref,)
        )
        return found[0] if found else None

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        """Give the calls received since *moment*, and before *until*, oldest first."""
        if until is None:
            return await self._calls(
                f"WHERE {CALL_RECEIVED_AT} >= ? ORDER BY {CALL_RECEIVED_AT}, id",
                (to_micros(moment),),
            )
        ends = (to_micros(moment), to_micros(until))
        return await self._calls(
            f"WHERE {CALL_RECEIVED_AT} >= ? AND {CALL_RECEIVED_AT} < ? ORDER BY {CALL_RECEIVED_AT}, id",
            ends,
        )

    async def close(self) -> None:
        """LedgerWrite what waits and let go of the file."""
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(self._reader, self._close_file)
        self._reader.shutdown()
        if self._kept is not None:
            self._kept.close()
        _release(self._lock)

    async def _calls(self, rest: str, values: Sequence[object]) -> list[PhoneCall]:
        question = f"SELECT doc FROM calls {rest}"
        return await self._read(
            lambda file: [decode_call(text) for (text,) in file.read(question, values)]
        )

    async def _pairs(
        self, rest: str, values: Sequence[object]
    ) -> list[tuple[OutboxEntry, PhoneCall]]:
        return await self._read(
            lambda file: decode_pairs(file.read(f"{SELECT_ENTRIES_WITH_CALLS} {rest}", values))
        )

    async def _read(self, question: Callable[[SqliteFile], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, self._ask, question)

    def _ask(self, question: Callable[[SqliteFile], T]) -> T:
        try:
            if self._file is not None and self._file.was_replaced():
                self._close_file()
            if self._file is None:
                self._file = SqliteFile(self._path, read_only=True)
            with decoding_documents(self._path):
                return question(self._file)
        except StoreError as error:
            if self._file is not None and not self._file.was_replaced():
                self._met(error)
            self._close_file()
            raise

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _release(lock: WriterLock | None) -> None:
    if lock is not None:
        lock.release()
