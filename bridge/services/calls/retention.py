"""Retain: what is older than the set number of days, and done, is deleted.

Age is counted in days that the service has seen (`domain.retention`), so a clock that jumps
deletes nothing. What is deleted is told.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from bridge.domain.delivery.retention import STEADY_PERIOD, oldest_kept
from bridge.domain.delivery.texts import Language, format_text
from bridge.ports.audit import Audit, AuditAct, AuditRecord
from bridge.ports.clock import Clock
from bridge.ports.stores.retention import DeletedRecords, RetentionStore

_log = logging.getLogger(__name__)


class Retention:
    """Keeps calls, their events and missed calls for *keep_days* days that were seen.

    *steady_for* tells how long the wall clock has not stepped.
    """

    def __init__(
        self,
        *,
        ledger: RetentionStore,
        audit: Audit,
        clock: Clock,
        keep_days: int,
        steady_for: Callable[[], timedelta],
        lang: Language,
    ) -> None:
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._keep_days = keep_days
        self._steady_for = steady_for
        self._lang: Language = lang

    async def delete_old(self) -> DeletedRecords:
        """Note the present day, and delete what is too old and done."""
        if self._steady_for() >= STEADY_PERIOD:
            await self._ledger.record_day(self._clock())
        days = await self._ledger.days_seen()
        before, forgotten = oldest_kept(days, self._keep_days), DeletedRecords()
        if before is not None:
            forgotten = await self._ledger.delete_older_than(before)
        records = await self._audit.delete_old(days)
        if records or replace(forgotten, kept=0) != DeletedRecords():
            await self._tell(before, forgotten, records)
        return forgotten

    async def _tell(self, before: datetime | None, forgotten: DeletedRecords, records: int) -> None:
        """Log what was deleted, and put it into the audit list, where people find it."""
        day = "" if before is None else before.date().isoformat()
        counts = {**asdict(forgotten), "records": records}
        _log.info("calls_forgotten", extra={"before": day, **counts})
        counted = {name: str(count) for name, count in counts.items()}
        words = format_text(self._lang, "retention.forgotten", **counted)
        act = AuditAct.OLD_CALLS_DELETED
        await self._audit.append(
            AuditRecord(self._clock(), act, "service", who="1C-bridge", subject=day, words=words)
        )
