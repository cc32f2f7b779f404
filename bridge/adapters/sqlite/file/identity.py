"""Which file stands at a path: device and inode tell it from another of the same name."""

import os
from pathlib import Path

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
