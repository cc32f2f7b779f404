"""The state of a call: whatever order its events come in, and however often, it is the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.calls.call import apply_event
from bridge.domain.calls.events import CallEvent, Direction, EventKind, Outcome
from bridge.domain.calls.state import CallState, Disposition, add_event, derive_state
from tests.support import builders as b

REF = "1772625600.100001"


def event(kind: EventKind, second: int = 0, **parts: Any) -> CallEvent:
    at = b.NOON + timedelta(seconds=second)
    return replace(CallEvent("sipuni", kind, at, REF, code=kind.value), **parts)


DIALLED = event(EventKind.STARTED)
RINGS = event(EventKind.STARTED, 1, extension="205")
ANSWERS = event(EventKind.ANSWERED, 13, extension="205")
OVER = event(
    EventKind.ENDED, 73, outcome=Outcome.ANSWERED, rung_extensions=("205",), recording="link"
)
NOBODY = event(EventKind.ENDED, 31, outcome=Outcome.NO_ANSWER, rung_extensions=("205",))
GIVEN_UP = event(EventKind.GIVEN_UP, 9000)

EVENTS = st.builds(
    event,
    st.sampled_from(EventKind),
    st.integers(0, 90),
    extension=st.sampled_from(["", "205", "206"]),
    leg=st.sampled_from(["", "a", "b"]),
    outcome=st.one_of(st.none(), st.sampled_from(Outcome)),
    rung_extensions=st.sampled_from([(), ("205",), ("205", "206")]),
    recording=st.sampled_from(["", "link"]),
)


def state_of(*events: CallEvent, direction: Direction = Direction.INBOUND) -> CallState:
    return derive_state(direction, b.NOON, events)


@pytest.mark.parametrize(
    ("events", "disposition", "talked"),
    [
        ((), Disposition.RINGING, ()),
        ((DIALLED, RINGS), Disposition.RINGING, ()),
        ((DIALLED, RINGS, ANSWERS), Disposition.TALKING, ("205",)),
        ((DIALLED, RINGS, ANSWERS, OVER), Disposition.ANSWERED, ("205",)),
        ((OVER,), Disposition.ANSWERED, ("205",)),
        ((NOBODY,), Disposition.MISSED, ()),
        ((ANSWERS, NOBODY), Disposition.ANSWERED, ("205",)),
        ((OVER, NOBODY), Disposition.ANSWERED, ("205",)),
        ((RINGS, GIVEN_UP), Disposition.UNKNOWN, ()),
        ((RINGS, ANSWERS, GIVEN_UP), Disposition.ANSWERED, ("205",)),
        ((GIVEN_UP, NOBODY), Disposition.MISSED, ()),
        ((event(EventKind.UNKNOWN),), Disposition.RINGING, ()),
    ],
)
def test_what_became_of_a_call(
    events: Sequence[CallEvent], disposition: Disposition, talked: tuple[str, ...]
) -> None:
    state = state_of(*events)

    assert (state.disposition, state.talked_extensions) == (disposition, talked)


def test_times_of_an_answered_call() -> None:
    state = state_of(DIALLED, RINGS, ANSWERS, OVER)

    assert (state.wait_time, state.talk_time) == (timedelta(seconds=13), timedelta(seconds=60))
    assert (state.answered_by, state.recording) == ("205", "link")


def test_a_voice_menu_that_answered_alone_leaves_a_missed_call() -> None:
    greeted = event(EventKind.ANSWERED, 1)
    left = event(EventKind.ENDED, 20, outcome=Outcome.ANSWERED)

    assert state_of(DIALLED, greeted, left).disposition is Disposition.MISSED


def test_a_transfer_counts_the_talks_and_not_the_ringing_between() -> None:
    gives = event(EventKind.LEG_ENDED, 43, extension="205", outcome=Outcome.ANSWERED)
    takes = event(EventKind.ANSWERED, 53, extension="206")

    state = state_of(RINGS, ANSWERS, gives, takes, OVER)

    assert state.talked_extensions == ("205", "206")
    assert state.answered_by == "206"
    assert state.talk_time == timedelta(seconds=50)


def test_outgoing_calls_are_not_missed() -> None:
    state = state_of(NOBODY, direction=Direction.OUTBOUND)

    assert (state.disposition, state.rung_extensions) == (Disposition.NOT_REACHED, ())


@given(st.lists(EVENTS, max_size=8), st.randoms())
def test_order_and_repetition_change_nothing(events: list[CallEvent], random: object) -> None:
    shuffled = [*events, *events[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own Random
    call = b.call()

    straight, again = call, call
    for one in events:
        straight = apply_event(straight, one)
    for one in shuffled:
        again = apply_event(again, one)

    assert again.applied_events == straight.applied_events
    assert again.state == straight.state


@given(st.lists(EVENTS, max_size=8), EVENTS)
def test_answered_stays_answered(events: list[CallEvent], later: CallEvent) -> None:
    before, after = state_of(*events), state_of(*events, later)

    if before.disposition in (Disposition.TALKING, Disposition.ANSWERED):
        assert after.disposition in (Disposition.TALKING, Disposition.ANSWERED)


def test_of_a_repeated_event_the_first_stays() -> None:
    again = replace(DIALLED, at=DIALLED.at + timedelta(seconds=1))

    assert add_event(add_event((), again), DIALLED) == (DIALLED,)
    assert add_event((DIALLED,), again) == (DIALLED,)


def test_an_end_that_says_otherwise_does_not_swallow_the_first() -> None:
    earlier = replace(NOBODY, code=OVER.code, at=OVER.at - timedelta(seconds=50))
    call = apply_event(apply_event(b.call(), OVER), earlier)

    assert call.state.disposition is Disposition.ANSWERED


def test_1c_gets_a_call_when_it_is_over_and_not_before() -> None:
    call = b.call()

    ringing = apply_event(call, RINGS)
    over = apply_event(ringing, NOBODY)

    assert (ringing.revision, over.revision) == (0, 1)
    assert apply_event(over, NOBODY) is over


UNCLEAR = event(EventKind.ENDED, 73)
REPORTED_LATER = event(EventKind.HISTORY, 73, outcome=Outcome.ANSWERED, extension="205")


def test_an_end_with_an_unknown_status_is_unknown_until_the_statistics_decide() -> None:
    unclear = state_of(DIALLED, RINGS, UNCLEAR)
    state = state_of(DIALLED, RINGS, UNCLEAR, REPORTED_LATER)

    assert (unclear.disposition, unclear.outcome) == (Disposition.UNKNOWN, None)
    assert unclear.needs_history
    assert state.disposition is Disposition.ANSWERED
    assert not state.needs_history
    assert not state_of(RINGS, UNCLEAR, GIVEN_UP).needs_history
    assert state_of(RINGS, ANSWERS, UNCLEAR).disposition is Disposition.ANSWERED
    assert state_of(RINGS, UNCLEAR, NOBODY).disposition is Disposition.MISSED
    assert state_of(RINGS, UNCLEAR, direction=Direction.OUTBOUND).disposition is Disposition.UNKNOWN


SECOND_RINGS = event(EventKind.STARTED, 38, extension="206")
FIRST_LEAVES = event(EventKind.LEG_ENDED, 38, extension="205", outcome=Outcome.ANSWERED)
SECOND_ANSWERS = event(EventKind.ANSWERED, 43, extension="206")
SECOND_SILENT = event(EventKind.LEG_ENDED, 58, extension="206", outcome=Outcome.NO_ANSWER)
CLIENT_LEAVES = event(EventKind.ENDED, 58, outcome=Outcome.NO_ANSWER)
SENT_ON = (RINGS, ANSWERS, SECOND_RINGS, FIRST_LEAVES)


@pytest.mark.parametrize(
    ("events", "lost"),
    [
        ((*SENT_ON, SECOND_SILENT, CLIENT_LEAVES), True),
        ((*SENT_ON, CLIENT_LEAVES), True),
        # The second took the client.
        ((*SENT_ON, SECOND_ANSWERS, OVER), False),
        # The first tried, and came back to the client.
        (
            (
                *(RINGS, ANSWERS, SECOND_RINGS),
                event(EventKind.LEG_ENDED, 50, extension="206"),
                event(EventKind.LEG_ENDED, 72, extension="205"),
                OVER,
            ),
            False,
        ),
        # Nobody else was rung: one hung up a second before the other.
        ((RINGS, ANSWERS, event(EventKind.LEG_ENDED, 72, extension="205"), OVER), False),
        # A group rang, and one of it answered.
        (
            (
                *(RINGS, event(EventKind.STARTED, 1, extension="206"), ANSWERS),
                event(EventKind.LEG_ENDED, 72, extension="205"),
                OVER,
            ),
            False,
        ),
        # Only the end shows it: sent on by the first, to one who never answered.
        (
            (
                *(RINGS, ANSWERS),
                event(EventKind.ENDED, 58, rung_extensions=("206",), transferred_by="205"),
            ),
            True,
        ),
        # The statistics know that the second talked to the client.
        (
            (*SENT_ON, CLIENT_LEAVES, replace(REPORTED_LATER, extension="206")),
            False,
        ),
        # It still rings.
        (SENT_ON, False),
    ],
)
def test_who_was_sent_on_and_taken_by_nobody_is_lost(
    events: Sequence[CallEvent], lost: bool
) -> None:
    assert state_of(*events).is_lost_in_transfer is lost


def test_nobody_is_lost_in_our_own_calls() -> None:
    events = (*SENT_ON, SECOND_SILENT, CLIENT_LEAVES)

    assert not state_of(*events, direction=Direction.OUTBOUND).is_lost_in_transfer
