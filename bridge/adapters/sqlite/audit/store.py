"""audit.db: who did what, and which personal links are valid; a file of its own beside the ledger.

Records are only added, and deleted when they are old. Writes and long reads go through one thread,
off the event loop; the generation of a link is read on the caller's thread, in microseconds, and a
revocation by another process counts at once.

Which links were revoked stands here only. So a new file accepts none that was made before it: its
generations begin with the second of its creation, far above any that were ever counted up to.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bridge.adapters.sqlite.file.integrity import check_integrity
from bridge.adapters.sqlite.file.sqlite_file import (
    FORMAT_VERSION,
    OLDEST_FORMAT,
    SqliteFile,
)
from bridge.adapters.sqlite.file.store_errors import decoding_documents
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.domain.delivery.retention import oldest_kept
from bridge.domain.directory.entities import Ref
from bridge.errors import StoreError
from bridge.ports.audit import AuditAct, AuditRecord
from bridge.ports.clock import Clock

# ruff: noqa: S608 - tables and expressions are constants of ours.

_AUDIT: Final = "audit"
_KEYS: Final = "desk_keys"
_ACT: Final = "json_extract(doc, '$.act')"
_AT: Final = "json_extract(doc, '$.at')"
_MANAGER: Final = "json_extract(doc, '$.manager')"

#: The reference of the row that holds the generation of managers without a row of their own;
#: files of earlier releases have no such row.
_EVERYBODY: Final = Ref("")

T = TypeVar("T")


class _KeyRow(msgspec.Struct, gc=False):
    manager: Ref
    generation: int


_encode = msgspec.json.Encoder().encode
_record = msgspec.json.Decoder(AuditRecord).decode
_key = msgspec.json.Decoder(_KeyRow).decode


class SqliteAudit:
    """`Audit` and `PersonalLinks` on SQLite; records are kept for *keep* of the days seen.

    Opening reads the file whole. Raises StoreError where it cannot be used.
    """

    def __init__(self, path: Path, clock: Clock, *, keep: timedelta):
        self._path = path
        self._keep = keep
        with SqliteDb(path, oldest_format=OLDEST_FORMAT) as db:
            check_integrity(db.file)
            with db.transaction():
                is_new = _KEYS not in db.tables()
                for table in (_AUDIT, _KEYS):
                    db.table(table, persist_empty=True)
                if is_new:
                    _add_key(db.file, _KeyRow(_EVERYBODY, int(clock().timestamp())))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._file: SqliteFile | None = None  # the thread's
        self._reader = SqliteFile(path, oldest_format=OLDEST_FORMAT)
        self._version = -1
        self._generations: dict[Ref, int] = {}
        try:
            self.generation(_EVERYBODY)
        except StoreError:
            self._reader.close()
            raise

    async def append(self, record: AuditRecord) -> None:
        """Append *record*; it is durable on return."""
        await self._do(lambda file: self._note(file, record))

    async def records(
        self, *, limit: int = 100, before: int | None = None, act: AuditAct | None = None
    ) -> Sequence[tuple[int, AuditRecord]]:
        """Return records with their numbers, newest first."""
        conditions, values = ["1"], list[object]()
        if before is not None:
            conditions.append("id < ?")
            values.append(before)
        if act is not None:
            conditions.append(f"{_ACT} = ?")
            values.append(act.value)
        query = (
            f"SELECT id, doc FROM {_AUDIT} WHERE {' AND '.join(conditions)} "
            "ORDER BY id DESC LIMIT ?"
        )
        rows = await self._do(lambda file: file.read(query, (*values, limit)))
        with decoding_documents(self._path):
            return [(number, _record(text)) for number, text in rows]

    async def delete_old(self, days: Sequence[date]) -> int:
        """Delete records older than the last days to be kept, of *days*; return their number."""
        before = oldest_kept(days, self._keep.days)
        if before is None:
            return 0
        moment = before.isoformat()
        return await self._do(
            lambda file: file.execute(f"DELETE FROM {_AUDIT} WHERE {_AT} < ?", (moment,))
        )

    def generation(self, manager: Ref) -> int:
        """Return the generation of links that is valid now."""
        ((version,),) = self._reader.read("PRAGMA data_version")
        if version != self._version:
            rows = self._reader.read(f"SELECT doc FROM {_KEYS}")
            with decoding_documents(self._path):
                keys = [_key(text) for (text,) in rows]
            self._generations = {key.manager: key.generation for key in keys}
            self._version = version
        return self._generations.get(manager, self._generations.get(_EVERYBODY, 0))

    async def revoke(self, manager: Ref) -> int:
        """Invalidate all links and sessions of *manager*; return the generation that counts now."""
        return await self._do(lambda file: _revoke(file, manager))

    async def probe(self) -> None:
        """Write something that changes nothing; raises StoreError where it cannot be written."""
        await self._do(lambda file: file.execute(f"PRAGMA user_version = {FORMAT_VERSION}"))

    def was_replaced(self) -> bool:
        """Return whether another file, or none, stands at the path now."""
        return self._reader.was_replaced()

    async def close(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_file)
        self._thread.shutdown()
        self._reader.close()

    def _note(self, file: SqliteFile, record: AuditRecord) -> None:
        with file.transaction():
            file.execute(f"INSERT INTO {_AUDIT} (doc) VALUES (?)", (_encode(record).decode(),))

    async def _do(self, work: Callable[[SqliteFile], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._with, work)

    def _with(self, work: Callable[[SqliteFile], T]) -> T:
        if self._file is not None and self._file.was_replaced():
            self._close_file()
        if self._file is None:
            self._file = SqliteFile(self._path, oldest_format=OLDEST_FORMAT)
        try:
            with decoding_documents(self._path):
                return work(self._file)
        except StoreError:
            self._close_file()
            raise

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _revoke(file: SqliteFile, manager: Ref) -> int:
    with file.transaction():
        own, everybody = (_find_key(file, ref) for ref in (manager, _EVERYBODY))
        held = own or everybody
        key = _KeyRow(manager, 1 if held is None else held[1].generation + 1)
        if own is None:
            _add_key(file, key)
        else:
            text = _encode(key).decode()
            file.execute(f"UPDATE {_KEYS} SET doc = ? WHERE id = ?", (text, own[0]))
    return key.generation


def _find_key(file: SqliteFile, manager: Ref) -> tuple[int, _KeyRow] | None:
    found = file.read(f"SELECT id, doc FROM {_KEYS} WHERE {_MANAGER} = ?", (manager,))
    return (found[0][0], _key(found[0][1])) if found else None


def _add_key(file: SqliteFile, key: _KeyRow) -> None:
    file.execute(f"INSERT INTO {_KEYS} (doc) VALUES (?)", (_encode(key).decode(),))
