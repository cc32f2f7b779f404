"""Whose desk shows a call, and where the call stands there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.domain.call_events import CallEvent, Direction, EventKind
from bridge.domain.calls import PhoneCall
from bridge.domain.desk import KEPT, LONGEST_TALK, SILENCE, Standing, is_kept, standing, telephones
from bridge.domain.life import CallLife, Disposition
from bridge.domain.orders import CallOrder
from tests.support.builders import NOON, NUMBER, call, question

RINGING = call()
SOON = RINGING.received_at + timedelta(seconds=5)


def lived(**life: object) -> PhoneCall:
    return replace(RINGING, life=CallLife(**life))


def placed() -> PhoneCall:
    order = CallOrder("k", "207", NUMBER, NOON)
    return replace(RINGING, direction=Direction.OUTBOUND, asked=False, order=order)


def leg(kind: EventKind, extension: str) -> CallEvent:
    return CallEvent("sipuni", kind, NOON, extension=extension)


@pytest.mark.parametrize(
    ("shown", "extensions"),
    [
        (RINGING, {"205"}),
        (lived(rung=("207", "208")), {"205", "207", "208"}),
        (lived(talked=("209",)), {"205", "209"}),
        (replace(RINGING, asked=False), set()),
        (replace(lived(rung=("207",)), asked=False), {"207"}),
        (placed(), {"207"}),
        (replace(placed(), placed_by="208", order=None), {"208"}),
        (replace(RINGING, blank=True), set()),
        (call(question(None)), {"205"}),
    ],
)
def test_a_call_is_on_the_desks_it_concerns(shown: PhoneCall, extensions: set[str]) -> None:
    assert telephones(shown) == extensions


@pytest.mark.parametrize(
    ("shown", "extension", "stands"),
    [
        (RINGING, "205", Standing.RINGING),
        (RINGING, "", Standing.RINGING),  # nobody's telephone dials nothing
        (placed(), "207", Standing.CALLING),
        (lived(disposition=Disposition.TALKING, talked=("205",)), "205", Standing.TALKING),
        (lived(disposition=Disposition.TALKING, talked=("205", "207")), "205", Standing.TAKEN),
        (lived(disposition=Disposition.ANSWERED, talked=("205", "207")), "205", Standing.TALKED),
        (lived(disposition=Disposition.ANSWERED, talked=("207",)), "205", Standing.ANSWERED),
        (lived(disposition=Disposition.MISSED), "205", Standing.MISSED),
        (lived(disposition=Disposition.NOT_REACHED), "205", Standing.NOT_REACHED),
        (lived(disposition=Disposition.UNKNOWN), "205", Standing.SILENT),
    ],
)
def test_a_call_stands_as_its_life_tells(
    shown: PhoneCall, extension: str, stands: Standing
) -> None:
    assert standing(shown, extension, SOON) is stands


def test_the_dialling_telephone_talks_whoever_answered() -> None:
    life = CallLife(disposition=Disposition.TALKING)
    assert standing(replace(placed(), life=life), "207", SOON) is Standing.TALKING


def test_a_ring_passes_on_when_its_leg_is_over_and_comes_back_with_another() -> None:
    legs = (leg(EventKind.STARTED, "205"), leg(EventKind.LEG_ENDED, "205"))
    passed = replace(RINGING, heard=legs)
    assert standing(passed, "205", SOON) is Standing.PASSED
    assert standing(passed, "207", SOON) is Standing.RINGING
    again = replace(passed, heard=(*legs, leg(EventKind.STARTED, "205")))
    assert standing(again, "205", SOON) is Standing.RINGING


def test_nobody_rings_for_minutes() -> None:
    late = RINGING.received_at + SILENCE + timedelta(seconds=1)
    assert standing(RINGING, "205", late) is Standing.SILENT


def test_a_talk_stays_longer_than_what_is_over() -> None:
    talk = lived(disposition=Disposition.TALKING)
    assert is_kept(RINGING, NOON, NOON + KEPT)
    assert not is_kept(RINGING, NOON, NOON + KEPT + timedelta(seconds=1))
    assert is_kept(talk, NOON, NOON + LONGEST_TALK)
    assert not is_kept(talk, NOON, NOON + LONGEST_TALK + timedelta(seconds=1))
