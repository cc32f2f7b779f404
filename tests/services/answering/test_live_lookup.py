"""A caller whom the index does not know is looked for in 1C itself, and waits for it briefly."""

import asyncio
from dataclasses import replace
from datetime import UTC

import pytest

from bridge.adapters.onec.reading.lookup import ODataLookup
from bridge.domain.delivery.document_drafts import ContactRef
from bridge.domain.delivery.documents import build_phone_call_draft
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.domain.routing.decision import (
    Finding,
    Rule,
)
from bridge.domain.routing.live_lookup import FOUND_VALID_FOR, UNKNOWN_VALID_FOR
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.simulator import OneCLab
from bridge.services.answering.live_lookup import LiveLookup
from tests.services.answering.live_lookup_fixture import (
    OTHERS,
    PATIENCE,
    AnsweringService,
    findings,
    passed,
)
from tests.support import builders as b
from tests.support.onec_lab import make_client
from tests.support.virtual_time import VirtualLoop, virtual_now

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": VirtualLoop})


@pytest.fixture
def service() -> AnsweringService:
    return AnsweringService()


# ---------------------------------------------------------------- who is found
async def test_a_caller_who_is_in_1c_only_reaches_the_manager(service: AnsweringService) -> None:
    decision = await service.call()

    assert (decision.extension, decision.rule) == ("205", Rule.CONTACT_MANAGER)
    assert findings(decision)[:3] == [Finding.CALLER_READ, Finding.ONEC_FOUND, Finding.CANDIDATE]
    assert service.journal[0].decision == decision


async def test_the_call_is_written_to_the_very_contact(service: AnsweringService) -> None:
    await service.call()

    draft = build_phone_call_draft(service.journal[0], "ru", UTC)

    assert draft.contact == ContactRef(CandidateKind.CONTACT, b.contact().ref)
    assert draft.responsible == b.manager().ref


async def test_the_next_call_costs_1c_no_request(service: AnsweringService) -> None:
    await service.call()
    answered = passed()

    decision = await service.call()

    assert decision.extension == "205"
    assert passed() == answered
    assert service.onec.questions == [b.NUMBER]


async def test_a_caller_whom_the_index_knows_is_never_asked_for(service: AnsweringService) -> None:
    known = b.card(b.contact(), partners=[b.partner()])
    service.directory.cards = {b.NUMBER: known}

    decision = await service.call()

    assert decision.extension == "205"
    assert (service.onec.questions, passed()) == ([], 0)


async def test_a_known_caller_without_a_manager_is_never_asked_for(
    service: AnsweringService,
) -> None:
    nobodys = b.partner(manager=None)
    service.directory.cards = {b.NUMBER: b.card(b.contact(), partners=[nobodys])}

    decision = await service.call()

    assert decision.rule is Rule.DEFAULT
    assert service.onec.questions == []


@pytest.mark.parametrize("caller", [None, "", "anonymous", "214", "sip:@@@", "12"])
async def test_whoever_has_no_number_is_never_asked_for(
    service: AnsweringService, caller: str | None
) -> None:
    decision = await service.call(caller)

    assert decision.extension == "100"
    assert (service.onec.questions, passed()) == ([], 0)


async def test_of_several_owners_the_usual_order_decides(service: AnsweringService) -> None:
    ended = b.contact("Прежний", ended=b.NOON.date())
    firm = b.partner(phones=["+7 (903) 555-01-23"])
    service.onec.learns(ended, firm, b.contact(), above=[firm])

    decision = await service.call()

    assert [c.name for c in decision.candidates] == ["Иванов Пётр", "ООО Ромашка", "Прежний"]


async def test_marked_owners_are_nobody(service: AnsweringService) -> None:
    service.onec.learns(replace(b.contact(), deletion_mark=True))

    decision = await service.call()

    assert (decision.extension, decision.candidates) == ("100", ())
    assert Finding.ONEC_UNKNOWN in findings(decision)


async def test_managers_are_those_of_the_index_at_the_moment_of_the_call(
    service: AnsweringService,
) -> None:
    await service.call()
    service.directory.people = b.rows(b.manager("Борис Иванов", "300"), b.manager(extension="206"))

    decision = await service.call()

    assert decision.extension == "206"


async def test_a_broken_index_leaves_1c_to_be_asked(service: AnsweringService) -> None:
    service.directory.read_error = "disk I/O error"

    decision = await service.call()

    assert decision.extension == "205"
    assert {Finding.INDEX_BROKEN, Finding.ONEC_FOUND} <= {*findings(decision)}


# ---------------------------------------------------------------- how long anybody waits
async def test_a_slow_1c_costs_the_caller_no_more_than_the_patience(
    service: AnsweringService,
) -> None:
    service.onec.takes = 8

    decision = await service.call()

    assert passed() == pytest.approx(PATIENCE.total_seconds())
    assert (decision.extension, decision.rule) == ("100", Rule.DEFAULT)
    assert Finding.ONEC_LATE in findings(decision)
    assert len(service.journal) == 1


async def test_an_answer_that_came_too_late_serves_the_next_call(service: AnsweringService) -> None:
    service.onec.takes = 8
    await service.call()
    await asyncio.sleep(10)
    before = passed()

    decision = await service.call()

    assert decision.extension == "205"
    assert passed() == before
    assert service.onec.questions == [b.NUMBER]


async def test_two_calls_of_one_number_are_one_question(service: AnsweringService) -> None:
    first, second = await asyncio.gather(service.call(asked_time="1"), service.call(asked_time="2"))

    assert first.extension == second.extension == "205"
    assert service.onec.questions == [b.NUMBER]
    assert len(service.journal) == 2


async def test_the_second_call_waits_for_the_answer_that_the_first_one_missed(
    service: AnsweringService,
) -> None:
    service.onec.takes = 1
    await service.call()

    decision = await service.call()

    assert decision.extension == "205"
    assert passed() == pytest.approx(1)
    assert service.onec.questions == [b.NUMBER]


async def test_a_further_node_of_the_call_waits_for_the_same_decision(
    service: AnsweringService,
) -> None:
    first = asyncio.create_task(service.call(asked_time=""))
    await asyncio.sleep(0.1)

    second = await service.call(asked_time="")

    assert second.extension == (await first).extension == "205"
    assert len(service.journal) == 1


async def test_a_caller_given_up_by_the_web_does_not_end_the_question(
    service: AnsweringService,
) -> None:
    ringing = asyncio.create_task(service.call())
    await asyncio.sleep(0.1)
    ringing.cancel()
    await asyncio.sleep(0.2)

    decision = await service.call()

    assert decision.extension == "205"
    assert service.onec.questions == [b.NUMBER]


# ---------------------------------------------------------------- how long an answer is valid
async def test_a_stranger_who_rings_again_costs_one_question_a_minute(
    service: AnsweringService,
) -> None:
    service.onec.owners.clear()
    decision = await service.call()
    for _ in range(5):
        again = await service.call()
        await asyncio.sleep(UNKNOWN_VALID_FOR.total_seconds() / 6)

    assert findings(decision)[1:3] == [Finding.NUMBER_UNKNOWN, Finding.ONEC_UNKNOWN]
    assert Finding.ONEC_UNKNOWN in findings(again)
    assert service.onec.questions == [b.NUMBER]


async def test_after_a_minute_a_stranger_may_have_been_written_down(
    service: AnsweringService,
) -> None:
    service.onec.owners.clear()
    await service.call()
    service.onec.learns(b.contact())
    await asyncio.sleep(UNKNOWN_VALID_FOR.total_seconds())

    decision = await service.call()

    assert decision.extension == "205"


async def test_what_the_index_learnt_goes_before_1c_s_answer(service: AnsweringService) -> None:
    await service.call()
    boss = b.manager("Борис Иванов", "300")
    moved = b.partner(manager=boss.name)
    service.directory.people = b.rows(b.manager(), boss)
    service.directory.cards = {b.NUMBER: b.card(b.contact(), partners=[moved])}

    decision = await service.call()

    assert decision.extension == "300"
    assert Finding.ONEC_FOUND not in findings(decision)


async def test_an_index_that_learns_the_number_while_1c_is_asked_goes_before_it(
    service: AnsweringService,
) -> None:
    service.onec.learns()
    ringing = asyncio.create_task(service.call())
    await asyncio.sleep(0.1)
    known = b.card(b.contact(), partners=[b.partner()])
    service.directory.cards = {b.NUMBER: known}

    decision = await ringing

    assert decision.extension == "205"


async def test_an_index_proven_later_without_the_number_has_1c_asked_anew(
    service: AnsweringService,
) -> None:
    await service.call()
    service.onec.owners.clear()
    await asyncio.sleep(5)
    service.directory.proven_at = virtual_now()

    decision = await service.call()

    assert decision.extension == "100"
    assert len(service.onec.questions) == 2


async def test_an_index_that_cannot_be_proven_does_not_keep_an_owner_for_ever(
    service: AnsweringService,
) -> None:
    await service.call()
    await asyncio.sleep(FOUND_VALID_FOR.total_seconds())

    await service.call()

    assert len(service.onec.questions) == 2


async def test_the_answers_about_many_strangers_are_not_kept_for_ever(
    service: AnsweringService,
) -> None:
    service.onec.takes = 0
    numbers = [PhoneNumber(79030000000 + n) for n in range(2001)]
    await service.strangers(*numbers)

    await service.strangers(numbers[-1], numbers[0])

    assert service.onec.questions == [*numbers, numbers[0]]


# ---------------------------------------------------------------- over a simulated 1C
async def test_eight_unknown_callers_at_once_leave_a_healthy_1c_to_be_asked() -> None:
    lab = OneCLab(compose_infobase(partners=20), sleep=asyncio.sleep)
    partner = lab.add_partner("Ромашка", manager=b.manager().ref)
    lab.add_contact(partner, "Иванов Пётр", phone="8 903 555-01-23")
    lab.faults.add("slow", seconds=0.1)
    lookups: list[LiveLookup] = []  # the one that is made below
    lookup = ODataLookup(
        make_client(lab),
        rules=PhoneRules(),
        find_partner=lambda _: None,
        is_crowded=lambda: any(live.is_crowded() for live in lookups),
    )
    service = AnsweringService(lookup)
    service.live_lookup = service.asks(at_once=1)
    lookups.append(service.live_lookup)
    service.answering = service.answers()
    await asyncio.gather(*(service.live_lookup.look_up(number) for number in OTHERS[:8]))

    decision = await service.call()

    assert decision.extension == "205"


async def test_over_a_slow_1c_the_answer_is_in_time_and_the_next_one_right() -> None:
    lab = OneCLab(compose_infobase(partners=20), sleep=asyncio.sleep)
    partner = lab.add_partner("Ромашка", manager=b.manager().ref)
    contact = lab.add_contact(partner, "Иванов Пётр", phone="8 903 555-01-23")
    lab.faults.add("slow", seconds=3)
    lookup = ODataLookup(make_client(lab), rules=PhoneRules(), find_partner=lambda _: None)
    service = AnsweringService(lookup)

    first = await service.call()
    answered = passed()
    await asyncio.sleep(60)
    second = await service.call()

    assert (first.extension, second.extension) == ("100", "205")
    assert answered == pytest.approx(PATIENCE.total_seconds())
    assert second.candidates[0].ref == contact
