"""One call is one document, one subject, one reminder, whatever faults 1C has."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from bridge.domain.delivery.entry import DeliveryStage, EntryState
from bridge.domain.delivery.outbox import retry_now
from bridge.domain.routing.decision import RoutingRules
from bridge.lab.demo.callers import DemoCaller, DemoCallers, choose_callers
from bridge.lab.onec.faults import KINDS
from bridge.lab.onec.infobase.infobase import (
    CALL_CONTACTS,
    CONTACT_PERSONS,
    PARTNERS,
    PHONE_CALLS,
    REMINDERS,
    STRING_CONTACTS,
    SUBJECTS,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF, UNDEFINED
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.onec.simulator import OneCLab
from tests.stories.in_process import (
    InProcessService,
    ManualClock,
    ServiceOptions,
    build_onec_lab,
    run_service,
    sync,
)

pytestmark = pytest.mark.anyio

_WRITES = (PHONE_CALLS, SUBJECTS, REMINDERS)


@dataclass(frozen=True)
class FaultCase:
    """A fault of one entity set: *times* requests, or until it is cleared."""

    name: str
    kind: str
    times: int | None = None
    method: str | None = None
    text: str = ""
    rights_status: int = 401
    #: How long after the call its late write is executed, in seconds.
    late: int | None = None
    dead: bool = False


_CASES = (
    FaultCase("clear sky", "slow", times=0),
    FaultCase("lost replies", "lost_reply"),
    FaultCase("hung replies", "hung_reply"),
    FaultCase("one lost reply", "lost_reply", times=1, method="POST"),
    FaultCase("bad gateway after the commit", "bad_gateway"),
    FaultCase("truncated answers", "truncated"),
    FaultCase("answers cut off", "cut"),
    FaultCase("late commit within the quiet", "late_commit", times=1, late=10),
    FaultCase("late commit beyond the quiet", "late_commit", times=1, late=180),
    FaultCase("lost and late beyond the quiet", "late_commit", times=1, late=180, text="lost"),
    FaultCase("several late commits", "late_commit", times=3, late=240),
    FaultCase("time-outs", "timeout"),
    FaultCase("1C down", "down"),
    FaultCase("a maintenance page with status 200", "maintenance_200"),
    FaultCase("a maintenance page with status 503", "maintenance_503"),
    FaultCase("a page of 1C's that names rights", "rights_200"),
    FaultCase("a text that names rights", "plain_200"),
    FaultCase("a page of 1C's that names a block", "blocked_200"),
    FaultCase("a page of 1C's that names a licence", "no_licence_200"),
    FaultCase("a page of 1C's that names nothing", "page_200"),
    FaultCase("a page to sign in at", "sign_in_200"),
    FaultCase("sessions blocked", "sessions_blocked"),
    FaultCase("session pool exhausted", "pool_exhausted"),
    FaultCase("unauthorised", "unauthorised"),
    FaultCase("no rights, by the guide", "rights", rights_status=401),
    FaultCase("no rights, in the field", "rights", rights_status=403),
    FaultCase("data locked", "data_lock"),
    FaultCase("no licence, 500", "no_licence_500"),
    FaultCase("no licence, 503", "no_licence_503"),
    FaultCase("out of memory", "out_of_memory"),
    FaultCase("platform error", "platform_error"),
    FaultCase("a handler refuses", "business_refusal", text="Период закрыт", dead=True),
    FaultCase("flaky reads", "flaky"),
)
#: After these 1C may have done what it did not confirm: the faults worth a power cut.
_DOUBTFUL = ("lost replies", "late commit beyond the quiet", "1C down", "truncated answers")


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of the tests' company, pulled once."""
    path = tmp_path_factory.mktemp("pulled") / "directory.db"

    async def pull() -> None:
        clock = ManualClock()
        await sync(build_onec_lab(clock), path, clock)

    anyio.run(pull)
    return path


@asynccontextmanager
async def running_service(
    pulled: Path, folder: Path, *, default: str | None = None, **lab: Any
) -> AsyncIterator[tuple[InProcessService, DemoCallers]]:
    """Open a service over a fresh company, with the directory pulled before."""
    clock = ManualClock()
    onec = build_onec_lab(clock, **lab)
    directory = folder / "directory.db"
    shutil.copy(pulled, directory)
    callers = choose_callers(onec.infobase)
    plan = ServiceOptions(RoutingRules(default_extension=default))
    async with run_service(onec, directory, folder / "service", clock, plan) as service:
        yield service, callers


def let_it_rage(lab: OneCLab, case: FaultCase, write: str) -> None:
    """Add the fault of *case* to one of the three writes."""
    lab.switches.rights_status = 403 if case.rights_status == 403 else 401
    method = "POST" if case.kind == "late_commit" else case.method
    if case.kind == "flaky":  # it troubles reads alone, and the first look needs a reason
        lab.faults.add("lost_reply", method="POST", set=write, times=1)
    fields = {"after": 10**9} if case.kind == "late_commit" else {}
    lab.faults.add(case.kind, method=method, set=write, times=case.times, text=case.text, **fields)


async def wait_out_fault(service: InProcessService, case: FaultCase) -> None:
    """Let the storm rage, let it clear; what 1C does late it does when its time has come."""
    if case.late is None:
        await service.pass_time(100)
    else:
        await service.pass_time(case.late)
        service.lab.commit_late_writes()
    service.lab.faults.clear()


async def revive_the_dead(service: InProcessService, case: FaultCase) -> None:
    """A person reads 1C's message and retries; nothing else may revive a dead letter."""
    for entry, _ in await service.ledger.entries([EntryState.DEAD]):
        assert case.dead
        assert case.text in entry.last_error
        await service.ledger.save_entry(retry_now(entry, service.clock()))


def test_every_kind_of_fault_has_its_case() -> None:
    besides = {"shrunken"}  # loses rows of listings, which no delivery asks for
    assert {case.kind for case in _CASES} == KINDS - besides


@pytest.mark.parametrize(
    ("write", "honoured"),
    [
        pytest.param(PHONE_CALLS, False, id="document, 1C's key"),
        pytest.param(PHONE_CALLS, True, id="document, our key"),
        # Records have no key of ours, so both kinds of 1C take them alike; one of each is enough.
        pytest.param(SUBJECTS, False, id="subject"),
        pytest.param(REMINDERS, True, id="reminder"),
    ],
)
@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
async def test_one_call_is_one_document_one_subject_one_reminder(
    case: FaultCase, write: str, honoured: bool, pulled: Path, tmp_path: Path
) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        service.lab.switches.honour_client_ref_key = honoured
        let_it_rage(service.lab, case, write)
        report = await service.call(callers.contact.sent_number)
        assert report.rang_first == callers.contact.extension
        await wait_out_fault(service, case)
        if case.dead:
            assert [e.state for e in await service.deliver_all()] == [EntryState.DEAD]
        await revive_the_dead(service, case)
        entries = await service.deliver_all()
        service.lab.commit_late_writes()  # nothing of ours may be under way any more
        assert service.count_in_onec() == (1, 1, 1)
        assert [entry.state for entry in entries] == [EntryState.DELIVERED]
        assert service.system_state.alarms() == ()


@pytest.mark.parametrize("executed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", _WRITES, ids=["document", "subject", "reminder"])
@pytest.mark.parametrize("name", _DOUBTFUL)
async def test_a_power_cut_in_the_middle_changes_nothing(
    name: str, write: str, executed: bool, pulled: Path, tmp_path: Path
) -> None:
    case = next(case for case in _CASES if case.name == name)
    async with running_service(pulled, tmp_path) as (service, callers):
        await service.call(callers.contact.sent_number)
        service.onec_transport.stop_at("POST", write, executed=executed)
        await service.deliver_until_interrupted()
        await service.lose_power()
        let_it_rage(service.lab, case, write)
        await wait_out_fault(service, case)
        await service.lose_power()
        entries = await service.deliver_all()
        assert service.count_in_onec() == (1, 1, 1)
        assert [entry.state for entry in entries] == [EntryState.DELIVERED]


@pytest.mark.parametrize("honoured", [False, True], ids=["own key", "our key"])
async def test_a_document_that_comes_late_is_marked_or_refused_by_its_key(
    honoured: bool, pulled: Path, tmp_path: Path
) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        service.lab.switches.honour_client_ref_key = honoured
        service.lab.faults.add("late_commit", set=PHONE_CALLS, times=1, after=10**9)
        await service.call(callers.contact.sent_number)
        await service.pass_time(120)
        (seen,) = service.documents()
        assert service.lab.commit_late_writes() == 1
        written = service.lab.phone_calls()
        assert len(written) == (1 if honoured else 2)
        await service.deliver_all()
        assert service.documents() == [seen]
        assert service.count_in_onec() == (1, 1, 1)


@pytest.mark.parametrize("honoured", [False, True], ids=["own key", "our key"])
async def test_many_calls_through_changing_faults_and_power_cuts(
    honoured: bool, pulled: Path, tmp_path: Path
) -> None:
    async with running_service(pulled, tmp_path, default="999") as (service, callers):
        service.lab.switches.honour_client_ref_key = honoured
        calls = 0
        for turn, case in enumerate(_CASES):
            let_it_rage(service.lab, case, _WRITES[turn % 3])
            for actor in (callers.contact, callers.partner):
                await service.call(actor.sent_number)
                calls += 1
            await service.pass_time(20)
            if turn % 4 == 3:
                await service.lose_power()
            if case.late:
                service.lab.commit_late_writes()
            service.lab.faults.clear()
            await revive_the_dead(service, case)
        entries = await service.deliver_all()
        assert {entry.state for entry in entries} == {EntryState.DELIVERED}
        assert service.count_in_onec() == (calls, calls, calls)
        markers = [row["Комментарий"] for row in service.documents()]
        assert len(set(markers)) == calls


# ---------------------------------------------------------------- what stands in 1C
async def journalled(service: InProcessService, actor: DemoCaller) -> Row:
    """Let *actor* call and give the document of it."""
    await service.call(actor.sent_number)
    await service.deliver_all()
    return service.documents()[-1]


def owner_of(lab: OneCLab, extension: str) -> str:
    """Return the only user who may be called at *extension*."""
    world = lab.infobase
    (user,) = [u for u, e in world.extensions.items() if e == extension and world.may_take_calls(u)]
    return user


def owner_ref(lab: OneCLab, actor: DemoCaller, set_name: str) -> str:
    (truth,) = [t for t in lab.infobase.intended_phones if t.e164 == f"+{actor.sent_number}"]
    assert truth.owner_set == set_name
    return truth.ref


@pytest.mark.parametrize("zone", ["Europe/Moscow", "Asia/Yekaterinburg", "Asia/Kathmandu"])
async def test_the_document_says_who_called_whom_and_when(
    zone: str, pulled: Path, tmp_path: Path
) -> None:
    async with running_service(pulled, tmp_path, server_timezone=zone) as (service, callers):
        lab, actor = service.lab, callers.contact
        at = service.clock()
        row = await journalled(service, actor)
        manager = owner_of(lab, actor.extension)
        person = owner_ref(lab, actor, CONTACT_PERSONS)
        local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat()
        name = lab.infobase.presentation(CONTACT_PERSONS, person)
        firm = lab.infobase.presentation(PARTNERS, actor.partner)
        who = f"{name} ({firm})"
        sent = actor.sent_number
        reach = f"+7 ({sent[1:4]}) {sent[4:7]}-{sent[7:9]}-{sent[9:]}"
        assert {
            "Date": local,
            "Входящий": True,
            "Важность": "Обычная",
            "Тема": f"Входящий звонок: {who}",
            "АбонентКонтакт": person,
            "АбонентКонтакт_Type": f"StandardODATA.{CONTACT_PERSONS}",
            "АбонентПредставление": who,
            "АбонентКакСвязаться": reach,
            "Автор_Key": manager,
            "Ответственный_Key": manager,
            "Posted": False,
        }.items() <= row.items()
        assert reach in row["Описание"]
        assert actor.extension in row["Описание"]
        assert "[bridge:" in row["Комментарий"]

        assert [r["Ref_Key"] for r in lab.visible_calls(person)] == [row["Ref_Key"]]
        links = [
            r for r in lab.infobase.rows(CALL_CONTACTS) if r["Взаимодействие"] == row["Ref_Key"]
        ]
        assert [link["Контакт"] for link in links] == [person]
        (subject,) = lab.subjects()
        assert {
            "Взаимодействие": row["Ref_Key"],
            "Взаимодействие_Type": f"StandardODATA.{PHONE_CALLS}",
            "Предмет": row["Ref_Key"],
            "Предмет_Type": f"StandardODATA.{PHONE_CALLS}",
            "ПапкаЭлектронногоПисьма_Key": EMPTY_REF,
            "Рассмотрено": True,
        }.items() <= subject.items()
        (reminder,) = lab.reminders()
        assert {
            "Пользователь_Key": manager,
            "ВремяСобытия": local,
            "СрокНапоминания": local,
            "Источник": row["Ref_Key"],
            "Источник_Type": f"StandardODATA.{PHONE_CALLS}",
            "СпособУстановкиВремениНапоминания": "ВУказанноеВремя",
        }.items() <= reminder.items()
        assert name in reminder["Описание"]
        assert reach in reminder["Описание"]
        assert len(reminder["Описание"]) <= 255


async def test_a_partners_own_number_points_at_the_partner(pulled: Path, tmp_path: Path) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        row = await journalled(service, callers.partner)
        assert row["АбонентКонтакт"] == owner_ref(service.lab, callers.partner, PARTNERS)
        assert row["АбонентКонтакт_Type"] == f"StandardODATA.{PARTNERS}"
        assert row["Ответственный_Key"] == owner_of(service.lab, callers.partner.extension)
        assert service.lab.visible_calls(callers.partner.partner)


async def test_a_counterpartys_call_points_at_its_partner(pulled: Path, tmp_path: Path) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        row = await journalled(service, callers.counterparty)
        assert row["АбонентКонтакт"] == callers.counterparty.partner
        assert row["АбонентКонтакт_Type"] == f"StandardODATA.{PARTNERS}"
        assert callers.counterparty.name in row["АбонентПредставление"]
        assert service.lab.visible_calls(callers.counterparty.partner)


async def test_a_holdings_manager_answers_for_the_partner(pulled: Path, tmp_path: Path) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        row = await journalled(service, callers.holding)
        assert row["АбонентКонтакт"] == callers.holding.partner
        assert row["Ответственный_Key"] == owner_of(service.lab, callers.holding.extension)


async def test_an_unknown_caller_becomes_a_string_contact_of_the_default_user(
    pulled: Path, tmp_path: Path
) -> None:
    clerk = choose_callers(build_onec_lab(ManualClock()).infobase).default_extension
    async with running_service(pulled, tmp_path, default=clerk) as (service, callers):
        lab = service.lab
        row = await journalled(service, callers.stranger)
        user = owner_of(lab, clerk)
        assert (row["АбонентКонтакт"], row["АбонентКонтакт_Type"]) == ("", UNDEFINED)
        assert row["АбонентПредставление"] == "Неизвестный абонент, +7 (999) 000-00-01"
        assert row["Автор_Key"] == row["Ответственный_Key"] == user
        (made,) = lab.string_contacts()
        assert made["Description"] == row["АбонентПредставление"]
        (link,) = [
            r for r in lab.infobase.rows(CALL_CONTACTS) if r["Взаимодействие"] == row["Ref_Key"]
        ]
        assert (link["Контакт"], link["Контакт_Type"]) == (
            made["Ref_Key"],
            f"StandardODATA.{STRING_CONTACTS}",
        )
        assert [r["Пользователь_Key"] for r in lab.reminders()] == [user]


@pytest.mark.parametrize("default", [None, "999", "twins"])
async def test_where_no_one_user_answers_there_is_a_document_and_no_reminder(
    default: str | None, tmp_path: Path
) -> None:
    clock = ManualClock()
    lab = build_onec_lab(clock, partners=20)
    if default == "twins":
        default = "777"
        for name in ("Первая", "Вторая"):
            lab.add_user(name, default)
    path = tmp_path / "directory.db"
    await sync(lab, path, clock)
    plan = ServiceOptions(RoutingRules(default_extension=default))
    async with run_service(lab, path, tmp_path / "service", clock, plan) as service:
        report = await service.call("79990000001")
        await service.deliver_all()
        assert (report.rang_first, report.default_queue) == (default or "200", default is None)
        assert service.count_in_onec() == (1, 1, 0)
        (row,) = service.documents()
        assert row["Автор_Key"] == row["Ответственный_Key"] == EMPTY_REF


async def test_two_calls_of_one_second_are_two_documents(pulled: Path, tmp_path: Path) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        at = service.clock()
        for actor in (callers.contact, callers.partner):
            service.clock.now = at
            await service.call(actor.sent_number)
        await service.deliver_all()
        assert service.count_in_onec() == (2, 2, 2)


async def test_what_a_refused_entry_waits_for_is_a_person(pulled: Path, tmp_path: Path) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        service.lab.faults.add("business_refusal", set=PHONE_CALLS, times=1, text="Период закрыт")
        await service.call(callers.contact.sent_number)
        await service.deliver_all()
        ((entry, call),) = await service.ledger.entries([EntryState.DEAD])
        assert "Период закрыт" in entry.last_error
        assert entry.stage is DeliveryStage.DOCUMENT
        assert call.arrived_at == datetime.fromisoformat("2026-11-23T09:30:00+00:00")
        await service.pass_time(24 * 60)
        assert service.count_in_onec() == (0, 0, 0)
