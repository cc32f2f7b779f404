"""A client written down a minute ago reaches the manager, although no sync has run since."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.domain.circuit_breakers import OPEN_FOR, OPEN_UNTIL_REPAIRED
from bridge.domain.delivery.entry import EntryState
from bridge.domain.routing.decision import Finding, RoutingRules
from bridge.lab.onec.infobase.infobase import CONTACT_PERSONS, COUNTERPARTIES, PARTNERS, USERS
from bridge.lab.onec.infobase.tables import CONTACTS
from tests.stories.in_process import (
    InProcessService,
    ManualClock,
    ServiceOptions,
    build_onec_lab,
    run_service,
    sync,
)

pytestmark = pytest.mark.anyio

MANAGER, DEFAULT = "731", "100"
NEW, OTHER = "+79035550123", "+79035550124"
LINES = {f"{name}_{CONTACTS}" for name in (CONTACT_PERSONS, PARTNERS, COUNTERPARTIES)}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[InProcessService]:
    """Furnish a service whose directory was pulled a second ago; Смирнова answers 731."""
    clock = ManualClock()
    lab = build_onec_lab(clock)
    lab.add_user("Смирнова", MANAGER)
    await sync(lab, tmp_path / "directory.db", clock)
    clock.advance(1)
    plan = ServiceOptions(routing=RoutingRules(default_extension=DEFAULT), live_lookup=True)
    async with run_service(
        lab, tmp_path / "directory.db", tmp_path / "life", clock, plan
    ) as running_service:
        yield running_service


def smirnova(service: InProcessService) -> str:
    rows = service.lab.infobase.tables[USERS].rows
    return str(next(ref for ref, row in rows.items() if row["Description"] == "Смирнова"))


def write_down(service: InProcessService, phone: str = "8 (903) 555-01-23") -> tuple[str, str]:
    """Write a new partner of Смирнова's with a contact person down, as a manual edit in 1C."""
    partner = service.lab.add_partner("Ромашка", manager=smirnova(service))
    return partner, service.lab.add_contact(partner, "Иванов Пётр", phone=phone)


def looked_for(service: InProcessService) -> int:
    """Count the questions for lines of telephones since the last time."""
    count = sum(entry.set in LINES for entry in service.lab.request_log)
    service.lab.request_log.clear()
    return count


async def evidence(service: InProcessService) -> set[Finding]:
    """Return what was found on the way to the last decision."""
    [call] = await service.ledger.calls(limit=1)
    return {step.finding for step in call.decision.evidence}


async def test_the_first_call_of_a_new_customer_reaches_his_manager(
    service: InProcessService,
) -> None:
    write_down(service)
    looked_for(service)

    first = await service.call(NEW)
    questions = looked_for(service)
    second = await service.call(NEW)

    assert (first.rang_first, second.rang_first) == (MANAGER, MANAGER)
    assert (questions, looked_for(service)) == (3, 0)


async def test_the_call_is_written_to_the_new_contact_and_his_manager_reminded(
    service: InProcessService,
) -> None:
    _, contact = write_down(service)
    await service.call(NEW)

    await service.deliver_all()

    [document] = service.documents()
    [reminder] = service.lab.reminders()
    assert document["АбонентКонтакт"] == contact
    assert document["АбонентКонтакт_Type"] == f"StandardODATA.{CONTACT_PERSONS}"
    assert document["Ответственный_Key"] == reminder["Пользователь_Key"] == smirnova(service)
    assert service.lab.visible_calls(contact) == [document]


async def test_the_next_sync_takes_over(service: InProcessService) -> None:
    write_down(service)
    await service.call(NEW)
    assert Finding.ONEC_FOUND in await evidence(service)
    await service.sync()
    looked_for(service)

    report = await service.call(NEW)

    assert report.rang_first == MANAGER
    assert Finding.ONEC_FOUND not in await evidence(service)
    assert looked_for(service) == 0


async def test_a_number_taken_away_in_1c_is_forgotten_with_the_next_sync(
    service: InProcessService,
) -> None:
    _, contact = write_down(service)
    await service.call(NEW)
    service.lab.delete(CONTACT_PERSONS, contact)
    await service.sync()

    report = await service.call(NEW)

    assert report.rang_first == DEFAULT
    assert Finding.ONEC_UNKNOWN in await evidence(service)


async def test_a_new_contact_of_an_old_holding_reaches_the_holdings_manager(
    service: InProcessService,
) -> None:
    top = service.lab.add_partner("Верх", manager=smirnova(service))
    middle = service.lab.add_partner("Середина", parent=top)
    await service.sync()
    partner = service.lab.add_partner("Низ", parent=middle, phone="+7 (903) 555-01-23")

    report = await service.call(NEW)

    assert report.rang_first == MANAGER
    await service.deliver_all()
    assert [row["АбонентКонтакт"] for row in service.documents()] == [partner]


async def test_a_stranger_rings_again_and_1c_is_left_in_peace(service: InProcessService) -> None:
    looked_for(service)
    for _ in range(3):
        assert (await service.call(NEW)).rang_first == DEFAULT

    assert looked_for(service) == 6  # by the column of digits, and in lines of other programs
    write_down(service)
    service.clock.advance(60)
    assert (await service.call(NEW)).rang_first == MANAGER


@pytest.mark.parametrize("trouble", ["down", "sessions_blocked", "platform_error", "rights"])
async def test_while_1c_is_away_callers_are_answered_and_known_ones_routed(
    service: InProcessService, trouble: str
) -> None:
    write_down(service, "8 (903) 555-01-24")
    await service.sync()
    write_down(service)
    service.lab.faults.add(trouble)

    for _ in range(4):
        assert (await service.call(NEW)).rang_first == DEFAULT
        assert (await service.call(OTHER)).rang_first == MANAGER
    service.lab.faults.clear()
    service.clock.advance(max(OPEN_FOR, OPEN_UNTIL_REPAIRED).total_seconds())

    assert (await service.call(NEW)).rang_first == MANAGER


async def test_without_the_sets_of_phone_lines_everything_else_goes_on(
    service: InProcessService, caplog: pytest.LogCaptureFixture
) -> None:
    write_down(service, "8 (903) 555-01-24")
    await service.sync()
    write_down(service)
    service.lab.switches.unpublished.update(LINES)
    looked_for(service)

    for _ in range(5):
        assert (await service.call(NEW)).rang_first == DEFAULT
        assert (await service.call(OTHER)).rang_first == MANAGER

    assert looked_for(service) == len(LINES)
    assert [r.message for r in caplog.records if "live" in r.message] == ["live_lookup_rests"]
    assert {entry.state for entry in await service.deliver_all()} == {EntryState.DELIVERED}
    assert len(service.documents()) == 10


async def test_sets_that_are_published_later_are_asked_in_a_while(
    service: InProcessService,
) -> None:
    write_down(service)
    service.lab.switches.unpublished.update(LINES)
    await service.call(NEW)
    service.lab.switches.unpublished.clear()
    service.clock.advance(OPEN_UNTIL_REPAIRED.total_seconds())

    assert (await service.call(NEW)).rang_first == MANAGER


async def test_after_a_restart_1c_is_asked_again(service: InProcessService) -> None:
    write_down(service)
    await service.call(NEW)
    await service.lose_power()
    looked_for(service)

    report = await service.call(NEW)

    assert report.rang_first == MANAGER
    assert looked_for(service) == 3
