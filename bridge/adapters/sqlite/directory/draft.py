"""The first load of a directory, in a file that nobody reads before it is whole.

Such a file needs no log on the disk: what a crash leaves of it is thrown away. So its rows are
written once and not twice, and go to the disk while they come. A hundred megabytes that wait for
one commit are felt by everybody who waits for the same disk then, and a call is answered when its
record is there.
"""

import os
import threading
from pathlib import Path

from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.errors import StoreError

#: Seconds between two ways to the disk: about a megabyte each, a few milliseconds of it.
_PAUSE_S = 0.05


class DirectoryDraft:
    """The file beside *path* that takes its place by `publish`, or never was by `discard`."""

    def __init__(self, path: Path):
        self._path = path
        self._draft = path.with_name(f"{path.name}.new")
        self._remove()
        self.db = SqliteDb(self._draft, any_thread=True)
        self.db.file.execute("PRAGMA journal_mode = MEMORY")
        self.db.file.execute("PRAGMA synchronous = OFF")
        self._flush = BackgroundFlush(self._draft)

    def publish(self) -> None:
        """Have all of it on the disk, at *path*; raises StoreError, and leaves nothing then."""
        try:
            self.db.file.execute("PRAGMA journal_mode = WAL")
            self.db.close()
            self._flush.close()
            self._draft.replace(self._path)
            _keep_name(self._path.parent)
        except StoreError:
            self.discard()
            raise
        except OSError as error:
            self.discard()
            raise StoreError(str(self._path), error.strerror or str(error)) from error

    def discard(self) -> None:
        """Leave nothing behind."""
        self.db.close()
        self._flush.discard()
        self._remove()

    def _remove(self) -> None:
        try:
            for remains in ("", "-journal", "-wal", "-shm"):
                self._draft.with_name(self._draft.name + remains).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(str(self._draft), error.strerror or str(error)) from error


class BackgroundFlush:
    """Brings what a file gains to the disk all the time, in a thread beside its writer.

    On POSIX a file's locks go with the first descriptor of a process that is closed: close this
    one behind the writer's.
    """

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_RDWR)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steady-flush", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Have everything on the disk; raises OSError where the disk says no."""
        self._end()
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = -1

    def discard(self) -> None:
        """Let go of a file that is of no account."""
        self._end()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _end(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_PAUSE_S):
            try:
                os.fsync(self._file)
            except OSError:
                return  # `close` meets it again, and says it


def _keep_name(folder: Path) -> None:
    """Have a file's new name survive a power cut, where folders are files."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
