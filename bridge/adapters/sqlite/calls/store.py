"""The ledger on SQLite: calls, their outbox entries and PBX events, durable before an answer.

Writes go through one thread that commits in groups (`group_writer`); reads through another with
its own connection (`reads`), which no writer blocks. So the event loop never touches the disk. The
file belongs to one process, `serve`; others come as guests for a short read or write, and what
they changed is seen by the next read.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, cast

from bridge.adapters.sqlite.calls.group_writer import GroupWriter
from bridge.adapters.sqlite.calls.queries import (
    EMPTY_MEMORY,
    read_number_memories,
    read_numbers_with_talks,
)
from bridge.adapters.sqlite.calls.reads import LedgerReads
from bridge.adapters.sqlite.calls.recovery.file_watch import LedgerReplaced
from bridge.adapters.sqlite.calls.recovery.ledger_file import LedgerFile
from bridge.adapters.sqlite.calls.rows import (
    LEDGER_PAGE_SIZE,
    call_row,
    encode_choice,
    encode_event,
    entry_row,
    to_micros,
)
from bridge.adapters.sqlite.calls.schema import create_tables
from bridge.adapters.sqlite.calls.writer import LedgerWriter, open_as_guest
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
    RescheduledBatch,
    RescheduleEntries,
    ResumeEntries,
    RetryEntry,
    SaveChoice,
    SaveEntry,
    WriteResult,
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
    OutboxEntry,
)
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory
from bridge.errors import StoreDamaged, StoreError, StoreInUse
from bridge.ports.clock import Clock
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.ledger import LedgerChange
from bridge.ports.stores.retention import DeletedRecords

_log = logging.getLogger(__name__)

#: The examination at which the file is read whole: the first one keeps a start waiting.
_READ_WHOLE_AT: Final = 2


class SqliteLedger(LedgerReads):
    """`Ledger` on SQLite. Made by `open`."""

    name = "ledger.db"

    def __init__(self, path: Path, clock: Clock, lock: WriterLock | None):
        super().__init__(path, self._suspect_on_error)
        self._path = path
        self._clock = clock
        self._lock = lock
        self._memory: dict[PhoneNumber, NumberMemory] = {}
        #: The owner's; a guest leaves the file as it is.
        self._ledger_file: LedgerFile | None = None
        #: The error of the last write, while none has succeeded since.
        self._error: StoreError | None = None
        self._examinations = 0
        writer = LedgerWriter()
        self._writer: GroupWriter[LedgerWrite, WriteResult]
        if lock is None:
            self._writer = GroupWriter(
                lambda: open_as_guest(path), writer.write_all, writer.checkpoint
            )
        else:
            owned = self._ledger_file = LedgerFile(path, clock, lock, self._load_memories)
            self._writer = GroupWriter(
                owned.open,
                owned.write,
                owned.checkpoint,
                retry_after=(StoreDamaged, LedgerReplaced),
                discard=owned.discard,
            )

    @classmethod
    def open(cls, path: Path, clock: Clock, *, as_guest: bool = False) -> "SqliteLedger":
        """Open the ledger at *path*, creating it where there is none.

        The owner starts even where the file is damaged or cannot be written: it is mended, or
        `examine` returns an error until it is. A guest may read, and retry or drop an entry, but
        not one that is being sent.

        Raises:
            StoreError: another process owns it; for a guest also where it cannot be used.
        """
        if as_guest:
            store = cls(path, clock, None)
            with decoding_documents(path), SqliteDb(path, page_size=LEDGER_PAGE_SIZE) as db:
                create_tables(db)
                store._load_memories(db)
            return store
        store = cls(path, clock, WriterLock(path.with_suffix(".lock")))
        if store._ledger_file is not None:
            store._open_first(store._ledger_file)
        return store

    def _open_first(self, owned: LedgerFile) -> None:
        try:
            owned.open().close()
        except StoreInUse:
            raise
        except StoreError as error:
            self._error = error

    def _load_memories(self, db: SqliteDb) -> None:
        """Load what is remembered of numbers, where memory holds nothing newer."""
        for number, memory in read_number_memories(db).items():
            self._memory.setdefault(number, memory)

    async def examine(self) -> StoreError | None:
        """Return what keeps the ledger from being written, after a try to mend it."""
        if self._ledger_file is not None and self._error is None:
            self._examinations += 1
            if self._examinations == _READ_WHOLE_AT:
                await asyncio.to_thread(self._read_whole)
        try:
            await self._submit(CheckFile(write=self._error is not None))
        except StoreError as error:
            return error
        return None

    def take_losses(self) -> list[str]:
        """Return what happened to the file since the last call."""
        return [] if self._ledger_file is None else self._ledger_file.take_losses()

    def suspect_damage(self, reason: str) -> None:
        """Have the file read whole at the next examination."""
        self._suspect_on_error(StoreDamaged(str(self._path), reason))

    def _read_whole(self) -> None:
        """Look once for damage that no query has met yet, while calls are recorded."""
        try:
            file = SqliteFile(self._path, read_only=True)
            try:
                check_integrity(file)
            finally:
                file.close()
        except StoreDamaged as error:
            self._suspect_on_error(error)
        except StoreError as error:
            _log.warning("ledger_not_examined", extra={"reason": str(error)})

    def _suspect_on_error(self, error: StoreError) -> None:
        if self._ledger_file is not None and isinstance(error, StoreDamaged):
            self._ledger_file.suspect_damage(error)

    async def _submit(self, write: LedgerWrite) -> WriteResult:
        try:
            written = await self._writer.submit(write)
        except StoreError as error:
            self._error = error
            raise
        self._error = None
        return written

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        """Write the call and its entry in one transaction, once; return the call that stands."""
        row = None if entry is None else entry_row(entry)
        return cast("PhoneCall", await self._submit(RecordCall(call, call_row(call), row)))

    async def record_event(self, event: RawEvent) -> None:
        """Store a PBX event until it is applied to its call."""
        await self._submit(RecordEvent(encode_event(event), to_micros(event.received_at)))

    async def apply_change(self, change: LedgerChange) -> None:
        """Write one change of calls and what belongs to them in one transaction."""
        await self._submit(ApplyChange(change, self._clock()))
        for talk in change.talks:
            known = self._memory.get(talk.number, EMPTY_MEMORY)
            self._memory[talk.number] = replace(known, last_extension=talk.extension)

    async def delete_older_than(self, before: datetime) -> DeletedRecords:
        """Delete what was received before *before* and is done; return how much it was."""
        deleted, after = DeletedRecords(), 0
        while True:
            batch = cast("DeletedBatch", await self._submit(DeleteOldCalls(before, after)))
            deleted = replace(
                deleted,
                calls=deleted.calls + batch.deleted.calls,
                missed_calls=deleted.missed_calls + batch.deleted.missed_calls,
                kept=deleted.kept + batch.deleted.kept,
            )
            if batch.last_row is None:
                break
            after = batch.last_row
        rest = cast("DeletedBatch", await self._submit(DeleteOldEvents(before))).deleted
        if rest.talks:
            known = await self._reader.run(read_numbers_with_talks)
            for number, memory in self._memory.items():
                if memory.last_extension is not None and number not in known:
                    self._memory[number] = replace(memory, last_extension=None)
        return replace(deleted, events=rest.events, talks=rest.talks)

    async def record_day(self, now: datetime) -> None:
        """Record that the service runs on the day of *now*."""
        await self._submit(RecordDay(now))

    async def save_entry(self, entry: OutboxEntry) -> bool:
        """Replace an entry by its key; return False where it was dropped meanwhile.

        A row that is gone is not created again, so no delivery undoes a person's drop.
        """
        return bool(await self._submit(SaveEntry(entry, self._clock(), guest=self._lock is None)))

    async def drop_entry(self, key: str) -> bool:
        """Delete an entry on request; its call stays. Return False where none was."""
        return bool(await self._submit(DropEntry(key)))

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        """Make an entry due on request, unless it is being sent; return it."""
        return cast("OutboxEntry | None", await self._submit(RetryEntry(key, now)))

    async def recover_after_crash(self) -> int:
        """Make entries due again that a crash left in `sending`; return their number."""
        if self._lock is None:
            raise StoreError(str(self._path), "only the process that delivers may recover")
        return cast("int", await self._submit(RecoverEntries(self._clock())))

    async def resume_entries(self, now: datetime, stage: DeliveryStage | None, limit: int) -> int:
        """Make paused entries of *stage*, or of all stages, due again; return their number."""
        return cast("int", await self._submit(ResumeEntries(now, stage, limit)))

    async def resume_trial(self, now: datetime, stage: DeliveryStage, place: float) -> bool:
        """Make the paused entry of *stage* at *place* due again; return whether there was one."""
        return bool(await self._submit(ResumeEntries(now, stage, place=place)))

    async def reschedule_entries(self, now: datetime, rules: DeliveryRules) -> int:
        """Apply `reschedule_entry` to all entries; return the number of those that changed."""
        changed, after = 0, 0
        while True:
            write = RescheduleEntries(now, rules, after)
            batch = cast("RescheduledBatch", await self._submit(write))
            changed += batch.changed
            if batch.last_row is None:
                return changed
            after = batch.last_row

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        """Save the owner that an operator chose for a number."""
        await self._submit(SaveChoice(number, encode_choice(owner, self._clock())))
        known = self._memory.get(number, EMPTY_MEMORY)
        self._memory[number] = replace(known, chosen_owner=owner)

    async def rewrite_choices(self) -> None:
        """Write the owners that operators chose to a file that lost them."""
        now = self._clock()
        for number, known in list(self._memory.items()):
            if known.chosen_owner is not None:
                await self._submit(SaveChoice(number, encode_choice(known.chosen_owner, now)))

    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        """Return what is remembered of *number*; never touches the disk."""
        return self._memory.get(number, EMPTY_MEMORY)

    async def close(self) -> None:
        """Write what waits and close the file."""
        await self._writer.close()
        await self._reader.close()
        if self._ledger_file is not None:
            self._ledger_file.close()
        if self._lock is not None:
            self._lock.release()
