"""Opening the directory file to answer callers, in the best mode that the disk allows."""

from pathlib import Path

from bridge.adapters.sqlite.file.sqlite_file import OLDEST_FORMAT, OpenMode, SqliteFile
from bridge.errors import StoreDamaged, StoreError, StoreOfOtherProgram


def open_for_reading(path: Path) -> tuple[SqliteFile, OpenMode]:
    """Return the open file and the mode in which it could be opened.

    SQLite needs memory that it shares with writers, in a file beside the database. A full or
    read-only disk does not give it, and callers have to be answered all the same. A file that is
    not open in mode SHARED is to be opened again soon: the writer cannot write meanwhile.

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
