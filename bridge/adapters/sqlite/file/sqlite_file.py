"""One SQLite file of the bridge: durable, marked as the bridge's own, with nested transactions.

Its tables hold documents, which TinyDB's tables (`tables`) read and write, or an index derived
from them. Whatever is wrong with the disk or the file is a `StoreError`; damage is a
`StoreDamaged`.
"""

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

from bridge.adapters.sqlite.file.identity import identity_at
from bridge.adapters.sqlite.file.store_errors import SQLITE_ERRORS, store_error
from bridge.adapters.sqlite.file.wal_index import MappedWalIndex
from bridge.errors import StoreError, StoreOfOtherProgram

#: Written into every file of ours ("1Cbr"), so that no other program's file is taken for ours.
APPLICATION_ID = 0x31436272

#: Raised when the layout of rows changes so that another bridge would misread them. Format 1: the
#: documents of calls, entries, missed calls and directory objects had other keys.
FORMAT_VERSION = 2
OLDEST_FORMAT = 1

#: SQLite's own choice.
PAGE_SIZE = 4096

Row = tuple[Any, ...]

_log = logging.getLogger(__name__)


class OpenMode(Enum):
    """With whom a connection shares its file.

    SHARED: with other processes, through a file of shared memory, which a full disk does not give.
    EXCLUSIVE: with none; no other process may write meanwhile. IMMUTABLE: the file is taken as it
    stands, and its log is not read.
    """

    SHARED = "shared"
    EXCLUSIVE = "exclusive"
    IMMUTABLE = "immutable"


class SqliteFile:
    """An open file (WAL, synchronous=FULL): a transaction that returned survives a power cut.

    A connection belongs to the thread that opened it, unless *any_thread*: then others may use it,
    one at a time. *busy_timeout_s* is how long a write waits for another process's. *read_only*
    neither creates the file nor writes to it. *page_size* (bytes) is that of a file created now.
    Files of formats from *oldest_format* on are opened: where that is not today's, check
    `format_version`.

    Raises:
        StoreError: it cannot be opened, or is of a format that is not read here.
        StoreOfOtherProgram, StoreDamaged: it is left as it is.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout_s: float = 5.0,
        read_only: bool = False,
        any_thread: bool = False,
        page_size: int = PAGE_SIZE,
        mode: OpenMode = OpenMode.SHARED,
        oldest_format: int = FORMAT_VERSION,
    ):
        self.path = Path(path)
        self._depth = 0
        try:
            # mode=rw, not ro: a reader of a WAL file has to be able to make its -shm.
            access = "rw" if read_only else "rwc"
            if mode is OpenMode.IMMUTABLE:
                access = "ro&immutable=1"
            self.connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={access}",
                uri=True,
                timeout=busy_timeout_s,
                isolation_level=None,
                check_same_thread=not any_thread,
            )
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error
        try:
            if mode is OpenMode.EXCLUSIVE:
                self.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._claim(read_only=read_only, page_size=page_size, oldest_format=oldest_format)
            self.wal_index = MappedWalIndex(self.path)
            self._identity = identity_at(self.path)
        except BaseException:
            self.connection.close()
            raise

    def _claim(self, *, read_only: bool, page_size: int, oldest_format: int) -> None:
        if self._is_new():
            if read_only:
                raise StoreError(str(self.path), "the file is still empty")
            self.execute(f"PRAGMA page_size = {page_size}")
            with self.transaction():
                if self._is_new():
                    self.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    self.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        application, version = self._mark()
        if application != APPLICATION_ID:
            raise StoreOfOtherProgram(str(self.path), "this SQLite file belongs to another program")
        if not oldest_format <= version <= FORMAT_VERSION:
            reason = f"the file has format {version}, this bridge reads format {FORMAT_VERSION}"
            # A ledger, and no other file: the others are read in every format, and directory.db is
            # upgraded by the next sync.
            if 0 < version < FORMAT_VERSION:
                reason += "; the next start of the service upgrades it"
            raise StoreError(str(self.path), reason)
        if read_only:
            self.execute("PRAGMA query_only = 1")
        else:
            self.execute("PRAGMA journal_mode = WAL")
            self.execute("PRAGMA synchronous = FULL")

    @property
    def format_version(self) -> int:
        """Return the format of the file; `FORMAT_VERSION` unless an older one was allowed."""
        return self._mark()[1]

    def _is_new(self) -> bool:
        return self._mark() == (0, 0) and not self.read("SELECT 1 FROM sqlite_master LIMIT 1")

    def _mark(self) -> tuple[int, int]:
        (application,) = self.read("PRAGMA application_id")[0]
        (version,) = self.read("PRAGMA user_version")[0]
        return application, version

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run one statement without a result; return how many rows it changed."""
        try:
            return self.connection.execute(sql, values).rowcount
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement for every row; return how many rows it changed in all."""
        try:
            return self.connection.executemany(sql, rows).rowcount
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of a query one by one; its tables must not be written meanwhile."""
        try:
            # Not `yield from`: it would close the cursor of a reader that stopped early, and from
            # Python 3.13 on that raises where the connection was closed before.
            for row in self.connection.execute(sql, values):  # noqa: UP028
                yield row
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run all writes inside in one durable transaction; an exception rolls it back.

        Transactions nest: an inner one that fails rolls back its own part only.
        """
        depth = self._depth
        begin, commit, rollback = "BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"]
        if depth:
            begin, commit = f"SAVEPOINT s{depth}", f"RELEASE s{depth}"
            rollback = [f"ROLLBACK TO s{depth}", commit]
        self.execute(begin)
        self._depth += 1
        try:
            yield
            self.execute(commit)
        except BaseException:
            # On a full disk SQLite has rolled everything back by itself.
            if self.connection.in_transaction:
                for statement in rollback:
                    self.execute(statement)
            raise
        finally:
            self._depth = depth

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def as_store_error(self, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
        """Return what SQLite raised over this file as an error of the store."""
        return store_error(self.path, error)

    def was_replaced(self) -> bool:
        """Return whether another file, or none, stands at the path."""
        with suppress(StoreError):  # the memory that is mapped may be another file's by now
            self.wal_index.restore_length()
        return identity_at(self.path) != self._identity


def log_upgrade(file: SqliteFile, old_format: int, documents: int) -> None:
    """Log that *file*, of *old_format* until now, has today's."""
    extra = {
        "path": str(file.path),
        "from_format": old_format,
        "to_format": FORMAT_VERSION,
        "documents": documents,
    }
    _log.info("store_upgraded", extra=extra)
