"""The rescue file: calls that the ledger could not record, one JSON document a line.

It stands in the data folder, or, where that cannot be written, in the system's folder for
temporary files, readable to its owner alone: an administrator needs the whole number to write a
call by hand. Where no disk takes it, the line goes to the error stream.
"""

import asyncio
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bridge.adapters.sqlite.calls.migration import (
    ManagersByRow,
    read_managers_by_row,
    upgrade_call,
    upgrade_entry,
)
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.errors import StoreError
from bridge.ports.stores.files import RescuedCall

RESCUE_FILE_NAME: Final = "rescue.jsonl"

#: No rescue file is longer; a longer one was not written by us.
_MAX_BYTES: Final = 1 << 30


class _Line(msgspec.Struct):
    call: PhoneCall
    entry: OutboxEntry | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _read_line(line: bytes, managers: ManagersByRow) -> _Line:
    """Read one line, also one that an earlier release wrote with other keys."""
    document = _decode(line)
    document["call"] = upgrade_call(document["call"], managers)
    if document.get("entry") is not None:
        document["entry"] = upgrade_entry(document["entry"])
    return msgspec.convert(document, _Line)


def _write_to_stderr(line: str) -> None:
    sys.stderr.write(f"onec-bridge: this call is recorded nowhere else: {line}\n")
    sys.stderr.flush()


class RescueFile:
    """`CallRescue` in *folder*, and in a folder of its own below *temporary*."""

    def __init__(
        self,
        folder: Path,
        *,
        temporary: Path | None = None,
        write_to_stderr: Callable[[str], None] = _write_to_stderr,
    ) -> None:
        self._folders = [folder, _temporary_folder(folder, temporary)]
        self._write_to_stderr = write_to_stderr
        self._lock = asyncio.Lock()

    @property
    def paths(self) -> Sequence[Path]:
        """Return the paths at which the file may stand."""
        return [folder / RESCUE_FILE_NAME for folder in self._folders]

    def existing_paths(self) -> Sequence[Path]:
        """Return those of the paths at which there is a file."""
        return [path for path in self.paths if path.exists()]

    async def add(self, call: PhoneCall, entry: OutboxEntry | None) -> None:
        """Save *call* outside of the ledger; never raises, the last resort is the error stream."""
        text = _encode(_Line(call, entry))
        async with self._lock:
            saved = await asyncio.to_thread(self._append, text + b"\n")
        if not saved:
            self._write_to_stderr(text.decode())

    async def saved_calls(self) -> Sequence[RescuedCall]:
        """Return the saved calls, the oldest first; raises StoreError where they cannot be read."""
        async with self._lock:
            return await asyncio.to_thread(self._read)

    async def delete_first(self, calls: int) -> None:
        """Delete the first *calls* of the saved ones; those saved since they were read stay."""
        async with self._lock:
            await asyncio.to_thread(self._delete_first, calls)

    def _append(self, line: bytes) -> bool:
        for path in self.paths:
            try:
                _append(path, line)
            except OSError:
                continue
            return True
        return False

    def _read(self) -> list[RescuedCall]:
        found: list[RescuedCall] = []
        paths = self.existing_paths()
        managers = read_managers_by_row(self._folders[0]) if paths else {}
        for path in paths:
            for line in _lines(path):
                try:
                    read = _read_line(line, managers)
                except DECODE_ERRORS:
                    self._set_unreadable_aside(path, line)
                else:
                    found.append((read.call, read.entry))
        return found

    def _delete_first(self, calls: int) -> None:
        for path in self.existing_paths():
            lines = _lines(path)
            if len(lines) > calls:
                rest = b"".join(line + b"\n" for line in lines[calls:])
                draft = path.with_suffix(".new")
                _append(draft, rest)
                draft.replace(path)
            else:
                path.unlink()
            calls = max(0, calls - len(lines))

    def _set_unreadable_aside(self, path: Path, line: bytes) -> None:
        """Move a line that cannot be decoded to a file for the administrator."""
        _append(path.with_name(f"{RESCUE_FILE_NAME}.damaged"), line + b"\n")
        rest = b"".join(other + b"\n" for other in _lines(path) if other != line)
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        _append(draft, rest)
        draft.replace(path)


def _temporary_folder(folder: Path, temporary: Path | None) -> Path:
    """Return the path of a temporary folder for this installation alone."""
    if temporary is None:
        try:
            temporary = Path(tempfile.gettempdir())
        except OSError:  # no folder of the system can be written just now
            temporary = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - its owner is checked below
    mark = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return temporary / f"onec-bridge-{mark}"


def _append(path: Path, line: bytes) -> None:
    """Add *line* durably, or leave the file as it was; raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError("the disk took a part only")  # noqa: TRY301 - truncated below
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _lines(path: Path) -> list[bytes]:
    try:
        _check_owner(path.parent)
        if path.stat().st_size > _MAX_BYTES:
            raise StoreError(str(path), "is too large to be of ours")
        return [line for line in path.read_bytes().split(b"\n") if line]
    except OSError as error:
        raise StoreError(str(path), error.strerror or str(error)) from error


def _check_owner(folder: Path) -> None:
    """Raise OSError where other users may write to *folder*, or own it."""
    if os.name != "posix":
        return
    status = folder.lstat()
    own = stat.S_ISDIR(status.st_mode) and status.st_uid in {os.getuid(), 0}
    if not own or status.st_mode & stat.S_IWOTH:
        raise PermissionError(None, f"{folder.name} is not ours alone")
