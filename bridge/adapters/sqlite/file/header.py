"""The first bytes of a database that this process has open, read without harm to its locks.

POSIX frees all locks that a process has on a file when it closes *any* descriptor of that file. So
whoever opens and closes a database beside SQLite takes SQLite's locks away: another process then
takes itself for the last one that has it open, and deletes the log. A descriptor that was opened
here stays open until the end.
"""

import os
from pathlib import Path

from bridge.adapters.sqlite.file.identity import FileIdentity, identity_of
from bridge.errors import StoreError


class HeaderReader:
    """Reads the beginning of files that are, or were, at *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path
        #: By the file's identity: one that was replaced is still open in SQLite, too.
        self._descriptors: dict[FileIdentity, int] = {}

    def read(self, file: FileIdentity, length: int) -> bytes | None:
        """Return the first *length* bytes of *file*; None where another, or none, is at the path.

        One that was read before is read again wherever it is. Raises StoreError where it cannot be.
        """
        try:
            descriptor = self._descriptors.get(file) or self._opened(file)
            if descriptor is None:
                return None
            os.lseek(descriptor, 0, os.SEEK_SET)
            return os.read(descriptor, length)
        except OSError as error:
            raise StoreError(str(self._path), error.strerror or type(error).__name__) from error

    def close(self) -> None:
        """Let go of all files; nobody of this process may have them open any more."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def _opened(self, file: FileIdentity) -> int | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        status = os.fstat(descriptor)
        # One that was replaced meanwhile stays open too: SQLite may have it open.
        self._descriptors.setdefault(identity_of(status), descriptor)
        return self._descriptors.get(file)
