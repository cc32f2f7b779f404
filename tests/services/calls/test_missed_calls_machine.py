"""Misses, talks, changes in 1C, dismissals and kills in any order: nobody waits unreminded of.

The real services over a ledger in memory and a model of 1C, whose people and partners change.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.domain.delivery.entry import DeliveryRules, OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.phone.callers import read_caller
from bridge.domain.routing.decision import RouteDecision, RouteQuestion, Rule, Target
from bridge.ports.pbx import RawEvent
from bridge.services.delivery.deliver import Delivery
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.clocks import seconds_of
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents
from tests.support.fakes.onec import Crash, CrashTimer, FakeOneC, RequestOutcome

#: Two numbers of one partner, as long as 1C has the partner.
CLIENTS = ("79035550123", "79035550124")
STAFF = {
    extension: b.manager(name, extension)
    for extension, name in (("205", "Анна"), ("206", "Борис"), ("207", "Вера"))
}
#: Whose telephone rings when 1C names no manager; who has it never leaves.
DEFAULT = "207"


@dataclass(frozen=True)
class Truth:
    """What really happened.

    The client was missed, talked to, or called in vain, by the PBX's clock.
    """

    number: str
    began: datetime
    over: datetime
    missed: bool
    talked: bool


class Missing(RuleBasedStateMachine):
    """The client is missed and called back, 1C changes, reminders are dismissed."""

    @initialize()
    def the_world_begins(self) -> None:
        self.now = b.NOON
        self.onec = FakeOneC(lambda: self.now)
        self.memory = MemoryLedger(lambda: self.now, around_save=self.a_save_may_kill)
        self.managers = dict(STAFF)
        self.named: str | None = "205"
        self.has_partner = True
        self.truth: dict[str, Truth] = {}
        self.dismissed = False
        self.loop = asyncio.Runner()
        self.starts()

    def starts(self) -> None:
        """Start the bridge: all it remembers is in the ledger."""
        self.onec.crash_timer = CrashTimer()
        call_store, self.tracker = build_call_services(
            self.memory,
            lambda: self.now,
            RecordedEvents(),
            decide=self.decide,
            managers=self.staff,
        )
        self.delivery = Delivery(
            ledger=self.memory,
            journal=self.onec,
            events=RecordedEvents(),
            clock=lambda: self.now,
            lang="ru",
            zone=UTC,
            rules=DeliveryRules(),
            reminder_changed=self.tracker.reminder_changed,
            monotonic=seconds_of(lambda: self.now),
        )
        self.loop.run(call_store.load())

    # ------------------------------------------------------------ 1C as it stands now
    def staff(self) -> Mapping[Ref, Manager]:
        return b.rows(*self.managers.values())

    def decide(self, question: RouteQuestion) -> RouteDecision:
        del question
        partner, person = b.partner(manager=None), b.contact(partner="ООО Ромашка")
        candidate = b.candidate(person, [partner] if self.has_partner else [])
        named = self.managers.get(self.named or "")
        if self.has_partner and named is not None and named.is_reachable:
            target = Target(named.extension or "", named.ref, named.name)
            return b.decision(candidate, target=target, rule=Rule.CONTACT_MANAGER)
        default = self.managers[DEFAULT]
        fallback = Target(DEFAULT, default.ref, default.name)
        return RouteDecision(Rule.DEFAULT, fallback=fallback, candidates=(candidate,))

    @rule(extension=st.sampled_from([None, "205", "206"]))
    def another_manager_is_named(self, extension: str | None) -> None:
        self.named = extension

    @rule(extension=st.sampled_from(["205", "206"]), invalid=st.booleans())
    def a_manager_leaves_or_comes_back(self, extension: str, *, invalid: bool) -> None:
        self.managers[extension] = replace(STAFF[extension], invalid=invalid)

    @rule(there=st.booleans())
    def the_partner_is_deleted_or_made(self, *, there: bool) -> None:
        self.has_partner = there

    @rule(extension=st.sampled_from(["205", "206", "207"]))
    def a_manager_dismisses_his_reminders(self, extension: str) -> None:
        self.dismissed = self.dismissed or bool(self.onec.reminders)
        self.onec.dismiss_reminders(STAFF[extension].ref)

    # ------------------------------------------------------------ calls
    @precondition(lambda self: len(self.truth) < 6)
    @rule(number=st.sampled_from(CLIENTS), asks=st.booleans())
    def the_client_is_missed(self, number: str, *, asks: bool) -> None:
        began = self.passes(200)
        if asks:
            self.question_comes(number)
        ref = self.happens(number, began, 30, missed=True)
        inbound = {"src_num": number, "src_type": "1", "dst_num": "74852550102", "dst_type": "1"}
        self.sends_event(ref, began, "1", 1, inbound | {"dst_type": "2", "short_dst_num": "205"})
        self.sends_event(
            ref, began, "2", 30, inbound | {"status": "NOANSWER", "last_called": "205"}
        )

    @precondition(lambda self: len(self.truth) < 6)
    @rule(
        number=st.sampled_from(CLIENTS),
        talked=st.booleans(),
        earlier=st.sampled_from([0, 0, 30, 190, 400]),
    )
    def he_is_called(self, number: str, earlier: int, *, talked: bool) -> None:
        """Our own telephone answers first, whether the client does or not; events may come late."""
        began = self.passes(200) - timedelta(seconds=earlier)
        ref = self.happens(number, began, 20, talked=talked)
        outbound = {"src_num": "012345205", "src_type": "2", "dst_num": number, "dst_type": "1"}
        self.sends_event(ref, began, "3", 2, outbound)
        self.sends_event(
            ref, began, "2", 20, outbound | {"status": "ANSWER" if talked else "NOANSWER"}
        )

    def happens(
        self,
        number: str,
        began: datetime,
        lasts: int,
        *,
        missed: bool = False,
        talked: bool = False,
    ) -> str:
        ref = f"{int(began.timestamp())}.{100000 + 10 * len(self.truth)}"
        self.truth[ref] = Truth(number, began, began + timedelta(seconds=lasts), missed, talked)
        return ref

    def sends_event(
        self, ref: str, began: datetime, code: str, after: int, more: dict[str, str]
    ) -> None:
        fields = {
            "event": code,
            "call_id": ref,
            "timestamp": str(int(began.timestamp()) + after),
            "call_start_timestamp": str(int(began.timestamp())),
            "user_id": "012345",
            **more,
        }
        self.loop.run(self.tracker.receive(RawEvent("sipuni", self.now, tuple(fields.items()))))

    def question_comes(self, number: str) -> None:
        asked = b.question(
            number,
            asked_time=str(int(self.now.timestamp())),
            arrived_at=self.now,
            received_at=self.now,
        )
        call = self.tracker.open_call(asked, self.decide(asked))
        stored = self.loop.run(
            self.memory.record_call(call, OutboxEntry(call.key, self.now, self.now))
        )
        self.tracker.mark_recorded(stored)

    def passes(self, seconds: int) -> datetime:
        self.now += timedelta(seconds=seconds)
        self.onec.commit_late_writes()
        return self.now

    # ------------------------------------------------------------ the bridge
    @rule(
        outcomes=st.lists(st.sampled_from(RequestOutcome), max_size=2),
        killed_after=st.sampled_from([None, None, None, 1, 3, 6]),
    )
    def the_bridge_works(self, outcomes: list[RequestOutcome], killed_after: int | None) -> None:
        self.onec.set_outcomes(outcomes)
        self.onec.crash_timer = CrashTimer(killed_after)
        with suppress(Crash):
            self.works()
        self.onec.crash_timer = CrashTimer()

    @rule()
    def the_bridge_restarts(self) -> None:
        self.starts()

    def works(self) -> None:
        try:
            self.loop.run(self.tracker.escalate_missed_calls())
            self.loop.run(self.tracker.apply_stored_events())
            self.loop.run(self.delivery.drain())
            self.loop.run(self.tracker.apply_stored_events())
        except BaseException:
            self.starts()
            raise

    def a_save_may_kill(self) -> None:
        self.onec.crash_timer.step()

    # ------------------------------------------------------------ what must be true
    @invariant()
    def one_number_is_one_missed_call(self) -> None:
        numbers = [
            number for missed_call in self.open_missed_calls() for number in missed_call.numbers
        ]
        assert len(numbers) == len(set(numbers))

    @invariant()
    def who_waits_was_not_talked_to_since_and_who_was_not_waits(self) -> None:
        waiting = {
            self.memory.calls_by_key[k].state.call_ref
            for d in self.open_missed_calls()
            for k in d.call_keys
        }
        for ref, call in self.truth.items():
            if not call.missed or not self.is_known(ref):
                continue
            since = [t for t in self.truth.values() if t.talked and t.began > call.over]
            if ref in waiting:
                assert call.number not in [t.number for t in since]
            elif not self.dismissed:
                assert (
                    since
                )  # a partner's other number counts as well, as long as 1C has the partner

    def is_known(self, ref: str) -> bool:
        calls = [c for c in self.memory.calls_by_key.values() if c.state.call_ref == ref]
        return bool(calls) and calls[0].state.disposition.is_over

    def open_missed_calls(self) -> list[MissedCall]:
        return [
            missed_call for missed_call in self.memory.missed_calls.values() if missed_call.is_open
        ]

    def teardown(self) -> None:
        """Let time pass.

        Each client who waits has one reminder, of the owner in 1C who can see it.
        """
        with self.loop:
            self.onec.set_outcomes([])
            for _ in range(12):
                self.works()
                self.passes(300)
                for key in self.memory.entries_by_key:
                    self.memory.retry(key, self.now)
            self.who_waits_was_not_talked_to_since_and_who_was_not_waits()
            for missed_call in self.memory.missed_calls.values():
                self.is_reminded(missed_call)

    def is_reminded(self, missed_call: MissedCall) -> None:
        documents = {self.memory.entries_by_key[key].document for key in missed_call.call_keys}
        there = [kept.user for kept in self.onec.reminders if kept.document in documents]
        if not missed_call.is_open:
            assert there == []
            return
        named = self.decide(RouteQuestion("sipuni", read_caller("", b.RULES), "", self.now))
        if named.targets:
            assert missed_call.owner == named.targets[0]
        if not self.dismissed:
            assert missed_call.owner is not None
            assert there == [missed_call.owner.manager]
            assert self.sees(missed_call.owner.manager)

    def sees(self, user: Ref | None) -> bool:
        return any(m.ref == user and not m.invalid for m in self.managers.values())


TestMissing = Missing.TestCase
TestMissing.settings = settings(
    max_examples=100,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
