"""Which alarms stand for what can be seen."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bridge.domain.reporting.alarm_rules import (
    OFFICE_HOURS,
    AlarmKey,
    DiskUsage,
    Health,
    PbxContact,
    active_alarms,
    usual_silence,
)

MSK = ZoneInfo("Europe/Moscow")
MONDAY = datetime(2026, 11, 23, 9, tzinfo=MSK)
MIB = 1024 * 1024
WELL = Health(now=MONDAY)


def stands(health: Health, *, low: bool = False) -> dict[AlarmKey, str]:
    before: dict[AlarmKey, str] = {("disk_low", ""): "low"} if low else {}
    return dict(active_alarms(health, before, OFFICE_HOURS, MSK))


def test_a_healthy_service_has_no_alarm() -> None:
    assert stands(WELL) == {}


def test_each_trouble_has_its_alarm_with_its_message() -> None:
    ill = replace(WELL, onec_down="refused", index_stale="since noon", dead_entries=3)

    assert stands(ill) == {
        ("onec_down", ""): "refused",
        ("index_stale", ""): "since noon",
        ("outbox_dead", ""): "entries that 1C refused for good: 3",
    }


@pytest.mark.parametrize(
    ("free", "used", "was_low", "low"),
    [
        (300, 10, False, False),
        (255, 10, False, True),
        (300, 10, True, True),  # not over by one byte more
        (330, 10, True, False),
        (900, 500, False, True),  # a first sync writes a second directory beside the first
    ],
)
def test_space_is_low_before_nothing_can_be_written(
    free: int, used: int, was_low: bool, low: bool
) -> None:
    health = replace(WELL, disk=DiskUsage(free * MIB, used * MIB))

    assert (("disk_low", "") in stands(health, low=was_low)) is low


def calls_of_two_weeks(every: timedelta) -> list[datetime]:
    """Return a call *every* so often of the office hours of ten days before Monday."""
    found = []
    for day in range(1, 15):
        opens = MONDAY - timedelta(days=day)
        if opens.weekday() < 5:
            found += [opens + n * every for n in range(int(timedelta(hours=9) / every))]
    return found


def test_a_busy_pbx_is_silent_after_two_working_hours() -> None:
    limit = usual_silence(calls_of_two_weeks(timedelta(minutes=10)), OFFICE_HOURS, MSK)

    assert limit == timedelta(hours=2)


def test_a_quiet_pbx_may_be_silent_for_longer() -> None:
    limit = usual_silence(calls_of_two_weeks(timedelta(hours=3)), OFFICE_HOURS, MSK)

    assert limit == timedelta(hours=9)


@pytest.mark.parametrize("calls", [[], [MONDAY] * 40, calls_of_two_weeks(timedelta(hours=4))[:8]])
def test_of_a_new_pbx_nobody_knows_what_is_usual(calls: list[datetime]) -> None:
    assert usual_silence(calls, OFFICE_HOURS, MSK) is None


@pytest.mark.parametrize(
    ("last", "now", "silent"),
    [
        (MONDAY, MONDAY + timedelta(hours=3), True),
        (MONDAY, MONDAY + timedelta(hours=1), False),
        # From Friday evening to Monday morning nobody works.
        (MONDAY - timedelta(days=3) + timedelta(hours=8), MONDAY + timedelta(minutes=30), False),
        (MONDAY - timedelta(days=3) + timedelta(hours=8), MONDAY + timedelta(minutes=90), True),
    ],
)
def test_only_working_time_counts_as_silence(last: datetime, now: datetime, silent: bool) -> None:
    health = replace(WELL, now=now, pbxs={"sipuni": PbxContact(last, timedelta(hours=2))})

    assert (("pbx_silent", "sipuni") in stands(health)) is silent


def test_a_pbx_of_unknown_habits_raises_nothing() -> None:
    contact = PbxContact(MONDAY - timedelta(days=5), None)

    assert stands(replace(WELL, pbxs={"sipuni": contact})) == {}
