"""Every pending entry reaches 1C exactly once, however 1C answers and the service crashes."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bridge.domain.delivery.entry import (
    DeliveryStage,
    EntryState,
)
from bridge.errors import (
    OneCAlreadyExists,
    StoreError,
)
from bridge.log_context import current_call_key
from bridge.ports.events import EntryChanged
from tests.services.delivery.delivery_fixture import DeliverySetup
from tests.support.fakes.onec import Crash, CrashTimer, RequestOutcome

pytestmark = pytest.mark.anyio


@pytest.fixture
def env() -> DeliverySetup:
    return DeliverySetup()


# ---------------------------------------------------------------- when all is well
async def test_a_call_becomes_one_document_with_subject_and_reminder(env: DeliverySetup) -> None:
    (call,) = env.add_calls()

    await env.delivery.drain()

    assert env.onec.requests == ["document", "subject", "reminder"]
    assert env.is_whole(call)
    assert env.state(call) == (EntryState.DELIVERED, DeliveryStage.REMINDER)
    moved = [event.entry.stage for event in env.events.of(EntryChanged)]
    assert moved == [DeliveryStage.SUBJECT, DeliveryStage.REMINDER, DeliveryStage.REMINDER]


async def test_without_an_owner_of_the_extension_no_reminder_is_created(env: DeliverySetup) -> None:
    (call,) = env.add_calls(manager=False)

    await env.delivery.drain()

    assert env.onec.requests == ["document", "subject"]
    assert env.is_whole(call)
    assert env.state(call) == (EntryState.DELIVERED, DeliveryStage.SUBJECT)


async def test_a_second_drain_finds_nothing_to_do(env: DeliverySetup) -> None:
    env.add_calls(3)
    assert await env.delivery.drain() == 3

    assert await env.delivery.drain() == 0
    assert len(env.onec.requests) == 9


async def test_drains_do_not_overlap(env: DeliverySetup) -> None:
    calls = env.add_calls(5)

    await asyncio.gather(*(env.delivery.drain() for _ in range(3)))

    assert all(env.is_whole(call) for call in calls)
    assert len(env.onec.requests) == 15


# ---------------------------------------------------------------- lost and late replies
@pytest.mark.parametrize("lost_at", [0, 1, 2])
async def test_a_lost_reply_is_healed_by_looking(env: DeliverySetup, lost_at: int) -> None:
    (call,) = env.add_calls()
    env.onec.set_outcomes([*[RequestOutcome.ANSWERED] * lost_at, RequestOutcome.REPLY_LOST])

    await env.delivery.drain()
    await env.advance(seconds=5)

    assert env.is_whole(call)
    created = [r for r in env.onec.requests if r in ("document", "subject", "reminder")]
    assert created == ["document", "subject", "reminder"]


async def test_nothing_found_is_created_again_only_after_the_quiet_period(
    env: DeliverySetup,
) -> None:
    (call,) = env.add_calls()
    env.onec.set_outcomes([RequestOutcome.NEVER_COMMITTED])
    await env.delivery.drain()

    for _ in range(4):
        await env.advance(seconds=13)
    assert env.onec.requests.count("document") == 1

    await env.deliver_all()
    assert env.onec.requests.count("document") == 2
    assert env.is_whole(call)


async def test_a_slow_search_does_not_shorten_the_quiet_period(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    env.onec.set_outcomes([RequestOutcome.COMMITTED_LATE])
    env.onec.commit_delay = timedelta(seconds=59)
    await env.delivery.drain()

    def travels_for_four_seconds() -> None:
        env.now += timedelta(seconds=4)

    env.onec.after["find"] = travels_for_four_seconds
    env.now += timedelta(seconds=58)
    env.ledger.retry(call.key, env.now)
    await env.delivery.drain()
    await env.advance(seconds=1)
    env.ledger.retry(call.key, env.now)
    await env.delivery.drain()

    assert env.onec.requests.count("document") == 1
    assert env.is_whole(call)


async def test_a_late_commit_is_marked_and_the_one_people_see_stays(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    env.onec.set_outcomes([RequestOutcome.COMMITTED_LATE])
    env.onec.commit_delay = timedelta(seconds=300)
    await env.delivery.drain()
    await env.advance(seconds=61)
    await env.advance(seconds=300)
    kept = env.ledger.entries_by_key[call.key].document
    assert len(env.onec.documents_of(call.key)) == 2

    await env.deliver_all()

    assert [found.ref for found in env.onec.documents_of(call.key)] == [kept]
    assert env.is_whole(call)
    assert env.state(call) == (EntryState.DELIVERED, DeliveryStage.VERIFY)


@pytest.mark.parametrize("stage", [1, 2])
async def test_exists_already_is_believed_after_reading(env: DeliverySetup, stage: int) -> None:
    (call,) = env.add_calls()
    await env.delivery.drain()
    delivered = env.ledger.entries_by_key[call.key]
    lost: dict[str, Any] = {"subject_written": False} if stage == 1 else {"reminders": ()}
    env.ledger.entries_by_key[call.key] = replace(delivered, state=EntryState.DUE, **lost)
    env.onec.requests.clear()

    await env.delivery.drain()

    assert env.onec.requests[1] == ("has subject", "change reminder")[stage - 1]
    assert env.state(call)[0] is EntryState.DELIVERED
    assert env.is_whole(call)


async def test_exists_already_with_nothing_there_is_a_refusal(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    exists = OneCAlreadyExists("register", "exists", status=400, code="15")
    env.onec.answers(exists, to=["subject"])

    await env.delivery.drain()

    assert env.state(call) == (EntryState.DEAD, DeliveryStage.SUBJECT)


async def test_a_proposed_reference_that_is_taken_is_ours(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    env.onec.accepts_proposed_refs = True
    await env.delivery.drain()
    delivered = env.ledger.entries_by_key[call.key]
    env.ledger.add_entry(call, env.now)

    await env.delivery.drain()

    assert env.ledger.entries_by_key[call.key].document == delivered.document
    assert env.is_whole(call)


async def test_a_document_that_a_person_marked_is_not_written_anew(env: DeliverySetup) -> None:
    env.add_calls()
    env.onec.set_outcomes([RequestOutcome.REPLY_LOST])
    await env.delivery.drain()
    (document,) = env.onec.documents
    await env.onec.set_deletion_mark(document)

    await env.deliver_all()

    assert list(env.onec.documents) == [document]


# ---------------------------------------------------------------- crashes
@pytest.mark.parametrize(
    "outcome",
    [
        RequestOutcome.ANSWERED,
        RequestOutcome.REPLY_LOST,
        RequestOutcome.NEVER_COMMITTED,
        RequestOutcome.UNREACHABLE,
    ],
)
@pytest.mark.parametrize("steps", range(18))
async def test_a_crash_between_any_two_steps_doubles_and_loses_nothing(
    env: DeliverySetup, steps: int, outcome: RequestOutcome
) -> None:
    first, second = env.add_calls(2)
    fuse = env.onec.crash_timer = CrashTimer(steps)
    env.ledger.around_save = fuse.step
    env.onec.set_outcomes([outcome])
    with pytest.raises(Crash):
        await env.deliver_all()

    env.onec.crash_timer = CrashTimer()
    env.ledger.around_save = lambda: None
    env.start()
    await env.deliver_all()

    assert env.is_whole(first)
    assert env.is_whole(second)
    assert {entry.state for entry in env.ledger.entries_by_key.values()} == {EntryState.DELIVERED}


async def test_a_failed_save_stops_the_drain_and_the_next_drain_recovers_the_entry(
    env: DeliverySetup,
) -> None:
    calls = env.add_calls(4)
    saves = iter([False] * 3 + [True])

    def disk_fills_up() -> None:
        if next(saves, False):
            raise StoreError("ledger.db", "disk full")

    env.ledger.around_save = disk_fills_up
    with pytest.raises(StoreError):
        await env.delivery.drain()

    await env.deliver_all()

    assert all(env.is_whole(call) for call in calls)


async def test_a_drain_that_is_cancelled_leaves_nobody_sending(env: DeliverySetup) -> None:
    first, second = env.add_calls(2)
    hang = env.onec.hangs(first)
    drain = asyncio.create_task(env.delivery.drain())
    await hang.reached.wait()
    assert env.state(first)[0] is EntryState.SENDING

    drain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drain
    hang.over.set()
    await env.deliver_all()

    assert env.is_whole(first)
    assert env.is_whole(second)


# ---------------------------------------------------------------- a person
async def test_what_a_person_dropped_meanwhile_does_not_rise_again(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    hang = env.onec.hangs(call)
    drain = asyncio.create_task(env.delivery.drain())
    await hang.reached.wait()
    await env.ledger.drop_entry(call.key)

    hang.over.set()
    await drain

    assert not env.ledger.entries_by_key
    assert env.onec.requests == ["document"]
    assert not env.events.of(EntryChanged)


async def test_a_lost_reference_is_looked_for(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    await env.delivery.drain()
    broken = replace(env.ledger.entries_by_key[call.key], state=EntryState.DUE, document=None)
    env.ledger.entries_by_key[call.key] = broken

    await env.deliver_all()

    assert env.is_whole(call)
    assert env.state(call)[0] is EntryState.DELIVERED


# ---------------------------------------------------------------- logs
async def test_every_log_line_of_a_delivery_names_its_call(env: DeliverySetup) -> None:
    (call,) = env.add_calls()
    seen: list[str] = []

    def sees(*_: object) -> Exception | None:
        seen.append(current_call_key())
        return None

    env.onec.judges.append(sees)

    await env.delivery.drain()

    assert set(seen) == {call.key}
    assert current_call_key() == ""
