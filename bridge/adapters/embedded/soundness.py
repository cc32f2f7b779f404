"""Whether the files of the data folder can be used: damage, and room to write; writes nothing."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from bridge.adapters.embedded.sqlite_file import SqliteFile
from bridge.errors import StoreError

#: Every file of ours; a missing one is made when it is needed.
FILES = ("ledger.db", "directory.db", "audit.db", "runs.db")


def damages(folder: Path) -> Mapping[str, str]:
    """Give the damaged files of *folder* by name, with SQLite's words; reads all of each."""
    found = {name: _damage(folder / name) for name in FILES if (folder / name).exists()}
    return {name: words for name, words in found.items() if words}


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


def _damage(path: Path) -> str:
    try:
        file = SqliteFile(path, read_only=True)
    except StoreError as error:
        return error.reason
    try:
        ((words,), *_) = file.read("PRAGMA quick_check(1)")
    except StoreError as error:
        return error.reason
    finally:
        file.close()
    # The first line names the database, which has one name only.
    return "" if words == "ok" else str(words).splitlines()[-1]
