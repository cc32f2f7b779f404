"""What SQLite and the decoders raise, as errors of a store: one sentence each, damage apart."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bridge.errors import StoreDamaged, StoreError

#: What SQLite raises. It quotes a damaged file in its own message, which then may be no text: the
#: binding fails over that with an error of Python's.
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)

#: What decoding a document raises where it is of another form than ours, or no text.
DECODE_ERRORS: Final = (
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
)

#: SQLite's codes for a damaged file; the higher bits of a code are details.
_DAMAGE_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE: Final = 0xFF

#: The beginnings of SQLite's messages that a table or column is gone, or the header changed: our
#: statements are constants, so it is the file that is wrong.
_MISSING_PARTS: Final = ("no such table", "no such column", "unsupported file format")

#: The messages for a damaged document: of Python's binding, which has no code for it and shows
#: the text, and of SQLite's functions, for which it is an error as any.
_NOT_TEXT, _NOT_JSON = "Could not decode to UTF-8", "malformed JSON"

_MAX_REASON_LENGTH: Final = 200


def store_error(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
    """Return what SQLite raised over the file at *path* as a StoreError, or StoreDamaged."""
    if isinstance(error, UnicodeDecodeError):
        return StoreDamaged(str(path), "the names of its tables are damaged: no text")
    message = _printable(str(error))
    if message.startswith(_NOT_TEXT):
        return StoreDamaged(str(path), "a document is damaged: it is no text")
    if message == _NOT_JSON:
        return StoreDamaged(str(path), f"a document is damaged: {message}")
    code = getattr(error, "sqlite_errorcode", None)
    damaged = code is not None and code & _PRIMARY_CODE in _DAMAGE_CODES
    kind = StoreDamaged if damaged or message.startswith(_MISSING_PARTS) else StoreError
    return kind(str(path), message)


@contextmanager
def decoding_documents(path: Path) -> Iterator[None]:
    """Raise StoreDamaged where a document that is decoded inside is not what was written."""
    try:
        yield
    except DECODE_ERRORS as error:
        reason = f"a document is damaged: {_printable(str(error))}"
        raise StoreDamaged(str(path), reason) from error


def _printable(message: str) -> str:
    """Return one printable line: a message may quote what stands in a damaged file."""
    shown = message[:_MAX_REASON_LENGTH].encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else "?" for sign in shown)
