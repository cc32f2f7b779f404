"""Whose desk shows a call, and where the call stands there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import CallEvent, Direction, EventKind
from bridge.domain.calls.orders import CallOrder
from bridge.domain.calls.state import CallState, Disposition
from bridge.domain.reporting.desk import (
    MAX_TALK_TIME,
    RINGING_TIMEOUT,
    SHOWN_FOR,
    DeskStatus,
    find_desk_status,
    involved_extensions,
    is_shown_on_desk,
)
from tests.support.builders import NOON, NUMBER, call, question

RINGING = call()
SOON = RINGING.received_at + timedelta(seconds=5)


def with_state(**state: Any) -> PhoneCall:
    return replace(RINGING, state=CallState(**state))


def placed() -> PhoneCall:
    order = CallOrder("k", "207", NUMBER, NOON)
    return replace(RINGING, direction=Direction.OUTBOUND, has_question=False, order=order)


def leg(kind: EventKind, extension: str) -> CallEvent:
    return CallEvent("sipuni", kind, NOON, extension=extension)


@pytest.mark.parametrize(
    ("shown", "extensions"),
    [
        (RINGING, {"205"}),
        (with_state(rung_extensions=("207", "208")), {"205", "207", "208"}),
        (with_state(talked_extensions=("209",)), {"205", "209"}),
        (replace(RINGING, has_question=False), set()),
        (replace(with_state(rung_extensions=("207",)), has_question=False), {"207"}),
        (placed(), {"207"}),
        (replace(placed(), placed_by="208", order=None), {"208"}),
        (replace(RINGING, is_test_request=True), set()),
        (call(question(None)), {"205"}),
    ],
)
def test_a_call_is_on_the_desks_it_concerns(shown: PhoneCall, extensions: set[str]) -> None:
    assert involved_extensions(shown) == extensions


@pytest.mark.parametrize(
    ("shown", "extension", "stands"),
    [
        (RINGING, "205", DeskStatus.RINGING),
        (RINGING, "", DeskStatus.RINGING),  # nobody's telephone dials nothing
        (placed(), "207", DeskStatus.CALLING),
        (
            with_state(disposition=Disposition.TALKING, talked_extensions=("205",)),
            "205",
            DeskStatus.TALKING,
        ),
        (
            with_state(disposition=Disposition.TALKING, talked_extensions=("205", "207")),
            "205",
            DeskStatus.COLLEAGUE_TALKS,
        ),
        (
            with_state(disposition=Disposition.ANSWERED, talked_extensions=("205", "207")),
            "205",
            DeskStatus.TALKED,
        ),
        (
            with_state(disposition=Disposition.ANSWERED, talked_extensions=("207",)),
            "205",
            DeskStatus.ANSWERED,
        ),
        (with_state(disposition=Disposition.MISSED), "205", DeskStatus.MISSED),
        (with_state(disposition=Disposition.NOT_REACHED), "205", DeskStatus.NOT_REACHED),
        (with_state(disposition=Disposition.UNKNOWN), "205", DeskStatus.SILENT),
    ],
)
def test_a_calls_status_follows_its_state(
    shown: PhoneCall, extension: str, stands: DeskStatus
) -> None:
    assert find_desk_status(shown, extension, SOON) is stands


def test_the_dialling_telephone_talks_whoever_answered() -> None:
    talking = CallState(disposition=Disposition.TALKING)
    assert find_desk_status(replace(placed(), state=talking), "207", SOON) is DeskStatus.TALKING


def test_a_ring_passes_on_when_its_leg_is_over_and_comes_back_with_another() -> None:
    legs = (leg(EventKind.STARTED, "205"), leg(EventKind.LEG_ENDED, "205"))
    passed = replace(RINGING, applied_events=legs)
    assert find_desk_status(passed, "205", SOON) is DeskStatus.RINGS_COLLEAGUE
    assert find_desk_status(passed, "207", SOON) is DeskStatus.RINGING
    again = replace(passed, applied_events=(*legs, leg(EventKind.STARTED, "205")))
    assert find_desk_status(again, "205", SOON) is DeskStatus.RINGING


def test_nobody_rings_for_minutes() -> None:
    late = RINGING.received_at + RINGING_TIMEOUT + timedelta(seconds=1)
    assert find_desk_status(RINGING, "205", late) is DeskStatus.SILENT


def test_a_talk_stays_longer_than_what_is_over() -> None:
    talk = with_state(disposition=Disposition.TALKING)
    assert is_shown_on_desk(RINGING, NOON, NOON + SHOWN_FOR)
    assert not is_shown_on_desk(RINGING, NOON, NOON + SHOWN_FOR + timedelta(seconds=1))
    assert is_shown_on_desk(talk, NOON, NOON + MAX_TALK_TIME)
    assert not is_shown_on_desk(talk, NOON, NOON + MAX_TALK_TIME + timedelta(seconds=1))
