"""The index of the write-ahead log, which SQLite maps into memory: cut short, it ends the process.

SQLite reads `…-shm` through a mapping, and reading a page of it that is no longer in the file ends
the process by SIGBUS. So the file is made as long again as it was, with zeros: SQLite takes those
for an index that has to be rebuilt, and rebuilds it from the log.
"""

import os
from pathlib import Path

from bridge.errors import StoreError


class MappedWalIndex:
    """The mapped file of the database at *path*, kept as long as it was; made once it is open."""

    def __init__(self, path: Path):
        self._path = os.fsencode(path.with_name(f"{path.name}-shm"))
        self._size = 0
        self._inode = 0
        self.restore_length()

    def restore_length(self) -> bool:
        """Make the file as long as it was; return whether it still is the one that is mapped.

        Costs one stat of the file: cheap enough for each call that is answered.

        Raises:
            StoreError: it was cut short and cannot be made longer.
        """
        try:
            status = os.stat(self._path)  # noqa: PTH116 - a Path costs as much as the look itself
        except OSError:
            return self._inode == 0
        if self._inode == 0:
            self._inode, self._size = status.st_ino, status.st_size
        if status.st_ino != self._inode:
            return False  # the one that is mapped is whole, wherever it is
        if status.st_size < self._size:
            try:
                # By name: closing a descriptor of ours would end the locks that SQLite holds.
                os.truncate(self._path, self._size)
            except OSError as error:
                where, why = os.fsdecode(self._path), error.strerror or str(error)
                raise StoreError(where, f"cut short, and cannot be mended: {why}") from error
        self._size = max(self._size, status.st_size)
        return True
