"""Calls, moods, crashes and time in any order: nothing owed is lost, nothing is written twice."""

import asyncio
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from bridge.domain.outbox import DeliveryRules
from bridge.services.deliver import Delivery
from tests.domain.test_outbox import Delivering
from tests.support.memory_ledger import MemoryLedger, NotedEvents


class Service(Delivering):
    """The real service in the world of the outbox: `ledger` and `calls` are its ledger's own."""

    @initialize(honours_refs=st.booleans())
    def the_world_begins(self, *, honours_refs: bool) -> None:
        super().the_world_begins(honours_refs=honours_refs)
        self.memory = MemoryLedger(
            lambda: self.now, self.calls, self.ledger, around_save=self.a_save_may_kill
        )
        self.loop = asyncio.Runner()
        self.starts()

    def a_save_may_kill(self) -> None:
        self.onec.fuse.burn()

    def starts(self) -> None:
        self.delivery = Delivery(
            ledger=self.memory,
            journal=self.onec,
            events=NotedEvents(),
            clock=lambda: self.now,
            lang="ru",
            rules=DeliveryRules(),
        )

    def deliver_due(self) -> None:
        try:
            self.loop.run(self.delivery.drain())
        except BaseException:
            self.starts()  # killed: the lane and all else in memory is gone
            raise

    @rule()
    def the_bridge_restarts(self) -> None:
        self.starts()

    def teardown(self) -> None:
        with self.loop:
            super().teardown()


class ServiceWith1CThatCommitsWithinTheQuiet(Service):
    latest = DeliveryRules().quiet
    doubles_for_a_while = False
    request_takes = timedelta(0)


class ServiceWith1CThatCommitsMuchLater(Service):
    latest = DeliveryRules().verify_after - timedelta(seconds=1)
    doubles_for_a_while = True
    request_takes = timedelta(seconds=1)


_QUICK = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestServiceWithinTheQuiet = ServiceWith1CThatCommitsWithinTheQuiet.TestCase
TestServiceWithinTheQuiet.settings = _QUICK
TestServiceMuchLater = ServiceWith1CThatCommitsMuchLater.TestCase
TestServiceMuchLater.settings = _QUICK
