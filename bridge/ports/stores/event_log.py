"""PBX events as they came, kept until they are applied to their calls."""

from collections.abc import Sequence
from typing import Final, Protocol

from bridge.ports.pbx import RawEvent

#: Stands in place of a call's key where an event could not be read: no key looks like that.
UNREAD: Final = "?"


class EventLog(Protocol):
    """Raw events on disk. Every method may raise StoreError."""

    async def record_event(self, event: RawEvent) -> None:
        """Keep a PBX event until its call is told of it."""
        ...

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        """Give kept events that no call was told of yet, with their numbers, oldest first."""
        ...

    async def unread_events(self, limit: int, after: int = -1) -> Sequence[tuple[int, RawEvent]]:
        """Return events that could not be read behind number *after*, each with its number."""
        ...

    async def count_unread_events(self) -> int:
        """Return how many events are kept that could not be read."""
        ...

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        """Give the events a call was told of, as they came, oldest first."""
        ...
