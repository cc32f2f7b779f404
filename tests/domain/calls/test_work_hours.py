"""When so much working time has passed: nights, weekends and the nights of the clock change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.calls.work_hours import WorkHours, read_work_hours

MOSCOW = ZoneInfo("Europe/Moscow")
WEEK = read_work_hours("Mon-Fri 09:00-18:00, Sat 10:00-14:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "minutes", "then"),
    [
        ("2026-11-23T10:00", 60, "2026-11-23T11:00"),
        ("2026-11-23T17:30", 60, "2026-11-24T09:30"),
        ("2026-11-23T03:00", 60, "2026-11-23T10:00"),
        ("2026-11-27T17:59", 60, "2026-11-28T10:59"),  # Friday evening, Saturday morning
        ("2026-11-28T13:30", 60, "2026-11-30T09:30"),  # Saturday noon, Monday
        ("2026-11-29T12:00", 24 * 60, "2026-12-02T15:00"),  # Sunday, a day of work
    ],
)
def test_only_working_time_counts(start: str, minutes: int, then: str) -> None:
    assert WEEK.moment_after(at(start), timedelta(minutes=minutes), MOSCOW) == at(then)


def test_without_hours_every_hour_counts() -> None:
    hour = timedelta(hours=1)

    assert read_work_hours("").moment_after(at("2026-11-28T23:30"), hour, MOSCOW) == at(
        "2026-11-29T00:30"
    )


def test_a_night_that_is_an_hour_shorter_has_an_hour_less_of_work() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = read_work_hours("Sun 01:00-05:00")
    start = datetime(2026, 3, 29, 0, 0, tzinfo=berlin).astimezone(UTC)

    done = night.moment_after(start, timedelta(hours=3), berlin)

    assert done == datetime(2026, 3, 29, 5, 0, tzinfo=berlin)


def test_nobody_is_escalated_to_in_a_year() -> None:
    assert WEEK.moment_after(at("2026-11-23T10:00"), timedelta(days=300), MOSCOW) is None


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("пн-пт 9:00-18:00", {0, 1, 2, 3, 4}),
        ("Fri-Mon 10:00-12:00", {4, 5, 6, 0}),
        ("вс 10:00-12:00; Sun 13:00–14:00", {6}),
    ],
)
def test_days_are_read_in_both_languages_and_round_the_week(text: str, days: set[int]) -> None:
    assert set(read_work_hours(text).spans) == days


@pytest.mark.parametrize(
    "text", ["9-18", "Mon-Fri", "Mon 18:00-09:00", "Mon 25:00-26:00", "Someday 09:00-18:00"]
)
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        read_work_hours(text)


@given(st.integers(0, 365 * 24 * 60), st.integers(1, 3000))
def test_more_work_is_never_done_sooner(start: int, minutes: int) -> None:
    begun = at("2026-01-01T00:00") + timedelta(minutes=start)

    sooner = WEEK.moment_after(begun, timedelta(minutes=minutes), MOSCOW)
    later = WEEK.moment_after(begun, timedelta(minutes=minutes + 1), MOSCOW)

    assert sooner is not None
    assert later is not None
    assert begun < sooner < later
    always = WorkHours().moment_after(begun, timedelta(minutes=minutes), MOSCOW)
    assert always is not None
    assert always <= sooner
