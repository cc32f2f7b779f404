"""What watches the state of the service and raises the alarms that follow from it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.file.integrity import disk_usage
from bridge.bootstrap.shared import now, onec_zone
from bridge.domain.calls.state import Disposition
from bridge.domain.reporting.alarm_rules import DiskUsage
from bridge.loops import Loop
from bridge.services.health.alarm_watch import AlarmWatch, WatchedState
from bridge.services.health.system_state import EventFanOut, SystemState
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.metrics import Metrics
    from bridge.adapters.sqlite.calls.history import SqliteCallHistory

_CHECK_EVERY = timedelta(seconds=10)


def build_alarm_loop(
    settings: Settings,
    *,
    directory: SqliteDirectory,
    ledger: SqliteLedger,
    history: "SqliteCallHistory",
    metrics: "Metrics",
    system_state: SystemState,
    events: EventFanOut,
) -> Loop:
    """Build the loop that checks every ten seconds."""

    async def disk() -> DiskUsage | None:
        try:
            return await asyncio.to_thread(disk_usage, settings.data_dir)
        except OSError:
            return None  # a folder that is gone is reported by the code that writes to it

    async def past_contacts(since: datetime) -> Mapping[str, Sequence[datetime]]:
        moments: dict[str, list[datetime]] = {}
        for fact in await history.facts(since, now()):
            # A call about which the PBX never sent anything is no contact.
            if fact.provider and fact.disposition is not Disposition.UNKNOWN:
                moments.setdefault(fact.provider, []).append(fact.at)
        return moments

    watch = AlarmWatch(
        watched=WatchedState(
            directory=directory,
            availability=system_state.availability,
            alarms=system_state.alarms,
            counts=ledger.count_entries,
            contacts=metrics.contacts,
            past_contacts=past_contacts,
            disk=disk,
        ),
        events=events,
        clock=now,
        zone=onec_zone(settings),
        hours=settings.work_hours,
        stale_after=settings.stale_after,
    )
    return Loop("alarms", watch.check, _CHECK_EVERY)
