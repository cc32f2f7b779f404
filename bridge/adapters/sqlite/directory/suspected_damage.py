"""A note that a reader of the directory leaves to its writer: this file is damaged.

A run in which nothing changed reads next to nothing: it would never meet the damage that every
caller meets. So the reader leaves a note beside the file, and the next run acts on it.
"""

import contextlib
from pathlib import Path

from bridge.adapters.sqlite.file.identity import FileIdentity, identity_of
from bridge.errors import StoreDamaged


def record_suspected_damage(path: Path, identity: FileIdentity, damage: StoreDamaged) -> None:
    """Leave a note of *damage* in the file *identity* that was opened at *path*.

    Where it cannot be written, callers are still answered that the file is damaged.
    """
    with contextlib.suppress(OSError):
        _note_path(path).write_text(f"{identity}\n{damage.reason}", encoding="utf-8")


def read_suspected_damage(path: Path) -> str | None:
    """Return the reason left about the file that is at *path* now; None where there is none."""
    try:
        identity, _, reason = _note_path(path).read_text(encoding="utf-8").partition("\n")
        return reason if identity == str(identity_of(path.stat())) else None
    except (OSError, UnicodeDecodeError):
        return None


def clear_suspected_damage(path: Path) -> None:
    """Delete the note: another file is about to take the place."""
    with contextlib.suppress(OSError):
        _note_path(path).unlink(missing_ok=True)


def _note_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.suspect")
