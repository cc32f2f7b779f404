"""Orders between a simulated 1C and a simulated cabinet: nobody is rung twice, all is reported."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from bridge.adapters.onec.reading.call_requests import ODataCallRequests
from bridge.domain.calls.orders import OrderState
from bridge.domain.calls.state import Disposition
from bridge.domain.directory.entities import Ref
from bridge.errors import OrderRepeated
from bridge.lab.onec.edits.manager_actions import ManagerActions
from bridge.lab.onec.infobase.tables import Row
from bridge.lab.sipuni.switches import (
    AcceptedForm,
    CabinetSwitches,
    OrderReplyMode,
    PlannedOutcome,
)
from bridge.services.orders.call_requests import CallRequestPoller
from tests.stories.in_process import (
    PHONES,
    InProcessService,
    ManualClock,
    build_onec_lab,
    connect,
    run_service,
    sync,
)

pytestmark = pytest.mark.anyio

CLIENT = "79001234567"
#: Its reply is lost, and its telephone is not there: no event of the order ever comes.
SILENT = CabinetSwitches(order_reply=OrderReplyMode.LOST, offline_ext=frozenset({"777"}))
LOST = CabinetSwitches(order_reply=OrderReplyMode.LOST)


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("orders") / "directory.db"

    async def pull() -> None:
        clock = ManualClock()
        lab = build_onec_lab(clock)
        lab.add_user("Звонков Олег", "777")
        await sync(lab, path, clock)

    anyio.run(pull)
    return path


@dataclass
class Scene:
    service: InProcessService
    desk: ManagerActions
    user: str
    requesting: CallRequestPoller = field(init=False)

    def __post_init__(self) -> None:
        service = self.service
        self.requests = ODataCallRequests(connect(service.lab), service.lab.zone)
        self.open_call()

    def open_call(self) -> None:
        service = self.service
        self.requesting = CallRequestPoller(
            call_requests=self.requests,
            originator=service.call_originator,
            directory=service.directory,
            partner_phones=service.directory,
            phones=PHONES,
            mark="позвонить",
            lang="ru",
            clock=service.clock,
            monotonic=service.clock.monotonic,
        )

    def writes(self, subject: str = "Позвонить насчёт договора") -> Ref:
        return Ref(self.desk.write_call(self.user, subject, phone="8 900 123-45-67"))

    def document(self, ref: Ref) -> Row:
        return next(row for row in self.service.lab.phone_calls() if row["Ref_Key"] == ref)

    def rung(self) -> int:
        return sum(bool(call.header.callback_id) for call in self.service.sipuni.calls)

    async def looks(self) -> int:
        placed = await self.requesting.poll()
        await self.service.sipuni.wait_until_idle()
        await self.service.run_delivery_soon()
        return placed


@asynccontextmanager
async def scene(
    pulled: Path, folder: Path, switches: CabinetSwitches | None = None
) -> AsyncIterator[Scene]:
    clock = ManualClock()
    lab = build_onec_lab(clock)
    user = lab.add_user("Звонков Олег", "777")
    async with run_service(lab, pulled, folder / "service", clock) as service:
        if switches is not None:
            service.sipuni.set_switches(switches)
        at = Scene(service, ManagerActions(lab.infobase, lab.server_time), user)
        try:
            yield at
        finally:
            await at.requests.aclose()


async def test_an_unknown_outcome_is_written_to_1c_and_bars_until_the_statistics_were_asked(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path, SILENT) as at:
        ordered = at.writes()
        assert await at.looks() == 1
        reported = str(at.document(ordered)["Описание"])
        assert "Состоялся ли звонок, неизвестно" in reported
        assert "Посмотрите в АТС" in reported

        at.service.clock.advance(600)
        with pytest.raises(OrderRepeated, match="посмотрите в АТС"):
            await at.service.call_originator.order("777", CLIENT, by="api")
        again = at.writes()
        await at.looks()
        assert "исход неизвестен; посмотрите в АТС" in str(at.document(again)["Описание"])
        assert at.rung() == 1

        await at.service.resolve_unfinished_calls(timedelta(minutes=31))
        await at.service.call_originator.order("777", CLIENT, by="api")
        assert at.rung() == 2


async def test_events_of_an_unknown_order_replace_the_doubt(pulled: Path, tmp_path: Path) -> None:
    async with scene(pulled, tmp_path, LOST) as at:
        ordered = at.writes()
        await at.looks()
        await at.service.deliver_all()

        reported = str(at.document(ordered)["Описание"])
        assert "Итог: разговор состоялся" in reported
        assert "неизвестно" not in reported


async def test_the_statistics_resolve_an_unknown_order_whose_events_were_lost(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path, LOST) as at:
        at.service.transport.inner = None  # no event arrives
        ordered = at.writes()
        await at.looks()
        assert "неизвестно" in str(at.document(ordered)["Описание"])

        await at.service.resolve_unfinished_calls()
        await at.service.deliver_all()

        reported = str(at.document(ordered)["Описание"])
        assert "Итог: разговор состоялся" in reported
        assert "неизвестно" not in reported


async def test_a_document_bears_our_mark_and_is_no_order_even_with_a_new_date_and_no_memory(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        ordered = at.writes()
        assert await at.looks() == 1
        assert "[bridge:" in str(at.document(ordered)["Комментарий"])

        at.service.clock.advance(400 * 86_400)
        await at.service.ledger.delete_older_than(at.service.clock.now)
        await at.service.lose_power()
        at.open_call()
        fresh = at.service.lab.server_time().isoformat(timespec="seconds")
        at.desk.edit("Document_ТелефонныйЗвонок", ordered, Date=fresh)

        assert await at.looks() == 0
        assert at.rung() == 1


@pytest.mark.parametrize("form", list(AcceptedForm))
async def test_every_accepted_form_is_read_as_accepted(
    pulled: Path, tmp_path: Path, form: AcceptedForm
) -> None:
    async with scene(pulled, tmp_path, CabinetSwitches(accepted_form=form)) as at:
        call = await at.service.call_originator.order("777", CLIENT, by="api")

        assert call.order is not None
        assert call.order.state is OrderState.ACCEPTED


async def test_a_negated_mark_rings_nobody(pulled: Path, tmp_path: Path) -> None:
    async with scene(pulled, tmp_path) as at:
        at.writes("Не позвонить, а написать")
        at.writes("Перепозвонить")

        assert await at.looks() == 0
        assert at.rung() == 0


async def test_the_statistics_of_the_first_call_do_not_end_the_second(
    pulled: Path, tmp_path: Path
) -> None:
    switches = CabinetSwitches(originated=PlannedOutcome.BUSY, record_id_shift=True)
    async with scene(pulled, tmp_path, switches) as at:
        first = await at.service.call_originator.order("777", CLIENT, by="api")
        await at.service.sipuni.wait_until_idle()
        await at.service.run_delivery_soon()
        at.service.clock.advance(60)
        at.service.transport.inner = None
        at.service.sipuni.set_switches(replace(SILENT, order_reply=OrderReplyMode.PROMPT))
        second = await at.service.call_originator.order("777", CLIENT, by="api")

        # The second is still talked about: the statistics know the first alone.
        at.service.sipuni.calls[-1].is_over = False
        await at.service.resolve_unfinished_calls()

        ended = {call.key: call for call in await at.service.ledger.calls()}
        assert ended[first.key].state.disposition is Disposition.NOT_REACHED
        assert ended[second.key].state.disposition is Disposition.RINGING
