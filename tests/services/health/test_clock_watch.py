"""A step of the wall clock raises one alarm, is acted upon, and is cleared when it is over."""

from datetime import timedelta

import pytest

from bridge.domain.clock import CALM_PERIOD
from bridge.ports.alarms import Alarm
from bridge.services.health.clock_watch import ClockWatch
from tests.support import builders as b
from tests.support.clocks import SteppingClock
from tests.support.fakes.ledger import RecordedEvents

pytestmark = pytest.mark.anyio

STEPS = [
    timedelta(hours=-3),
    timedelta(days=-3),
    timedelta(days=365),
    timedelta(days=7300),
]


class WatchedClock:
    """A watch over two clocks that a test moves."""

    def __init__(self) -> None:
        self.clocks = SteppingClock()
        self.events = RecordedEvents()
        self.steps: list[timedelta] = []
        self.watch = ClockWatch(self.clocks.now, self.clocks.monotonic, self.events)
        self.watch.on_step(self.steps.append)

    def alarms(self) -> list[tuple[str, bool]]:
        return [(alarm.name, alarm.clear) for alarm in self.events.of(Alarm)]


async def test_a_steady_clock_raises_no_alarm() -> None:
    post = WatchedClock()
    for _ in range(100):
        post.clocks.advance(seconds=1)
        await post.watch.check()

    assert (post.alarms(), post.steps, post.watch.steps) == ([], [], 0)
    assert post.watch.steady_for() == timedelta(seconds=100)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_is_an_alarm_until_it_was_calm_for_a_while(step: timedelta) -> None:
    post = WatchedClock()
    post.clocks.offset = step
    for _ in range(3):
        post.clocks.advance(seconds=1)
        await post.watch.check()

    assert post.alarms() == [("clock_off", False)]
    assert post.steps == [step]
    assert post.watch.steady_for() == timedelta(seconds=2)

    post.clocks.advance(seconds=CALM_PERIOD.total_seconds())
    await post.watch.check()
    assert post.alarms() == [("clock_off", False), ("clock_off", True)]


@pytest.mark.parametrize("step", STEPS)
async def test_a_clock_put_right_takes_the_alarm_back_at_once(step: timedelta) -> None:
    post = WatchedClock()
    for off in (step, timedelta(0)):
        post.clocks.offset = off
        await post.watch.check()

    assert post.alarms() == [("clock_off", False), ("clock_off", True)]
    assert post.steps == [step, -step]


async def test_a_step_is_noticed_by_the_first_reading() -> None:
    post = WatchedClock()
    post.clocks.step(days=365)

    assert post.watch.now() == b.NOON + timedelta(days=365)
    assert post.watch.steps == 1
    assert post.alarms() == []  # reported at the next look, not on anybody's path

    await post.watch.check()
    assert post.steps == [timedelta(days=365)]


@pytest.mark.parametrize("behind", [timedelta(hours=3), timedelta(days=3), timedelta(days=7300)])
async def test_at_a_start_a_clock_behind_an_earlier_run_is_an_alarm(behind: timedelta) -> None:
    post = WatchedClock()
    post.watch.compare_with_last_run(b.NOON + behind)
    await post.watch.check()

    (alarm,) = post.events.of(Alarm)
    assert (alarm.name, post.watch.steps) == ("clock_off", 1)
    assert "was set back by at least" in alarm.message


@pytest.mark.parametrize("away", [timedelta(0), timedelta(days=400)])
async def test_at_a_start_a_service_that_was_away_is_none(away: timedelta) -> None:
    post = WatchedClock()
    post.watch.compare_with_last_run(b.NOON - away)
    await post.watch.check()

    assert (post.alarms(), post.watch.steps) == ([], 0)
