"""The state of the system now, from the published events."""

from bridge.ports.alarms import Alarm
from bridge.ports.events import OneCAvailability
from bridge.services.health.system_state import EventFanOut, SystemState
from tests.support.builders import NOON
from tests.support.fakes.ledger import RecordedEvents


def test_alarms_are_up_until_taken_back() -> None:
    system_state = SystemState(lambda: NOON)
    for event in (
        Alarm("store_slow", "slow"),
        Alarm("onec_refuses", "wrong password"),
        Alarm("store_slow", "slower"),
        Alarm("onec_refuses", "fine", clear=True),
        Alarm("index_broken", "never was", clear=True),
    ):
        system_state.publish(event)

    assert [alarm.message for alarm in system_state.alarms()] == ["slower"]


def test_the_last_availability_counts() -> None:
    system_state = SystemState(lambda: NOON)
    assert system_state.availability() is None

    system_state.publish(OneCAvailability(False, "connection refused"))
    system_state.publish(OneCAvailability(True, "back"))

    assert system_state.availability() == OneCAvailability(True, "back")


def test_every_listener_gets_every_event_in_order() -> None:
    first, second = RecordedEvents(), RecordedEvents()
    fan_out = EventFanOut(first, second)
    events = [OneCAvailability(False, "away"), OneCAvailability(True, "back")]

    for event in events:
        fan_out.publish(event)

    assert first.published == second.published == events
