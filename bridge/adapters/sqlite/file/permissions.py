"""Who may read the bridge's files: their owner alone; they hold people's numbers and secrets."""

import logging
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

#: The bits that are taken away: all of the group's and of others'.
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

#: How the names of our files begin: others may keep files in the data folder as well.
_NAME = re.compile(r"(ledger|directory|audit|runs|secret|metadata|rescue)[.-]")


def set_private_umask() -> None:
    """Make every file that this process creates from now on readable to its owner alone."""
    os.umask(0o077)


def restrict_to_owner(folder: Path, *others: Path) -> None:
    """Remove the rights of all but the owner from our files in *folder*, and from *others*.

    From the folder too, unless files of other programs are in it.
    """
    for path in _ours(folder, others):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _OTHERS:
                path.chmod(mode & ~_OTHERS)
        except OSError as error:  # another user's file: `check` reports it
            extra = {"path": str(path), "reason": error.strerror or type(error).__name__}
            _log.warning("not_private", extra=extra)


def accessible_to_others(folder: Path, *others: Path) -> Sequence[Path]:
    """Return those of our files in *folder*, and of *others*, that other users may use."""
    if os.name != "posix":
        return ()
    return [path for path in _ours(folder, others) if _mode(path) & _OTHERS]


def _ours(folder: Path, others: Iterable[Path]) -> list[Path]:
    found = [path for path in others if path.is_file()]
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return found  # no folder: the code that needs it raises the error
    ours = [path for path in inside if _NAME.match(path.name)]
    if len(ours) == len(inside):
        found.append(folder)
    return [path for path in (*found, *ours) if not path.is_symlink()]


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
