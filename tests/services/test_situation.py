"""What is the matter now, told from the events."""

from bridge.ports import Alarm, OneCMood
from bridge.services.situation import FanOut, Situation
from tests.support.builders import NOON
from tests.support.memory_ledger import NotedEvents


def test_alarms_are_up_until_taken_back() -> None:
    situation = Situation(lambda: NOON)
    for event in (
        Alarm("store_slow", "slow"),
        Alarm("onec_refuses", "wrong password"),
        Alarm("store_slow", "slower"),
        Alarm("onec_refuses", "fine", clear=True),
        Alarm("index_broken", "never was", clear=True),
    ):
        situation.publish(event)

    assert [alarm.words for alarm in situation.alarms()] == ["slower"]


def test_the_last_mood_counts() -> None:
    situation = Situation(lambda: NOON)
    assert situation.mood() is None

    situation.publish(OneCMood(False, "connection refused"))
    situation.publish(OneCMood(True, "back"))

    assert situation.mood() == OneCMood(True, "back")


def test_everybody_hears_everything_in_order() -> None:
    first, second = NotedEvents(), NotedEvents()
    fan_out = FanOut(first, second)
    events = [OneCMood(False, "away"), OneCMood(True, "back")]

    for event in events:
        fan_out.publish(event)

    assert first.noted == second.noted == events
