"""The house's own secret: made once, kept in the data folder, readable to its user alone."""

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
    """The secret of the running service, and `StoredFile`: one that cannot be had stops nobody.

    A file cut short is set aside and another made; where none can be read or made, one in memory
    serves until the service ends, and is written as soon as that is possible.
    """

    name = "secret.key"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._losses: list[str] = []
        self._trouble: StoreError | None = None
        self.value = self._load()

    async def examine(self) -> StoreError | None:
        """Return what keeps the secret from lasting, after a try to mend it."""
        if self._trouble is None:
            return None
        try:
            kept = await asyncio.to_thread(_kept_or_made, self._path, self.value)
        except (OSError, StoreError) as error:
            self._trouble = _as_store_error(self._path, error)
            return self._trouble
        words = "can be read again; links made by desk-link open nothing until a restart"
        same = kept == self.value
        self._trouble = None if same else StoreError(str(self._path), words)
        return self._trouble

    def take_losses(self) -> Sequence[str]:
        """Return what happened to the file since this was asked last."""
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
                words = f"was cut short and is kept as {aside.name}: sessions and personal links"
                self._losses.append(f"{words} of before open nothing")
                return load_or_create_secret(self._path)
        except StoreError as error:
            self._trouble = error
            return secrets.token_bytes(_BYTES)


def _kept_or_made(path: Path, value: bytes) -> bytes:
    _make(path, value)
    return load_or_create_secret(path)


def _as_store_error(path: Path, error: OSError | StoreError) -> StoreError:
    if isinstance(error, StoreError):
        return error
    return StoreError(str(path), error.strerror or type(error).__name__)


def load_or_create_secret(path: Path) -> bytes:
    """Give the secret at *path*, made when there is none; raises StoreError.

    Whoever deletes the file ends every session and every personal link.
    """
    try:
        _make(path)
        secret = path.read_bytes()
    except OSError as error:
        raise StoreError(str(path), error.strerror or str(error)) from error
    if len(secret) < _BYTES:
        raise StoreDamaged(str(path), "the secret is cut short; delete the file to have a new one")
    return secret


def read_secret(path: Path) -> bytes | None:
    """Return the secret at *path*; None where there is none that can be read: nothing is made."""
    try:
        secret = path.read_bytes()
    except OSError:
        return None
    return secret if len(secret) >= _BYTES else None


def _make(path: Path, value: bytes | None = None) -> None:
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
            os.link(draft, path)  # unlike rename, it replaces nobody's secret
    finally:
        draft.unlink(missing_ok=True)
