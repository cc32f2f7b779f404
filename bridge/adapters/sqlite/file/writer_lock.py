"""The lock by which one process alone writes a store."""

import os
import sys
from pathlib import Path

from bridge.errors import StoreError


class WriterLock:
    """The right to be the only process that writes a store; it ends with that process."""

    def __init__(self, path: Path):
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Return whether this process holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Take the lock and return True; False where another process holds it.

        Raises:
            StoreError: the lock file can be neither created nor opened.
        """
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
        """Let other processes write; the lock file stays, it means nothing by itself."""
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
