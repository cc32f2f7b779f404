"""The directory as the sync process writes it: documents, phone index and name index in one file.

One run is one transaction (`transaction`): readers see the data before it or after it, also when
the process is killed in the middle. Where there is no file, it is loaded in a draft (`draft`).

All of it stands in 1C, so nothing is lost with a damaged file: it is set aside, and the writer goes
on with an empty directory, as before the first run.
"""

import gc
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from bridge.adapters.sqlite.directory.documents import (
    CHECKPOINT_TABLE,
    KINDS,
    REPORT_ID,
    TABLES,
    create_indexes,
    decode_report,
    migrate_directory,
)
from bridge.adapters.sqlite.directory.draft import DirectoryDraft
from bridge.adapters.sqlite.directory.index.name_index import NameIndex
from bridge.adapters.sqlite.directory.index.phone_index import PhoneIndex
from bridge.adapters.sqlite.directory.suspected_damage import (
    clear_suspected_damage,
    read_suspected_damage,
)
from bridge.adapters.sqlite.directory.transaction import SqliteDirectoryTransaction
from bridge.adapters.sqlite.file.set_aside import set_aside
from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION, OLDEST_FORMAT, log_upgrade
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.domain.directory.entities import EntityKind, Ref, Version
from bridge.errors import StoreDamaged, StoreError, SyncAlreadyRunning
from bridge.ports.stores.directory import SyncReport

# ruff: noqa: S608 - tables and expressions are constants of ours.

_log = logging.getLogger(__name__)

#: What of the file the writer keeps in memory. At the end it goes to the disk at once, and whoever
#: waits for the same disk waits for it: 64 MiB delayed callers by 100 ms, and made no run faster.
_CACHE_KIB = 4_096

#: Objects created until the collector looks for cycles: more than live at once of a page of 1C.
_COLLECT_AFTER = 50_000


class _VersionRow(msgspec.Struct, gc=False):
    ref: Ref
    version: Version


_version_row = msgspec.json.Decoder(_VersionRow).decode


class SqliteDirectoryStore:
    """`DirectoryStore` on SQLite; *path* is `directory.db`, its lock stands beside it.

    Opening it sets a damaged file aside. Where damage shows later, StoreDamaged is raised once, and
    the directory is empty from then on.

    Raises:
        SyncAlreadyRunning: another process writes.
        StoreError: the file cannot be used.
    """

    def __init__(self, path: Path):
        self._lock = WriterLock(path.with_suffix(".lock"))
        if not self._lock.acquire():
            raise SyncAlreadyRunning(str(path))
        self._path = path
        self._draft: DirectoryDraft | None = None
        try:
            _delete_left_log(path)
            self._db = self._open_undamaged()
        except BaseException:
            self._lock.release()
            raise

    def _open_undamaged(self) -> SqliteDb:
        try:
            db = self._open()
            suspected = read_suspected_damage(self._path)
            if suspected is None:
                return db
            db.close()
            damage = StoreDamaged(str(self._path), suspected)
        except StoreDamaged as error:
            damage = error
        self._set_aside(damage)
        return self._open()

    def _open(self) -> SqliteDb:
        """Open the file, or a draft of it where there is none."""
        self._draft = None if self._path.exists() else DirectoryDraft(self._path)
        if self._draft is not None:
            db = self._draft.db
        else:
            db = SqliteDb(self._path, any_thread=True, oldest_format=OLDEST_FORMAT)
        try:
            _prepare(db)
        except BaseException:
            if self._draft is None:
                db.close()
            else:
                self._draft.discard()
            raise
        return db

    def versions(self, kind: EntityKind) -> dict[Ref, Version]:
        """Return reference and version of every held object of *kind*."""
        with self._starting_anew_if_damaged(), self._decoding():
            rows = self._db.file.stream(f"SELECT CAST(doc AS BLOB) FROM {TABLES[kind]}")
            try:
                held = (_version_row(text) for (text,) in rows)
                return {row.ref: row.version for row in held}
            except UnicodeDecodeError as error:  # msgspec's, of bytes that are no text
                raise StoreDamaged(
                    str(self._db.file.path), f"a document is damaged: {error}"
                ) from error

    def report(self) -> SyncReport | None:
        """Return the last saved report; None before the first run."""
        with self._starting_anew_if_damaged(), self._decoding():
            text = self._db.table(CHECKPOINT_TABLE).rows.get(REPORT_ID)
            return None if text is None else decode_report(text)

    @contextmanager
    def transaction(self) -> Iterator["SqliteDirectoryTransaction"]:
        """Begin a run's transaction; an exception inside rolls everything back."""
        with self._starting_anew_if_damaged():
            with self._decoding(), self._db.transaction(), _rare_garbage_collection():
                run = SqliteDirectoryTransaction(self._db)
                with closing(run):
                    yield run
                    run.reindex()
            if self._draft is None:
                self._db.file.read("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                self._draft.publish()
                self._db = self._open()

    def close(self) -> None:
        """Close the file, or delete its draft, and release the lock."""
        if self._draft is None:
            self._db.close()
        else:
            self._draft.discard()
        self._lock.release()

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        try:
            yield
        except (msgspec.MsgspecError, UnicodeError) as error:
            reason = f"a document is damaged: {error}"
            raise StoreDamaged(str(self._db.file.path), reason) from error

    @contextmanager
    def _starting_anew_if_damaged(self) -> Iterator[None]:
        """Set a damaged file aside and begin an empty one; the error is raised all the same."""
        try:
            yield
        except StoreDamaged as error:
            if self._draft is None:
                self._db.close()
                self._set_aside(error)
            else:
                self._draft.discard()
            self._db = self._open()
            raise

    def _set_aside(self, damage: StoreDamaged) -> None:
        aside = set_aside(self._path, latest_only=True)
        clear_suspected_damage(self._path)
        _log.warning(
            "directory_damaged",
            extra={"path": damage.path, "reason": damage.reason, "kept": str(aside)},
        )


def _prepare(db: SqliteDb) -> None:
    """Configure the writer's connection, and create the tables that are missing."""
    file = db.file
    # The log is moved into the file once after the run, not many times within it.
    file.execute("PRAGMA wal_autocheckpoint = 0")
    file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if {CHECKPOINT_TABLE, *TABLES.values()} <= db.tables():
        found = file.format_version
        if found != FORMAT_VERSION:
            with db.transaction():
                documents = migrate_directory(file)
            log_upgrade(file, found, documents)
        return
    with db.transaction():
        for name in (CHECKPOINT_TABLE, *TABLES.values()):
            db.table(name, persist_empty=True)
        for kind in KINDS:
            create_indexes(file, kind)
        file.execute(
            "CREATE TABLE unread (owner INTEGER PRIMARY KEY, fields INTEGER, example TEXT)"
        )
        PhoneIndex(file).create()
        NameIndex(file).create()


def _delete_left_log(path: Path) -> None:
    """Delete the log of a file that was deleted: SQLite would take it for the new file's.

    A file that was emptied is deleted as well. Readers of the deleted file go on with what they
    have open.
    """
    try:
        if path.exists() and path.stat().st_size == 0:
            path.unlink()
        if not path.exists():
            for remains in (f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(remains).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(str(path), error.strerror or str(error)) from error


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Keep the collector from walking a million objects without cycles again and again."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
