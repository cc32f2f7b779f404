"""Retain: what is older than the set number of days is deleted from the ledger."""

import logging
from datetime import timedelta

from bridge.ports import Clock, Ledger

_log = logging.getLogger(__name__)


class Retention:
    """Keeps calls, their events and debts for *keep*; nothing older remains."""

    def __init__(self, *, ledger: Ledger, clock: Clock, keep: timedelta) -> None:
        self._ledger = ledger
        self._clock = clock
        self._keep = keep

    async def forget(self) -> int:
        """Delete what is too old; give the number of calls."""
        forgotten = await self._ledger.forget(self._clock() - self._keep)
        if forgotten:
            _log.info("calls_forgotten", extra={"calls": forgotten})
        return forgotten
