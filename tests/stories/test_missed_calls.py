"""A missed call is one reminder in 1C as long as it is open, and what its manager did
with it is respected."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from bridge.domain.calls.work_hours import read_work_hours
from bridge.lab.demo.callers import choose_callers
from bridge.lab.onec.edits.manager_actions import ManagerActions
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.sipuni.switches import PlannedOutcome
from bridge.services.calls.missed_calls import MissedCallRules
from tests.stories.in_process import (
    InProcessService,
    ManualClock,
    ServiceOptions,
    build_onec_lab,
    run_service,
    sync,
)

pytestmark = pytest.mark.anyio

RULES = MissedCallRules(lang="ru", zone=ZoneInfo("Europe/Moscow"))


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a company that is the same in every test."""
    path = tmp_path_factory.mktemp("missed") / "directory.db"

    async def pull() -> None:
        clock = ManualClock()
        await sync(build_onec_lab(clock), path, clock)

    anyio.run(pull)
    return path


@dataclass
class Scene:
    """A client, the manager's desk in UT, and the service between them."""

    service: InProcessService
    desk: ManagerActions
    client: str
    extension: str
    manager: str

    async def misses(self, caller: str | None = None, **plan: Any) -> None:
        """Let the client call and nobody answer."""
        caller = caller or self.client
        await self.service.call(
            caller, outcome=plan.pop("outcome", PlannedOutcome.NO_ANSWER), **plan
        )
        await self.service.pass_time(40)

    async def is_answered(self, **plan: Any) -> None:
        """Let the client call and be answered."""
        await self.service.call(self.client, outcome=PlannedOutcome.ANSWERED, **plan)
        await self.service.pass_time(40)

    async def calls_back(self) -> None:
        """Have the manager call the client, and talk."""
        await self.service.call_originator.order(self.extension, self.client, by="Анна")
        await self.service.sipuni.wait_until_idle()
        await self.service.pass_time(90)

    def reminders(self, user: str | None = None) -> list[Row]:
        return [
            row
            for row in self.service.lab.reminders()
            if user is None or row["Пользователь_Key"] == user
        ]

    def texts(self) -> list[str]:
        return [str(row["Описание"]) for row in self.reminders()]


@asynccontextmanager
async def scene(pulled: Path, folder: Path, rules: MissedCallRules = RULES) -> AsyncIterator[Scene]:
    clock = ManualClock()
    lab = build_onec_lab(clock)
    callers = choose_callers(lab.infobase)
    async with run_service(
        lab, pulled, folder / "service", clock, ServiceOptions(missed_call_rules=rules)
    ) as service:
        manager = next(
            u for u, e in lab.infobase.extensions.items() if e == callers.contact.extension
        )
        yield Scene(
            service,
            ManagerActions(lab.infobase, lab.server_time),
            callers.contact.sent_number,
            callers.contact.extension,
            manager,
        )


async def test_a_missed_call_is_added_to_the_ringing_reminder(pulled: Path, tmp_path: Path) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()

        (text,) = at.texts()
        assert text.startswith("Пропущен звонок в 12:30: ")
        assert len(await at.service.ledger.open_missed_calls()) == 1
        (document,) = at.service.documents()
        assert "Итог: пропущен, ожидание" in document["Описание"]


async def test_often_missed_is_one_reminder_with_how_often_and_when_last(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        first = at.reminders()[0]["ВремяСобытия"]
        at.service.clock.advance(600)
        await at.misses()
        at.service.clock.advance(600)
        await at.misses()

        (reminder,) = at.reminders()
        assert reminder["ВремяСобытия"] == first
        assert str(reminder["Описание"]).startswith("Пропущено звонков: 3, последний в 12:5")
        assert at.service.count_in_onec()[:2] == (3, 3)
        assert len(await at.service.ledger.open_missed_calls()) == 1


async def test_the_reminder_goes_when_anybody_talked_to_the_client(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        await at.misses()
        await at.calls_back()

        assert at.reminders() == []
        assert await at.service.ledger.open_missed_calls() == []


async def test_it_goes_too_when_he_calls_again_and_is_answered(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        await at.is_answered()

        # The answered call keeps its own ringing reminder: UT polls, and would never show it.
        (text,) = at.texts()
        assert text.startswith("Звонит ")
        assert await at.service.ledger.open_missed_calls() == []


async def test_without_keeping_an_answered_calls_reminder_goes_when_it_is_over(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path, replace(RULES, keep_reminders=False)) as at:
        await at.is_answered()

        assert at.reminders() == []


async def test_a_dismissed_reminder_is_not_made_again_and_the_next_call_has_its_own(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        (first,) = at.reminders()
        at.desk.dismiss_reminder(first["Источник"])
        at.service.clock.advance(300)
        await at.misses()

        (second,) = at.reminders()
        assert second["Источник"] != first["Источник"]
        assert str(second["Описание"]).startswith("Пропущен звонок в 12:35")  # a new one
        at.desk.dismiss_reminder(second["Источник"])
        await at.service.pass_time(600)
        assert at.reminders() == []


async def test_a_postponed_reminder_stays_where_its_manager_put_it(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        (first,) = at.reminders()
        at.desk.postpone_reminder(first["Источник"])
        (moved,) = at.reminders()
        await at.misses()

        (reminder,) = at.reminders()
        assert reminder["СрокНапоминания"] == moved["СрокНапоминания"]
        assert str(reminder["Описание"]).startswith("Пропущено звонков: 2")


def escalating(at: Scene, minutes: int = 60, hours: str = "") -> tuple[MissedCallRules, str]:
    """Return the rules of an escalation to a colleague, and the colleague in 1C."""
    world = at.service.lab.infobase
    second = next(
        u for u in sorted(world.extensions) if world.may_take_calls(u) and u != at.manager
    )
    rules = replace(
        RULES,
        escalate_after=timedelta(minutes=minutes),
        escalation_extension=world.extensions[second],
        work_hours=read_work_hours(hours),
    )
    return rules, second


async def time_passes(at: Scene, minutes: float) -> None:
    at.service.clock.advance(minutes * 60)
    await at.service.following.escalate_missed_calls()
    await at.service.pass_time(10)


@asynccontextmanager
async def escalation(
    pulled: Path, folder: Path, minutes: int = 60, hours: str = ""
) -> AsyncIterator[tuple[Scene, str]]:
    async with scene(pulled, folder / "before") as before:
        rules, second = escalating(before, minutes, hours)
    async with scene(pulled, folder / "after", rules) as at:
        yield at, second


async def test_a_missed_call_escalates_after_working_time_and_closes_for_both(
    pulled: Path, tmp_path: Path
) -> None:
    # The tests begin on a Monday at 12:30 in Moscow.
    hours = "Mon-Fri 12:00-13:00, Tue-Fri 09:00-18:00"
    async with escalation(pulled, tmp_path, 60, hours) as (at, second):
        await at.misses()
        await time_passes(at, 60 * 10)
        assert at.reminders(second) == []  # half an hour of work was left on Monday
        await time_passes(at, 60 * 12)

        (reported,) = at.reminders(second)
        assert str(reported["Описание"]).startswith("Не перезвонили с 12:30 (")
        assert len(at.reminders(at.manager)) == 1
        await at.calls_back()
        assert at.reminders() == []


@pytest.mark.parametrize("step", [timedelta(hours=-3), timedelta(days=-3), timedelta(days=365)])
async def test_a_step_of_the_clock_escalates_neither_at_once_nor_hours_late(
    pulled: Path, tmp_path: Path, step: timedelta
) -> None:
    async with escalation(pulled, tmp_path, 60) as (at, second):
        await at.misses()
        at.service.step_clock(step)
        await at.service.following.escalate_missed_calls()
        await at.service.delivery.drain()
        assert at.reminders(second) == []

        await time_passes(at, 61)
        assert len(at.reminders(second)) == 1


async def test_a_start_under_a_clock_set_back_escalates_in_time(
    pulled: Path, tmp_path: Path
) -> None:
    async with escalation(pulled, tmp_path, 60) as (at, second):
        await at.misses()
        await at.service.stop()
        at.service.clock.step(timedelta(days=-3))
        await at.service.start()
        await at.service.following.escalate_missed_calls()
        assert at.reminders(second) == []

        await time_passes(at, 61)
        assert len(at.reminders(second)) == 1


async def test_what_its_manager_dismissed_is_not_escalated(pulled: Path, tmp_path: Path) -> None:
    async with escalation(pulled, tmp_path) as (at, second):
        await at.misses()
        at.desk.dismiss_reminder(at.reminders()[0]["Источник"])
        await time_passes(at, 61)

        assert at.reminders(second) == []
        assert await at.service.ledger.open_missed_calls() == []


async def test_what_its_manager_postponed_waits_for_its_new_time(
    pulled: Path, tmp_path: Path
) -> None:
    async with escalation(pulled, tmp_path, 5) as (at, second):
        await at.misses()
        at.desk.postpone_reminder(at.reminders()[0]["Источник"])
        await time_passes(at, 6)
        assert at.reminders(second) == []
        await time_passes(at, 20)

        assert len(at.reminders(second)) == 1


async def test_a_person_s_text_in_the_document_stays(pulled: Path, tmp_path: Path) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.service.call(at.client, outcome=PlannedOutcome.ANSWERED)
        await at.service.delivery.drain()
        (document,) = at.service.documents()
        typed = f"Хочет скидку\n{document['Описание']}\nПерезвонить в пятницу"
        at.desk.describe_call(document["Ref_Key"], typed)
        (call,) = await at.service.ledger.calls()
        await at.service.call_store.annotate(call.key, "Анна", "Счёт выслан")
        await at.service.deliver_all()

        (document,) = at.service.documents()
        lines = str(document["Описание"]).splitlines()
        assert lines[0] == "Хочет скидку"
        assert lines[-1] == "Перезвонить в пятницу"
        assert any(line.startswith("Итог: ответил ") for line in lines)
        assert sum("Звонит:" in line for line in lines) == 1
        assert any(line.endswith("Счёт выслан") for line in lines)


async def test_after_a_power_cut_nothing_is_lost_and_nothing_is_doubled(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        await at.misses()
        await at.service.lose_power()
        await at.misses()
        await at.service.lose_power()
        await at.service.deliver_all()
        (reminder,) = at.reminders()
        assert str(reminder["Описание"]).startswith("Пропущено звонков: 2")
        await at.calls_back()
        await at.service.lose_power()
        await at.service.deliver_all()

        assert at.reminders() == []
        assert at.service.count_in_onec()[:2] == (3, 3)
