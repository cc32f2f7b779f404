"""The rescue file: calls that the ledger did not take, one JSON document a line, for us and people.

It stands in the data folder, or where that takes nothing in the system's folder for temporary
files, readable to its owner alone: a person needs the whole number to write a call by hand. Where
no disk takes it, the line goes to the error stream.
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

from bridge.adapters.sqlite.calls.migration import upgrade_call, upgrade_entry
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.errors import StoreError
from bridge.ports.stores.files import RescuedCall

RESCUE_FILE_NAME: Final = "rescue.jsonl"

#: No rescue is longer; a longer file is somebody else's doing.
_MOST_BYTES: Final = 1 << 30


class _Line(msgspec.Struct):
    call: PhoneCall
    entry: OutboxEntry | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _read_line(line: bytes) -> _Line:
    """Read one line, also one that an earlier release wrote with other keys."""
    document = _decode(line)
    document["call"] = upgrade_call(document["call"])
    if document.get("entry") is not None:
        document["entry"] = upgrade_entry(document["entry"])
    return msgspec.convert(document, _Line)


def _print(line: str) -> None:
    sys.stderr.write(f"onec-bridge: this call is recorded nowhere else: {line}\n")
    sys.stderr.flush()


class RescueFile:
    """`Rescue` in *folder*, and in a folder of its own below *temporary*."""

    def __init__(
        self,
        folder: Path,
        *,
        temporary: Path | None = None,
        write_to_stderr: Callable[[str], None] = _print,
    ) -> None:
        self._folders = [folder, _temporary_folder(folder, temporary)]
        self._last_resort = write_to_stderr
        self._lock = asyncio.Lock()

    @property
    def paths(self) -> Sequence[Path]:
        """Return where rescued calls may stand."""
        return [folder / RESCUE_FILE_NAME for folder in self._folders]

    def existing_paths(self) -> Sequence[Path]:
        """Return the files in which rescued calls wait."""
        return [place for place in self.paths if place.exists()]

    async def add(self, call: PhoneCall, entry: OutboxEntry | None) -> None:
        """Keep *call* outside of the ledger; never raises, the last place is the error stream."""
        text = _encode(_Line(call, entry))
        async with self._lock:
            kept = await asyncio.to_thread(self._append, text + b"\n")
        if not kept:
            self._last_resort(text.decode())

    async def saved_calls(self) -> Sequence[RescuedCall]:
        """Return what is kept, the oldest first; raises StoreError where it cannot be read."""
        async with self._lock:
            return await asyncio.to_thread(self._read)

    async def delete_first(self, calls: int) -> None:
        """Delete what is kept, but what came since the first *calls* were read."""
        async with self._lock:
            await asyncio.to_thread(self._forget, calls)

    def _append(self, line: bytes) -> bool:
        for place in self.paths:
            try:
                _append(place, line)
            except OSError:
                continue
            return True
        return False

    def _read(self) -> list[RescuedCall]:
        found: list[RescuedCall] = []
        for place in self.existing_paths():
            for line in _lines(place):
                try:
                    read = _read_line(line)
                except DECODE_ERRORS:
                    self._set_unreadable_aside(place, line)
                else:
                    found.append((read.call, read.entry))
        return found

    def _forget(self, calls: int) -> None:
        for place in self.existing_paths():
            lines = _lines(place)
            if len(lines) > calls:
                rest = b"".join(line + b"\n" for line in lines[calls:])
                draft = place.with_suffix(".new")
                _append(draft, rest)
                draft.replace(place)
            else:
                place.unlink()
            calls = max(0, calls - len(lines))

    def _set_unreadable_aside(self, place: Path, line: bytes) -> None:
        """Keep a line that we cannot read for a person, and take it out of the file."""
        _append(place.with_name(f"{RESCUE_FILE_NAME}.damaged"), line + b"\n")
        rest = b"".join(other + b"\n" for other in _lines(place) if other != line)
        draft = place.with_suffix(".new")
        draft.unlink(missing_ok=True)
        _append(draft, rest)
        draft.replace(place)


def _temporary_folder(folder: Path, temporary: Path | None) -> Path:
    """Name a folder for this installation alone."""
    if temporary is None:
        try:
            temporary = Path(tempfile.gettempdir())
        except OSError:  # no folder of the system's can be written just now
            temporary = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - looked at below
    mark = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return temporary / f"onec-bridge-{mark}"


def _append(place: Path, line: bytes) -> None:
    """Add *line* durably, or leave the file as it was; raises OSError."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _insist_on_own(place.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(place, flags, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError("the disk took a part only")  # noqa: TRY301 - undone below
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _lines(place: Path) -> list[bytes]:
    try:
        _insist_on_own(place.parent)
        if place.stat().st_size > _MOST_BYTES:
            raise StoreError(str(place), "is too large to be of ours")
        return [line for line in place.read_bytes().split(b"\n") if line]
    except OSError as error:
        raise StoreError(str(place), error.strerror or str(error)) from error


def _insist_on_own(folder: Path) -> None:
    """Raise OSError where others may have put something into *folder*, or read it."""
    if os.name != "posix":
        return
    status = folder.lstat()
    own = stat.S_ISDIR(status.st_mode) and status.st_uid in {os.getuid(), 0}
    if not own or status.st_mode & stat.S_IWOTH:
        raise PermissionError(None, f"{folder.name} is not ours alone")
