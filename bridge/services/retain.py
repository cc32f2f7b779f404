"""Retain: what is older than the set number of days, and done, is deleted.

Age is counted in days that the service has seen (`domain.retention`), so a clock that jumps
deletes nothing. What is deleted is told.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

from bridge.domain.retention import STEADY, oldest_kept
from bridge.ports import Audit, Clock, Forgotten, Ledger

_log = logging.getLogger(__name__)


class Retention:
    """Keeps calls, their events and missed calls for *keep_days* days that were seen.

    *steady_for* tells how long the wall clock has not stepped.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        audit: Audit,
        clock: Clock,
        keep_days: int,
        steady_for: Callable[[], timedelta],
    ) -> None:
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._keep_days = keep_days
        self._steady_for = steady_for

    async def forget(self) -> Forgotten:
        """Note the present day, and delete what is too old and done."""
        if self._steady_for() >= STEADY:
            await self._ledger.note_day(self._clock())
        days = await self._ledger.days_seen()
        records = await self._audit.forget(days)
        if records:
            _log.info("audit_forgotten", extra={"records": records})
        before = oldest_kept(days, self._keep_days)
        if before is None:
            return Forgotten()
        forgotten = await self._ledger.forget(before)
        if forgotten.calls or forgotten.events or forgotten.talks:
            extra = {"before": before.date().isoformat(), **asdict(forgotten)}
            _log.info("calls_forgotten", extra=extra)
        return forgotten
