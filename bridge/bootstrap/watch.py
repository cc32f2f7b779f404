"""What watches the state of the service and raises the alarms that follow from it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.adapters.embedded.directory_reader import DirectoryReader
from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.adapters.embedded.soundness import disk_of
from bridge.bootstrap.parts import now, zone_of
from bridge.domain.alarm_rules import Disk
from bridge.domain.life import Disposition
from bridge.loops import Loop
from bridge.services.alarm_watch import AlarmWatch, Watched
from bridge.services.situation import FanOut, Situation
from bridge.settings import Settings

if TYPE_CHECKING:
    from bridge.adapters.embedded.call_history import CallHistory
    from bridge.adapters.metrics import Metrics

_LOOK_EVERY = timedelta(seconds=10)


def alarm_watch(
    settings: Settings,
    *,
    directory: DirectoryReader,
    ledger: LedgerStore,
    history: "CallHistory",
    metrics: "Metrics",
    situation: Situation,
    events: FanOut,
) -> Loop:
    """Return the loop that looks every ten seconds."""

    async def disk() -> Disk | None:
        try:
            return await asyncio.to_thread(disk_of, settings.data_dir)
        except OSError:
            return None  # a folder that is away is told by whoever writes to it

    async def past_contacts(since: datetime) -> Mapping[str, Sequence[datetime]]:
        moments: dict[str, list[datetime]] = {}
        for fact in await history.facts(since, now()):
            # A call of which the PBX never said anything is no contact.
            if fact.provider and fact.disposition is not Disposition.UNKNOWN:
                moments.setdefault(fact.provider, []).append(fact.at)
        return moments

    watch = AlarmWatch(
        watched=Watched(
            directory=directory,
            mood=situation.mood,
            alarms=situation.alarms,
            counts=ledger.counts,
            contacts=metrics.contacts,
            past_contacts=past_contacts,
            disk=disk,
        ),
        events=events,
        clock=now,
        zone=zone_of(settings),
        hours=settings.work_hours,
        stale_after=settings.stale_after,
    )
    return Loop("alarms", watch.look, _LOOK_EVERY)
