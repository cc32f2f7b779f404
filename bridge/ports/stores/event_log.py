"""PBX events as they came, kept until they are applied to their calls."""

from collections.abc import Sequence
from typing import Final, Protocol

from bridge.ports.pbx import RawEvent

#: In place of a call's key where an event could not be read: no key looks like that.
UNREAD: Final = "?"


class EventLog(Protocol):
    """Raw events on disk. Every method may raise StoreError."""

    async def record_event(self, event: RawEvent) -> None:
        """Store a PBX event until it is applied to its call."""
        ...

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        """Return events that are applied to no call yet, with their numbers, oldest first."""
        ...

    async def unread_events(self, limit: int, after: int = -1) -> Sequence[tuple[int, RawEvent]]:
        """Return events that could not be read, after the number *after*, each with its number."""
        ...

    async def count_unread_events(self) -> int:
        """Return the number of stored events that could not be read."""
        ...

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        """Return the events applied to the call *key*, as they came, oldest first."""
        ...
