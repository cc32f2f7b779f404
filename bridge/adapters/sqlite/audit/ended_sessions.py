"""Sessions that were signed out and one-time links that were used: one small file, written whole.

It must work where everything else is broken, so it needs no database; where the disk cannot be
written, memory keeps what the file does not, with an alarm.
"""

import asyncio
import json
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from bridge.ports.alarms import Alarm
from bridge.ports.events import EventPublisher

_log = logging.getLogger(__name__)

#: Above so many a new generation begins, and all users sign in again.
_MAX_SESSIONS: Final = 5_000

_LOST: Final = "cannot be kept: after a restart everybody has to sign in again"


class EndedSessionsFile:
    """`EndedSessions` in the file *path*. Called on the event loop's thread only."""

    def __init__(
        self, path: Path, events: EventPublisher, *, max_sessions: int = _MAX_SESSIONS
    ) -> None:
        self._max_sessions = max_sessions
        self._path = path
        self._events = events
        self._writing = asyncio.Lock()
        self._ended: dict[str, None] = {}
        self._generation = secrets.token_hex(8)
        self._alarmed = False
        try:
            self._read()
        except FileNotFoundError:
            self._begin("")
        except (OSError, ValueError, TypeError, KeyError) as error:
            # Which sessions were ended is not known any more, so no earlier session counts.
            with suppress(OSError):
                self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))
            self._begin(f"{path.name} was damaged: everybody has to sign in again ({error})")

    @property
    def generation(self) -> str:
        """Return the generation that counts now."""
        return self._generation

    def is_ended(self, session: str) -> bool:
        """Return whether *session* was ended."""
        return session in self._ended

    async def end(self, session: str) -> None:
        """End *session*: at once in memory, and durably when done."""
        if len(self._ended) >= self._max_sessions:
            self._ended.clear()
            self._generation = secrets.token_hex(8)
        self._ended[session] = None
        async with self._writing:
            text = self._text()
            try:
                await asyncio.to_thread(self._write, text)
            except OSError as error:
                self._failed(error)
            else:
                self._clear_alarm()

    def _read(self) -> None:
        stored = json.loads(self._path.read_bytes())
        generation, ended = stored["generation"], stored["ended"]
        if not isinstance(generation, str) or len(generation) < len(self._generation):
            raise ValueError("no generation")
        self._ended = dict.fromkeys(map(str, ended))
        self._generation = generation

    def _begin(self, damage: str) -> None:
        try:
            self._write(self._text())
        except OSError as error:
            self._failed(error)
        else:
            if damage:
                self._raise_alarm(damage)

    def _text(self) -> str:
        return json.dumps({"generation": self._generation, "ended": list(self._ended)})

    def _write(self, text: str) -> None:
        """Write the file whole or not at all; it is never seen half written."""
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> None:
        self._raise_alarm(f"{self._path.name} {_LOST} ({error.strerror or type(error).__name__})")

    def _raise_alarm(self, message: str) -> None:
        if not self._alarmed:
            _log.error("ended_sessions_not_kept", extra={"reason": message})
        self._alarmed = True
        self._events.publish(Alarm("store_damaged", message, self._path.name))

    def _clear_alarm(self) -> None:
        if self._alarmed:
            self._alarmed = False
            self._events.publish(Alarm("store_damaged", "", self._path.name, clear=True))
