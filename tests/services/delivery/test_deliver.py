"""Every pending entry reaches 1C exactly once, however 1C answers and the service crashes."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.document_drafts import (
    PhoneCallChange,
    PhoneCallDraft,
    ReminderDraft,
    WrittenPhoneCall,
    WrittenReminder,
)
from bridge.domain.delivery.documents import build_reminder_draft, build_ringing_reminders
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
)
from bridge.domain.directory.entities import Ref
from bridge.domain.routing.decision import Target
from bridge.errors import (
    OneCAlreadyExists,
    OneCError,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCSessionsBlocked,
    OneCUnauthorized,
    OneCUnavailable,
    StoreError,
)
from bridge.log_context import current_call_key
from bridge.ports.alarms import Alarm
from bridge.ports.events import EntryChanged, OneCAvailability
from bridge.ports.onec import FoundDocument
from bridge.services.delivery.deliver import Delivery
from tests.support import builders as b
from tests.support.clocks import seconds_of
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents
from tests.support.fakes.onec import Crash, CrashTimer, FakeOneC, RequestOutcome

pytestmark = pytest.mark.anyio

RULES = DeliveryRules(quiet_period=timedelta(seconds=60))
UNAUTHORIZED = OneCUnauthorized("Document_ТелефонныйЗвонок", "wrong password")
UNPUBLISHED = OneCNotPublished("InformationRegister", "no such entity set")


@dataclass(slots=True)
class Hang:
    """Requests about one call that hang until it is over."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class RefusingOneC(FakeOneC):
    """1C that treats some requests in its own way: *rules* see the method and the call's key."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.requests: list[str] = []
        self.judges: list[Callable[[str, str], Exception | None]] = []
        self.hang_of: dict[str, Hang] = {}
        #: Called when 1C has done what a method asked, before the answer is here.
        self.after: dict[str, Callable[[], None]] = {}
        self._keys: dict[Ref, str] = {}

    def hangs(self, call: PhoneCall) -> "Hang":
        return self.hang_of.setdefault(call.key, Hang())

    def answers(self, error: Exception, *, to: Iterable[str], of: PhoneCall | None = None) -> None:
        """Answer *error* to the methods *to*, about the call *of* or any."""
        methods = tuple(to)

        def judge(method: str, key: str) -> Exception | None:
            return error if method in methods and (of is None or of.key == key) else None

        self.judges.append(judge)

    def is_well(self) -> None:
        self.judges.clear()

    async def find_phone_calls(self, draft: PhoneCallDraft) -> list[FoundDocument]:
        await self._judge("find", draft.key)
        found = list(await super().find_phone_calls(draft))
        self.after.get("find", lambda: None)()
        return found

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        await self._judge("document", draft.key)
        made = await super().create_phone_call(draft)
        self._keys[made] = draft.key
        self.after.get("document", lambda: None)()
        return made

    async def set_deletion_mark(self, document: Ref) -> None:
        await self._judge("mark", self._keys.get(document, ""))
        await super().set_deletion_mark(document)

    async def create_subject(self, document: Ref) -> None:
        await self._judge("subject", self._keys.get(document, ""))
        await super().create_subject(document)

    async def create_reminder(self, draft: ReminderDraft) -> None:
        await self._judge("reminder", self._keys.get(draft.document, ""))
        await super().create_reminder(draft)

    async def has_subject(self, document: Ref) -> bool:
        await self._judge("has subject", self._keys.get(document, ""))
        return await super().has_subject(document)

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        await self._judge("has reminder", self._keys.get(draft.document, ""))
        return await super().has_reminder(draft)

    async def read_phone_call(self, document: Ref) -> WrittenPhoneCall | None:
        await self._judge("read", self._keys.get(document, ""))
        return await super().read_phone_call(document)

    async def change_phone_call(self, document: Ref, change: PhoneCallChange) -> None:
        await self._judge("change", self._keys.get(document, ""))
        await super().change_phone_call(document, change)

    async def set_considered(self, document: Ref, *, considered: bool) -> None:
        await self._judge("consider", self._keys.get(document, ""))
        await super().set_considered(document, considered=considered)

    async def read_reminder(self, draft: ReminderDraft) -> WrittenReminder | None:
        await self._judge("read reminder", self._keys.get(draft.document, ""))
        return await super().read_reminder(draft)

    async def change_reminder(self, draft: ReminderDraft) -> bool:
        await self._judge("change reminder", self._keys.get(draft.document, ""))
        return await super().change_reminder(draft)

    async def delete_reminder(self, draft: ReminderDraft) -> bool:
        await self._judge("withdraw", self._keys.get(draft.document, ""))
        return await super().delete_reminder(draft)

    async def _judge(self, method: str, key: str) -> None:
        self.requests.append(method)
        if hang := self.hang_of.get(key):
            hang.reached.set()
            await hang.over.wait()
        for judge in self.judges:
            if error := judge(method, key):
                raise error


class DeliverySetup:
    """Delivery over a ledger in memory and a model of 1C, with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = b.NOON
        self.onec = RefusingOneC(lambda: self.now)
        self.ledger = MemoryLedger(lambda: self.now)
        self.events = RecordedEvents()
        self.delivery = self.start()

    def start(self, poll_interval: timedelta = timedelta(seconds=1)) -> Delivery:
        """Start the bridge, anew after a crash."""
        self.delivery = Delivery(
            ledger=self.ledger,
            journal=self.onec,
            events=self.events,
            clock=lambda: self.now,
            monotonic=seconds_of(lambda: self.now),
            lang="ru",
            zone=UTC,
            rules=RULES,
            poll_interval=poll_interval,
        )
        return self.delivery

    def add_calls(self, count: int = 1, *, manager: bool = True) -> list[PhoneCall]:
        target = Target("205", b.manager().ref if manager else None)
        calls = []
        for number in range(len(self.ledger.calls_by_key), len(self.ledger.calls_by_key) + count):
            asked = b.question(asked_time=str(number))
            calls.append(b.call(asked, b.decision(target=target)))
            self.ledger.add_entry(calls[-1], self.now)
        return calls

    async def advance(self, **time: float) -> None:
        """Let time pass, delivering as the scheduler does: at the end of it."""
        self.now += timedelta(**time)
        self.onec.commit_late_writes()
        await self.delivery.drain()

    async def deliver_all(self) -> None:
        for _ in range(12):
            await self.advance(minutes=2)

    def state(self, call: PhoneCall) -> tuple[EntryState, DeliveryStage]:
        entry = self.ledger.entries_by_key[call.key]
        return entry.state, entry.stage

    def is_whole(self, call: PhoneCall) -> bool:
        """Whether 1C has one document of *call*, its subject and the reminder it deserves."""
        documents = [found.ref for found in self.onec.documents_of(call.key)]
        if len(documents) != 1:
            return False
        expected = [
            build_reminder_draft(call, ringing.user, ringing.text, documents[0])
            for ringing in build_ringing_reminders(call, "ru")
        ]
        kept = [r for r in self.onec.reminders if self.onec.documents[r.document][0] == call.key]
        return documents[0] in self.onec.subjects and kept == expected

    def availability(self) -> list[bool]:
        return [outcome.available for outcome in self.events.of(OneCAvailability)]

    def alarms(self) -> list[tuple[str, bool]]:
        return [(alarm.name, alarm.clear) for alarm in self.events.of(Alarm)]


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
