"""The service's own secret: created once, kept in the data folder, readable to its user alone."""

import asyncio
import logging
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bridge.adapters.sqlite.file.set_aside import set_aside
from bridge.errors import StoreDamaged, StoreError

_log = logging.getLogger(__name__)

_BYTES = 32


class ServiceSecret:
    """The secret of the running service, and `StoredFile`: a file that fails stops no start.

    A file cut short is set aside and another created; where none can be read or created, one in
    memory serves until the service ends, and is written as soon as that is possible.
    """

    name = "secret.key"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._losses: list[str] = []
        self._error: StoreError | None = None
        self.value = self._load()

    async def examine(self) -> StoreError | None:
        """Return why the secret is not kept on disk, after a try to write it."""
        if self._error is None:
            return None
        try:
            kept = await asyncio.to_thread(_load_or_write, self._path, self.value)
        except (OSError, StoreError) as error:
            self._error = _as_store_error(self._path, error)
            return self._error
        reason = "can be read again; links made by desk-link open nothing until a restart"
        same = kept == self.value
        self._error = None if same else StoreError(str(self._path), reason)
        return self._error

    def take_losses(self) -> Sequence[str]:
        """Return what happened to the file since the last call."""
        losses, self._losses = self._losses, []
        return losses

    def _load(self) -> bytes:
        try:
            try:
                return load_or_create_secret(self._path)
            except StoreDamaged as error:
                aside = set_aside(self._path)
                extra = {"path": error.path, "reason": error.reason, "kept": str(aside)}
                _log.error("store_damaged", extra=extra)
                loss = f"was cut short and is kept as {aside.name}: sessions and personal links"
                self._losses.append(f"{loss} of before open nothing")
                return load_or_create_secret(self._path)
        except StoreError as error:
            self._error = error
            return secrets.token_bytes(_BYTES)


def _load_or_write(path: Path, value: bytes) -> bytes:
    _write_new(path, value)
    return load_or_create_secret(path)


def _as_store_error(path: Path, error: OSError | StoreError) -> StoreError:
    if isinstance(error, StoreError):
        return error
    return StoreError(str(path), error.strerror or type(error).__name__)


def load_or_create_secret(path: Path) -> bytes:
    """Return the secret at *path*, created where there is none.

    Deleting the file ends every session and every personal link.

    Raises:
        StoreError: it can be neither read nor created.
        StoreDamaged: it is cut short.
    """
    try:
        _write_new(path)
        secret = path.read_bytes()
    except OSError as error:
        raise StoreError(str(path), error.strerror or str(error)) from error
    if len(secret) < _BYTES:
        raise StoreDamaged(str(path), "the secret is cut short; delete the file to have a new one")
    return secret


def read_secret(path: Path) -> bytes | None:
    """Return the secret at *path*; None where none can be read. Creates nothing."""
    try:
        secret = path.read_bytes()
    except OSError:
        return None
    return secret if len(secret) >= _BYTES else None


def _write_new(path: Path, value: bytes | None = None) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole or not at all: another process may look while we write.
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(value or secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)  # unlike rename, it replaces no secret that is there
    finally:
        draft.unlink(missing_ok=True)
