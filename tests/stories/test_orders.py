"""Orders between a simulated 1C and a simulated cabinet: nobody is rung twice, all is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from bridge.adapters.onec.requests import ODataRequests
from bridge.domain.directory import Ref
from bridge.domain.life import Disposition
from bridge.domain.orders import OrderState
from bridge.errors import OrderRepeated
from bridge.lab.desk import Desk
from bridge.lab.sipuni import AcceptedForm, OrderReply, Outcome, Switches
from bridge.lab.tables import Row
from bridge.services.requests import Requesting
from tests.stories.house import PHONES, Clock, House, compose_lab, connect, open_house, sync

pytestmark = pytest.mark.anyio

CLIENT = "79001234567"
#: Its reply is lost, and its telephone is not there: nobody ever tells of the order.
SILENT = Switches(order_reply=OrderReply.LOST, offline_ext=frozenset({"777"}))
LOST = Switches(order_reply=OrderReply.LOST)


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("orders") / "directory.db"

    async def pull() -> None:
        clock = Clock()
        lab = compose_lab(clock)
        lab.add_user("Звонков Олег", "777")
        await sync(lab, path, clock)

    anyio.run(pull)
    return path


@dataclass
class Scene:
    house: House
    desk: Desk
    user: str
    requesting: Requesting = field(init=False)

    def __post_init__(self) -> None:
        house = self.house
        self.requests = ODataRequests(connect(house.lab), house.lab.zone)
        self.begin()

    def begin(self) -> None:
        house = self.house
        self.requesting = Requesting(
            requests=self.requests,
            originating=house.originating,
            directory=house.directory,
            phone_book=house.directory,
            phones=PHONES,
            mark="позвонить",
            lang="ru",
            clock=house.clock,
            monotonic=house.clock.monotonic,
        )

    def writes(self, subject: str = "Позвонить насчёт договора") -> Ref:
        return Ref(self.desk.write_call(self.user, subject, phone="8 900 123-45-67"))

    def document(self, ref: Ref) -> Row:
        return next(row for row in self.house.lab.phone_calls() if row["Ref_Key"] == ref)

    def rung(self) -> int:
        return sum(bool(call.line.callback_id) for call in self.house.sipuni.calls)

    async def looks(self) -> int:
        placed = await self.requesting.look()
        await self.house.sipuni.settle()
        await self.house.look()
        return placed


@asynccontextmanager
async def scene(
    pulled: Path, folder: Path, switches: Switches | None = None
) -> AsyncIterator[Scene]:
    clock = Clock()
    lab = compose_lab(clock)
    user = lab.add_user("Звонков Олег", "777")
    async with open_house(lab, pulled, folder / "house", clock) as house:
        if switches is not None:
            house.sipuni.switch(switches)
        at = Scene(house, Desk(lab.world, lab.now), user)
        try:
            yield at
        finally:
            await at.requests.aclose()


async def test_an_unknown_outcome_is_told_in_1c_and_bars_until_the_statistics_were_asked(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path, SILENT) as at:
        ordered = at.writes()
        assert await at.looks() == 1
        told = str(at.document(ordered)["Описание"])
        assert "Состоялся ли звонок, неизвестно" in told
        assert "Посмотрите в АТС" in told

        at.house.clock.advance(600)
        with pytest.raises(OrderRepeated, match="посмотрите в АТС"):
            await at.house.originating.order("777", CLIENT, by="api")
        again = at.writes()
        await at.looks()
        assert "исход неизвестен; посмотрите в АТС" in str(at.document(again)["Описание"])
        assert at.rung() == 1

        await at.house.settle_calls(timedelta(minutes=31))
        await at.house.originating.order("777", CLIENT, by="api")
        assert at.rung() == 2


async def test_what_the_events_tell_of_an_unknown_order_replaces_the_doubt(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path, LOST) as at:
        ordered = at.writes()
        await at.looks()
        await at.house.settle()

        told = str(at.document(ordered)["Описание"])
        assert "Итог: разговор состоялся" in told
        assert "неизвестно" not in told


async def test_the_statistics_settle_an_unknown_order_whose_events_were_lost(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path, LOST) as at:
        at.house.door.street = None  # no event arrives
        ordered = at.writes()
        await at.looks()
        assert "неизвестно" in str(at.document(ordered)["Описание"])

        await at.house.settle_calls()
        await at.house.settle()

        told = str(at.document(ordered)["Описание"])
        assert "Итог: разговор состоялся" in told
        assert "неизвестно" not in told


async def test_a_document_bears_our_mark_and_is_no_order_even_with_a_new_date_and_no_memory(
    pulled: Path, tmp_path: Path
) -> None:
    async with scene(pulled, tmp_path) as at:
        ordered = at.writes()
        assert await at.looks() == 1
        assert "[bridge:" in str(at.document(ordered)["Комментарий"])

        at.house.clock.advance(400 * 86_400)
        await at.house.ledger.forget(at.house.clock.now)
        await at.house.lose_power()
        at.begin()
        fresh = at.house.lab.now().isoformat(timespec="seconds")
        at.desk.edit("Document_ТелефонныйЗвонок", ordered, Date=fresh)

        assert await at.looks() == 0
        assert at.rung() == 1


@pytest.mark.parametrize("form", list(AcceptedForm))
async def test_every_accepted_form_is_read_as_accepted(
    pulled: Path, tmp_path: Path, form: AcceptedForm
) -> None:
    async with scene(pulled, tmp_path, Switches(accepted_form=form)) as at:
        call = await at.house.originating.order("777", CLIENT, by="api")

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
    switches = Switches(originated=Outcome.BUSY, record_id_shift=True)
    async with scene(pulled, tmp_path, switches) as at:
        first = await at.house.originating.order("777", CLIENT, by="api")
        await at.house.sipuni.settle()
        await at.house.look()
        at.house.clock.advance(60)
        at.house.door.street = None
        at.house.sipuni.switch(replace(SILENT, order_reply=OrderReply.PROMPT))
        second = await at.house.originating.order("777", CLIENT, by="api")

        # The second is still talked about: the statistics know the first alone.
        at.house.sipuni.calls[-1].over = False
        await at.house.settle_calls()

        ended = {call.key: call for call in await at.house.ledger.calls()}
        assert ended[first.key].life.disposition is Disposition.NOT_REACHED
        assert ended[second.key].life.disposition is Disposition.RINGING
