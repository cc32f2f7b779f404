"""Events of the PBX that could not be read: stored as they came, with an alarm.

An event is acknowledged once it is durable, also where it cannot be read: a PBX that gets a wrong
response may stop sending. A later version that can read it applies it to its call.
Source: docs/facts/sipuni.md, "Events".
"""

import logging
import re
from typing import Final

from bridge.ports.events import EventPublisher
from bridge.ports.pbx import RawEvent
from bridge.ports.raised_alarm import RaisedAlarm
from bridge.ports.stores.event_log import EventLog

_log = logging.getLogger(__name__)

#: Where the alarm sends an administrator who wants to see them.
UNREAD_EVENTS_URL: Final = "/api/v1/events/unread"

_MAX_NAMES: Final = 8
_MAX_NAME_LENGTH: Final = 24
_DIGITS: Final = re.compile(r"\d+")


class UnreadEvents:
    """Counts the unread events, and raises and clears their alarm."""

    def __init__(self, *, ledger: EventLog, events: EventPublisher) -> None:
        self._ledger = ledger
        self._alarm = RaisedAlarm(events, "pbx_events_unread")
        self._count = 0
        self._last = ""
        self._is_counted = False

    def add(self, raw: RawEvent, reason: str) -> None:
        """Count an event that is about to be stored unread, for *reason*."""
        self._last = f"{reason}; {describe_event(raw)}"
        if self._count == 0:
            _log.error("event_unread", extra={"reason": self._last})
            self._raise(1)
        self._is_counted = False

    async def update_alarm(self) -> None:
        """Count the unread events, and update the alarm where their number changed.

        Raises:
            StoreError: they cannot be counted.
        """
        if self._is_counted and self._count == 0:
            return
        count = await self._ledger.count_unread_events()
        self._is_counted = True
        if count == self._count:
            return
        if count == 0:
            self._alarm.clear("no event of the PBX is unread any more")
            self._count = 0
            return
        if not self._last:
            # They are from before a restart.
            events = await self._ledger.unread_events(1)
            self._last = next((describe_event(raw) for _, raw in events), "")
        self._raise(count)

    def _raise(self, count: int) -> None:
        self._count = count
        self._alarm.raise_or_update(
            f"{count} kept unread, see {UNREAD_EVENTS_URL}; the last one: {self._last}"
        )


def describe_event(raw: RawEvent) -> str:
    """Return the form of an event without any of its contents: names of fields, or a size."""
    if raw.body:
        return f"a body of {len(raw.body)} characters, {raw.content_type or 'no content type'}"
    names = [_DIGITS.sub("*", name[:_MAX_NAME_LENGTH]) for name, _ in raw.fields[:_MAX_NAMES]]
    more = " …" if len(raw.fields) > _MAX_NAMES else ""
    return f"fields {', '.join(names)}{more}"
