"""A circuit breaker: what opens it, for how long, and what closes it."""

from datetime import timedelta

import pytest

from bridge.domain.circuit_breakers import (
    FAILURES_TO_OPEN,
    LOOKUP_RULES,
    OPEN_FOR,
    OPEN_UNTIL_REPAIRED,
    BreakerRules,
    CircuitBreaker,
    StageCircuitBreaker,
)
from bridge.domain.delivery.ledger_rules import trial_index

NOW = 1_000.0
REST_S = OPEN_FOR.total_seconds()
MOMENT_S = 0.001


def failing(times: int, at: float = NOW) -> CircuitBreaker:
    breaker = CircuitBreaker(LOOKUP_RULES)
    for _ in range(times):
        breaker = breaker.after_failure(at)
    return breaker


@pytest.mark.parametrize(
    ("failures", "admits"),
    [(0, True), (FAILURES_TO_OPEN - 1, True), (FAILURES_TO_OPEN, False), (9, False)],
)
def test_a_few_failures_are_borne(failures: int, admits: bool) -> None:
    breaker = failing(failures)

    assert breaker.allows(NOW) is admits
    assert breaker.is_open is not admits


def test_a_rest_ends_with_one_try() -> None:
    breaker = failing(FAILURES_TO_OPEN)
    end = NOW + REST_S

    assert not breaker.allows(end - MOMENT_S)
    assert breaker.allows(end)
    assert not breaker.with_trial(end).allows(end)


def test_a_try_that_fails_begins_another_rest() -> None:
    end = NOW + REST_S
    breaker = failing(FAILURES_TO_OPEN).with_trial(end).after_failure(end)

    assert not breaker.allows(end + REST_S - MOMENT_S)
    assert breaker.allows(end + REST_S)


def test_a_trial_without_a_result_is_followed_by_another() -> None:
    end = NOW + REST_S

    assert failing(FAILURES_TO_OPEN).with_trial(end).allows(end + REST_S)


def test_what_needs_a_person_is_left_alone_at_once_and_for_long() -> None:
    breaker = CircuitBreaker(LOOKUP_RULES).after_failure(NOW, pause=OPEN_UNTIL_REPAIRED)

    assert not breaker.allows(NOW + OPEN_UNTIL_REPAIRED.total_seconds() - MOMENT_S)
    assert breaker.allows(NOW + OPEN_UNTIL_REPAIRED.total_seconds())


def test_a_question_let_through_changes_nothing_while_1c_is_well() -> None:
    assert failing(1).with_trial(NOW) == failing(1)


def test_pauses_double_up_to_the_longest() -> None:
    rules = BreakerRules(1, timedelta(seconds=1), timedelta(seconds=20))
    breaker, pauses = CircuitBreaker(rules), []
    for _ in range(7):
        breaker = breaker.after_failure(NOW)
        assert breaker.open_until is not None
        pauses.append(breaker.open_until - NOW)

    assert pauses == [1, 2, 4, 8, 16, 20, 20]


def test_a_success_closes_it() -> None:
    assert failing(9).after_success() == failing(0)


# ---------------------------------------------------------------- which entry is the trial
def trial_places(count: int) -> list[float]:
    breaker, places = StageCircuitBreaker(), []
    for _ in range(count):
        places.append(breaker.trial_place)
        breaker = breaker.after_trial_requested()
    return places


def test_the_freshest_call_is_tried_by_turns_with_others_ever_closer_to_one_another() -> None:
    places = trial_places(16)

    assert places[::2] == [0.0] * 8
    assert places[1::2] == [1.0, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875]


@pytest.mark.parametrize("paused", [1, 2, 3, 7, 60, 200])
def test_every_paused_entry_is_tried_in_the_end(paused: int) -> None:
    tried = {trial_index(paused, place) for place in trial_places(4 * paused + 2)}

    assert tried == set(range(paused))
