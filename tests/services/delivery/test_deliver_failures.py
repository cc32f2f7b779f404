"""1C is away, refuses a call, a right or the user: what waits, what is dead, what alarms."""

import asyncio
import logging
from datetime import timedelta

import pytest

from bridge.domain.delivery.entry import (
    DeliveryStage,
    EntryState,
)
from bridge.errors import (
    OneCError,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
)
from bridge.ports.alarms import Alarm
from bridge.ports.events import EntryChanged, OneCAvailability
from tests.services.delivery.delivery_fixture import DeliverySetup
from tests.support.fakes.onec import RequestOutcome

pytestmark = pytest.mark.anyio

UNAUTHORIZED = OneCUnauthorized("Document_ТелефонныйЗвонок", "wrong password")
UNPUBLISHED = OneCNotPublished("InformationRegister", "no such entity set")


@pytest.fixture
def env() -> DeliverySetup:
    return DeliverySetup()


# ---------------------------------------------------------------- 1C is away
async def test_hours_without_1c_cost_two_log_lines_and_no_call(
    env: DeliverySetup, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    calls = env.add_calls(20)
    env.onec.answers(OneCUnavailable("1c", "connection refused"), to=["document"])
    for _ in range(400):
        await env.advance(seconds=30)
    env.onec.is_well()
    for _ in range(30):
        await env.advance(seconds=1)

    assert all(env.is_whole(call) for call in calls)
    assert [record.message for record in caplog.records] == ["onec_down", "onec_up"]
    assert env.availability() == [False, True]
    assert {entry.attempts for entry in env.ledger.entries_by_key.values()} == {0}


async def test_an_open_breaker_tries_one_request_at_a_time(env: DeliverySetup) -> None:
    env.add_calls(20)
    env.onec.answers(OneCUnavailable("1c", "connection refused"), to=["document"])
    await env.delivery.drain()
    assert len(env.onec.requests) <= 2  # as many as were in flight at once

    asked: list[int] = []
    for _ in range(120):
        env.onec.requests.clear()
        await env.advance(seconds=1)
        asked.append(len(env.onec.requests))

    assert max(asked) == 1
    assert sum(asked[60:]) == 3  # every 20 s in the end


async def test_what_was_never_tried_is_delivered_in_the_order_of_the_calls(
    env: DeliverySetup,
) -> None:
    calls = env.add_calls(12)
    env.now += timedelta(minutes=2)  # none of them is fresh any more
    fresh = env.add_calls(3)

    await env.delivery.drain()

    documents = [marker for marker, _ in env.onec.documents.values()]
    assert documents == [call.key for call in [*reversed(fresh), *calls]]


@pytest.mark.parametrize(
    "error",
    [
        OneCOutcomeUnknown("1c", "timed out"),
        OneCUnavailable("1c", "503"),
        OneCInvalidResponse("1c", "not JSON"),
        KeyError("d"),
    ],
)
async def test_one_poisoned_call_does_not_stop_the_others(
    env: DeliverySetup, error: Exception
) -> None:
    poisoned, *others = env.add_calls(30)
    env.onec.answers(error, to=["document"], of=poisoned)

    for _ in range(20):
        await env.advance(seconds=2)

    assert all(env.is_whole(call) for call in others)
    assert not env.onec.documents_of(poisoned.key)


async def test_a_request_that_hangs_does_not_keep_fresh_calls_waiting(env: DeliverySetup) -> None:
    delivery = env.start(poll_interval=timedelta(milliseconds=1))
    (stuck,) = env.add_calls()
    hang = env.onec.hangs(stuck)
    drain = asyncio.create_task(delivery.drain())
    await hang.reached.wait()
    (fresh,) = env.add_calls()

    await env.events.wait_for(EntryChanged, lambda moved: moved.entry.state is EntryState.DELIVERED)
    assert env.is_whole(fresh)
    assert env.state(stuck)[0] is EntryState.SENDING

    hang.over.set()
    await asyncio.wait_for(drain, 5)
    assert env.is_whole(stuck)


async def test_blocked_sessions_are_waited_out(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    env.onec.answers(OneCSessionsBlocked("1c", "обновление до 23:00"), to=["document"])
    await env.deliver_all()
    assert env.state(call) == (EntryState.DUE, DeliveryStage.DOCUMENT)
    assert "обновление до 23:00" in env.events.of(OneCAvailability)[0].message

    env.onec.is_well()
    await env.advance(seconds=60)

    assert env.is_whole(call)
    assert env.availability() == [False, True]


# ---------------------------------------------------------------- refusals
async def test_a_refused_call_is_dead_with_1cs_message_and_the_others_go_on(
    env: DeliverySetup,
) -> None:
    refused, *others = env.add_calls(5)
    error = OneCRejected("1c", "Период закрыт", status=500, code="-1")
    env.onec.answers(error, to=["document"], of=refused)

    await env.delivery.drain()

    assert env.state(refused) == (EntryState.DEAD, DeliveryStage.DOCUMENT)
    assert "Период закрыт" in env.ledger.entries_by_key[refused.key].last_error
    assert all(env.is_whole(call) for call in others)


async def test_a_refusal_shows_that_1c_is_back(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    env.onec.set_outcomes([RequestOutcome.UNREACHABLE, RequestOutcome.REFUSED])

    await env.delivery.drain()
    await env.advance(seconds=5)

    assert env.state(call)[0] is EntryState.DEAD
    assert env.availability() == [False, True]


async def test_a_mistake_of_ours_about_one_call_is_shown_to_a_person(
    env: DeliverySetup, caplog: pytest.LogCaptureFixture
) -> None:
    (call,) = env.add_calls()
    env.onec.answers(KeyError("Ref_Key"), to=["document"])

    await env.delivery.drain()

    assert env.state(call)[0] is EntryState.DEAD
    assert "KeyError" in env.ledger.entries_by_key[call.key].last_error
    assert caplog.records[0].exc_info is not None


async def test_a_misread_response_creates_no_second_document(env: DeliverySetup) -> None:
    (call,) = env.add_calls()

    def is_misread() -> None:
        raise KeyError("Ref_Key")

    env.onec.after["document"] = is_misread
    await env.delivery.drain()
    env.onec.after.clear()
    env.ledger.retry(call.key, env.now)
    await env.deliver_all()

    assert env.is_whole(call)


@pytest.mark.parametrize("committed", [RequestOutcome.REPLY_LOST, RequestOutcome.NEVER_COMMITTED])
async def test_a_dead_one_that_may_have_been_sent_is_looked_for_on_retry(
    env: DeliverySetup, committed: RequestOutcome
) -> None:
    (call,) = env.add_calls()
    env.onec.set_outcomes([committed])
    await env.delivery.drain()
    error = OneCRejected("1c", "Отказ", status=500, code="-1")
    env.onec.answers(error, to=["find"])
    await env.advance(seconds=5)
    assert env.state(call)[0] is EntryState.DEAD

    env.onec.is_well()
    env.onec.requests.clear()
    env.ledger.retry(call.key, env.now)
    await env.delivery.drain()
    assert env.onec.requests[0] == "find"
    await env.deliver_all()

    assert env.is_whole(call)


async def test_nonsense_for_an_answer_is_looked_for_before_it_is_sent_again(
    env: DeliverySetup,
) -> None:
    (call,) = env.add_calls()
    env.onec.answers(OneCInvalidResponse("1c", "201 without a reference"), to=["document"])
    await env.delivery.drain()
    env.onec.is_well()
    env.onec.requests.clear()

    await env.advance(seconds=5)
    assert env.onec.requests == ["find"]
    await env.deliver_all()

    assert env.is_whole(call)


# ---------------------------------------------------------------- rights and the publication
async def test_a_rejected_user_burns_nothing_and_recovers(env: DeliverySetup) -> None:
    calls = env.add_calls(10)
    env.onec.answers(UNAUTHORIZED, to=["document", "find"])
    for _ in range(60):
        await env.advance(seconds=30)
    assert len(env.onec.requests) <= 2 + 30
    assert env.alarms() == [("onec_refuses", False)]
    assert {entry.state for entry in env.ledger.entries_by_key.values()} == {EntryState.DUE}

    env.onec.is_well()
    await env.deliver_all()

    assert all(env.is_whole(call) for call in calls)
    assert env.onec.requests.count("find") == 0
    assert env.alarms() == [("onec_refuses", False), ("onec_refuses", True)]
    assert env.availability() == [False, True]


@pytest.mark.parametrize("register", ["subject", "reminder"])
@pytest.mark.parametrize("error", [UNAUTHORIZED, UNPUBLISHED])
async def test_a_closed_register_does_not_keep_documents_waiting(
    env: DeliverySetup, register: str, error: OneCError
) -> None:
    calls = env.add_calls(10)
    env.onec.answers(error, to=[register])

    await env.delivery.drain()

    assert all(len(env.onec.documents_of(call.key)) == 1 for call in calls)
    assert [clear for _, clear in env.alarms()] == [False]
    assert not env.availability()

    env.onec.is_well()
    await env.deliver_all()
    assert all(env.is_whole(call) for call in calls)
    assert [clear for _, clear in env.alarms()] == [False, True]


async def test_an_unpublished_document_opens_the_breaker(env: DeliverySetup) -> None:
    calls = env.add_calls(50)
    env.onec.answers(UNPUBLISHED, to=["document"])

    for _ in range(60):
        await env.advance(seconds=1)
    assert len(env.onec.requests) <= 3

    env.onec.is_well()
    await env.deliver_all()
    assert all(env.is_whole(call) for call in calls)


async def test_an_alarm_is_raised_anew_where_the_kind_of_error_changes(env: DeliverySetup) -> None:
    env.add_calls()
    env.onec.answers(UNPUBLISHED, to=["subject"])
    await env.delivery.drain()
    env.onec.is_well()
    env.onec.answers(UNAUTHORIZED, to=["subject"])
    await env.deliver_all()
    env.onec.is_well()
    await env.deliver_all()

    alarms = env.events.of(Alarm)
    assert [(alarm.subject, alarm.clear) for alarm in alarms] == [
        ("subject", False),
        ("subject", False),
        ("subject", True),
    ]
    assert alarms[1].message == str(UNAUTHORIZED)


async def test_an_alarm_stays_while_another_stage_still_has_it(env: DeliverySetup) -> None:
    env.add_calls()
    env.onec.answers(UNPUBLISHED, to=["reminder"])
    await env.delivery.drain()
    env.add_calls()
    env.onec.answers(UNPUBLISHED, to=["subject"])
    await env.delivery.drain()

    env.onec.judges.pop()
    await env.deliver_all()
    alarms = [(alarm.subject, alarm.clear) for alarm in env.events.of(Alarm)]
    assert alarms == [("reminder", False), ("subject", False), ("subject", True)]

    env.onec.is_well()
    await env.deliver_all()
    assert [clear for _, clear in env.alarms()] == [False, False, True, True]
