"""A caller whom the index does not know is looked for in 1C itself, and waits for it briefly."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.adapters.onec.reading.lookup import ODataLookup
from bridge.domain.calls.call import PhoneCall
from bridge.domain.circuit_breakers import OPEN_FOR, OPEN_UNTIL_REPAIRED
from bridge.domain.delivery.document_drafts import ContactRef
from bridge.domain.delivery.documents import build_phone_call_draft
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Partner, PhoneOwner
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.domain.routing.decision import (
    DataAge,
    Finding,
    LiveLookupResult,
    RouteDecision,
    RoutingRules,
    Rule,
)
from bridge.domain.routing.live_lookup import FOUND_VALID_FOR, UNKNOWN_VALID_FOR
from bridge.errors import (
    OneCInvalidResponse,
    OneCNotPublished,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.simulator import OneCLab
from bridge.ports.onec import FoundOwners, OneCLookup
from bridge.services.answering.answer import RouteAnswerer
from bridge.services.answering.decide import RouteDecider
from bridge.services.answering.live_lookup import LiveLookup
from bridge.services.answering.record import CallRecorder
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.clocks import seconds_of
from tests.support.fakes.directory import MemoryDirectory
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents
from tests.support.onec_lab import make_client
from tests.support.virtual_time import VirtualLoop, virtual_now

pytestmark = pytest.mark.anyio

PATIENCE = timedelta(milliseconds=550)
OTHERS = [PhoneNumber(79035550200 + n) for n in range(20)]
AWAY = OneCUnavailable("Catalog_X", "connect error")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": VirtualLoop})


@dataclass(slots=True)
class FakeLookup:
    """1C that *takes* its seconds and then knows *owners*, or is out of order with *error*."""

    owners: dict[PhoneNumber, FoundOwners] = field(default_factory=dict)
    takes: float = 0.2
    error: Exception | None = None
    questions: list[PhoneNumber] = field(default_factory=list)
    closed: bool = False

    def learns(self, *owners: PhoneOwner, above: Iterable[Partner] = (b.partner(),)) -> None:
        self.owners[b.NUMBER] = FoundOwners(owners, tuple(above))

    async def find_owners(self, number: PhoneNumber) -> FoundOwners:
        self.questions.append(number)
        await asyncio.sleep(self.takes)
        if self.error is not None:
            raise self.error
        return self.owners.get(number, FoundOwners())

    async def aclose(self) -> None:
        self.closed = True


@dataclass(slots=True)
class ProvenDirectory(MemoryDirectory):
    """A directory that was proven equal to 1C at a moment of the test's choice."""

    proven_at: datetime = b.NOON - timedelta(minutes=1)

    def age(self, now: datetime) -> DataAge:
        del now
        return DataAge(self.proven_at)


@dataclass(slots=True)
class AnsweringService:
    """The answering side on memory, before a 1C that knows one contact person more than it."""

    lookup: OneCLookup | None = None
    onec: FakeLookup = field(default_factory=FakeLookup)
    directory: ProvenDirectory = field(default_factory=ProvenDirectory)
    ledger: MemoryLedger = field(default_factory=lambda: MemoryLedger(virtual_now))
    live_lookup: LiveLookup = field(init=False)
    answering: RouteAnswerer = field(init=False)

    def __post_init__(self) -> None:
        self.onec.learns(b.contact())
        self.live_lookup = self.asks()
        self.answering = self.answers()

    def answers(self) -> RouteAnswerer:
        events = RecordedEvents()
        return RouteAnswerer(
            decider=RouteDecider(
                directory=self.directory,
                number_memory=self.ledger.number_memory,
                events=events,
                rules=RoutingRules(default_extension="100"),
                phones=PhoneRules(),
                clock=virtual_now,
            ),
            recorder=CallRecorder(self.ledger, events),
            ledger=self.ledger,
            clock=virtual_now,
            deliver_soon=lambda: None,
            call_opener=build_call_services(self.ledger, virtual_now, events)[1],
            live_lookup=self.live_lookup,
        )

    def asks(self, at_once: int = 8) -> LiveLookup:
        """Start what asks 1C."""
        return LiveLookup(
            lookup=self.lookup or self.onec,
            directory=self.directory,
            clock=virtual_now,
            patience=PATIENCE,
            concurrency=at_once,
            monotonic=seconds_of(virtual_now),
        )

    async def call(
        self, caller: str | None = "+79035550123", asked_time: str | None = None
    ) -> RouteDecision:
        """Let a caller call now; every call has a time of its own unless one is given."""
        at = virtual_now()
        own = str(at.timestamp()) if asked_time is None else asked_time
        asked = b.question(caller, asked_time=own, arrived_at=None, received_at=at)
        return await self.answering.answer(asked)

    async def strangers(self, *numbers: PhoneNumber) -> list[Finding]:
        """Ask about *numbers*, one after the other."""
        return [(await self.live_lookup.look_up(number)).step.finding for number in numbers]

    @property
    def journal(self) -> list[PhoneCall]:
        return list(self.ledger.calls_by_key.values())


@pytest.fixture
def service() -> AnsweringService:
    return AnsweringService()


def passed() -> float:
    return asyncio.get_running_loop().time()


def findings(decision: RouteDecision) -> list[Finding]:
    return [step.finding for step in decision.evidence]


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


# ---------------------------------------------------------------- when 1C is left alone
@pytest.mark.parametrize(
    "error",
    [
        AWAY,
        OneCSessionsBlocked("Catalog_X", "backup until ten"),
        OneCInvalidResponse("Catalog_X", "a page"),
        RuntimeError("our own mistake"),
    ],
)
async def test_whatever_breaks_the_caller_is_answered_and_recorded(
    service: AnsweringService, error: Exception
) -> None:
    service.onec.error = error

    decision = await service.call()

    assert (decision.extension, decision.rule) == ("100", Rule.DEFAULT)
    assert Finding.ONEC_FAILED in findings(decision)
    assert len(service.journal) == 1


@pytest.mark.parametrize(("takes", "seen"), [(0.1, Finding.ONEC_FAILED), (9, Finding.ONEC_LATE)])
async def test_after_three_failures_in_a_row_1c_is_left_alone(
    service: AnsweringService, takes: float, seen: Finding
) -> None:
    service.onec.takes, service.onec.error = takes, AWAY

    answers = await service.strangers(*OTHERS[:5])

    assert answers == [seen] * 3 + [Finding.ONEC_NOT_ASKED] * 2
    assert service.onec.questions == OTHERS[:3]


async def test_who_is_not_asked_for_does_not_wait(service: AnsweringService) -> None:
    service.onec.error = AWAY
    await service.strangers(*OTHERS[:3])
    before = passed()

    decision = await service.call()

    assert passed() == before
    assert decision.extension == "100"
    assert Finding.ONEC_NOT_ASKED in findings(decision)


async def test_nobody_waits_again_for_a_question_that_hangs(service: AnsweringService) -> None:
    service.onec.takes = 30
    await service.strangers(*OTHERS[:3])
    before = passed()

    answers = await service.strangers(*OTHERS[:3])

    assert answers == [Finding.ONEC_LATE] * 3
    assert passed() == before


async def test_an_answer_between_failures_begins_the_count_anew(service: AnsweringService) -> None:
    for number in OTHERS[:6]:
        service.onec.error = None if number == OTHERS[2] else AWAY
        await service.strangers(number)

    assert service.onec.questions == OTHERS[:6]


async def test_after_the_rest_one_question_tries(service: AnsweringService) -> None:
    service.onec.error = AWAY
    await service.strangers(*OTHERS[:3])
    await asyncio.sleep(OPEN_FOR.total_seconds())

    answers = await asyncio.gather(*(service.live_lookup.look_up(number) for number in OTHERS[3:6]))
    still = await service.strangers(OTHERS[6])

    assert [asked.step.finding for asked in answers] == [
        Finding.ONEC_FAILED,
        Finding.ONEC_NOT_ASKED,
        Finding.ONEC_NOT_ASKED,
    ]
    assert still == [Finding.ONEC_NOT_ASKED]


async def test_a_try_that_is_answered_ends_the_rest(service: AnsweringService) -> None:
    service.onec.error = AWAY
    await service.strangers(*OTHERS[:3])
    service.onec.error = None
    await asyncio.sleep(OPEN_FOR.total_seconds())

    answers = await service.strangers(*OTHERS[3:6])

    assert answers == [Finding.ONEC_UNKNOWN] * 3


@pytest.mark.parametrize(
    "error",
    [
        OneCNotPublished("Catalog_X_Y", "the entity set is not published"),
        OneCUnauthorized("Catalog_X", "no rights"),
    ],
)
async def test_where_an_administrator_must_act_1c_is_asked_rarely_and_that_is_logged_once(
    service: AnsweringService, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    service.onec.error = error
    answers = await service.strangers(*OTHERS[:4])
    await asyncio.sleep(OPEN_UNTIL_REPAIRED.total_seconds() - 1)
    answers += await service.strangers(OTHERS[4])
    await asyncio.sleep(1)
    answers += await service.strangers(OTHERS[5], OTHERS[6])

    left = Finding.ONEC_NOT_ASKED
    assert answers == [Finding.ONEC_FAILED, left, left, left, left, Finding.ONEC_FAILED, left]
    assert [record.message for record in caplog.records] == ["live_lookup_rests"]


async def test_only_the_edges_are_logged(
    service: AnsweringService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.onec.error = AWAY
    await service.strangers(*OTHERS[:5])
    await asyncio.sleep(OPEN_FOR.total_seconds())
    await service.strangers(*OTHERS[5:8])
    service.onec.error = None
    await asyncio.sleep(OPEN_FOR.total_seconds())
    await service.strangers(*OTHERS[8:12])

    assert [record.message for record in caplog.records] == [
        "live_lookup_rests",
        "live_lookup_back",
    ]


async def test_a_storm_of_strangers_is_no_storm_on_1c(service: AnsweringService) -> None:
    answers = await asyncio.gather(*(service.live_lookup.look_up(number) for number in OTHERS))

    refused = [asked for asked in answers if asked.step.finding is Finding.ONEC_NOT_ASKED]
    assert len(service.onec.questions) == 8
    assert len(refused) == len(OTHERS) - 8
    assert await service.strangers(OTHERS[-1]) == [Finding.ONEC_UNKNOWN]


async def test_waiting_for_our_own_questions_is_not_1cs_lateness(service: AnsweringService) -> None:
    service.live_lookup = service.asks(at_once=1)
    service.onec.takes = 0.3
    answers = await asyncio.gather(*(service.live_lookup.look_up(number) for number in OTHERS[:8]))
    await asyncio.sleep(5)

    assert [asked.step.finding for asked in answers].count(Finding.ONEC_UNKNOWN) == 1
    assert {asked.step.finding for asked in answers[2:]} == {Finding.ONEC_NOT_ASKED}
    assert (await service.live_lookup.look_up(b.NUMBER)).step.finding is Finding.ONEC_FOUND


async def test_a_caller_who_waits_goes_before_questions_that_nobody_waits_for(
    service: AnsweringService,
) -> None:
    service.live_lookup = service.asks(at_once=1)
    service.onec.takes = 0.3
    await asyncio.gather(*(service.live_lookup.look_up(number) for number in OTHERS[:7]))

    assert (await service.live_lookup.look_up(b.NUMBER)).step.finding is Finding.ONEC_FOUND


async def test_while_1c_keeps_a_question_nobody_waits_behind_it(service: AnsweringService) -> None:
    service.live_lookup = service.asks(at_once=1)
    service.onec.takes = 30
    assert await service.strangers(OTHERS[0]) == [Finding.ONEC_LATE]
    before = passed()

    assert await service.strangers(*OTHERS[1:4]) == [Finding.ONEC_NOT_ASKED] * 3

    assert passed() == before
    assert service.onec.questions == OTHERS[:1]


async def test_a_question_that_waited_is_late_by_the_time_that_1c_had(
    service: AnsweringService,
) -> None:
    service.live_lookup = service.asks(at_once=1)
    service.onec.takes = 0.4
    first, second = await asyncio.gather(*(service.live_lookup.look_up(n) for n in OTHERS[:2]))
    await asyncio.sleep(1)

    assert first.step.finding is Finding.ONEC_UNKNOWN
    assert second.step.finding is Finding.ONEC_LATE
    assert await service.strangers(OTHERS[1]) == [Finding.ONEC_UNKNOWN]
    assert len(service.onec.questions) == 2


async def test_a_stop_drops_the_questions_under_way(service: AnsweringService) -> None:
    service.onec.takes = 30
    await service.strangers(b.NUMBER)

    await service.live_lookup.aclose()

    assert service.onec.closed
    assert passed() < 1


async def test_the_evidence_of_an_unknown_caller_names_no_card(service: AnsweringService) -> None:
    asked = await service.live_lookup.look_up(OTHERS[0])

    assert isinstance(asked, LiveLookupResult)
    assert asked.card is None


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
