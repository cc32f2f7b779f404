"""Whether the files of the data folder can be used: damage, rights, free space; changes nothing."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.adapters.sqlite.file.set_aside import list_set_aside
from bridge.adapters.sqlite.file.sqlite_file import OLDEST_FORMAT, SqliteFile
from bridge.domain.reporting.alarm_rules import DiskUsage
from bridge.errors import StoreDamaged, StoreError

#: Every database of the bridge; a missing one is created when it is needed.
DATABASE_FILES = ("ledger.db", "directory.db", "audit.db", "runs.db")


#: Files that are no databases, and how many bytes each has at least.
_PLAIN_FILES = {"secret.key": 32, "metadata.json": 2, "ledger.lock": 0, "directory.lock": 0}

#: As much as a few calls take.
_PROBE_BYTES = 1 << 16


def check_files(folder: Path) -> Mapping[str, StoreError]:
    """Return what is wrong with the databases of *folder*, by name; reads them whole."""
    found = {
        name: _check_file(folder / name) for name in DATABASE_FILES if (folder / name).exists()
    }
    return {name: error for name, error in found.items() if error is not None}


def files_set_aside(folder: Path) -> Sequence[str]:
    """Return the names of the files of which a damaged one is still kept."""
    return list(list_set_aside(folder))


def why_not_writable(folder: Path) -> str:
    """Return why nothing can be written to *folder*; empty where it can, or could once created."""
    place = _nearest_existing(folder)
    if not place.is_dir():
        return f"{place} is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} may not be written by this user"
    return _why_write_fails(place) if place == folder.absolute() else ""


def _why_write_fails(folder: Path) -> str:
    """Write something to *folder* and delete it; return why that cannot be done, or empty."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix="directory.probe-") as probe:
            probe.write(b"\0" * _PROBE_BYTES)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return f"{folder} takes nothing: {error.strerror or type(error).__name__}"
    return ""


def missing_files(folder: Path) -> Sequence[str]:
    """Return the names of files that this installation had and that are gone, or empty."""
    known = [name for name in DATABASE_FILES if (folder / name).with_suffix(".known").exists()]
    return [name for name in known if not _size(folder / name)]


def unusable_files(folder: Path) -> Mapping[str, str]:
    """Return what is wrong with files that are no databases, by name; creates nothing."""
    found: dict[str, str] = {}
    for name, least in _PLAIN_FILES.items():
        path = folder / name
        try:
            if path.exists() and len(path.read_bytes()) < least:
                found[name] = "is cut short"
        except OSError as error:
            found[name] = error.strerror or type(error).__name__
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def free_bytes(folder: Path) -> int:
    """Return how many bytes the disk of *folder* has left for this user."""
    return shutil.disk_usage(_nearest_existing(folder)).free


def disk_usage(folder: Path) -> DiskUsage:
    """Return the free bytes of the disk of *folder*, and those its databases use; may block."""
    used = sum(file.stat().st_size for file in folder.glob("*.db*") if file.is_file())
    return DiskUsage(free_bytes(folder), used)


def _nearest_existing(folder: Path) -> Path:
    """Return *folder*, or the nearest folder above it that exists."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if place.exists())


def check_integrity(file: SqliteFile) -> None:
    """Read all pages of *file*, but not its documents; raises StoreDamaged."""
    ((verdict,), *_) = file.read("PRAGMA quick_check(1)")
    if verdict != "ok":
        # The first line names the database, which has one name only.
        raise StoreDamaged(str(file.path), str(verdict).splitlines()[-1])


def _check_file(path: Path) -> StoreError | None:
    try:
        file = SqliteFile(path, read_only=True, oldest_format=OLDEST_FORMAT)
        try:
            check_integrity(file)
        finally:
            file.close()
    except StoreError as error:
        return error
    return None
