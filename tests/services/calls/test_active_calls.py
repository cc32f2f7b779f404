"""Which calls stay in memory: those of the last hours, and those whose end is not known."""

from dataclasses import replace
from datetime import timedelta

from bridge.domain.calls.call import PhoneCall, apply_event
from bridge.domain.calls.events import CallEvent, EventKind, Outcome
from bridge.services.calls.active_calls import ACTIVE_FOR, ActiveCalls
from tests.support import builders as b
from tests.support.clocks import SteppingClock

LONG = ACTIVE_FOR + timedelta(hours=1)


def unfinished(key: str) -> PhoneCall:
    return replace(b.call(), key=key)


def finished(key: str) -> PhoneCall:
    end = CallEvent("sipuni", EventKind.ENDED, b.NOON, key, outcome=Outcome.NO_ANSWER)
    return apply_event(unfinished(key), end)


def keys(calls: ActiveCalls) -> list[str]:
    return [call.key for call in calls]


def test_of_old_calls_only_those_whose_end_is_not_known_stay() -> None:
    clock = SteppingClock()
    calls = ActiveCalls(clock.monotonic)
    calls.put(finished("over"))
    calls.put(unfinished("rings"))
    calls.put(replace(unfinished("test request"), is_test_request=True))
    calls.put(finished("over too"))

    clock.advance(seconds=LONG.total_seconds())
    calls.put(unfinished("new"))

    assert keys(calls) == ["rings", "new"]
    assert calls.silent_for("rings") == LONG


def test_an_old_call_leaves_once_its_end_is_known() -> None:
    clock = SteppingClock()
    calls = ActiveCalls(clock.monotonic)
    calls.put(unfinished("rings"))
    clock.advance(seconds=LONG.total_seconds())
    calls.put(finished("rings"))

    calls.put(unfinished("new"))

    assert keys(calls) == ["new"]


def test_a_call_that_is_being_recorded_keeps_no_other_from_leaving() -> None:
    clock = SteppingClock()
    calls = ActiveCalls(clock.monotonic)
    calls.put(finished("being recorded"), is_recorded=False)
    calls.put(finished("over"))

    clock.advance(seconds=LONG.total_seconds())
    calls.put(unfinished("new"))

    assert keys(calls) == ["being recorded", "new"]


def test_after_a_long_stop_all_calls_without_an_end_are_loaded() -> None:
    calls = ActiveCalls(SteppingClock().monotonic)

    loaded = [unfinished("a"), unfinished("b"), unfinished("c")]
    calls.reload([], loaded, loaded[0].received_at + LONG)

    assert keys(calls) == ["a", "b", "c"]
    assert [calls.silent_for(key) for key in "abc"] == [LONG] * 3
