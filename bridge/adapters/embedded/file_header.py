"""The first bytes of a database that this process has open, read without harm to its locks.

POSIX frees all locks that a process has on a file when it closes *any* descriptor of that file. So
whoever opens and closes a database beside SQLite takes SQLite's locks away: another process then
takes itself for the last one that has it open, and deletes the log. A descriptor that was opened
here stays open until the end.
"""

import os
from pathlib import Path

from bridge.errors import StoreError

_File = tuple[int, int]


class HeaderReader:
    """Reads the beginning of the file that is at *path* now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        #: By the file's identity: one that was replaced is still open in SQLite, too.
        self._descriptors: dict[_File, int] = {}

    def read(self, length: int) -> bytes:
        """Return the first *length* bytes; raises StoreError where they cannot be read."""
        try:
            descriptor = self._descriptor()
            os.lseek(descriptor, 0, os.SEEK_SET)
            return os.read(descriptor, length)
        except OSError as error:
            raise StoreError(str(self._path), error.strerror or type(error).__name__) from error

    def close(self) -> None:
        """Let go of all files; nobody of this process may have them open any more."""
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def _descriptor(self) -> int:
        known = self._descriptors.get(_identity(self._path.stat()))
        if known is not None:
            return known
        descriptor = os.open(self._path, os.O_RDONLY)
        # Where the file was replaced between the two looks, this is the other one.
        return self._descriptors.setdefault(_identity(os.fstat(descriptor)), descriptor)


def _identity(status: os.stat_result) -> _File:
    return status.st_dev, status.st_ino
