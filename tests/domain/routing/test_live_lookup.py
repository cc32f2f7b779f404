"""When 1C may be asked about a caller, how long its answer holds, and the card made of it."""

from datetime import timedelta

import pytest

from bridge.domain.directory.entities import PhoneOwner, build_caller_card
from bridge.domain.routing.decision import (
    EvidenceStep,
    Finding,
    LiveLookupResult,
    RoutingRules,
    Rule,
)
from bridge.domain.routing.live_lookup import (
    FAILURES_TO_OPEN,
    FOUND_VALID_FOR,
    OPEN_FOR,
    OPEN_UNTIL_REPAIRED,
    UNKNOWN_VALID_FOR,
    LookupCircuitBreaker,
    is_still_valid,
)
from bridge.domain.routing.routing import decide_route
from tests.support import builders as b

NOW = 1_000.0
REST_S = OPEN_FOR.total_seconds()
MOMENT = timedelta(microseconds=1)
MOMENT_S = 0.001


def failing(times: int, at: float = NOW) -> LookupCircuitBreaker:
    breaker = LookupCircuitBreaker()
    for _ in range(times):
        breaker = breaker.after_failure(at)
    return breaker


# ---------------------------------------------------------------- the breaker
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


def test_a_try_of_which_nothing_is_heard_is_followed_by_another() -> None:
    end = NOW + REST_S

    assert failing(FAILURES_TO_OPEN).with_trial(end).allows(end + REST_S)


def test_what_needs_a_person_is_left_alone_at_once_and_for_long() -> None:
    breaker = LookupCircuitBreaker().after_failure(NOW, needs_person=True)

    assert not breaker.allows(NOW + OPEN_UNTIL_REPAIRED.total_seconds() - MOMENT_S)
    assert breaker.allows(NOW + OPEN_UNTIL_REPAIRED.total_seconds())


def test_a_question_let_through_changes_nothing_while_1c_is_well() -> None:
    assert failing(1).with_trial(NOW) == failing(1)


# ---------------------------------------------------------------- how long an answer holds
@pytest.mark.parametrize(
    ("found", "age", "proven_since", "holds"),
    [
        (False, UNKNOWN_VALID_FOR - MOMENT, False, True),
        (False, UNKNOWN_VALID_FOR, False, False),
        (False, timedelta(), True, True),
        (True, FOUND_VALID_FOR - MOMENT, False, True),
        (True, FOUND_VALID_FOR, False, False),
        (True, timedelta(minutes=1), True, False),
    ],
)
def test_an_answer_holds_for_a_while(
    found: bool, age: timedelta, proven_since: bool, holds: bool
) -> None:
    assert is_still_valid(found, age, proven_since=proven_since) is holds


# ---------------------------------------------------------------- the card
@pytest.mark.parametrize(
    "owners",
    [
        (b.contact(),),
        (b.contact("Прежний", ended=b.NOON.date()), b.contact()),
        (b.contact(partner=None),),
        (b.partner(phones=["8 903 555-01-23"]), b.contact()),
        (b.counterparty(phones=["903 555-01-23"]),),
    ],
)
def test_a_card_is_what_the_index_would_make_of_the_owners(owners: tuple[PhoneOwner, ...]) -> None:
    holding = b.partner("Холдинг", manager="Борис Иванов")
    firm = b.partner(parent="Холдинг", phones=["8 903 555-01-23"])
    owners = tuple(firm if o.ref == firm.ref else o for o in owners)

    card = build_caller_card(b.NUMBER, owners, [firm, holding])

    assert card == b.card(*owners, partners=[firm, holding])


def test_an_extension_typed_behind_the_number_is_shown() -> None:
    owner = b.contact(phones=["+7 (903) 555-01-23, доб. 314"])

    card = build_caller_card(b.NUMBER, [owner], [b.partner()])

    assert card is not None
    assert card.candidates[0].extension == "314"


def test_a_manager_whom_the_directory_does_not_have_is_named_all_the_same() -> None:
    card = build_caller_card(b.NUMBER, [b.contact()], [b.partner(manager="Новая")])

    assert card is not None
    assert [step.manager for step in card.candidates[0].chain] == [b.ref("Новая")]


def test_owners_who_do_not_have_the_number_make_no_card() -> None:
    owner = b.contact(phones=["+7 903 555-01-24"])

    assert build_caller_card(b.NUMBER, [owner], [b.partner()]) is None
    assert build_caller_card(b.NUMBER, [], []) is None


# ---------------------------------------------------------------- the evidence
def test_an_owner_named_by_1c_is_told_as_such() -> None:
    people = [b.manager()]
    found = b.card(b.contact(), partners=[b.partner()])
    asked = LiveLookupResult(EvidenceStep(Finding.ONEC_FOUND), found)

    decision = decide_route(
        b.question(),
        None,
        b.rows(*people),
        lambda _: pytest.fail("nobody's extension is looked for"),
        RoutingRules(default_extension="100"),
        live_lookup=asked,
    )

    assert decision.rule is Rule.CONTACT_MANAGER
    assert asked.step in decision.evidence
    assert Finding.NUMBER_UNKNOWN not in [step.finding for step in decision.evidence]


def test_what_the_index_knows_is_not_asked_of_1c() -> None:
    people = [b.manager()]
    known = b.card(b.contact(), partners=[b.partner()])

    decision = decide_route(
        b.question(),
        known,
        b.rows(*people),
        lambda _: pytest.fail("nobody's extension is looked for"),
        RoutingRules(),
        live_lookup=LiveLookupResult(EvidenceStep(Finding.ONEC_LATE)),
    )

    assert Finding.ONEC_LATE not in [step.finding for step in decision.evidence]
