"""Watch the index: one that is missing, empty, broken or too old is pulled anew at once."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from bridge.edges import Edge
from bridge.ports.alarms import Alarm
from bridge.ports.clock import Monotonic
from bridge.ports.events import EventPublisher

_log = logging.getLogger(__name__)

#: An index that breaks again and again asks for no more syncs than this; the schedule goes on.
SYNC_PAUSE: Final = timedelta(minutes=1)


class IndexFile(Protocol):
    """The part of the directory that is watched."""

    def needs_sync(self) -> str:
        """Return why the index should be pulled anew at once; empty where it is in order."""
        ...


class IndexWatch:
    """Raises `index_broken` and starts a sync when the index begins to need one.

    Where that sync fails, because 1C is away, the schedule tries again.
    """

    def __init__(
        self,
        *,
        index: IndexFile,
        events: EventPublisher,
        sync_now: Callable[[], None],
        monotonic: Monotonic,
    ) -> None:
        self._index = index
        self._events = events
        self._sync_now = sync_now
        self._monotonic = monotonic
        self._needs_sync = Edge()
        self._sync_asked_at: float | None = None

    def check(self) -> None:
        """Check the index; called every second or so."""
        reason = self._index.needs_sync()
        if not reason:
            if self._needs_sync.ends():
                _log.info("index_restored")
                self._events.publish(Alarm("index_broken", "the index is well again", clear=True))
            return
        if not self._needs_sync.begins():
            return
        _log.error("index_needs_sync", extra={"reason": reason})
        self._events.publish(Alarm("index_broken", reason))
        now = self._monotonic()
        asked_at = self._sync_asked_at
        if asked_at is None or now - asked_at >= SYNC_PAUSE.total_seconds():
            self._sync_asked_at = now
            self._sync_now()
