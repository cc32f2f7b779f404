"""The directory as the sync process writes it: documents, phone index and name index in one file.

One run is one transaction: readers see the world before it or after it, also when the process is
killed in the middle. An empty directory is loaded in bulk (`directory_load`); where a run brings
everything anew, what is held is brought level with it (`directory_level`).

All of it stands in 1C, so a damaged file is mourned by nobody: it is set aside, and the writer goes
on with nothing held, as before the first run.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from tinydb.table import Document

from bridge.adapters.sqlite.directory.diff_load import DifferentialLoad
from bridge.adapters.sqlite.directory.documents import (
    CHECKPOINT_TABLE,
    KINDS,
    REPORT_ID,
    TABLES,
    TOTALS_ID,
    create_indexes,
    decode_report,
    migrate_directory,
)
from bridge.adapters.sqlite.directory.draft import DirectoryDraft
from bridge.adapters.sqlite.directory.index.name_index import NameIndex
from bridge.adapters.sqlite.directory.index.phone_index import (
    IndexChanges,
    PhoneIndex,
    rare_garbage_collection,
)
from bridge.adapters.sqlite.directory.load import BulkLoad
from bridge.adapters.sqlite.directory.object_tables import ObjectTables
from bridge.adapters.sqlite.directory.suspected_damage import (
    clear_suspected_damage,
    read_suspected_damage,
)
from bridge.adapters.sqlite.file.set_aside import set_aside
from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION, OLDEST_FORMAT
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.domain.directory.entities import EntityKind, Manager, Ref, Version
from bridge.domain.directory.routing_facts import FactCounts
from bridge.errors import StoreDamaged, StoreError, SyncAlreadyRunning
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import SyncReport

# ruff: noqa: S608 - tables and expressions are constants of this house.

_log = logging.getLogger(__name__)

#: What of the file the writer holds in memory. At the end it goes to the disk at once, and whoever
#: waits for the same disk waits for it: 64 MiB of it kept callers 100 ms, and made no run faster.
_CACHE_KIB = 4_096


class _VersionRow(msgspec.Struct, gc=False):
    ref: Ref
    version: Version


_version_row = msgspec.json.Decoder(_VersionRow).decode


class SqliteDirectoryStore:
    """`DirectoryStore` on SQLite; *path* is `directory.db`, its lock stands beside it.

    Raises SyncRunning while another process writes, StoreError when the file cannot be used. Of a
    damaged one StoreDamaged comes once, and never from opening: it is set aside then, and nothing
    is held any more.
    """

    def __init__(self, path: Path):
        self._lock = WriterLock(path.with_suffix(".lock"))
        if not self._lock.acquire():
            raise SyncAlreadyRunning(str(path))
        self._path = path
        self._draft: DirectoryDraft | None = None
        try:
            _bury_remains(path)
            self._db = self._open_sound()
        except BaseException:
            self._lock.release()
            raise

    def _open_sound(self) -> SqliteDb:
        try:
            db = self._open()
            suspicion = read_suspected_damage(self._path)
            if suspicion is None:
                return db
            db.close()
            damage = StoreDamaged(str(self._path), suspicion)
        except StoreDamaged as error:
            damage = error
        self._lay_aside(damage)
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
        """Give what is held, to compare with a listing."""
        with self._healing(), self._readable():
            rows = self._db.file.stream(f"SELECT CAST(doc AS BLOB) FROM {TABLES[kind]}")
            try:
                held = (_version_row(text) for (text,) in rows)
                return {row.ref: row.version for row in held}
            except UnicodeDecodeError as error:  # msgspec's, of bytes that are no text
                raise StoreDamaged(
                    str(self._db.file.path), f"a document is damaged: {error}"
                ) from error

    def report(self) -> SyncReport | None:
        """Give the last saved report; None before the first run."""
        with self._healing(), self._readable():
            text = self._db.table(CHECKPOINT_TABLE).rows.get(REPORT_ID)
            return None if text is None else decode_report(text)

    @contextmanager
    def transaction(self) -> Iterator["SqliteDirectoryTransaction"]:
        """Begin the run's transaction; leaving with an exception rolls everything back."""
        with self._healing():
            with self._readable(), self._db.transaction(), rare_garbage_collection():
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
        """Let go of the file."""
        if self._draft is None:
            self._db.close()
        else:
            self._draft.discard()
        self._lock.release()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (msgspec.MsgspecError, UnicodeError) as error:
            words = f"a document is damaged: {error}"
            raise StoreDamaged(str(self._db.file.path), words) from error

    @contextmanager
    def _healing(self) -> Iterator[None]:
        """Begin anew where the file shows damage; whoever met it is told all the same."""
        try:
            yield
        except StoreDamaged as error:
            if self._draft is None:
                self._db.close()
                self._lay_aside(error)
            else:
                self._draft.discard()
            self._db = self._open()
            raise

    def _lay_aside(self, damage: StoreDamaged) -> None:
        aside = set_aside(self._path, latest_only=True)
        clear_suspected_damage(self._path)
        _log.warning(
            "directory_damaged",
            extra={"path": damage.path, "reason": damage.reason, "kept": str(aside)},
        )


class SqliteDirectoryTransaction:
    """`DirectoryTransaction` on SQLite. What was not reindexed when it ends is reindexed then."""

    def __init__(self, db: SqliteDb):
        self._db = db
        self._file = db.file
        self._phones = PhoneIndex(db.file)
        self._touched = IndexChanges()
        totals = db.table(CHECKPOINT_TABLE).get(doc_id=TOTALS_ID)
        self._numbers = int(totals["numbers"]) if isinstance(totals, dict) else 0
        last_manager = int(totals["last_manager"]) if isinstance(totals, dict) else 0
        facts = totals.get("facts") if isinstance(totals, dict) else None
        self._rows = ObjectTables(db.file, last_manager, Counter(facts))
        #: Takes what comes of whole tables, which are empty, or will be but for what comes.
        self._whole: BulkLoad | DifferentialLoad | None = None
        if self._is_empty():
            self._whole = BulkLoad(db.file, self._rows)
        elif facts is None:  # written by a release that did not count them
            self._rows.recount_facts()
        self._saved_facts = facts
        self._anew = False

    def put(self, kind: EntityKind, objects: Iterable[DirectoryObject]) -> None:
        """Insert or replace by reference."""
        if self._whole is not None and self._whole.accepts(kind):
            self._whole.put(kind, objects)
            self._anew = True
            return
        self._settle(kind)
        for noun in objects:
            _, old = self._rows.put(kind, noun)
            self._touched.add(kind, old, noun)

    def remove(self, kind: EntityKind, refs: Iterable[Ref]) -> None:
        """Bury objects that 1C no longer lists."""
        self._settle(kind)
        for ref in refs:
            held = self._rows.find(kind, ref)
            if held is not None:
                doc_id, old = held
                self._touched.add(kind, old, None)
                self._rows.delete(kind, doc_id, old)

    def managers(self) -> Sequence[Manager]:
        """Give all managers as this transaction leaves them; few."""
        self._settle(EntityKind.MANAGER)
        nouns = (noun for _, noun in self._rows.read_all(EntityKind.MANAGER))
        return [noun for noun in nouns if isinstance(noun, Manager)]

    def clear(self) -> None:
        """Forget everything: the run brings the world anew. What comes as it is held stays."""
        for kind in KINDS:
            self._settle(kind)
        self.close()
        self._touched = IndexChanges()
        whole = BulkLoad if self._is_empty() else DifferentialLoad
        self._whole = whole(self._file, self._rows)
        self._anew = True

    def reindex(self) -> int:
        """Recompute the cards of every number that the changes touch; give all numbers held."""
        if self._anew:
            self._numbers = self._all_numbers()
        elif self._touched:
            self._numbers = self._phones.update(self._touched, self._numbers)
        elif self._rows.fact_counts == self._saved_facts:
            return self._numbers
        self._anew = False
        self._touched = IndexChanges()
        self._save_totals()
        return self._numbers

    def routing_facts(self) -> FactCounts:
        """Return the counts of what calls are routed by, as this transaction leaves them.

        An object that was put twice into empty tables counts twice before `reindex`.
        """
        if self._whole is not None:
            self._whole.finish_all_kinds()
        return dict(self._rows.fact_counts)

    def _save_totals(self) -> None:
        self._saved_facts = dict(self._rows.fact_counts)
        totals = {
            "numbers": self._numbers,
            "last_manager": self._rows.last_manager_id,
            "facts": self._saved_facts,
        }
        self._db.table(CHECKPOINT_TABLE).upsert(Document(totals, doc_id=TOTALS_ID))

    def _all_numbers(self) -> int:
        numbers = None
        if self._whole is not None:
            if self._touched:
                self._whole.discard_cards()
            numbers = self._whole.finish()
        return self._phones.rebuild() if numbers is None else numbers

    def count_rows(self, kind: EntityKind) -> int:
        """Count rows of *kind* as this transaction leaves them."""
        self._settle(kind)
        return self._rows.count(kind)

    def unread_phones(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        """Count phone fields from which no number was read, with up to ten examples."""
        self._settle(kind)
        return self._rows.count_unread_phones(kind)

    def close(self) -> None:
        """Let go of what works beside; what it had not done yet stays undone."""
        if self._whole is not None:
            self._whole.close()

    def save_report(self, report: SyncReport) -> None:
        """Keep the run's report as the checkpoint."""
        if self._whole is not None:
            self._whole.wait()
        body = msgspec.to_builtins(report)
        self._db.table(CHECKPOINT_TABLE).upsert(Document(body, doc_id=REPORT_ID))

    def _is_empty(self) -> bool:
        return not any(map(self._rows.highest_id, KINDS))

    def _settle(self, kind: EntityKind) -> None:
        if self._whole is not None:
            self._whole.finish_kind(kind)


def _prepare(db: SqliteDb) -> None:
    """Set the writer's connection up, and have the tables in the file."""
    file = db.file
    # The log is emptied once, behind the run, not many times within it.
    file.execute("PRAGMA wal_autocheckpoint = 0")
    file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if {CHECKPOINT_TABLE, *TABLES.values()} <= db.tables():
        if file.format_version != FORMAT_VERSION:
            with db.transaction():
                migrate_directory(file)
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


def _bury_remains(path: Path) -> None:
    """Remove the log of a file that somebody deleted: SQLite would take it for the new file's.

    A file that was emptied is as good as none.

    Readers of the deleted file go on with what they hold open.
    """
    try:
        if path.exists() and path.stat().st_size == 0:
            path.unlink()
        if not path.exists():
            for remains in (f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(remains).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(str(path), error.strerror or str(error)) from error
