"""A refusal that is the same for all costs 1C a few requests a minute, whatever is pending."""

from collections import Counter
from datetime import timedelta

import pytest

from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.errors import (
    OneCError,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)
from bridge.ports.alarms import Alarm
from tests.services.delivery.delivery_fixture import DeliverySetup

pytestmark = pytest.mark.anyio

ENTRIES = 300
DOCUMENT = ["document", "find"]
SUBJECT = ["subject", "has subject"]
REMINDER = ["reminder", "has reminder"]
NO_RIGHT = OneCUnauthorized("InformationRegister", "Нарушение прав доступа")
UNPUBLISHED = OneCNotPublished("InformationRegister", "no such entity set")
BUSINESS = OneCRejected("1c", "Запись запрещена настройкой", status=500, code="-1")
NO_PATCH = OneCRejected("1c", "this server does not take such requests", status=405, code="")


@pytest.fixture
def env() -> DeliverySetup:
    return DeliverySetup()


async def minutes_of(env: DeliverySetup, methods: list[str], minutes: int = 10) -> list[int]:
    """Let *minutes* pass as the scheduler does; give the requests of *methods* in each."""
    counted = []
    for _ in range(minutes):
        env.onec.requests.clear()
        for _ in range(60):
            await env.advance(seconds=1)
        sent = Counter(env.onec.requests)
        counted.append(sum(sent[method] for method in methods))
    return counted


@pytest.mark.parametrize(
    ("error", "methods", "first", "later"),
    [
        pytest.param(NO_RIGHT, SUBJECT, 6, 2, id="no right on the register"),
        pytest.param(NO_RIGHT, REMINDER, 6, 2, id="no right on reminders"),
        pytest.param(NO_RIGHT, DOCUMENT, 3, 3, id="no right on documents, or a wrong password"),
        pytest.param(UNPUBLISHED, SUBJECT, 6, 2, id="the register is not published"),
        pytest.param(UNPUBLISHED, DOCUMENT, 3, 3, id="documents are not published"),
        pytest.param(BUSINESS, DOCUMENT, 9, 3, id="a handler refuses every document"),
        pytest.param(BUSINESS, SUBJECT, 9, 3, id="a handler refuses every record"),
        pytest.param(NO_PATCH, REMINDER, 9, 3, id="the server takes no such request"),
        pytest.param(OneCUnavailable("1c", "refused"), DOCUMENT, 10, 8, id="1C is down"),
        pytest.param(
            OneCSessionsBlocked("1c", "обновление"), DOCUMENT, 10, 8, id="sessions are blocked"
        ),
        pytest.param(
            OneCInvalidResponse("1c", "a page"), DOCUMENT, 10, 8, id="a page that is not 1C's"
        ),
    ],
)
async def test_what_1c_refuses_to_all_is_tried_by_one_at_a_time(
    env: DeliverySetup, error: OneCError, methods: list[str], first: int, later: int
) -> None:
    env.add_calls(ENTRIES)
    env.onec.answers(error, to=methods)

    counted = await minutes_of(env, methods)

    assert counted[0] <= first
    assert max(counted[1:]) <= later
    assert min(counted) >= 1  # somebody looks whether it is over


@pytest.mark.parametrize(
    ("error", "methods"),
    [(NO_RIGHT, SUBJECT), (UNPUBLISHED, REMINDER), (NO_RIGHT, DOCUMENT), (NO_PATCH, REMINDER)],
)
async def test_when_it_is_over_all_go_on_within_two_minutes_and_once(
    env: DeliverySetup, error: OneCError, methods: list[str]
) -> None:
    calls = env.add_calls(ENTRIES)
    env.onec.answers(error, to=methods)
    await minutes_of(env, methods, 5)

    env.onec.is_well()
    await minutes_of(env, methods, 2)

    dead = [c for c in calls if env.ledger.entries_by_key[c.key].state is EntryState.DEAD]
    assert len(dead) <= (2 if isinstance(error, OneCRejected) else 0)
    assert all(env.is_whole(call) for call in calls if call not in dead)
    assert env.alarms() == [("onec_refuses", False), ("onec_refuses", True)]


async def test_a_stopped_stage_keeps_no_other_waiting(env: DeliverySetup) -> None:
    env.add_calls(ENTRIES)
    env.onec.answers(NO_RIGHT, to=SUBJECT)
    await minutes_of(env, SUBJECT, 2)
    fresh = env.add_calls(3)

    await env.advance(seconds=1)

    assert all(len(env.onec.documents_of(call.key)) == 1 for call in fresh)


async def test_one_call_that_1c_refuses_stops_nobody(env: DeliverySetup) -> None:
    refused = env.add_calls(2)
    others = env.add_calls(20)
    for call in refused:
        env.onec.answers(BUSINESS, to=["document"], of=call)

    await env.delivery.drain()

    assert [env.state(call)[0] for call in refused] == [EntryState.DEAD] * 2
    assert all(env.is_whole(call) for call in others)
    assert not env.events.of(Alarm)


async def test_many_calls_with_a_fault_of_their_own_let_the_others_through(
    env: DeliverySetup,
) -> None:
    refused = env.add_calls(60)
    others = env.add_calls(20)
    env.now += timedelta(minutes=2)  # none is fresh, so the refused ones are tried first
    for call in refused:
        env.onec.answers(BUSINESS, to=["document"], of=call)

    await minutes_of(env, DOCUMENT, 1)
    assert all(env.is_whole(call) for call in others)

    await minutes_of(env, DOCUMENT, 60)

    assert all(env.is_whole(call) for call in others)
    assert [env.state(call) for call in refused] == [(EntryState.DEAD, DeliveryStage.DOCUMENT)] * 60


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=2)], ids=["fresh", "older"])
@pytest.mark.parametrize(
    ("before", "behind"), [(0, 60), (60, 0), (30, 30)], ids=["the newest", "the oldest", "both"]
)
async def test_calls_between_many_with_a_fault_of_their_own_do_not_wait_for_hours(
    env: DeliverySetup, before: int, behind: int, age: timedelta
) -> None:
    refused = env.add_calls(before)
    others = env.add_calls(20)
    refused += env.add_calls(behind)
    env.now += age
    for call in refused:
        env.onec.answers(BUSINESS, to=["document"], of=call)

    await minutes_of(env, DOCUMENT, 20)

    assert all(env.is_whole(call) for call in others)


async def test_what_stays_paused_is_tried_on_when_1c_accepts_another_call(
    env: DeliverySetup,
) -> None:
    """After the last good call nothing tells a fault of their own from one of 1C: none is given up.

    Each call that 1C accepts later tells it of nine more.
    """
    refused = env.add_calls(60)
    others = env.add_calls(20)  # fresh, so they are delivered first
    for call in refused:
        env.onec.answers(BUSINESS, to=["document"], of=call)
    await minutes_of(env, DOCUMENT, 20)
    assert all(env.is_whole(call) for call in others)
    assert Counter(env.state(call)[0] for call in refused) == {
        EntryState.DUE: 58,
        EntryState.DEAD: 2,
    }

    for _ in range(7):
        env.add_calls()
        await minutes_of(env, DOCUMENT, 5)

    assert {env.state(call)[0] for call in refused} == {EntryState.DEAD}


async def test_refusals_that_differ_in_names_and_numbers_alone_are_the_same(
    env: DeliverySetup,
) -> None:
    calls = env.add_calls(ENTRIES)
    for at, call in enumerate(calls):
        message = f"Не заполнено поле «Поле {at}» в документе {at:09d}"
        env.onec.answers(
            OneCRejected("1c", message, status=500, code="-1"), to=["document"], of=call
        )

    counted = await minutes_of(env, DOCUMENT, 3)

    assert counted[0] <= 9


async def test_a_restart_resumes_paused_entries(env: DeliverySetup) -> None:
    calls = env.add_calls(20)
    env.onec.answers(NO_RIGHT, to=SUBJECT)
    await env.delivery.drain()
    env.onec.is_well()

    await env.start().drain()

    assert all(env.is_whole(call) for call in calls)
