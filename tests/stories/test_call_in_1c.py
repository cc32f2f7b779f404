"""Every scenario comes out as its referee expects: in the ledger, and in 1C."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.entry import EntryState
from bridge.lab.scenario_roles import assign_roles
from bridge.lab.sipuni.scenarios.playback import Playback, queue_scenario
from bridge.lab.sipuni.scenarios.scenario import ExpectedCall, Scenario, read_scenarios
from tests.stories.in_process import (
    InProcessService,
    ManualClock,
    build_onec_lab,
    run_service,
    sync,
)

pytestmark = pytest.mark.anyio

FIXTURES = Path(__file__).parents[2] / "fixtures"
SCENARIOS = read_scenarios(FIXTURES / "stories") | read_scenarios(FIXTURES / "odd_stories")
NOBODY_TALKED = (Disposition.MISSED, Disposition.NOT_REACHED)
DISPOSITIONS = {
    "answered": (Disposition.ANSWERED,),
    "missed": NOBODY_TALKED,
    "busy": NOBODY_TALKED,
    "failed": NOBODY_TALKED,
    "unknown": (Disposition.UNKNOWN, Disposition.RINGING),
}


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a company that is the same in every scenario."""
    path = tmp_path_factory.mktemp("life") / "directory.db"

    async def pull() -> None:
        clock = ManualClock()
        await sync(build_onec_lab(clock), path, clock)

    anyio.run(pull)
    return path


@asynccontextmanager
async def running_service(pulled: Path, folder: Path) -> AsyncIterator[InProcessService]:
    clock = ManualClock()
    async with run_service(build_onec_lab(clock), pulled, folder / "service", clock) as service:
        yield service


async def reported(service: InProcessService, scenario: Scenario) -> Playback:
    """Play *scenario* with the company's people; where it begins with an order, we order it."""
    callers = dict(assign_roles(scenario, service.lab.infobase))
    if scenario.order is None:
        return await service.play(scenario, **callers)
    queue_scenario(scenario, service.sipuni, roles=callers, pause=service.pause)
    performance = Playback(scenario, service.sipuni, roles=callers)  # played by the cabinet itself
    order = performance.scenario.order
    assert order is not None
    extension = performance.fill_placeholders(order.sipnumber)
    if not extension:
        service.sipuni.waiting_scenarios.clear()
        return await service.play(scenario, **callers)
    await service.call_originator.order(
        extension, performance.fill_placeholders(order.phone), by="Анна"
    )
    await service.sipuni.wait_until_idle()
    return performance


def find(calls: list[PhoneCall], expected: ExpectedCall) -> PhoneCall:
    """Find a call by the cabinet's id; one the cabinet never named, by its party."""
    for call in calls:
        if call.state.call_ref == expected.call:
            return call
    (found,) = [c for c in calls if str(c.caller.number or "") == expected.caller]
    return found


def check(call: PhoneCall, expected: ExpectedCall) -> None:
    state = call.state
    assert call.direction == expected.direction
    assert state.disposition in DISPOSITIONS[expected.disposition]
    assert state.talked_extensions == expected.talked
    assert bool(state.recording) is expected.recording
    assert str(call.caller.number or "") == expected.caller
    assert not expected.did or call.did == expected.did
    if expected.disposition == "answered":
        assert state.talk_time is not None
        assert abs(state.talk_time.total_seconds() - expected.talk_s) <= 1


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_scenario_comes_out_as_it_should(name: str, pulled: Path, tmp_path: Path) -> None:
    async with running_service(pulled, tmp_path) as service:
        performance = await reported(service, SCENARIOS[name])
        await service.resolve_unfinished_calls()
        entries = await service.deliver_all()
        # An order of which the cabinet never sent an event has rung nobody.
        calls = [c for c in await service.ledger.calls() if c.applied_events or c.order is None]

        assert performance.problems == ()
        expected = performance.expect.calls
        assert len(calls) == len(expected)
        for one in expected:
            check(find(calls, one), one)
        # The scenario's clients to be called back, and nobody else.
        waiting = {
            str(n)
            for missed_call in await service.ledger.open_missed_calls()
            for n in missed_call.numbers
        }
        assert waiting == set(performance.expect.to_call_back)
        # 1C has one document of every call that needs one, each in its partner's list.
        assert service.count_in_onec()[:2] == (len(entries), len(entries))
        assert {entry.state for entry in entries} <= {EntryState.DELIVERED}
        assert len(await service.ledger.unapplied_events(1)) == 0
