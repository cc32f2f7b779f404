"""One call is one document, one subject, one reminder, whatever weather stands over 1C."""

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
class Mood:
    """A weather over one entity set: *times* strikes, or until it clears."""

    name: str
    kind: str
    times: int | None = None
    method: str | None = None
    text: str = ""
    rights_status: int = 401
    #: How long after the call its late write is executed, in seconds.
    late: int | None = None
    dead: bool = False


_MOODS = (
    Mood("clear sky", "slow", times=0),
    Mood("lost replies", "lost_reply"),
    Mood("hung replies", "hung_reply"),
    Mood("one lost reply", "lost_reply", times=1, method="POST"),
    Mood("bad gateway after the commit", "bad_gateway"),
    Mood("truncated answers", "truncated"),
    Mood("answers cut off", "cut"),
    Mood("late commit within the quiet", "late_commit", times=1, late=10),
    Mood("late commit beyond the quiet", "late_commit", times=1, late=180),
    Mood("lost and late beyond the quiet", "late_commit", times=1, late=180, text="lost"),
    Mood("several late commits", "late_commit", times=3, late=240),
    Mood("time-outs", "timeout"),
    Mood("1C down", "down"),
    Mood("a maintenance page with status 200", "maintenance_200"),
    Mood("a maintenance page with status 503", "maintenance_503"),
    Mood("a page of 1C's that names rights", "rights_200"),
    Mood("a text that names rights", "plain_200"),
    Mood("a page of 1C's that names a block", "blocked_200"),
    Mood("a page of 1C's that names a licence", "no_licence_200"),
    Mood("a page of 1C's that names nothing", "page_200"),
    Mood("a page to sign in at", "sign_in_200"),
    Mood("sessions blocked", "sessions_blocked"),
    Mood("session pool exhausted", "pool_exhausted"),
    Mood("unauthorised", "unauthorised"),
    Mood("no rights, by the guide", "rights", rights_status=401),
    Mood("no rights, in the field", "rights", rights_status=403),
    Mood("data locked", "data_lock"),
    Mood("no licence, 500", "no_licence_500"),
    Mood("no licence, 503", "no_licence_503"),
    Mood("out of memory", "out_of_memory"),
    Mood("platform error", "platform_error"),
    Mood("a handler refuses", "business_refusal", text="Период закрыт", dead=True),
    Mood("flaky reads", "flaky"),
)
#: After these 1C may have done what it did not confirm: the moods worth a power cut.
_DOUBTFUL = ("lost replies", "late commit beyond the quiet", "1C down", "truncated answers")


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of the stories' company, pulled once."""
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


def let_it_rage(lab: OneCLab, mood: Mood, write: str) -> None:
    """Let *mood* come over one of the three writes."""
    lab.switches.rights_status = 403 if mood.rights_status == 403 else 401
    method = "POST" if mood.kind == "late_commit" else mood.method
    if mood.kind == "flaky":  # it troubles reads alone, and the first look needs a reason
        lab.faults.add("lost_reply", method="POST", set=write, times=1)
    fields = {"after": 10**9} if mood.kind == "late_commit" else {}
    lab.faults.add(mood.kind, method=method, set=write, times=mood.times, text=mood.text, **fields)


async def weather_the_mood(service: InProcessService, mood: Mood) -> None:
    """Let the storm rage, let it clear; what 1C does late it does when its time has come."""
    if mood.late is None:
        await service.pass_time(100)
    else:
        await service.pass_time(mood.late)
        service.lab.commit_late_writes()
    service.lab.faults.clear()


async def revive_the_dead(service: InProcessService, mood: Mood) -> None:
    """A person reads 1C's words and retries; nothing else may bring the dead back."""
    for entry, _ in await service.ledger.entries([EntryState.DEAD]):
        assert mood.dead
        assert mood.text in entry.last_error
        await service.ledger.save_entry(retry_now(entry, service.clock()))


def test_every_kind_of_fault_has_its_case() -> None:
    besides = {"shrunken"}  # loses rows of listings, which no delivery asks for
    assert {mood.kind for mood in _MOODS} == KINDS - besides


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
@pytest.mark.parametrize("mood", _MOODS, ids=lambda mood: mood.name)
async def test_one_call_is_one_document_one_subject_one_reminder(
    mood: Mood, write: str, honoured: bool, pulled: Path, tmp_path: Path
) -> None:
    async with running_service(pulled, tmp_path) as (service, callers):
        service.lab.switches.honour_client_ref_key = honoured
        let_it_rage(service.lab, mood, write)
        report = await service.call(callers.contact.sent_number)
        assert report.rang_first == callers.contact.extension
        await weather_the_mood(service, mood)
        if mood.dead:
            assert [e.state for e in await service.deliver_all()] == [EntryState.DEAD]
        await revive_the_dead(service, mood)
        entries = await service.deliver_all()
        service.lab.commit_late_writes()  # nothing of ours may be under way any more
        assert service.count_in_onec() == (1, 1, 1)
        assert [entry.state for entry in entries] == [EntryState.DELIVERED]
        assert service.situation.alarms() == ()


@pytest.mark.parametrize("executed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", _WRITES, ids=["document", "subject", "reminder"])
@pytest.mark.parametrize("name", _DOUBTFUL)
async def test_a_power_cut_in_the_middle_changes_nothing(
    name: str, write: str, executed: bool, pulled: Path, tmp_path: Path
) -> None:
    mood = next(mood for mood in _MOODS if mood.name == name)
    async with running_service(pulled, tmp_path) as (service, callers):
        await service.call(callers.contact.sent_number)
        service.onec_transport.hold("POST", write, executed=executed)
        await service.deliver_until_interrupted()
        await service.lose_power()
        let_it_rage(service.lab, mood, write)
        await weather_the_mood(service, mood)
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
        for turn, mood in enumerate(_MOODS):
            let_it_rage(service.lab, mood, _WRITES[turn % 3])
            for actor in (callers.contact, callers.partner):
                await service.call(actor.sent_number)
                calls += 1
            await service.pass_time(20)
            if turn % 4 == 3:
                await service.lose_power()
            if mood.late:
                service.lab.commit_late_writes()
            service.lab.faults.clear()
            await revive_the_dead(service, mood)
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
    """Give the only user who may be called at *extension*."""
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
