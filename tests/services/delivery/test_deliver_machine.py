"""Calls, events, faults, crashes and time in any order: nothing is lost, nothing is written twice.

The real services over a ledger in memory and a model of 1C. Events come in any order, twice, or
not at all; the bridge is killed at any write; 1C loses replies and commits late.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.documents import build_phone_call_draft
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.routing.decision import Rule, Target
from bridge.ports.pbx import RawEvent
from bridge.services.delivery.deliver import Delivery
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.clocks import seconds_of
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents
from tests.support.fakes.onec import Crash, CrashTimer, FakeOneC, RequestOutcome

RULES = DeliveryRules()
ANNA = b.manager()
#: What a cabinet may push of one call; any of them, in any order, any number of times.
PUSHES = {
    "rings": {"event": "1", "dst_type": "2", "short_dst_num": "205"},
    "answers": {"event": "3", "dst_type": "2", "short_dst_num": "205"},
    "leg ends": {"event": "4", "dst_type": "2", "short_dst_num": "205", "status": "NOANSWER"},
    "ends answered": {"event": "2", "status": "ANSWER", "last_called": "205"},
    "ends unanswered": {"event": "2", "status": "NOANSWER", "last_called": "205"},
    "unknown": {"event": "7"},
}


class Delivering(RuleBasedStateMachine):
    """Calls and their events come, 1C fails in any way, the service is killed anywhere."""

    #: How long after a request 1C may still commit it.
    latest: ClassVar[timedelta]
    #: Whether two documents of one call may stand side by side until the final look.
    doubles_for_a_while: ClassVar[bool]
    request_takes: ClassVar[timedelta]

    @initialize(honours_refs=st.booleans())
    def the_world_begins(self, *, honours_refs: bool) -> None:
        self.now = b.NOON
        self.onec = FakeOneC(lambda: self.now, honours_refs, before_request=self.a_request_leaves)
        self.memory = MemoryLedger(lambda: self.now, around_save=self.a_save_may_kill)
        self.began: list[int] = []
        self.called_back: list[int] = []
        self.dismissed = False
        self.loop = asyncio.Runner()
        self.starts()

    @property
    def ledger(self) -> dict[str, OutboxEntry]:
        return self.memory.entries_by_key

    @property
    def calls(self) -> dict[str, PhoneCall]:
        return self.memory.calls_by_key

    def starts(self) -> None:
        """Start the bridge: all it remembers is in the ledger."""
        call_store, self.tracker = build_call_services(
            self.memory, lambda: self.now, RecordedEvents()
        )
        self.delivery = Delivery(
            ledger=self.memory,
            journal=self.onec,
            events=RecordedEvents(),
            clock=lambda: self.now,
            monotonic=seconds_of(lambda: self.now),
            lang="ru",
            zone=UTC,
            rules=RULES,
            reminder_changed=self.tracker.reminder_changed,
        )
        self.loop.run(call_store.load())

    # ------------------------------------------------------------ what happens
    @precondition(lambda self: len(self.began) < 3)
    @rule(known=st.booleans(), asks=st.booleans())
    def a_call_comes(self, *, known: bool, asks: bool) -> None:
        """One client, calls far enough apart to be distinguished."""
        self.now += timedelta(seconds=200)
        self.began.append(int(self.now.timestamp()))
        if asks:
            target = Target("205", ANNA.ref if known else None, ANNA.name)
            self.question_comes(target)

    def question_comes(self, target: Target) -> None:
        asked = b.question(
            asked_time=str(self.began[-1]), arrived_at=self.now, received_at=self.now
        )
        decided = b.decision(target=target, rule=Rule.CONTACT_MANAGER)
        call = self.tracker.open_call(asked, decided)
        stored = self.loop.run(
            self.memory.record_call(call, OutboxEntry(call.key, self.now, self.now))
        )
        self.tracker.mark_recorded(stored)

    @precondition(lambda self: self.began)
    @rule(
        which=st.integers(0, 2),
        name=st.sampled_from(sorted(PUSHES)),
        after=st.sampled_from([0, 1, 12, 60]),
        at_once=st.booleans(),
    )
    def an_event_comes(self, which: int, name: str, after: int, *, at_once: bool = False) -> None:
        """It is applied at once (*at_once*), or stored, as a kill or a bad disk leave it."""
        began = self.began[which % len(self.began)]
        fields = {
            "call_id": f"{began}.{100000 + which % len(self.began)}",
            "timestamp": str(began + after),
            "src_num": "79035550123",
            "src_type": "1",
            "dst_num": "74852550102",
            "dst_type": "1",
            "user_id": "012345",
            "call_start_timestamp": str(began),
            **PUSHES[name],
        }
        raw = RawEvent("sipuni", self.now, tuple(fields.items()))
        if at_once:
            self.onec.crash_timer = CrashTimer()
            self.loop.run(self.tracker.receive(raw))
        else:
            self.memory.stored_events.append(raw)

    @precondition(lambda self: self.began and len(self.called_back) < 2)
    @rule(codes=st.permutations(["1", "3", "2"]), arrived=st.integers(1, 3))
    def the_client_is_called_back(self, codes: list[str], arrived: int) -> None:
        """A colleague calls the client and they talk; some of the events may get lost."""
        self.now += timedelta(seconds=200)
        began = int(self.now.timestamp())
        self.called_back.append(began)
        for code in codes[:arrived]:
            fields = {
                "event": code,
                "call_id": f"{began}.200000",
                "timestamp": str(began + 5 * int(code)),
                "src_num": "012345205",
                "src_type": "2",
                "dst_num": "79035550123",
                "dst_type": "1",
                "user_id": "012345",
                **({"status": "ANSWER", "last_called": "205"} if code == "2" else {}),
            }
            self.memory.stored_events.append(RawEvent("sipuni", self.now, tuple(fields.items())))

    @rule(seconds=st.sampled_from([1, 5, 29, 30, 59, 60, 61, 300, 599, 600, 601]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.onec.commit_late_writes()

    @rule(
        outcomes=st.lists(st.sampled_from(RequestOutcome), max_size=3),
        killed_after=st.one_of(st.none(), st.integers(0, 9)),
        late=st.sampled_from([0.1, 0.5, 0.99, 1.0]),
    )
    def the_bridge_works(
        self, outcomes: list[RequestOutcome], killed_after: int | None, late: float
    ) -> None:
        self.onec.set_outcomes(outcomes)
        self.onec.commit_delay = self.latest * late
        self.onec.crash_timer = CrashTimer(killed_after)
        with suppress(Crash):
            self.works()

    @rule()
    def the_bridge_restarts(self) -> None:
        self.onec.crash_timer = CrashTimer()
        self.starts()

    @rule()
    def a_person_retries_all(self) -> None:
        for key in self.ledger:
            self.memory.retry(key, self.now)

    @rule()
    def a_manager_dismisses_his_reminders(self) -> None:
        self.dismissed = self.dismissed or bool(self.onec.reminders)
        self.onec.dismiss_reminders(ANNA.ref)

    # ------------------------------------------------------------ what must be true
    @invariant()
    def no_entry_is_lost(self) -> None:
        asked = [call.key for call in self.calls.values() if call.has_question]
        assert set(asked) <= self.ledger.keys() <= self.calls.keys()
        for entry in self.ledger.values():
            if entry.state is EntryState.DEAD:
                assert entry.last_error
            if entry.state is EntryState.DELIVERED:
                assert entry.revision == self.calls[entry.key].revision
                assert entry.document in [found.ref for found in self.onec.documents_of(entry.key)]

    @invariant()
    def nobody_sees_two_documents_of_one_call(self) -> None:
        if not self.doubles_for_a_while:
            assert all(len(self.onec.documents_of(key)) <= 1 for key in self.calls)

    @invariant()
    def one_call_of_the_pbx_is_one_call(self) -> None:
        refs = [c.state.call_ref for c in self.calls.values() if c.state.call_ref]
        assert len(refs) == len(set(refs))
        assert len(self.calls) <= len(self.began) + len(self.called_back)

    @invariant()
    def answered_never_turns_into_missed(self) -> None:
        for call in self.calls.values():
            if call.state.talked_extensions:
                assert call.state.disposition in (Disposition.TALKING, Disposition.ANSWERED)

    def teardown(self) -> None:
        """Let everything be delivered: then all of it is in 1C, once, in its present state."""
        with self.loop:
            self.calms_down()

    def calms_down(self) -> None:
        self.onec.set_outcomes([])
        self.onec.crash_timer = CrashTimer()
        self.works()
        # A document is completed once, when its call is over: as UnfinishedCalls does it.
        endless = [c for c in self.calls.values() if not c.state.disposition.is_over]
        self.loop.run(self.tracker.give_up(endless))
        for _ in range(30):
            self.a_person_retries_all()
            self.works()
            self.time_passes(120)
        assert not [
            row
            for row in range(len(self.memory.stored_events))
            if row not in self.memory.event_keys
        ]
        for entry in self.ledger.values():
            assert entry.state is EntryState.DELIVERED
            self.check_delivered(entry)
        for missed_call in self.memory.missed_calls.values():
            self.is_reminded(missed_call)

    def check_delivered(self, entry: OutboxEntry) -> None:
        """One document, with its subject, with all that is known; considered unless one waits."""
        (found,) = self.onec.documents_of(entry.key)
        assert entry.document == found.ref
        assert found.ref in self.onec.subjects
        draft = build_phone_call_draft(self.calls[entry.key], "ru", UTC)
        assert self.onec.texts[found.ref].description == draft.description
        state = self.calls[entry.key].state
        answered = state.disposition is Disposition.ANSWERED and not state.is_lost_in_transfer
        assert self.onec.considered.get(found.ref, False) is answered

    def is_reminded(self, missed_call: MissedCall) -> None:
        """A client who waits has one reminder, unless the manager dismissed it."""
        documents = {
            self.ledger[key].document for key in missed_call.call_keys if key in self.ledger
        }
        there = [kept for kept in self.onec.reminders if kept.document in documents]
        if not missed_call.is_open:
            assert there == []
        elif (
            missed_call.owner is not None
            and missed_call.owner.manager is not None
            and not self.dismissed
        ):
            assert len(there) == 1

    # ------------------------------------------------------------ how it works
    def works(self) -> None:
        """Do what the loops do: apply events, deliver, apply changes of reminders."""
        try:
            self.loop.run(self.tracker.apply_stored_events())
            self.loop.run(self.delivery.drain())
            self.loop.run(self.tracker.apply_stored_events())
        except BaseException:
            self.onec.crash_timer = CrashTimer()
            self.starts()  # killed: all that was in memory is gone
            raise

    def a_request_leaves(self) -> None:
        self.now += self.request_takes

    def a_save_may_kill(self) -> None:
        self.onec.crash_timer.step()


class OneCThatCommitsWithinTheQuiet(Delivering):
    latest = RULES.quiet_period
    doubles_for_a_while = False
    request_takes = timedelta(0)


class OneCThatCommitsMuchLater(Delivering):
    latest = RULES.verify_after - timedelta(seconds=1)
    doubles_for_a_while = True
    request_takes = timedelta(seconds=1)


def late_onec() -> OneCThatCommitsMuchLater:
    """Begin with one known call, before anything of it was sent."""
    world = OneCThatCommitsMuchLater()
    world.the_world_begins(honours_refs=False)
    world.a_call_comes(known=True, asks=True)
    return world


def unmarked(world: Delivering) -> int:
    return sum(len(world.onec.documents_of(key)) for key in world.calls)


@pytest.mark.parametrize("killed_after", [None, 3])
def test_a_duplicate_committed_after_the_quiet_period_is_marked_in_the_end(
    killed_after: int | None,
) -> None:
    world = late_onec()
    world.the_bridge_works([RequestOutcome.COMMITTED_LATE], killed_after, 0.5)
    for _ in range(2):  # a kill makes the quiet begin anew
        world.time_passes(61)
        world.the_bridge_works([], None, 1.0)
    world.time_passes(300)
    assert unmarked(world) == 2

    world.time_passes(601)
    world.the_bridge_works([], None, 1.0)

    assert unmarked(world) == 1
    world.teardown()


def test_the_document_people_were_pointed_at_stays_even_if_it_is_the_younger() -> None:
    world = late_onec()
    between_look_and_create = timedelta(seconds=61.5) / world.latest
    world.the_bridge_works([RequestOutcome.COMMITTED_LATE], None, between_look_and_create)
    world.time_passes(60)
    world.the_bridge_works([], None, 1.0)
    (entry,) = world.ledger.values()
    older, younger = world.onec.documents_of(entry.key)

    world.teardown()

    assert world.ledger[entry.key].document == younger.ref
    assert world.onec.documents_of(entry.key) == [younger]
    assert older.number < younger.number


def test_what_a_kill_left_half_known_is_replaced_and_not_taken_for_a_persons_text() -> None:
    world = late_onec()
    world.the_bridge_works([], None, 1.0)
    world.an_event_comes(0, "ends answered", 0)
    for kill in range(1, 12):  # among them the moment between 1C's commit and our note of it
        world.the_bridge_works([], kill, 1.0)
        world.time_passes(61)
    world.an_event_comes(0, "answers", 12)

    world.teardown()


@pytest.mark.parametrize("killed_after", range(10))
def test_a_kill_between_the_outcome_and_the_next_event_leaves_no_line_twice(
    killed_after: int,
) -> None:
    world = late_onec()
    world.the_bridge_works([], None, 1.0)
    world.an_event_comes(0, "ends answered", 0)
    world.the_bridge_works([], killed_after, 1.0)
    world.an_event_comes(0, "answers", 12)

    world.teardown()


def test_a_retry_does_not_bring_the_verification_forward() -> None:
    world = late_onec()
    world.the_bridge_works([RequestOutcome.COMMITTED_LATE], None, 1.0)
    world.time_passes(61)
    world.the_bridge_works([], None, 1.0)

    world.a_person_retries_all()
    world.the_bridge_works([], None, 1.0)

    assert [entry.stage for entry in world.ledger.values()] == [DeliveryStage.VERIFY]
    world.teardown()


def test_a_call_that_changes_does_not_bring_the_verification_forward() -> None:
    world = late_onec()
    world.the_bridge_works([RequestOutcome.COMMITTED_LATE], None, 1.0)
    world.time_passes(61)
    world.the_bridge_works([], None, 1.0)

    world.loop.run(world.tracker.give_up(list(world.calls.values())))
    world.the_bridge_works([], None, 1.0)

    assert [entry.stage for entry in world.ledger.values()] == [DeliveryStage.VERIFY]
    assert [entry.state for entry in world.ledger.values()] == [EntryState.DUE]
    world.teardown()


def test_a_client_who_was_answered_and_then_rang_unanswered_is_not_considered() -> None:
    world = late_onec()
    for name, after in (("answers", 0), ("leg ends", 0), ("rings", 12), ("ends unanswered", 60)):
        world.an_event_comes(0, name, after)

    world.teardown()

    (call,) = world.calls.values()
    assert call.state.is_lost_in_transfer
    assert set(world.onec.considered.values()) <= {False}


@pytest.mark.parametrize("killed_after", [None, *range(10)])
def test_considered_is_taken_back_when_late_events_say_that_the_client_was_lost(
    killed_after: int | None,
) -> None:
    world = late_onec()
    world.the_bridge_works([], None, 1.0)
    world.an_event_comes(0, "answers", 0)
    world.an_event_comes(0, "ends answered", 60)
    world.the_bridge_works([], killed_after, 1.0)
    if killed_after is None:
        assert set(world.onec.considered.values()) == {True}
    world.an_event_comes(0, "leg ends", 1)
    world.an_event_comes(0, "rings", 12)

    world.teardown()

    (call,) = world.calls.values()
    assert call.state.is_lost_in_transfer
    assert set(world.onec.considered.values()) <= {False}


@pytest.mark.parametrize("outcome", RequestOutcome)
def test_considered_of_an_unknown_outcome_is_taken_back_too(outcome: RequestOutcome) -> None:
    world = late_onec()
    world.the_bridge_works([], None, 1.0)
    world.an_event_comes(0, "answers", 0)
    world.an_event_comes(0, "ends answered", 60)
    # Behind the outcome of the call: a look, and the change.
    world.the_bridge_works([*[RequestOutcome.ANSWERED] * 2, outcome], None, 1.0)
    world.an_event_comes(0, "leg ends", 1)
    world.an_event_comes(0, "rings", 12)

    world.teardown()

    assert set(world.onec.considered.values()) <= {False}


_QUICK = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOneCThatCommitsWithinTheQuiet = OneCThatCommitsWithinTheQuiet.TestCase
TestOneCThatCommitsWithinTheQuiet.settings = _QUICK
TestOneCThatCommitsMuchLater = OneCThatCommitsMuchLater.TestCase
TestOneCThatCommitsMuchLater.settings = _QUICK
