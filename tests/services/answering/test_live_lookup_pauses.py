"""When the live lookup leaves 1C alone, and for how long."""

import asyncio
import logging

import pytest

from bridge.domain.circuit_breakers import OPEN_FOR, OPEN_UNTIL_REPAIRED
from bridge.domain.routing.decision import (
    Finding,
    LiveLookupResult,
    Rule,
)
from bridge.errors import (
    OneCInvalidResponse,
    OneCNotPublished,
    OneCSessionsBlocked,
    OneCUnauthorized,
)
from tests.services.answering.live_lookup_fixture import (
    AWAY,
    OTHERS,
    AnsweringService,
    findings,
    passed,
)
from tests.support import builders as b
from tests.support.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": VirtualLoop})


@pytest.fixture
def service() -> AnsweringService:
    return AnsweringService()


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
