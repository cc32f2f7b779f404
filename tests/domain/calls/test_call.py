"""What makes two questions one call, and what a call is taken to be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.calls.call import call_from_question
from bridge.domain.calls.events import Direction
from bridge.domain.calls.identity import (
    PAIR_WINDOW,
    REPEAT_WINDOW,
    believable_arrival,
    call_key,
    question_identity,
)
from bridge.domain.routing.decision import RouteQuestion
from tests.support import builders as b

ASKED = b.question()
UNTIMED = b.question(asked_time="", arrived_at=None)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(replace(ASKED, received_at=b.NOON + timedelta(minutes=2)), id="later_node"),
        pytest.param(replace(ASKED, label="205", dtmf="1"), id="another_label"),
        pytest.param(
            replace(ASKED, arrived_at=b.NOON.astimezone(timezone(timedelta(hours=3)))),
            id="another_zone",
        ),
    ],
)
def test_a_repeated_question_is_the_same_call(again: RouteQuestion) -> None:
    assert call_key(again) == call_key(ASKED)
    assert question_identity(again) == question_identity(ASKED)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(b.question("+79035550124"), id="another_caller"),
        pytest.param(b.question(did="74852550103"), id="another_line"),
        pytest.param(b.question(provider="mango"), id="another_pbx"),
        pytest.param(
            b.question(asked_time="1772625601", arrived_at=b.NOON + timedelta(seconds=1)),
            id="another_second",
        ),
    ],
)
def test_another_question_is_another_call(other: RouteQuestion) -> None:
    assert call_key(other) != call_key(ASKED)
    assert question_identity(other) != question_identity(ASKED)


def test_without_a_time_the_moment_of_the_first_question_counts() -> None:
    later = replace(UNTIMED, received_at=UNTIMED.received_at + timedelta(seconds=30))

    assert call_key(UNTIMED) == call_key(replace(UNTIMED, label="x"))
    assert call_key(later) != call_key(UNTIMED)
    assert question_identity(later) == question_identity(UNTIMED)


def test_how_long_the_same_words_mean_the_same_call() -> None:
    assert question_identity(ASKED).window == REPEAT_WINDOW
    assert question_identity(UNTIMED).window == PAIR_WINDOW


@pytest.mark.parametrize(
    ("off", "believed"),
    [
        (timedelta(0), True),
        (timedelta(hours=3), True),
        (timedelta(days=1), True),
        (timedelta(days=-1), True),
        (timedelta(days=1, seconds=1), False),
        (timedelta(days=-400), False),
    ],
)
def test_a_clock_that_is_days_off_is_not_believed(off: timedelta, *, believed: bool) -> None:
    asked = b.question(arrived_at=b.NOON + off, received_at=b.NOON)

    assert believable_arrival(asked) == (b.NOON + off if believed else None)
    assert b.call(asked).arrived_at == (b.NOON + off if believed else b.NOON)


TIMES = st.datetimes(timezones=st.just(UTC))
QUESTIONS = st.builds(
    b.question,
    st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["+79035550123", "203"])),
    st.sampled_from(["", "74852550102", "74852550103"]),
    asked_time=st.text(max_size=6),
    arrived_at=st.one_of(st.none(), TIMES),
    received_at=TIMES,
    provider=st.sampled_from(["sipuni", "mango"]),
)


@given(QUESTIONS)
def test_every_call_has_a_key_of_twenty_hex_digits(asked: RouteQuestion) -> None:
    call = call_from_question(asked, b.decision())

    assert len(call.key) == 20
    assert set(call.key) <= set("0123456789abcdef")
    assert call.key == call_key(asked)
    assert call.identity == question_identity(asked)


@given(QUESTIONS, st.floats(0, 120))
def test_a_believed_time_gives_one_key_whenever_it_is_repeated(
    asked: RouteQuestion, seconds: float
) -> None:
    asked = replace(asked, received_at=b.NOON, arrived_at=b.NOON - timedelta(seconds=3))

    later = replace(asked, received_at=b.NOON + timedelta(seconds=seconds))

    assert call_key(later) == call_key(asked)


def _identity(asked: RouteQuestion) -> tuple[str, str, str, str, datetime | int]:
    arrived = believable_arrival(asked)
    moment = asked.received_at if arrived is None else int(arrived.timestamp())
    return (asked.provider, asked.caller.raw, asked.did, asked.pbx_time_text, moment)


@given(QUESTIONS, QUESTIONS)
def test_different_questions_have_different_keys(one: RouteQuestion, two: RouteQuestion) -> None:
    assert (call_key(one) == call_key(two)) == (_identity(one) == _identity(two))


@pytest.mark.parametrize(
    ("caller", "did", "direction", "needed"),
    [
        ("+79035550123", "74852550102", Direction.INBOUND, True),
        (None, "74852550102", Direction.INBOUND, True),
        ("anonymous", "", Direction.INBOUND, True),
        ("203", "74852550102", Direction.INTERNAL, False),
        (None, "", Direction.INBOUND, False),
    ],
)
def test_which_calls_1c_shall_have(
    caller: str | None, did: str, direction: Direction, *, needed: bool
) -> None:
    call = b.call(b.question(caller, did))

    assert (call.direction, call.needs_document) == (direction, needed)
