"""Every question is answered, and what the PBX asks at several nodes is one call."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from bridge.domain.directory.entities import Manager
from bridge.domain.phone.callers import CallerKind
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import RouteQuestion, RoutingRules
from bridge.ports.alarms import Alarm
from bridge.services.answering.answer import RouteAnswerer
from bridge.services.answering.decide import RouteDecider
from bridge.services.answering.record import CallRecorder
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.clocks import SteppingClock, seconds_of
from tests.support.fakes.directory import MemoryDirectory
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class AnsweringService:
    """The answering side on memory; the clock stands at noon."""

    now: datetime = b.question().received_at
    patience: timedelta = timedelta(seconds=5)
    directory: MemoryDirectory = field(default_factory=MemoryDirectory)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    ledger: MemoryLedger = field(default_factory=lambda: MemoryLedger(lambda: b.NOON))
    delivery_requests: list[datetime] = field(default_factory=list)

    def opens(self, monotonic: Callable[[], float] | None = None) -> RouteAnswerer:
        """Build the services anew over the same ledger, as a start of the bridge does."""
        deciding = RouteDecider(
            directory=self.directory,
            number_memory=self.ledger.number_memory,
            events=self.events,
            rules=RoutingRules(default_extension="100"),
            phones=PhoneRules(),
            clock=lambda: self.now,
        )
        return RouteAnswerer(
            decider=deciding,
            recorder=CallRecorder(self.ledger, self.events, patience=self.patience),
            ledger=self.ledger,
            clock=lambda: self.now,
            deliver_soon=lambda: self.delivery_requests.append(self.now),
            call_opener=build_call_services(self.ledger, lambda: self.now, self.events)[1],
            monotonic=monotonic or seconds_of(lambda: self.now),
        )

    def later(self, question: RouteQuestion, **parts: float) -> RouteQuestion:
        """Give *question* as it is asked so much later, which is now."""
        self.now = question.received_at + timedelta(**parts)
        return replace(question, received_at=self.now)

    def knows(self, *people: Manager) -> None:
        """Have the usual contact's partner be looked after by *people*."""
        self.directory.people = b.rows(*people)
        known = b.card(b.contact(), partners=[b.partner()])
        self.directory.cards = {b.NUMBER: known}


@pytest.fixture
def service() -> AnsweringService:
    service = AnsweringService()
    service.knows(b.manager())
    return service


async def test_a_known_caller_gets_the_manager_and_is_on_record(service: AnsweringService) -> None:
    decision = await service.opens().answer(b.question())

    (call,) = service.ledger.calls_by_key.values()
    assert decision.extension == "205"
    assert call.decision == decision
    assert service.ledger.entries_by_key.keys() == {call.key}
    assert service.delivery_requests


async def test_further_nodes_of_one_call_get_the_first_answer(service: AnsweringService) -> None:
    answering = service.opens()
    first = await answering.answer(b.question())
    service.knows(b.manager(extension="300"))

    further = [await answering.answer(service.later(b.question(), seconds=s)) for s in (1, 60, 120)]

    assert further == [first] * 3
    assert len(service.ledger.calls_by_key) == 1


async def test_nodes_that_ask_at_once_wait_for_one_record(service: AnsweringService) -> None:
    answering = service.opens()
    service.ledger.disk_ready = asyncio.Event()
    asked = [asyncio.create_task(answering.answer(b.question(asked_time="1")))]
    await asyncio.sleep(0)
    service.knows(b.manager(extension="300"))
    asked.append(asyncio.create_task(answering.answer(b.question(asked_time="1"))))
    await asyncio.sleep(0)
    assert not any(task.done() for task in asked)

    service.ledger.disk_ready.set()
    first, second = await asyncio.gather(*asked)

    assert first == second
    assert first.extension == "205"
    assert len(service.ledger.calls_by_key) == 1


async def test_an_answer_given_up_by_the_web_does_not_hang_the_next_node(
    service: AnsweringService,
) -> None:
    answering = service.opens()
    service.ledger.disk_ready = asyncio.Event()
    first = asyncio.create_task(answering.answer(b.question()))
    await asyncio.sleep(0)
    second = asyncio.create_task(answering.answer(b.question()))
    await asyncio.sleep(0)

    first.cancel()
    decision = await asyncio.wait_for(second, 5)

    assert decision.extension == "205"
    service.ledger.disk_ready.set()


@pytest.mark.parametrize(("seconds", "calls"), [(0, 1), (9.9, 1), (10, 1), (11, 2)])
async def test_without_a_time_a_pair_is_one_call_for_ten_seconds(
    service: AnsweringService, seconds: float, calls: int
) -> None:
    answering = service.opens()
    timeless = b.question(asked_time="", arrived_at=None)
    await answering.answer(timeless)

    await answering.answer(service.later(timeless, seconds=seconds))

    assert len(service.ledger.calls_by_key) == calls
    assert len(service.ledger.entries_by_key) == calls


async def test_ten_seconds_count_from_the_first_question_not_from_the_last(
    service: AnsweringService,
) -> None:
    answering = service.opens()
    timeless = b.question(asked_time="", arrived_at=None)

    for seconds in (0, 6, 12):
        await answering.answer(service.later(timeless, seconds=seconds))

    assert len(service.ledger.calls_by_key) == 2


@pytest.mark.parametrize(
    "other",
    [
        b.question(caller="+79035550124"),
        b.question(did="74852550199"),
        b.question(asked_time="1772625601", arrived_at=b.NOON + timedelta(seconds=1)),
        b.question(provider="mango"),
    ],
)
async def test_whoever_differs_is_another_call(
    service: AnsweringService, other: RouteQuestion
) -> None:
    answering = service.opens()
    await answering.answer(b.question())

    await answering.answer(other)

    assert len(service.ledger.calls_by_key) == 2


async def test_an_arrival_asked_about_much_later_is_still_its_call(
    service: AnsweringService,
) -> None:
    answering = service.opens()
    first = await answering.answer(b.question())
    service.knows(b.manager(extension="300"))

    again = await answering.answer(service.later(b.question(), minutes=30))

    assert again == first
    assert len(service.ledger.calls_by_key) == 1


async def test_a_time_that_cannot_be_believed_makes_another_call_later(
    service: AnsweringService,
) -> None:
    answering = service.opens()
    stuck_clock = b.question(arrived_at=None)
    await answering.answer(stuck_clock)

    await answering.answer(service.later(stuck_clock, minutes=30))

    assert len(service.ledger.calls_by_key) == 2


@pytest.mark.parametrize("asked_time", ["", "1772625600"])
async def test_after_a_restart_further_nodes_join_the_call(
    service: AnsweringService, asked_time: str
) -> None:
    asked = b.question(asked_time=asked_time, arrived_at=None)
    first = await service.opens().answer(asked)
    service.knows(b.manager(extension="300"))
    service.now += timedelta(seconds=5)
    answering = service.opens()
    await answering.load()

    again = await answering.answer(service.later(asked, seconds=5))

    assert again == first
    assert len(service.ledger.calls_by_key) == 1


async def test_a_restart_does_not_stretch_the_window(service: AnsweringService) -> None:
    timeless = b.question(asked_time="", arrived_at=None)
    await service.opens().answer(timeless)
    service.now += timedelta(seconds=11)
    answering = service.opens()
    await answering.load()

    await answering.answer(service.later(timeless, seconds=11))

    assert len(service.ledger.calls_by_key) == 2


async def test_many_calls_leave_nothing_behind_after_their_windows(
    service: AnsweringService,
) -> None:
    answering = service.opens()
    for number in range(200):
        await answering.answer(
            service.later(b.question(asked_time=str(number), arrived_at=None), seconds=number * 10)
        )

    first_again = service.later(b.question(asked_time="0", arrived_at=None), seconds=2000)
    await answering.answer(first_again)

    assert len(service.ledger.calls_by_key) == 201


async def test_a_slow_disk_does_not_keep_the_caller_waiting(service: AnsweringService) -> None:
    service.patience = timedelta(0)
    service.ledger.disk_ready = asyncio.Event()
    answering = service.opens()

    decision = await answering.answer(b.question())
    again = await answering.answer(b.question())

    assert decision.extension == again.extension == "205"
    assert not service.ledger.calls_by_key
    assert [alarm.clear for alarm in service.events.of(Alarm)] == [False]


async def test_a_broken_disk_does_not_keep_the_caller_waiting(service: AnsweringService) -> None:
    service.ledger.broken = True

    decision = await service.opens().answer(b.question())

    assert decision.extension == "205"
    assert [alarm.name for alarm in service.events.of(Alarm)] == ["store_down"]


async def test_a_test_request_is_recorded_without_an_outbox_entry(
    service: AnsweringService,
) -> None:
    blank = b.question(caller=None, did="", asked_time="", arrived_at=None)

    decision = await service.opens().answer(blank)

    assert decision.extension == "100"
    assert len(service.ledger.calls_by_key) == 1
    assert not service.ledger.entries_by_key


async def test_a_colleague_who_calls_gets_no_outbox_entry(service: AnsweringService) -> None:
    inside = b.question(caller="214")
    assert inside.caller.kind is CallerKind.INTERNAL

    await service.opens().answer(inside)

    assert len(service.ledger.calls_by_key) == 1
    assert not service.ledger.entries_by_key


_HOSTILE: list[Callable[[], RouteQuestion]] = [
    lambda: b.question(caller="\x00\udcff\u202e" * 500, did="", asked_time="\ud800"),
    lambda: b.question(caller="'; DROP TABLE calls; --", asked_time="9" * 10_000),
    lambda: b.question(caller="+", did="0" * 10_000, arrived_at=None),
    lambda: b.question(caller="sip:@@@", asked_time="-1"),
    lambda: b.question(arrived_at=datetime.min.replace(tzinfo=b.NOON.tzinfo)),
    lambda: b.question(arrived_at=datetime.max.replace(tzinfo=b.NOON.tzinfo)),
    lambda: replace(b.question(), dtmf="\n" * 100, label="'"),
]


@pytest.mark.parametrize("hostile", _HOSTILE)
async def test_nonsense_gets_an_answer_too(
    service: AnsweringService, hostile: Callable[[], RouteQuestion]
) -> None:
    decision = await service.opens().answer(hostile())

    assert decision.extension in ("100", "205")
    assert len(service.ledger.calls_by_key) == 1


# ---------------------------------------------------------------- a wall clock that steps
@pytest.mark.parametrize("days", [-3, -0.125, 365, 7300])
@pytest.mark.parametrize(("seconds", "calls"), [(9, 1), (11, 2)])
async def test_a_repeat_is_recognised_by_the_time_that_passed(
    service: AnsweringService, days: float, seconds: float, calls: int
) -> None:
    clocks = SteppingClock()
    answering = service.opens(clocks.monotonic)
    timeless = b.question(asked_time="", arrived_at=None)
    await answering.answer(timeless)
    clocks.advance(seconds=seconds)

    at = timeless.received_at + timedelta(days=days, seconds=seconds)
    await answering.answer(replace(timeless, received_at=at))

    assert len(service.ledger.calls_by_key) == calls
