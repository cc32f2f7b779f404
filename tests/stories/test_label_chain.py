"""A cabinet asks node by node, in every spelling, and the caller reaches the right manager once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import httpx
import pytest

from bridge.domain.calls.call import PhoneCall
from bridge.domain.routing.decision import RoutingRules
from bridge.lab.demo.callers import DemoCallers, choose_callers
from bridge.lab.onec.simulator import OneCLab
from bridge.lab.sipuni.scheme import NodeMode, SchemeNode
from bridge.lab.sipuni.switches import (
    CabinetSwitches,
    CallerSpelling,
    PlannedOutcome,
    TimeSpelling,
)
from tests.stories.in_process import (
    DID,
    PASSWORD,
    TOKEN,
    USER,
    InProcessService,
    ManualClock,
    ServiceOptions,
    build_onec_lab,
    run_service,
    sync,
)

pytestmark = pytest.mark.anyio

_BASIC = f"http://{USER}:{PASSWORD}@bridge"
_HOOKS = (
    f"{_BASIC}/sipuni/route",
    f"{_BASIC}/hs/sipuni/get",
    f"{_BASIC}/ut11/hs/sipuni/get",
    f"http://bridge/hook/{TOKEN}/sipuni/route",
    f"http://bridge/hook/{TOKEN}/hs/sipuni/get",
    f"http://bridge/hook/{TOKEN}/ut11/hs/sipuni/get",
)


@pytest.fixture(scope="session")
def company() -> tuple[OneCLab, DemoCallers]:
    """A company that no test of this file changes."""
    lab = build_onec_lab(ManualClock())
    return lab, choose_callers(lab.infobase)


def chain(lab: OneCLab, mode: NodeMode = NodeMode.BRANCH) -> tuple[SchemeNode, ...]:
    """One node for each manager, as mode A wants it."""
    world = lab.infobase
    found = sorted(e for user, e in world.extensions.items() if world.may_take_calls(user))
    return tuple(SchemeNode(extension, mode) for extension in found)


@asynccontextmanager
async def running_service(
    folder: Path, plan: ServiceOptions
) -> AsyncIterator[tuple[InProcessService, DemoCallers]]:
    """Open a service over a company of its own."""
    clock = ManualClock()
    lab = build_onec_lab(clock)
    directory = folder / "directory.db"
    await sync(lab, directory, clock)
    async with run_service(lab, directory, folder / "service", clock, plan) as service:
        yield service, choose_callers(lab.infobase)


async def only_call(service: InProcessService) -> PhoneCall:
    """Return the one call of the journal, of which 1C has one document."""
    (call,) = await service.ledger.calls()
    await service.deliver_all()
    assert service.count_in_onec()[:2] == (1, 1)
    return call


@pytest.mark.parametrize("hook", _HOOKS)
async def test_every_address_leads_to_the_manager_through_the_chain_of_labels(
    hook: str, company: tuple[OneCLab, DemoCallers], tmp_path: Path
) -> None:
    nodes = chain(company[0])
    async with running_service(tmp_path, ServiceOptions(nodes=nodes, hook=hook)) as (
        service,
        callers,
    ):
        report = await service.call(callers.contact.sent_number)
        assert report.rang_first == callers.contact.extension
        assert not report.default_queue
        assert not [q for q in report.questions if q.problem]
        place = [node.label for node in nodes].index(callers.contact.extension)
        assert len(report.questions) == place + 1
        call = await only_call(service)
        assert call.decision.extension == callers.contact.extension
        assert service.count_in_onec() == (1, 1, 1)


@pytest.mark.parametrize(
    ("answer", "mode"),
    [
        ("auto", NodeMode.EXTENSION),
        ("auto", NodeMode.BRANCH),
        ("number", NodeMode.NUMBER),
        ("text", NodeMode.TEXT),
    ],
)
async def test_every_form_of_the_answer_is_followed(
    answer: Literal["auto", "number", "text"], mode: NodeMode, tmp_path: Path
) -> None:
    label = choose_callers(build_onec_lab(ManualClock()).infobase).contact.extension
    node = SchemeNode(label if mode is NodeMode.BRANCH else "", mode)
    plan = ServiceOptions(answer=answer, nodes=(node,), with_pages=True)
    async with running_service(tmp_path, plan) as (service, callers):
        known = await service.call(callers.contact.sent_number)
        assert (known.rang_first, known.problems) == (callers.contact.extension, ())
        unknown = await service.call(callers.stranger.sent_number)
        assert (unknown.rang_first, unknown.default_queue) == ("200", True)
        assert unknown.problems == ()
        assert len(await service.ledger.calls()) == 2


async def test_an_unknown_caller_falls_through_the_chain_into_one_document(
    company: tuple[OneCLab, DemoCallers], tmp_path: Path
) -> None:
    nodes = chain(company[0])
    async with running_service(tmp_path, ServiceOptions(nodes=nodes)) as (service, callers):
        report = await service.call(callers.stranger.sent_number)
        assert report.default_queue
        assert len(report.questions) == len(nodes)
        await only_call(service)


async def test_a_manager_moved_between_two_nodes_changes_this_call_no_more(
    company: tuple[OneCLab, DemoCallers], tmp_path: Path
) -> None:
    async with running_service(tmp_path, ServiceOptions(nodes=chain(company[0]))) as (
        service,
        callers,
    ):
        actor, world = callers.partner, service.lab.infobase
        labels = [node.label for node in service.sipuni.scheme.nodes]
        assert labels.index(actor.extension) >= 1
        later = labels[-1]
        other = next(
            u for u, e in world.extensions.items() if e == later and world.may_take_calls(u)
        )

        async def move() -> None:
            service.lab.move_manager(actor.partner, other)
            assert (await service.sync()).changed

        service.transport.after[1] = move
        report = await service.call(actor.sent_number)
        assert report.rang_first == actor.extension
        await only_call(service)

        service.clock.advance(60)
        again = await service.call(actor.sent_number)
        assert again.rang_first == later
        assert len(await service.ledger.calls()) == 2


async def test_a_restart_between_two_nodes_keeps_it_one_call(
    company: tuple[OneCLab, DemoCallers], tmp_path: Path
) -> None:
    async with running_service(tmp_path, ServiceOptions(nodes=chain(company[0]))) as (
        service,
        callers,
    ):
        service.transport.after[1] = service.lose_power
        report = await service.call(callers.partner.sent_number)
        assert report.rang_first == callers.partner.extension
        await only_call(service)


# ---------------------------------------------------------------- quirks
_READABLE = (
    CallerSpelling.AS_GIVEN,
    CallerSpelling.SEVEN,
    CallerSpelling.PLUS_SEVEN,
    CallerSpelling.PLUS_UNENCODED,
    CallerSpelling.EIGHT,
    CallerSpelling.SPACED_PLUS,
    CallerSpelling.SPACED_PERCENT,
    CallerSpelling.REPEATED,
)
_HIDDEN = (CallerSpelling.ANONYMOUS, CallerSpelling.EMPTY, CallerSpelling.MISSING)


async def test_spellings_and_quirks_change_neither_the_way_nor_the_journal(
    company: tuple[OneCLab, DemoCallers], tmp_path: Path
) -> None:
    best = CabinetSwitches()
    availabilities = [replace(best, caller=spelling) for spelling in _READABLE]
    availabilities += [replace(best, time=spelling) for spelling in TimeSpelling]
    availabilities += [
        replace(best, tonum_suffix=True),
        replace(best, did_suffix=True),
        replace(best, shuffle_params=True, caller=CallerSpelling.SPACED_PLUS),
        replace(best, dup_event1=True, drop_event2=True),
        replace(best, event_before_answer=True),
        replace(best, unknown_event="9", broken_answer_ts=True),
        replace(best, post_instead_of_get=True, last_called_separator="&"),
        replace(best, renamed_scheme="Дневная схема", record_id_shift=True),
    ]
    async with running_service(tmp_path, ServiceOptions(nodes=chain(company[0]))) as (
        service,
        callers,
    ):
        for number, switches in enumerate(availabilities, start=1):
            report = await service.call(callers.contact.sent_number, switches=switches)
            assert report.rang_first == callers.contact.extension, switches
            assert report.problems == (), switches
            assert len(await service.ledger.calls()) == number, switches
            service.clock.advance(15)
        await service.deliver_all()
        assert service.count_in_onec() == (len(availabilities),) * 3
        calls = await service.ledger.calls()
        assert {call.did for call in calls} == {DID}
        assert len({row["АбонентКакСвязаться"] for row in service.documents()}) == 1
        # The PBX's own time, however spelled: calls came sixteen seconds apart.
        dates = sorted(row["Date"] for row in service.documents())
        assert len(set(dates)) == len(availabilities)


async def test_hidden_callers_are_journalled_without_a_name(
    company: tuple[OneCLab, DemoCallers], tmp_path: Path
) -> None:
    plan = ServiceOptions(RoutingRules(default_extension="999"), nodes=chain(company[0]))
    async with running_service(tmp_path, plan) as (service, callers):
        for spelling in (*_HIDDEN, CallerSpelling.LOCAL_NINE):
            switches = replace(CabinetSwitches(), caller=spelling)
            report = await service.call(callers.contact.sent_number, switches=switches)
            assert report.default_queue
            assert report.problems == ()
            service.clock.advance(15)
        await service.deliver_all()
        assert service.count_in_onec() == (4, 4, 0)
        shown = [row["АбонентПредставление"] for row in service.documents()]
        assert shown.count("Неизвестный абонент, номер скрыт") == len(_HIDDEN)


async def test_a_bare_question_needs_no_document_and_its_call_is_known_from_its_events(
    tmp_path: Path,
) -> None:
    async with running_service(tmp_path, ServiceOptions()) as (service, callers):
        switches = replace(CabinetSwitches(), bare_question=True)
        report = await service.call(callers.contact.sent_number, switches=switches)
        assert report.default_queue
        assert not [q for q in report.questions if q.problem]
        await service.deliver_all()
        (document,) = service.documents()
        assert document["АбонентКакСвязаться"].endswith(callers.contact.sent_number[-2:])
        blank = [call for call in await service.ledger.calls() if call.is_test_request]
        assert len(blank) == 1
        assert await service.ledger.entry(blank[0].key) is None


@pytest.mark.parametrize("outcome", list(PlannedOutcome))
async def test_whatever_becomes_of_the_call_its_events_are_acknowledged(
    outcome: PlannedOutcome, tmp_path: Path
) -> None:
    async with running_service(tmp_path, ServiceOptions()) as (service, callers):
        report = await service.call(callers.contact.sent_number, outcome=outcome)
        assert report.problems == ()
        assert report.pushes
        await only_call(service)


async def test_a_wrong_secret_gets_no_answer_and_leaves_no_trace(tmp_path: Path) -> None:
    async with running_service(tmp_path, ServiceOptions(with_pages=True)) as (service, _):
        async with httpx.AsyncClient(transport=service.transport) as stranger:
            answers = [
                await stranger.get(f"http://bridge{path}?fromnum=79035550123&tonum={DID}")
                for path in ("/sipuni/route", "/ut11/hs/sipuni/get", "/hook/guess/sipuni/route")
            ]
        assert [answer.status_code for answer in answers] == [401, 401, 404]
        assert not await service.ledger.calls()
