"""Open the directory to answer callers, whatever the disk allows."""

from pathlib import Path

from bridge.adapters.sqlite.file.sqlite_file import OLDEST_FORMAT, OpenMode, SqliteFile
from bridge.errors import StoreDamaged, StoreError, StoreOfOtherProgram


def open_for_reading(path: Path) -> tuple[SqliteFile, OpenMode]:
    """Return the directory, open, and by what it could be opened.

    Beside a file SQLite wants some memory shared with its writers, as a file. A full or read-only
    disk does not give it, and callers need their managers all the same. Whoever opened it without
    others has to try again soon: the writer cannot write meanwhile.

    Raises:
        StoreError: it cannot be read at all.
    """
    try:
        return SqliteFile(path, read_only=True, oldest_format=OLDEST_FORMAT), OpenMode.SHARED
    except (StoreDamaged, StoreOfOtherProgram):
        raise
    except StoreError as error:
        for mode in (OpenMode.EXCLUSIVE, OpenMode.IMMUTABLE):
            try:
                file = SqliteFile(path, read_only=True, mode=mode, oldest_format=OLDEST_FORMAT)
            except StoreError:
                continue
            return file, mode
        raise error from None
