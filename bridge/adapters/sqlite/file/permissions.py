"""Who may read our files: their owner alone, for they hold people's numbers and our secrets."""

import logging
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

#: What is set to us alone: no bit for the group or for others.
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

#: How the names of our files begin: a data folder may be a folder that others use as well.
_NAME = re.compile(r"(ledger|directory|audit|runs|secret|metadata|rescue)[.-]")


def set_private_umask() -> None:
    """Have every file that this process makes from now on readable to its owner alone."""
    os.umask(0o077)


def restrict_to_owner(folder: Path, *others: Path) -> None:
    """Take the rights of all but the owner off our files in *folder*, and off *others*.

    Off the folder too, unless somebody else's files are in it.
    """
    for path in _ours(folder, others):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _OTHERS:
                path.chmod(mode & ~_OTHERS)
        except OSError as error:  # not our file: `check` tells of it
            extra = {"path": str(path), "reason": error.strerror or type(error).__name__}
            _log.warning("not_private", extra=extra)


def accessible_to_others(folder: Path, *others: Path) -> Sequence[Path]:
    """Return which of our files in *folder*, and of *others*, not their owner alone may use."""
    if os.name != "posix":
        return ()
    return [path for path in _ours(folder, others) if _mode(path) & _OTHERS]


def _ours(folder: Path, others: Iterable[Path]) -> list[Path]:
    found = [path for path in others if path.is_file()]
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return found  # no folder: whoever needs it says so
    ours = [path for path in inside if _NAME.match(path.name)]
    if len(ours) == len(inside):
        found.append(folder)
    return [path for path in (*found, *ours) if not path.is_symlink()]


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
