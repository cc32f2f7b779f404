"""Damaged files set aside: kept beside their successors, each under a name of its own.

    ledger.db.damaged, ledger.db.damaged.2, …   what was in the file, its log beside it
    ledger.db.missing, …                        nothing was left: a note that says so

As long as such a file stands there its alarm stays: the administrator deletes it afterwards.
"""

import re
from contextlib import suppress
from pathlib import Path

from bridge.errors import StoreError

#: What SQLite keeps beside a file.
LOG_SUFFIXES = ("-wal", "-shm")

_KEPT = re.compile(r"(?P<name>.+)\.(?P<what>damaged|missing)(\.\d+)?")


def damaged_path(path: Path) -> Path:
    """Return where the first damaged file of *path* is kept."""
    return path.with_name(f"{path.name}.damaged")


def set_aside(path: Path, *, latest_only: bool = False) -> Path:
    """Rename a damaged file and its log; return where it is kept now.

    One set aside earlier stays; with *latest_only* it is replaced, for what can be pulled anew. No
    connection of this process may have the file open.

    Raises:
        StoreError: it cannot be renamed.
    """
    aside = damaged_path(path) if latest_only else _unused_path(path, "damaged")
    try:
        # The file first: without its log it might look well, and would lack what was written last.
        if path.exists():
            path.replace(aside)
        for log in LOG_SUFFIXES:
            remains, kept = path.with_name(path.name + log), aside.with_name(aside.name + log)
            if remains.exists():
                remains.replace(kept)
            else:
                kept.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(str(path), error.strerror or str(error)) from error
    return aside


def record_missing(path: Path, text: str) -> Path:
    """Write a note that *path* was gone; a disk that takes no note has an alarm of its own."""
    note = _unused_path(path, "missing")
    with suppress(OSError):
        note.write_text(text + "\n", "utf-8")
    return note


def list_set_aside(folder: Path) -> dict[str, list[str]]:
    """Return the names of what was set aside in *folder*, by the file that it was."""
    found: dict[str, list[str]] = {}
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return {}  # the code that writes there raises the error
    for name in names:
        kept = _KEPT.fullmatch(name)
        if kept is not None:
            found.setdefault(kept["name"], []).append(name)
    return found


def _unused_path(path: Path, what: str) -> Path:
    number, place = 1, path.with_name(f"{path.name}.{what}")
    while place.exists():
        number += 1
        place = path.with_name(f"{path.name}.{what}.{number}")
    return place
