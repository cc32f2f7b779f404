"""The ledger's file as its one writer has it: made, watched, and mended. For the writer's thread.

A write counts only where it went into the file that bears the name. So around each batch the file
is looked at: one that was replaced, unlinked or cut short is noticed before the next call is
acknowledged into it. What is damaged is set aside, what can be read of it is taken over, and a
file that was only taken away is made again from the connection that still has all of it.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from bridge.adapters.sqlite.calls.migration import migrate_ledger
from bridge.adapters.sqlite.calls.recovery.salvage import check_documents, salvage
from bridge.adapters.sqlite.calls.rows import FIRST_TABLES, LEDGER_PAGE_SIZE, create_tables
from bridge.adapters.sqlite.calls.writes import (
    LedgerWrite,
    LedgerWriter,
    WriteResult,
    defer_checkpoints,
)
from bridge.adapters.sqlite.file.header import HeaderReader
from bridge.adapters.sqlite.file.integrity import check_integrity
from bridge.adapters.sqlite.file.set_aside import LOG_SUFFIXES, record_missing, set_aside
from bridge.adapters.sqlite.file.sqlite_file import (
    FORMAT_VERSION,
    OLDEST_FORMAT,
    SqliteFile,
)
from bridge.adapters.sqlite.file.store_errors import SQLITE_ERRORS, decoding_documents
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.errors import StoreDamaged, StoreError, StoreInUse, StoreOfOtherProgram
from bridge.ports.clock import Clock

_log = logging.getLogger(__name__)

#: Whether SQLite reads its file as before: page size, format, schema, encoding, whose file it is.
_HEADER = slice(0, 24), slice(40, 48), slice(56, 60), slice(68, 72)

_HEADER_BYTES = 100

_MAGIC = b"SQLite format 3\0"

_Look = tuple[tuple[int, int] | None, int, int]


class LedgerReplaced(StoreError):
    """The file is not the one that was opened; the connection has all that was written."""


class LedgerFile:
    """Opens the ledger, whatever became of it; *opened* is called with each file it opens.

    *known* is where the installation keeps that it has a ledger.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        lock: WriterLock,
        opened: Callable[[SqliteDb], None],
    ) -> None:
        self._path = path
        self._clock = clock
        self._lock = lock
        self._opened = opened
        self._writer = LedgerWriter()
        self._known = path.with_suffix(".known")
        # Of before there was such a note: the lock and the audit list stay where a service ran.
        if not self._known.exists() and path.with_name("audit.db").exists() and _empty(path):
            self._is_known = path.with_suffix(".lock").exists()
        else:
            self._is_known = self._known.exists()
        #: Met by somebody: the file is read whole when it is opened next.
        self._doubt: StoreError | None = None
        #: Has all that was written to a file that is not there any more.
        self._rescued: SqliteFile | None = None
        #: Connections that failed, since the last one that was opened.
        self._let_go: list[SqliteFile] = []
        #: Connections to files that others took the place of. The last to let go of a file deletes
        #: its log, by a name that is another's now: so these stay open, and nobody's is the last.
        self._anchors: list[SqliteFile] = []
        #: How often another file took the place of the one before.
        self._replaced = 0
        self._looks: tuple[_Look, ...] = ()
        self._names = tuple(str(part) for part in self._parts())
        self._header: tuple[bytes, ...] = ()
        self._headers = HeaderReader(path)
        #: What happened since the last `take_losses`, in words for people.
        self._losses: list[str] = []

    # ------------------------------------------------------------ opening
    def open(self) -> SqliteFile:
        """Open a file that can be written; raises StoreError where there is none to be had."""
        self._take_lock()
        replaced = self._replaced
        file = self._open()
        if self._replaced == replaced:
            for one in self._let_go:
                one.close()
        else:
            self._anchors += self._let_go
        self._let_go, self._rescued = [], None
        self._doubt = None
        self._looks = self._look()
        self._header = self._read_header(self._looks)
        with suppress(OSError):  # a full disk: the next start of a sound disk notes it
            self._known.touch(mode=0o600)
        self._is_known = True
        return file

    def _take_lock(self) -> None:
        try:
            if self._lock.is_held or self._lock.acquire():
                return
        except StoreError as error:
            raise StoreError(str(self._path), f"its lock: {error.reason}") from error
        words = "another onec-bridge serves with this data directory"
        raise StoreInUse(str(self._path), words)

    def _open(self) -> SqliteFile:
        put_back = ""
        if self._rescued is not None:
            put_back = self._put_back(self._rescued)
            # What was held open may be damaged itself: the copy is read whole.
            self._doubt = self._doubt or StoreError(str(self._path), "it was put back")
        elif self._is_known and _empty(self._path):
            self._begin_anew("it was missing", note=True)
        try:
            file = self._open_sound()
        except StoreOfOtherProgram as error:
            if not self._is_known:
                raise  # perhaps the setting of the folder is wrong: theirs is left alone
            return self._begin_anew(error.reason)
        except StoreDamaged as error:
            return self._begin_anew(error.reason)
        if put_back:
            self._losses.append(put_back)
        return file

    def _open_sound(self) -> SqliteFile:
        if self._is_known and self._read_header(self._look())[0][: len(_MAGIC)] != _MAGIC:
            # SQLite would take a file of zeros for a new one.
            raise StoreDamaged(str(self._path), "file is not a database")
        db = SqliteDb(
            self._path, page_size=LEDGER_PAGE_SIZE, any_thread=True, oldest_format=OLDEST_FORMAT
        )
        try:
            self._insist_on_tables(db)
            create_tables(db)
            self._insist_on_length(db.file)
            if db.file.format_version != FORMAT_VERSION:
                with decoding_documents(self._path), db.transaction():
                    migrate_ledger(db.file)
            if self._doubt is not None:
                check_integrity(db.file)
                check_documents(db.file)
            try:
                self._opened(db)
            except msgspec.MsgspecError as error:
                words = f"a document is damaged: {type(error).__name__}"
                raise StoreDamaged(str(self._path), words) from error
            defer_checkpoints(db.file)
        except BaseException:
            db.close()
            raise
        return db.file

    def _insist_on_tables(self, db: SqliteDb) -> None:
        """Raise StoreDamaged where a ledger of ours lacks what it was made with."""
        if self._is_known and not db.tables() >= FIRST_TABLES:
            raise StoreDamaged(str(self._path), "tables of it are gone")

    def _insist_on_length(self, file: SqliteFile) -> None:
        """Raise StoreDamaged where the file lacks pages that no log has either."""
        ((page,),) = file.read("PRAGMA page_size")
        ((pages,),) = file.read("PRAGMA page_count")
        log = self._path.with_name(self._path.name + LOG_SUFFIXES[0])
        if _size(self._path) < page * pages and _size(log) <= 0:
            raise StoreDamaged(str(self._path), "it was cut short")

    def _put_back(self, rescued: SqliteFile) -> str:
        """Have at the path again what *rescued* holds, what stands there now set aside; say so."""
        words = "was deleted while the service ran, and made again: nothing is missing"
        self._replaced += 1
        stood = self._path.exists()
        aside = set_aside(self._path)  # or what is left of its log
        if stood:
            words = (
                "was replaced or lost its log while the service ran, and was put back: nothing is "
                f"missing; what stood in its place is kept as {aside.name}"
            )
        try:
            target = sqlite3.connect(self._path)
            try:
                rescued.connection.backup(target)
            finally:
                target.close()
        except SQLITE_ERRORS as error:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)  # half of it is none
            raise rescued.as_store_error(error) from error
        _log.error("ledger_put_back", extra={"path": str(self._path)})
        return words

    def _begin_anew(self, reason: str, *, note: bool = False) -> SqliteFile:
        """Set the file aside, and take over into a new one what can be read of it."""
        gone = note and not any(_size(part) > 0 for part in self._parts())
        kept = set_aside(self._path)
        self._replaced += 1
        self._is_known = False
        self._doubt = None
        if gone:
            kept.unlink(missing_ok=True)
            words = (
                "was missing: what the bridge had recorded and not yet written to 1C is lost "
                "unless a backup has it"
            )
            kept = record_missing(self._path, f"{self._path.name} {words}")
            saved = 0
            file = self._open_sound()
        else:
            fresh = self._open_sound()
            try:
                saved = salvage(kept, fresh, self._clock())
            finally:
                fresh.close()
            file = self._open_sound()
            words = (
                f"was damaged ({reason}) and is kept as {kept.name}; {saved} calls could be taken "
                "over from it, others may be missing in 1C: compare them with the PBX's journal"
            )
        self._losses.append(words)
        extra = {"path": str(self._path), "reason": reason, "kept": str(kept), "calls": saved}
        _log.error("store_damaged", extra=extra)
        return file

    # ------------------------------------------------------------ writing
    def write(
        self, file: SqliteFile, writes: Sequence[LedgerWrite]
    ) -> list[WriteResult | StoreError]:
        """Do *writes* in one durable transaction, in the file that bears the name."""
        self._insist_on_same(file)
        try:
            outcomes = self._writer.write_all(file, writes)
        except msgspec.MsgspecError as error:
            words = f"a document is damaged: {type(error).__name__}"
            raise StoreDamaged(str(self._path), words) from error
        self._insist_on_same(file, written=True)
        return outcomes

    def checkpoint(self, file: SqliteFile) -> None:
        """Bring what the log holds into the file, if that is much.

        Raises FileGone where the file is not there any more: what it held must not be let go of.
        """
        self._insist_on_same(file)
        self._writer.checkpoint(file)
        looks = self._look()
        self._insist_on_identity(looks)
        self._looks, self._header = looks, self._read_header(looks)

    def discard(self, file: SqliteFile, error: Exception) -> None:
        """Let go of *file* after *error*; it is closed when that can do no harm."""
        if isinstance(error, LedgerReplaced):
            self._rescued = file
        elif isinstance(error, StoreDamaged):
            self._doubt = error
        else:
            with suppress(*SQLITE_ERRORS):
                file.close()
            return
        self._let_go.append(file)

    def suspect_damage(self, error: StoreError) -> None:
        """Have the file read whole before it is written again: somebody met *error* in it."""
        self._doubt = error

    @property
    def is_damage_suspected(self) -> bool:
        """Whether somebody met damage that nobody looked into yet."""
        return self._doubt is not None

    def take_losses(self) -> list[str]:
        """Return what happened to the file since this was asked last."""
        losses, self._losses = self._losses, []
        return losses

    def close(self) -> None:
        """Let go of all that was kept open."""
        for file in (*self._let_go, *self._anchors):
            with suppress(*SQLITE_ERRORS):
                file.close()
        self._headers.close()

    # ------------------------------------------------------------ watching
    def _insist_on_same(self, file: SqliteFile, *, written: bool = False) -> None:
        if self._doubt is not None:
            raise StoreDamaged(str(self._path), self._doubt.reason)
        looks = self._look()
        if looks[2][1] < self._looks[2][1]:
            with suppress(StoreError):
                file.wal_index.restore_length()
            looks = self._look()
        self._insist_on_identity(looks)
        for (_, size, _), (_, had, _) in zip(looks, self._looks, strict=True):
            if size < had:
                raise StoreDamaged(str(self._path), "it was cut short while it was open")
        if looks[0] != self._looks[0]:
            self._insist_on_header(file, looks, ours=written)
        self._looks = looks

    def _insist_on_identity(self, looks: tuple[_Look, ...]) -> None:
        for (now, _, _), (before, _, _) in zip(looks, self._looks, strict=True):
            if before is not None and now != before:
                raise LedgerReplaced(
                    str(self._path), "it was replaced or deleted while it was open"
                )

    def _insist_on_header(self, file: SqliteFile, looks: tuple[_Look, ...], *, ours: bool) -> None:
        """Look at a file that was written to; *ours*: by ourselves just now."""
        header = self._read_header(looks)
        if not ours:  # a guest's emptying of the log, or a stranger's writing
            if header != self._header:
                raise StoreDamaged(str(self._path), "it was overwritten while it was open")
            check_integrity(file)
        self._header = header

    def _parts(self) -> tuple[Path, ...]:
        return self._path, *(self._path.with_name(self._path.name + log) for log in LOG_SUFFIXES)

    def _look(self) -> tuple[_Look, ...]:
        return tuple([_look(part) for part in self._names])

    def _read_header(self, looks: tuple[_Look, ...]) -> tuple[bytes, ...]:
        # Of the file that is open, and not of what stands in its place by now.
        file = looks[0][0]
        header = None if file is None else self._headers.read(file, _HEADER_BYTES)
        if header is None:
            raise LedgerReplaced(str(self._path), "it was replaced or deleted while it was open")
        return tuple(header[part] for part in _HEADER)


def _look(path: str | Path) -> _Look:
    try:
        status = os.stat(path)  # noqa: PTH116 - twice for each call; Path takes thrice the time
    except OSError:
        return None, 0, 0
    return (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns


def _size(path: Path) -> int:
    return _look(path)[1]


def _empty(path: Path) -> bool:
    """Tell whether nothing was ever written to the file, or it is gone."""
    return _size(path) == 0
