"""The first load of a directory, in a draft file that is read only when it is complete.

Such a file needs no log: what a crash leaves of it is deleted. So its rows are written once and
not twice, and are flushed to the disk as they come. A hundred megabytes flushed by one commit
would delay all others that wait for the same disk, callers' records among them.
"""

import os
import threading
from pathlib import Path

from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.errors import StoreError

#: Seconds between two flushes: about a megabyte each, a few milliseconds of the disk.
_PAUSE_S = 0.05


class DirectoryDraft:
    """The draft beside *path*: `publish` puts it in place, `discard` deletes it."""

    def __init__(self, path: Path):
        self._path = path
        self._draft = path.with_name(f"{path.name}.new")
        self._remove()
        self.db = SqliteDb(self._draft, any_thread=True)
        self.db.file.execute("PRAGMA journal_mode = MEMORY")
        self.db.file.execute("PRAGMA synchronous = OFF")
        self._flush = BackgroundFlush(self._draft)

    def publish(self) -> None:
        """Flush the draft and rename it to its path; raises StoreError, and leaves nothing then."""
        try:
            self.db.file.execute("PRAGMA journal_mode = WAL")
            self.db.close()
            self._flush.close()
            self._draft.replace(self._path)
            _flush_name(self._path.parent)
        except StoreError:
            self.discard()
            raise
        except OSError as error:
            self.discard()
            raise StoreError(str(self._path), error.strerror or str(error)) from error

    def discard(self) -> None:
        """Delete the draft."""
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
    """Flushes what is written to a file again and again, in a thread of its own.

    On POSIX a process loses its locks on a file with the first descriptor that it closes: close
    this one after the writer's.
    """

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_RDWR)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steady-flush", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Flush everything and close the file; raises OSError where the disk fails."""
        self._end()
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = -1

    def discard(self) -> None:
        """Close the file without flushing it."""
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
                return  # `close` meets the error again, and raises it


def _flush_name(folder: Path) -> None:
    """Make a file's new name survive a power cut, where folders can be flushed."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
