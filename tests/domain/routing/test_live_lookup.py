"""How long an answer of 1C about a caller is valid, and the card made of it."""

from datetime import timedelta

import pytest

from bridge.domain.directory.caller_card import build_caller_card
from bridge.domain.directory.entities import PhoneOwner
from bridge.domain.routing.decision import (
    EvidenceStep,
    Finding,
    LiveLookupResult,
    RoutingRules,
    Rule,
)
from bridge.domain.routing.live_lookup import (
    FOUND_VALID_FOR,
    UNKNOWN_VALID_FOR,
    is_still_valid,
)
from bridge.domain.routing.routing import decide_route
from tests.support import builders as b

MOMENT = timedelta(microseconds=1)


# ---------------------------------------------------------------- how long an answer is valid
@pytest.mark.parametrize(
    ("found", "age", "proven_since", "valid"),
    [
        (False, UNKNOWN_VALID_FOR - MOMENT, False, True),
        (False, UNKNOWN_VALID_FOR, False, False),
        (False, timedelta(), True, True),
        (True, FOUND_VALID_FOR - MOMENT, False, True),
        (True, FOUND_VALID_FOR, False, False),
        (True, timedelta(minutes=1), True, False),
    ],
)
def test_an_answer_is_valid_for_a_while(
    found: bool, age: timedelta, proven_since: bool, valid: bool
) -> None:
    assert is_still_valid(found, age, proven_since=proven_since) is valid


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
def test_an_owner_named_by_1c_is_shown_as_such() -> None:
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
