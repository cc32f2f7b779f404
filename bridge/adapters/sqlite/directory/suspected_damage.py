"""What a reader of the directory tells its writer: this very file is damaged.

A run in which nothing moved reads next to nothing: it would never meet the damage that every caller
meets. So whoever met it leaves word beside the file, and the next run believes it.
"""

import contextlib
import os
from pathlib import Path

from bridge.errors import StoreDamaged


def record_suspected_damage(path: Path, identity: tuple[int, int], damage: StoreDamaged) -> None:
    """Leave word of *damage* in the file *identity* that was opened at *path*.

    Where that cannot be, callers are still told of it.
    """
    with contextlib.suppress(OSError):
        _note_of(path).write_text(f"{identity}\n{damage.reason}", encoding="utf-8")


def read_suspected_damage(path: Path) -> str | None:
    """Give what was said of the file that is at *path* now; None for a good name."""
    try:
        identity, _, reason = _note_of(path).read_text(encoding="utf-8").partition("\n")
        return reason if identity == str(identity_from(path.stat())) else None
    except (OSError, UnicodeDecodeError):
        return None


def clear_suspected_damage(path: Path) -> None:
    """Remove the word that was left: another file is coming."""
    with contextlib.suppress(OSError):
        _note_of(path).unlink(missing_ok=True)


def identity_from(status: os.stat_result) -> tuple[int, int]:
    """Tell one file from another that takes its place."""
    return status.st_dev, status.st_ino


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.suspect")
