"""Clients who wait to be called back."""

from collections.abc import Sequence
from typing import Protocol

from bridge.domain.delivery.missed_calls import MissedCall


class MissedCallRecords(Protocol):
    """Open missed calls on disk. May raise StoreError."""

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        """Return the open missed calls, the longest waiting first."""
        ...
