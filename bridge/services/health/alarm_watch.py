"""Watch the state of the service, and publish the alarms that follow from it when they change."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from bridge.domain.calls.work_hours import WorkHours
from bridge.domain.reporting.alarm_rules import (
    OFFICE_HOURS,
    AlarmKey,
    DiskUsage,
    Health,
    PbxContact,
    active_alarms,
    usual_silence,
)
from bridge.errors import StoreError
from bridge.ports.alarms import ActiveAlarm, Alarm
from bridge.ports.clock import Clock
from bridge.ports.events import EventPublisher, OneCAvailability
from bridge.ports.stores.directory import Directory
from bridge.ports.stores.outbox import OutboxCounts

_log = logging.getLogger(__name__)

#: The usual silence of a PBX is learnt from so many days, anew so often.
_LEARN_FROM: Final = timedelta(days=14)
_LEARN_EVERY: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class WatchedState:
    """What is watched.

    *contacts* returns how many requests each PBX sent since the start; *past_contacts* the moments
    of each PBX's calls since a moment; *disk* may block, and runs off the event loop.
    """

    directory: Directory
    availability: Callable[[], OneCAvailability | None]
    alarms: Callable[[], Sequence[ActiveAlarm]]
    counts: Callable[[], Awaitable[OutboxCounts]]
    contacts: Callable[[], Mapping[str, int]]
    past_contacts: Callable[[datetime], Awaitable[Mapping[str, Sequence[datetime]]]]
    disk: Callable[[], Awaitable[DiskUsage | None]]


class AlarmWatch:
    """Checks when called; what cannot be read now keeps its alarms."""

    def __init__(
        self,
        *,
        watched: WatchedState,
        events: EventPublisher,
        clock: Clock,
        zone: tzinfo,
        hours: WorkHours,
        stale_after: timedelta,
    ) -> None:
        self._watched = watched
        self._events = events
        self._clock = clock
        self._zone = zone
        self._hours = hours if hours.spans else OFFICE_HOURS
        self._stale_after = stale_after
        self._started_at = clock()
        self._learnt_at: datetime | None = None
        self._contact_counts: dict[str, int] = {}
        self._pbxs: dict[str, PbxContact] = {}
        self._dead_entries = 0
        self._active: dict[AlarmKey, str] = {}

    async def check(self) -> None:
        """Check once, and publish what changed."""
        now = self._clock()
        await self._learn(now)
        self._record_contacts(now)
        health = Health(
            now=now,
            onec_down=self._reason_down(),
            index_stale=self._reason_stale(now),
            dead_entries=await self._count_dead_entries(),
            disk=await self._watched.disk(),
            pbxs=self._pbxs,
        )
        found = active_alarms(health, self._active, self._hours, self._zone)
        for key, message in found.items():
            if self._active.get(key) != message:
                if key not in self._active:
                    _log.warning(key[0], extra={"subject": key[1], "reason": message})
                self._events.publish(Alarm(key[0], message, key[1]))
        for key in self._active.keys() - found.keys():
            _log.info("alarm_over", extra={"alarm": key[0], "subject": key[1]})
            self._events.publish(Alarm(key[0], "over", key[1], clear=True))
        self._active = found

    async def _learn(self, now: datetime) -> None:
        """Learn from past calls how long each PBX is usually silent."""
        if self._learnt_at is not None and timedelta(0) <= now - self._learnt_at < _LEARN_EVERY:
            return
        try:
            past = await self._watched.past_contacts(now - _LEARN_FROM)
        except StoreError:
            return  # what writes to that file raises the alarm
        self._learnt_at = now
        for pbx, moments in past.items():
            limit = usual_silence(moments, self._hours, self._zone)
            contact = self._pbxs.get(pbx)
            # Before the start the PBX was not silent: the service did not listen.
            last = self._started_at if contact is None else contact.last
            self._pbxs[pbx] = PbxContact(last, limit)

    def _record_contacts(self, now: datetime) -> None:
        for pbx, count in self._watched.contacts().items():
            if self._contact_counts.get(pbx) != count:
                contact = self._pbxs.get(pbx)
                self._pbxs[pbx] = PbxContact(now, None if contact is None else contact.limit)
                self._contact_counts[pbx] = count

    async def _count_dead_entries(self) -> int:
        with suppress(StoreError):  # what writes to that file raises the alarm
            self._dead_entries = (await self._watched.counts()).dead
        return self._dead_entries

    def _reason_down(self) -> str:
        onec = self._watched.availability()
        refuses = any(alarm.name == "onec_refuses" for alarm in self._watched.alarms())
        return "" if onec is None or onec.available or refuses else onec.message

    def _reason_stale(self, now: datetime) -> str:
        age = self._watched.directory.age(now)
        if age.proven_at is None:
            waited = now - self._started_at
            return "nothing was pulled from 1C yet" if waited > self._stale_after else ""
        if not age.is_stale:
            return ""
        report = self._watched.directory.report()
        lagging = None if report is None else report.lagging_entity
        what = "the data" if lagging is None else lagging.kind.plural
        return f"{what} could not be compared with 1C since {age.proven_at:%Y-%m-%d %H:%M} UTC"
