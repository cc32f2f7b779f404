"""A service whose live lookups answer as a test wants."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.directory.entities import Partner, PhoneOwner
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.domain.routing.decision import (
    DataAge,
    Finding,
    RouteDecision,
    RoutingRules,
)
from bridge.errors import (
    OneCUnavailable,
)
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
from tests.support.virtual_time import virtual_now

pytestmark = pytest.mark.anyio


PATIENCE = timedelta(milliseconds=550)


OTHERS = [PhoneNumber(79035550200 + n) for n in range(20)]


AWAY = OneCUnavailable("Catalog_X", "connect error")


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


def passed() -> float:
    return asyncio.get_running_loop().time()


def findings(decision: RouteDecision) -> list[Finding]:
    return [step.finding for step in decision.evidence]
