"""Events of the PBX that could not be read: kept as they came, and never without a word.

An event is acknowledged once it is durable, also where nobody understands it: a PBX that gets a
wrong answer may stop sending (facts/telephony-apis.md §1.2). So what is not understood is kept raw
and an alarm stands for as long as it is; a bridge that reads more tells it to its call after all.
"""

import logging
import re

from bridge.ports.alarms import Alarm
from bridge.ports.events import EventPublisher
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.event_log import EventLog

_log = logging.getLogger(__name__)

#: Where the alarm sends whoever wants to see them.
UNREAD_EVENTS_URL = "/api/v1/events/unread"

_MOST_NAMES = 8
_LONGEST_NAME = 24
_DIGITS = re.compile(r"\d+")


class UnreadEvents:
    """Counts what is kept unread, and raises and clears its alarm."""

    def __init__(self, *, ledger: EventLog, events: EventPublisher) -> None:
        self._ledger = ledger
        self._events = events
        self._count = 0
        self._last = ""
        self._looked = False

    def add(self, raw: RawEvent, reason: str) -> None:
        """Take note of an event that is about to be kept unread; *reason* says why it is."""
        self._last = f"{reason}; {describe_event(raw)}"
        if self._count == 0:
            _log.error("event_unread", extra={"reason": self._last})
            self._raise(1)
        self._looked = False

    async def update_alarm(self) -> None:
        """Say how many there are now; nothing where that has not changed."""
        if self._looked and self._count == 0:
            return
        count = await self._ledger.count_unread_events()
        self._looked = True
        if count == self._count:
            return
        if count == 0:
            words = "no event of the PBX is unread any more"
            self._events.publish(Alarm("pbx_events_unread", words, clear=True))
            self._count = 0
            return
        if not self._last:
            # Of before a restart.
            self._last = next(
                (describe_event(raw) for _, raw in await self._ledger.unread_events(1)), ""
            )
        self._raise(count)

    def _raise(self, count: int) -> None:
        self._count = count
        words = f"{count} kept unread, see {UNREAD_EVENTS_URL}; the last one: {self._last}"
        self._events.publish(Alarm("pbx_events_unread", words))


def describe_event(raw: RawEvent) -> str:
    """Return the form of an event without anything of what it says: names of fields, or a size."""
    if raw.body:
        return f"a body of {len(raw.body)} characters, {raw.content_type or 'no content type'}"
    names = [_DIGITS.sub("*", name[:_LONGEST_NAME]) for name, _ in raw.fields[:_MOST_NAMES]]
    more = " …" if len(raw.fields) > _MOST_NAMES else ""
    return f"fields {', '.join(names)}{more}"
