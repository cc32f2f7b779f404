"""Which file stands at a path, and the first bytes of one that this process has open.

Device and inode number distinguish a file from another of the same name.
"""

import os
from pathlib import Path

from bridge.errors import StoreError

#: The device and the inode number of a file.
FileIdentity = tuple[int, int]


def identity_of(status: os.stat_result) -> FileIdentity:
    """Return the identity of the file that has *status*."""
    return status.st_dev, status.st_ino


def identity_at(path: Path) -> FileIdentity | None:
    """Return the identity of the file at *path*; None where there is none."""
    try:
        return identity_of(path.stat())
    except OSError:
        return None


class HeaderReader:
    """Reads the beginning of files that are, or were, at *path*, without harm to their locks.

    POSIX frees all locks that a process has on a file when it closes any descriptor of that file.
    Opening and closing a database beside SQLite takes SQLite's locks away: another process
    then takes itself for the last one that has it open, and deletes the log. So a descriptor that
    was opened here stays open until `close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        #: By the file's identity: one that was replaced is still open in SQLite, too.
        self._descriptors: dict[FileIdentity, int] = {}

    def read(self, file: FileIdentity, length: int) -> bytes | None:
        """Return the first *length* bytes of *file*; None where another, or none, is at the path.

        One that was read before is read again wherever it is. Raises StoreError.
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
        """Close all files; no connection of this process may have them open any more."""
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
