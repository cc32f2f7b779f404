"""The ledger's file for its owner: opened, checked around each write, and mended.

A damaged file is set aside, and what can be read of it is copied into a new one (`salvage`). A file
that was only deleted or replaced is written again from the connection that still has all of it.
Used by the writer's thread.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from bridge.adapters.sqlite.calls.migration import migrate_ledger
from bridge.adapters.sqlite.calls.recovery.file_watch import FileWatch, LedgerReplaced, status_of
from bridge.adapters.sqlite.calls.recovery.salvage import check_documents, salvage
from bridge.adapters.sqlite.calls.rows import FIRST_TABLES, LEDGER_PAGE_SIZE
from bridge.adapters.sqlite.calls.schema import create_tables
from bridge.adapters.sqlite.calls.writer import LedgerWriter, defer_checkpoints
from bridge.adapters.sqlite.calls.writes import LedgerWrite, WriteResult
from bridge.adapters.sqlite.file.integrity import check_integrity
from bridge.adapters.sqlite.file.set_aside import LOG_SUFFIXES, record_missing, set_aside
from bridge.adapters.sqlite.file.sqlite_file import (
    FORMAT_VERSION,
    OLDEST_FORMAT,
    SqliteFile,
    log_upgrade,
)
from bridge.adapters.sqlite.file.store_errors import SQLITE_ERRORS, decoding_documents
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.errors import StoreDamaged, StoreError, StoreInUse, StoreOfOtherProgram
from bridge.ports.clock import Clock

_log = logging.getLogger(__name__)


class LedgerFile:
    """Opens the ledger in any condition; *on_open* is called with each file it opens."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        lock: WriterLock,
        on_open: Callable[[SqliteDb], None],
    ) -> None:
        self._path = path
        self._clock = clock
        self._lock = lock
        self._on_open = on_open
        self._writer = LedgerWriter()
        #: Exists where the installation has had a ledger.
        self._known_mark = path.with_suffix(".known")
        # Earlier releases wrote no such mark: the lock and the audit list show that a service ran.
        if (
            not self._known_mark.exists()
            and path.with_name("audit.db").exists()
            and _is_empty(path)
        ):
            self._is_known = path.with_suffix(".lock").exists()
        else:
            self._is_known = self._known_mark.exists()
        #: Damage that a reader or a check met: the file is read whole when it is opened next.
        self._suspected: StoreError | None = None
        #: The connection that has all that was written to a file that is not at the path any more.
        self._source: SqliteFile | None = None
        #: Connections that failed, since the last one that was opened.
        self._failed: list[SqliteFile] = []
        #: Connections to files that others took the place of. Closing the last connection to a file
        #: deletes its log, by a name that is another file's now: so these stay open.
        self._replaced_files: list[SqliteFile] = []
        #: How often another file took the place of the one before.
        self._replacements = 0
        self._watch = FileWatch(path)
        #: What happened since the last `take_losses`, for the alarms.
        self._losses: list[str] = []

    # ------------------------------------------------------------ opening
    def open(self) -> SqliteFile:
        """Return a connection to a file that can be written; raises StoreError."""
        self._take_lock()
        replacements = self._replacements
        file = self._open()
        if self._replacements == replacements:
            for one in self._failed:
                one.close()
        else:
            self._replaced_files += self._failed
        self._failed, self._source = [], None
        self._suspected = None
        self._watch.begin()
        with suppress(OSError):  # a full disk: the next start writes it
            self._known_mark.touch(mode=0o600)
        self._is_known = True
        return file

    def _take_lock(self) -> None:
        try:
            if self._lock.is_held or self._lock.acquire():
                return
        except StoreError as error:
            raise StoreError(str(self._path), f"its lock: {error.reason}") from error
        reason = "another onec-bridge serves with this data directory"
        raise StoreInUse(str(self._path), reason)

    def _open(self) -> SqliteFile:
        put_back = ""
        if self._source is not None:
            put_back = self._put_back(self._source)
            # What the connection reads may be damaged itself: the copy is read whole.
            self._suspected = self._suspected or StoreError(str(self._path), "it was put back")
        elif self._is_known and _is_empty(self._path):
            self._begin_anew("it was missing", may_be_gone=True)
        try:
            file = self._open_checked()
        except StoreOfOtherProgram as error:
            if not self._is_known:
                raise  # perhaps the setting of the folder is wrong: another program's file stays
            return self._begin_anew(error.reason)
        except StoreDamaged as error:
            return self._begin_anew(error.reason)
        if put_back:
            self._losses.append(put_back)
        return file

    def _open_checked(self) -> SqliteFile:
        if self._is_known and not self._watch.is_database():
            raise StoreDamaged(str(self._path), "file is not a database")
        db = SqliteDb(
            self._path, page_size=LEDGER_PAGE_SIZE, any_thread=True, oldest_format=OLDEST_FORMAT
        )
        try:
            self._check_tables(db)
            create_tables(db)
            self._check_length(db.file)
            found = db.file.format_version
            if found != FORMAT_VERSION:
                with decoding_documents(self._path), db.transaction():
                    documents = migrate_ledger(db.file)
                log_upgrade(db.file, found, documents)
            if self._suspected is not None:
                check_integrity(db.file)
                check_documents(db.file)
            with self._raising_damage():
                self._on_open(db)
            defer_checkpoints(db.file)
        except BaseException:
            db.close()
            raise
        return db.file

    def _check_tables(self, db: SqliteDb) -> None:
        """Raise StoreDamaged where a ledger of ours lacks what it was made with."""
        if self._is_known and not db.tables() >= FIRST_TABLES:
            raise StoreDamaged(str(self._path), "tables of it are gone")

    def _check_length(self, file: SqliteFile) -> None:
        """Raise StoreDamaged where the file lacks pages that no log has either."""
        ((page,),) = file.read("PRAGMA page_size")
        ((pages,),) = file.read("PRAGMA page_count")
        log = self._path.with_name(self._path.name + LOG_SUFFIXES[0])
        if status_of(self._path).size < page * pages and status_of(log).size <= 0:
            raise StoreDamaged(str(self._path), "it was cut short")

    def _put_back(self, source: SqliteFile) -> str:
        """Write what *source* reads to the path, set aside what stands there; return the loss."""
        loss = "was deleted while the service ran, and made again: nothing is missing"
        self._replacements += 1
        stood = self._path.exists()
        aside = set_aside(self._path)  # or what is left of its log
        if stood:
            loss = (
                "was replaced or lost its log while the service ran, and was put back: nothing is "
                f"missing; what stood in its place is kept as {aside.name}"
            )
        try:
            target = sqlite3.connect(self._path)
            try:
                source.connection.backup(target)
            finally:
                target.close()
        except SQLITE_ERRORS as error:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)  # an incomplete copy is useless
            raise source.as_store_error(error) from error
        _log.error("ledger_put_back", extra={"path": str(self._path)})
        return loss

    def _begin_anew(self, reason: str, *, may_be_gone: bool = False) -> SqliteFile:
        """Set the file aside, and copy what can be read of it into a new one."""
        gone = may_be_gone and not any(status_of(part).size > 0 for part in self._watch.parts)
        kept = set_aside(self._path)
        self._replacements += 1
        self._is_known = False
        self._suspected = None
        if gone:
            kept.unlink(missing_ok=True)
            loss = (
                "was missing: what the bridge had recorded and not yet written to 1C is lost "
                "unless a backup has it"
            )
            kept = record_missing(self._path, f"{self._path.name} {loss}")
            saved = 0
            file = self._open_checked()
        else:
            fresh = self._open_checked()
            try:
                saved = salvage(kept, fresh, self._clock())
            finally:
                fresh.close()
            file = self._open_checked()
            loss = (
                f"was damaged ({reason}) and is kept as {kept.name}; {saved} calls could be taken "
                "over from it, others may be missing in 1C: compare them with the PBX's journal"
            )
        self._losses.append(loss)
        extra = {"path": str(self._path), "reason": reason, "kept": str(kept), "calls": saved}
        _log.error("store_damaged", extra=extra)
        return file

    # ------------------------------------------------------------ writing
    def write(
        self, file: SqliteFile, writes: Sequence[LedgerWrite]
    ) -> list[WriteResult | StoreError]:
        """Do *writes* in one durable transaction, in the file that is at the path.

        Raises:
            LedgerReplaced: another file, or none, is at the path.
            StoreDamaged, StoreError: they were not written.
        """
        self._check(file)
        with self._raising_damage():
            results = self._writer.write_all(file, writes)
        self._watch.check(file, after_own_write=True)
        return results

    def checkpoint(self, file: SqliteFile) -> None:
        """Move the log into the database, if it is long.

        Raises:
            LedgerReplaced: the file is not at the path any more: the connection must stay open.
        """
        self._check(file)
        self._writer.checkpoint(file)
        self._watch.check_after_checkpoint()

    def discard(self, file: SqliteFile, error: Exception) -> None:
        """Stop using *file* after *error*; it is closed when that can do no harm."""
        if isinstance(error, LedgerReplaced):
            self._source = file
        elif isinstance(error, StoreDamaged):
            self._suspected = error
        else:
            with suppress(*SQLITE_ERRORS):
                file.close()
            return
        self._failed.append(file)

    def suspect_damage(self, error: StoreError) -> None:
        """Have the file read whole before it is written again: a reader met *error* in it."""
        self._suspected = error

    @property
    def is_damage_suspected(self) -> bool:
        """Return whether damage was met and the file has not been read whole since."""
        return self._suspected is not None

    def take_losses(self) -> list[str]:
        """Return what happened to the file since the last call."""
        losses, self._losses = self._losses, []
        return losses

    def close(self) -> None:
        """Close all that was kept open."""
        for file in (*self._failed, *self._replaced_files):
            with suppress(*SQLITE_ERRORS):
                file.close()
        self._watch.close()

    def _check(self, file: SqliteFile) -> None:
        if self._suspected is not None:
            raise StoreDamaged(str(self._path), self._suspected.reason)
        self._watch.check(file)

    @contextmanager
    def _raising_damage(self) -> Iterator[None]:
        try:
            yield
        except msgspec.MsgspecError as error:
            reason = f"a document is damaged: {type(error).__name__}"
            raise StoreDamaged(str(self._path), reason) from error


def _is_empty(path: Path) -> bool:
    """Return whether nothing was ever written to the file, or it is gone."""
    return status_of(path).size == 0
