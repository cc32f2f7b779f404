"""Watching an open database: whether it is still the file at its path, whole, and written by us.

A write counts only where it went into the file that bears the name. So around each batch the file,
its log and its index are looked at: one that was replaced, deleted, cut short or overwritten is
noticed before the next call is acknowledged into it.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from bridge.adapters.sqlite.file.identity import FileIdentity, HeaderReader
from bridge.adapters.sqlite.file.integrity import check_integrity
from bridge.adapters.sqlite.file.set_aside import LOG_SUFFIXES
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.errors import StoreDamaged, StoreError

#: Whether SQLite reads its file as before: page size, format, schema, encoding, application.
_HEADER_PARTS: Final = slice(0, 24), slice(40, 48), slice(56, 60), slice(68, 72)
_HEADER_BYTES: Final = 100

_MAGIC: Final = b"SQLite format 3\0"


class LedgerReplaced(StoreError):
    """The file is not the one that was opened; the connection has all that was written."""


class FileStatus(NamedTuple):
    """What the system reports of one file; *identity* None where there is none."""

    identity: FileIdentity | None
    size: int
    modified_ns: int


def status_of(path: str | Path) -> FileStatus:
    """Return the status of the file at *path*; all zero where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - twice for each call; Path takes thrice the time
    except OSError:
        return FileStatus(None, 0, 0)
    identity = status.st_dev, status.st_ino
    return FileStatus(identity, status.st_size, status.st_mtime_ns)


class FileWatch:
    """What the database at *path*, its log and its index were like when last checked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.parts = (path, *(path.with_name(path.name + suffix) for suffix in LOG_SUFFIXES))
        self._names = tuple(str(part) for part in self.parts)
        self._headers = HeaderReader(path)
        self._status: tuple[FileStatus, ...] = ()
        self._header: tuple[bytes, ...] = ()

    def begin(self) -> None:
        """Remember the files as they are now: they were just opened.

        Raises:
            LedgerReplaced: the file is gone already.
        """
        self.remember(self._read_status())

    def remember(self, status: tuple[FileStatus, ...]) -> None:
        """Remember *status*, and the header that the file has now."""
        self._header = self._read_header(status)
        self._status = status

    def check(self, file: SqliteFile, *, after_own_write: bool = False) -> None:
        """Raise where *file* is not as it was left; remember it otherwise.

        Raises:
            LedgerReplaced: another file, or none, is at the path.
            StoreDamaged: it was cut short or overwritten.
        """
        status = self._read_status()
        if status[2].size < self._status[2].size:
            with suppress(StoreError):
                file.wal_index.restore_length()
            status = self._read_status()
        self._check_identity(status)
        for now, before in zip(status, self._status, strict=True):
            if now.size < before.size:
                raise StoreDamaged(str(self._path), "it was cut short while it was open")
        if status[0] != self._status[0]:
            self._check_header(file, status, after_own_write=after_own_write)
        self._status = status

    def check_after_checkpoint(self) -> None:
        """Remember the files after the log was moved into the database.

        Raises:
            LedgerReplaced: another file, or none, is at the path.
        """
        status = self._read_status()
        self._check_identity(status)
        self.remember(status)

    def is_database(self) -> bool:
        """Return whether the file begins as a database; SQLite takes one of zeros for a new one.

        Raises:
            LedgerReplaced: there is no file.
        """
        return self._read_header(self._read_status())[0][: len(_MAGIC)] == _MAGIC

    def close(self) -> None:
        """Close the descriptors; no connection of this process may have the files open any more."""
        self._headers.close()

    def _check_identity(self, status: tuple[FileStatus, ...]) -> None:
        for now, before in zip(status, self._status, strict=True):
            if before.identity is not None and now.identity != before.identity:
                raise LedgerReplaced(
                    str(self._path), "it was replaced or deleted while it was open"
                )

    def _check_header(
        self, file: SqliteFile, status: tuple[FileStatus, ...], *, after_own_write: bool
    ) -> None:
        header = self._read_header(status)
        if not after_own_write:  # a guest moved the log into the file, or another program wrote
            if header != self._header:
                raise StoreDamaged(str(self._path), "it was overwritten while it was open")
            check_integrity(file)
        self._header = header

    def _read_status(self) -> tuple[FileStatus, ...]:
        return tuple([status_of(name) for name in self._names])

    def _read_header(self, status: tuple[FileStatus, ...]) -> tuple[bytes, ...]:
        # Of the file that is open, and not of what stands in its place by now.
        identity = status[0].identity
        header = None if identity is None else self._headers.read(identity, _HEADER_BYTES)
        if header is None:
            raise LedgerReplaced(str(self._path), "it was replaced or deleted while it was open")
        return tuple(header[part] for part in _HEADER_PARTS)
