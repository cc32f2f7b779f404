"""Watch over the index: one that is gone, empty, broken or too old is made anew at once."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from bridge.ports.alarms import Alarm
from bridge.ports.events import EventPublisher

_log = logging.getLogger(__name__)

#: An index that breaks again and again asks for no more syncs than this; the schedule goes on.
SYNC_PAUSE: Final = timedelta(minutes=1)


class IndexFile(Protocol):
    """The part of the directory that is watched."""

    def needs_sync(self) -> str:
        """Return why the index should be made anew at once; empty when it is well."""
        ...


class IndexWatch:
    """Raises `index_broken` and starts a sync when the index needs one, on the edge only.

    Where that sync fails, 1C being away, the schedule tries again, at the pace of such failures.
    *stopwatch* gives seconds that never jump.
    """

    def __init__(
        self,
        *,
        index: IndexFile,
        events: EventPublisher,
        sync_now: Callable[[], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._index = index
        self._events = events
        self._sync_now = sync_now
        self._stopwatch = monotonic
        self._reason = ""
        self._asked_at: float | None = None

    def check(self) -> None:
        """Look whether the index is well; called every second or so."""
        reason = self._index.needs_sync()
        if bool(reason) == bool(self._reason):
            return
        self._reason = reason
        if not reason:
            _log.info("index_restored")
            self._events.publish(Alarm("index_broken", "the index is well again", clear=True))
            return
        _log.error("index_needs_sync", extra={"reason": reason})
        self._events.publish(Alarm("index_broken", reason))
        now = self._stopwatch()
        if self._asked_at is None or now - self._asked_at >= SYNC_PAUSE.total_seconds():
            self._asked_at = now
            self._sync_now()
