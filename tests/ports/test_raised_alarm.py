"""An alarm is published when it begins, when its message changes, and when it is over."""

from bridge.edges import Edge
from bridge.ports.alarms import Alarm
from bridge.ports.raised_alarm import RaisedAlarm
from tests.support.fakes.ledger import RecordedEvents


def test_an_alarm_is_raised_once_and_cleared_once() -> None:
    events = RecordedEvents()
    alarm = RaisedAlarm(events, "store_down", "ledger.db")

    assert alarm.raise_once("disk full")
    assert not alarm.raise_once("disk broken")
    assert alarm.is_raised
    assert alarm.clear("it works again")
    assert not alarm.clear("it works again")

    assert events.of(Alarm) == [
        Alarm("store_down", "disk full", "ledger.db"),
        Alarm("store_down", "it works again", "ledger.db", clear=True),
    ]


def test_an_alarm_may_follow_its_message() -> None:
    events = RecordedEvents()
    alarm = RaisedAlarm(events, "store_down")

    assert [alarm.raise_or_update(text) for text in ("a", "a", "b")] == [True, False, True]
    assert [alarm.message for alarm in events.of(Alarm)] == ["a", "b"]


def test_an_edge_is_seen_once() -> None:
    edge = Edge()

    assert [edge.ends(), edge.begins(), edge.begins()] == [False, True, False]
    assert edge.is_active
    assert [edge.ends(), edge.ends()] == [True, False]
