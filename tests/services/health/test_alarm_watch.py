"""Alarms that follow from a state: published on their edges, and no more often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.calls.work_hours import WorkHours
from bridge.domain.reporting.alarm_rules import OFFICE_HOURS, DiskUsage
from bridge.domain.routing.decision import DataAge
from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.events import OneCAvailability
from bridge.ports.stores.outbox import OutboxCounts
from bridge.services.health.alarm_watch import AlarmWatch, WatchedState
from bridge.services.health.system_state import EventFanOut, SystemState
from tests.support.fakes.directory import MemoryDirectory
from tests.support.fakes.ledger import RecordedEvents

pytestmark = pytest.mark.anyio

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


@dataclass
class WatchedService:
    """What the watch looks at, as a test sets it."""

    now: datetime = MONDAY
    directory: MemoryDirectory = field(default_factory=MemoryDirectory)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    counts: OutboxCounts | None = field(default_factory=OutboxCounts)
    contacts: dict[str, int] = field(default_factory=dict)
    past: dict[str, list[datetime]] = field(default_factory=dict)
    disk: DiskUsage | None = None

    def __post_init__(self) -> None:
        self.situation = SystemState(lambda: self.now)
        self.fan_out = EventFanOut(self.events, self.situation)
        self.watch = AlarmWatch(
            watched=WatchedState(
                directory=self.directory,
                availability=self.situation.availability,
                alarms=self.situation.alarms,
                counts=self._counts,
                contacts=lambda: self.contacts,
                past_contacts=self._past,
                disk=self._disk,
            ),
            events=self.fan_out,
            clock=lambda: self.now,
            zone=UTC,
            hours=WorkHours(),
            stale_after=timedelta(minutes=10),
        )

    async def _counts(self) -> OutboxCounts:
        if self.counts is None:
            raise StoreError("ledger.db", "disk I/O error")
        return self.counts

    async def _past(self, since: datetime) -> Mapping[str, Sequence[datetime]]:
        return {pbx: [m for m in moments if m >= since] for pbx, moments in self.past.items()}

    async def _disk(self) -> DiskUsage | None:
        return self.disk

    async def looks(self, *, after: timedelta = timedelta(seconds=10)) -> list[tuple[str, bool]]:
        """Look once more; give what was published by it."""
        self.now += after
        before = len(self.events.of(Alarm))
        await self.watch.check()
        return [(alarm.name, alarm.clear) for alarm in self.events.of(Alarm)[before:]]


async def test_1c_that_went_away_is_an_alarm_until_it_is_back() -> None:
    plant = WatchedService()
    plant.fan_out.publish(OneCAvailability(False, "connection refused"))

    assert await plant.looks() == [("onec_down", False)]
    assert await plant.looks() == []
    plant.fan_out.publish(OneCAvailability(True, "1C answers again"))
    assert await plant.looks() == [("onec_down", True)]


async def test_1c_that_turns_us_down_is_not_reported_as_away() -> None:
    plant = WatchedService()
    plant.fan_out.publish(OneCAvailability(False, "401"))
    plant.fan_out.publish(Alarm("onec_refuses", "wrong password", "document"))

    assert await plant.looks() == []


async def test_old_data_are_an_alarm() -> None:
    plant = WatchedService()
    plant.directory.data_age = DataAge(MONDAY - timedelta(hours=1), is_stale=True)

    assert await plant.looks() == [("index_stale", False)]


async def test_nothing_pulled_is_no_alarm_before_it_could_have_been() -> None:
    plant = WatchedService()
    plant.directory.data_age = DataAge()

    assert await plant.looks() == []
    assert await plant.looks(after=timedelta(minutes=11)) == [("index_stale", False)]


async def test_refused_entries_are_counted_and_a_broken_file_hides_none() -> None:
    plant = WatchedService(counts=OutboxCounts(dead=2))

    assert await plant.looks() == [("outbox_dead", False)]
    plant.counts = None
    assert await plant.looks() == []
    plant.counts = OutboxCounts()
    assert await plant.looks() == [("outbox_dead", True)]


async def test_a_full_disk_is_an_alarm_and_a_folder_that_is_away_is_none() -> None:
    plant = WatchedService(disk=DiskUsage(1024, 0))

    assert await plant.looks() == [("disk_low", False)]
    plant.disk = None
    assert await plant.looks() == [("disk_low", True)]


async def test_a_pbx_that_spoke_all_week_and_is_silent_is_an_alarm_until_it_speaks() -> None:
    calls = [
        MONDAY - timedelta(days=day) + n * timedelta(minutes=10)
        for day in range(1, 8)
        if OFFICE_HOURS.spans.get((MONDAY - timedelta(days=day)).weekday())
        for n in range(54)
    ]
    plant = WatchedService(past={"sipuni": calls}, contacts={"sipuni": 0})

    assert await plant.looks() == []
    assert await plant.looks(after=timedelta(hours=2)) == []
    assert await plant.looks(after=timedelta(minutes=1)) == [("pbx_silent", False)]
    plant.contacts["sipuni"] += 1
    assert await plant.looks() == [("pbx_silent", True)]
