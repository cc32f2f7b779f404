"""Whether the files of the data folder can be used: damage, and room to write; writes nothing."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.adapters.embedded.aside import aside_of
from bridge.adapters.embedded.sqlite_file import SqliteFile
from bridge.errors import StoreDamaged, StoreError

#: Every file of ours; a missing one is made when it is needed.
FILES = ("ledger.db", "directory.db", "audit.db", "runs.db")


def troubles(folder: Path) -> Mapping[str, StoreError]:
    """Tell what is wrong with files of *folder*, by name: StoreDamaged or another; reads all."""
    found = {name: _trouble(folder / name) for name in FILES if (folder / name).exists()}
    return {name: error for name, error in found.items() if error is not None}


def set_aside_before(folder: Path) -> Sequence[str]:
    """Name the files of which a damaged one is still kept beside."""
    return [name for name in FILES if aside_of(folder / name).exists()]


def obstacle(folder: Path) -> str:
    """Say why nothing can be written to *folder*; empty when it can, or could once it is made."""
    place = _nearest(folder)
    if not place.is_dir():
        return f"{place} is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} may not be written by this user"
    return ""


def free_bytes(folder: Path) -> int:
    """Tell how much room the disk of *folder* has for us."""
    return shutil.disk_usage(_nearest(folder)).free


def _nearest(folder: Path) -> Path:
    """Give *folder*, or the nearest above it that is there."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if place.exists())


def insist_on_soundness(file: SqliteFile) -> None:
    """Read all of *file*, but not what its documents say; raises StoreDamaged."""
    ((words,), *_) = file.read("PRAGMA quick_check(1)")
    if words != "ok":
        # The first line names the database, which has one name only.
        raise StoreDamaged(str(file.path), str(words).splitlines()[-1])


def _trouble(path: Path) -> StoreError | None:
    try:
        file = SqliteFile(path, read_only=True)
        try:
            insist_on_soundness(file)
        finally:
            file.close()
    except StoreError as error:
        return error
    return None
