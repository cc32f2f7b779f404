"""One SQLite file of ours: opened durable, known by its mark, with transactions that nest.

Its tables hold documents, which TinyDB's tables (`sqlite_tables`) read and write, or an index
derived from them. Every trouble with the disk or the file is a `StoreError`; damage is a
`StoreDamaged`.
"""

import os
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, cast

import msgspec

from bridge.errors import StoreDamaged, StoreError, StoreOfOtherProgram

#: Written into every file of ours ("1Cbr"), so that nobody else's file is ever taken for ours.
APPLICATION_ID = 0x31436272

#: Raised when the layout of rows changes so that another bridge would misread them. Format 1: the
#: documents of calls, entries, missed calls and directory objects had other keys.
FORMAT_VERSION = 2
OLDEST_FORMAT = 1

#: SQLite's own choice.
PAGE_SIZE = 4096

DOCUMENT_COLUMNS = "(id INTEGER PRIMARY KEY, doc TEXT NOT NULL)"
_NAME = re.compile(r"(?!sqlite_)[a-z_][a-z0-9_]*")

#: What SQLite says of a damaged file, apart from what it says in detail (the higher bits).
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY = 0xFF

#: What SQLite raises. It quotes a damaged file in its own message, which then may be no text: the
#: binding fails over that with an error of Python's.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)

#: What reading a document raises where it is not what was written: of the wrong form, or no text.
DECODE_ERRORS = (msgspec.MsgspecError, ValueError, TypeError, LookupError, OverflowError)

#: How SQLite begins to say that a table or column of ours is gone, or the header changed: our
#: statements are constants, so it is the file that is wrong.
_NOT_AS_MADE = ("no such table", "no such column", "unsupported file format")

_LONGEST_REASON = 200

#: SQLite maps so much of its shared memory at a time.
_SHARED_BYTES = 1 << 15

#: What is said of a damaged document: by Python's own binding, which has no code for it and shows
#: the text, and by SQLite's functions, for which it is an error as any.
_NOT_TEXT, _NOT_JSON = "Could not decode to UTF-8", "malformed JSON"

Row = tuple[Any, ...]


class OpenMode(Enum):
    """What a connection has beside its file.

    OTHERS: memory shared with them, in a file of its own, which a full disk does not give.
    NOBODY: memory of its own; nobody else may write meanwhile. NOTHING: not even the log is read.
    """

    SHARED = "others"
    EXCLUSIVE = "nobody"
    IMMUTABLE = "nothing"


class SqliteFile:
    """An open file (WAL, synchronous=FULL): a transaction that returned survives a power cut.

    A connection belongs to the thread that opened it, unless *any_thread*: then others may use it,
    one at a time. *busy_timeout_s* is how long a write waits for another process's. *read_only*
    neither creates the file nor writes to it. *page_size* (bytes) is that of a file created now.
    Files of formats from *oldest_format* on are opened: whoever names one that is not today's has
    to look at `format_version`.

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
            if 0 < version < FORMAT_VERSION:
                reason += "; the next start of the service, or the next sync, upgrades it"
            raise StoreError(str(self.path), reason)
        if read_only:
            self.execute("PRAGMA query_only = 1")
        else:
            self.execute("PRAGMA journal_mode = WAL")
            self.execute("PRAGMA synchronous = FULL")

    @property
    def format_version(self) -> int:
        """The format of the file; `FORMAT_VERSION` unless an older one was allowed."""
        return self._mark()[1]

    def _is_new(self) -> bool:
        return self._mark() == (0, 0) and not self.read("SELECT 1 FROM sqlite_master LIMIT 1")

    def _mark(self) -> tuple[int, int]:
        (application,) = self.read("PRAGMA application_id")[0]
        (version,) = self.read("PRAGMA user_version")[0]
        return application, version

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run one statement that gives nothing; tell how many rows it changed."""
        try:
            return self.connection.execute(sql, values).rowcount
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement for every row; tell how many rows it changed in all."""
        try:
            return self.connection.executemany(sql, rows).rowcount
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Give all rows of a query."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Give the rows of a query one by one; its tables must not be written meanwhile."""
        try:
            # Not `yield from`: it would close the cursor of a reader that stopped early, and from
            # Python 3.13 on that raises where the connection was closed before.
            for row in self.connection.execute(sql, values):  # noqa: UP028
                yield row
        except SQLITE_ERRORS as error:
            raise self.as_store_error(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one durable write; leaving with an exception undoes it all.

        Transactions nest: an inner one that fails undoes its own part only.
        """
        depth = self._depth
        begin, keep, undo = "BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"]
        if depth:
            begin, keep = f"SAVEPOINT s{depth}", f"RELEASE s{depth}"
            undo = [f"ROLLBACK TO s{depth}", keep]
        self.execute(begin)
        self._depth += 1
        try:
            yield
            self.execute(keep)
        except BaseException:
            # On a full disk SQLite has rolled everything back by itself.
            if self.connection.in_transaction:
                for statement in undo:
                    self.execute(statement)
            raise
        finally:
            self._depth = depth

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def as_store_error(self, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
        """Say in our words what SQLite said of this file."""
        if isinstance(error, UnicodeDecodeError):
            return StoreDamaged(str(self.path), "the names of its tables are damaged: no text")
        words = _readable(str(error))
        if words.startswith(_NOT_TEXT):
            return StoreDamaged(str(self.path), "a document is damaged: it is no text")
        if words == _NOT_JSON:
            return StoreDamaged(str(self.path), f"a document is damaged: {words}")
        code = getattr(error, "sqlite_errorcode", None)
        damaged = code is not None and code & _PRIMARY in _DAMAGE
        kind = StoreDamaged if damaged or words.startswith(_NOT_AS_MADE) else StoreError
        return kind(str(self.path), words)

    def was_replaced(self) -> bool:
        """Whether another file, or none, stands at the path now: what is written is in nobody's."""
        restore_shared_memory(self.path)
        return identity_at(self.path) != self._identity


def identity_at(path: Path) -> tuple[int, int] | None:
    """Tell one file from another of the same name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def restore_shared_memory(path: Path) -> None:
    """Give the file that SQLite maps beside *path* back the length that somebody cut off.

    Whoever touches a mapped page that is gone is killed (SIGBUS), be it only to close the file.
    Of zeros SQLite makes the index of its log anew.
    """
    shared = path.with_name(f"{path.name}-shm")
    with suppress(OSError):  # not there: nothing is mapped
        size = shared.stat().st_size
        longer = _SHARED_BYTES * max(1, -(-size // _SHARED_BYTES))
        if size < longer:
            os.truncate(shared, longer)


@contextmanager
def decoding_documents(path: Path) -> Iterator[None]:
    """Raise StoreDamaged where what is read inside is not what was written."""
    try:
        yield
    except DECODE_ERRORS as error:
        words = f"a document is damaged: {_readable(str(error))}"
        raise StoreDamaged(str(path), words) from error


def _readable(words: str) -> str:
    """Make a line of *words* that may hold anything: they quote what is in a damaged file."""
    shown = words[:_LONGEST_REASON].encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else "?" for sign in shown)


class DocumentRows:
    """The rows of one table as SQL; the only place where a table's name meets a statement."""

    def __init__(self, file: SqliteFile, name: str):
        if not _NAME.fullmatch(name):  # SQLite would take Calls and calls for one table
            raise ValueError(f"a table's name is made of a-z, 0-9 and _: {name!r}")
        self._file = file
        self._name = name
        # ruff: noqa: S608 - the name was checked just now.
        self._one = f"SELECT doc FROM {name} WHERE id = ?"
        self._all = f"SELECT id, doc FROM {name} ORDER BY id"
        self._write = (
            f"INSERT INTO {name} (id, doc) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc"
        )
        self._remove = f"DELETE FROM {name} WHERE id = ?"

    @property
    def exists(self) -> bool:
        """Whether the table is in the file: TinyDB makes it by the first write."""
        return bool(
            self._file.read(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (self._name,)
            )
        )

    def create(self) -> None:
        """Have the table in the file."""
        self._file.execute(f"CREATE TABLE IF NOT EXISTS {self._name} {DOCUMENT_COLUMNS}")

    def drop(self) -> None:
        """Have no such table in the file."""
        self._file.execute(f"DROP TABLE IF EXISTS {self._name}")

    def get(self, doc_id: int) -> str | None:
        """Give the text of one document."""
        found = self._file.read(self._one, (doc_id,)) if self.exists else []
        return found[0][0] if found else None

    def all(self) -> list[tuple[int, str]]:
        """Give ids and texts of all documents, by id."""
        return cast("list[tuple[int, str]]", self._file.read(self._all)) if self.exists else []

    def count(self) -> int:
        """Count the documents."""
        return self._number(f"SELECT count(*) FROM {self._name}")

    def highest_id(self) -> int:
        """Give the highest id; 0 when there is none."""
        return self._number(f"SELECT max(id) FROM {self._name}")

    def upsert(self, rows: Iterable[tuple[int, str]]) -> None:
        """Insert documents or replace them."""
        self._file.execute_many(self._write, rows)

    def delete(self, ids: Iterable[int]) -> None:
        """Delete documents."""
        self._file.execute_many(self._remove, ((doc_id,) for doc_id in ids))

    def delete_all(self) -> None:
        """Delete all documents."""
        self._file.execute(f"DELETE FROM {self._name}")

    def _number(self, sql: str) -> int:
        return int(self._file.read(sql)[0][0] or 0) if self.exists else 0


class WriterLock:
    """The right to be the only process that writes a store; the system frees it on any death."""

    def __init__(self, path: Path):
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether the lock is ours."""
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Take the lock if nobody has it; raises StoreError when there is no place for it."""
        try:
            descriptor = self._open()
        except OSError as error:
            raise StoreError(str(self._path), error.strerror or str(error)) from error
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _open(self) -> int:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            # A disk that cannot be written keeps the locks of the files that it has.
            return os.open(self._path, os.O_RDONLY)

    def release(self) -> None:
        """Let others write; the lock file stays, it means nothing by itself."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
