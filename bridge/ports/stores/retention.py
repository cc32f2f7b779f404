"""Deletion by age, counted in days that the service has seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DeletedRecords:
    """What a deletion by age deleted; *kept* calls are old, but not done."""

    calls: int = 0
    events: int = 0
    missed_calls: int = 0
    talks: int = 0
    kept: int = 0


class RetentionStore(Protocol):
    """Days seen, and the deletion of what is older. Every method may raise StoreError."""

    async def delete_older_than(self, before: datetime) -> DeletedRecords:
        """Delete what was received before that moment and is done (`domain.delivery.retention`).

        With a call go its entry, its events and its closed missed call. Events that are applied to
        no call yet stay, and operators' choices, which have no age.
        """
        ...

    async def record_day(self, now: datetime) -> None:
        """Record that the service runs on the day of *now*, and that *now* is the last moment."""
        ...

    async def days_seen(self) -> Sequence[date]:
        """Return the recorded days, each once, the last recorded one at the end."""
        ...

    async def last_seen(self) -> datetime | None:
        """Return the last recorded moment; None before the first."""
        ...
