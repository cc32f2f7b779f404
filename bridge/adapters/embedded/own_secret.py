"""The house's own secret: made once, kept in the data folder, readable to its user alone."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from bridge.errors import StoreError

_BYTES = 32


def own_secret(path: Path) -> bytes:
    """Give the secret at *path*, made when there is none; raises StoreError.

    Whoever deletes the file ends every session and every personal link.
    """
    try:
        _make(path)
        secret = path.read_bytes()
    except OSError as error:
        raise StoreError(str(path), error.strerror or str(error)) from error
    if len(secret) < _BYTES:
        raise StoreError(str(path), "the secret is cut short; delete the file to have a new one")
    return secret


def existing_secret(path: Path) -> bytes | None:
    """Return the secret at *path*; None where there is none that can be read: nothing is made."""
    try:
        secret = path.read_bytes()
    except OSError:
        return None
    return secret if len(secret) >= _BYTES else None


def _make(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: another process may look while we write.
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)  # unlike rename, it replaces nobody's secret
    finally:
        draft.unlink()
