"""Calls ordered from inside UT: each document once, its failures told, 1C left alone when away."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from bridge.domain.calls.orders import OrderState
from bridge.domain.delivery.document_drafts import CallRequest, ContactRef
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref
from bridge.errors import OneCError, OneCUnauthorized, OneCUnavailable, StoreError
from bridge.ports.orders import OwnedPhone
from bridge.services.orders.call_requests import CallRequestPoller
from bridge.services.orders.originate import CallOriginator
from tests.support import builders as b
from tests.support.clocks import seconds_of
from tests.support.fakes.directory import MemoryDirectory
from tests.support.fakes.orders import FakePbx, MemoryOrderStore

pytestmark = pytest.mark.anyio

ANNA = b.manager()
WISH = CallRequest(b.ref("wish"), b.NOON, "Позвонить по счёту", "", ANNA.ref, "+79035550123")
PHONE = OwnedPhone(b.NUMBER, b.ref("Иванов"), CandidateKind.CONTACT, "Иванов", "8 903 555-01-23")


@dataclass
class Desk:
    """A 1C with documents, a directory, a PBX; *failure* is how 1C answers."""

    documents: list[CallRequest] = field(default_factory=list)
    failure: OneCError | None = None
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    phones: dict[Ref, Sequence[OwnedPhone]] = field(default_factory=dict)
    book: MemoryOrderStore = field(default_factory=MemoryOrderStore)
    pbx: FakePbx = field(default_factory=FakePbx)
    now: datetime = b.NOON + timedelta(seconds=4)

    def __post_init__(self) -> None:
        self.requesting = self.started()

    def started(self) -> CallRequestPoller:
        originating = CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.book,
            decide=lambda _: b.decision(),
            phones=b.RULES,
            lang="ru",
            clock=lambda: self.now,
        )
        return CallRequestPoller(
            call_requests=self,
            originator=originating,
            directory=MemoryDirectory(),
            partner_phones=self,
            phones=b.RULES,
            mark="позвонить",
            lang="ru",
            clock=lambda: self.now,
            monotonic=seconds_of(lambda: self.now),
        )

    async def find_call_requests(self, since: datetime, mark: str) -> Sequence[CallRequest]:
        self.asked.append((since, mark))
        if self.failure is not None:
            raise self.failure
        return [request for request in self.documents if request.at >= since]

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        return self.phones.get(owner)


async def test_a_document_rings_the_telephone_of_its_user_once() -> None:
    desk = Desk([WISH])

    assert await desk.requesting.poll() == 1
    desk.now += timedelta(seconds=5)
    assert await desk.requesting.poll() == 0

    assert desk.pbx.originated() == [("205", "79035550123")]
    (call,) = desk.book.calls.values()
    assert call.order is not None
    assert (call.order.document, call.order.ordered_by) == (WISH.document, ANNA.name)
    assert desk.asked[0] == (b.NOON + timedelta(seconds=4) - timedelta(minutes=15), "позвонить")


async def test_nor_does_it_ring_again_after_a_restart() -> None:
    desk = Desk([WISH])
    await desk.requesting.poll()

    assert await desk.started().poll() == 0

    assert len(desk.pbx.orders) == 1


async def test_a_contact_s_number_is_taken_where_the_document_has_none() -> None:
    contact = ContactRef(CandidateKind.CONTACT, PHONE.owner)
    desk = Desk([replace(WISH, how_to_reach="", contact=contact)])
    desk.phones[PHONE.owner] = [PHONE]

    await desk.requesting.poll()

    assert desk.pbx.originated() == [("205", "79035550123")]


async def test_a_document_dated_tomorrow_rings_when_its_time_has_come_and_not_before() -> None:
    tomorrow = replace(WISH, at=b.NOON + timedelta(days=1))
    desk = Desk([tomorrow])
    assert await desk.requesting.poll() == 0

    desk.now = tomorrow.at - timedelta(minutes=3)
    assert await desk.requesting.poll() == 0
    desk.now = tomorrow.at
    assert await desk.requesting.poll() == 1
    assert len(desk.pbx.orders) == 1


async def test_a_clock_of_1c_that_is_a_little_ahead_keeps_no_document_waiting() -> None:
    desk = Desk([replace(WISH, at=b.NOON + timedelta(minutes=1))])

    assert await desk.requesting.poll() == 1


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (replace(WISH, how_to_reach=""), "номер телефона не указан"),
        (replace(WISH, user=None), "не указан пользователь"),
        (replace(WISH, user=b.ref("stranger")), "не указан пользователь"),
    ],
)
async def test_what_cannot_be_placed_is_kept_refused_with_its_reason(
    wish: CallRequest, words: str
) -> None:
    desk = Desk([wish])

    await desk.requesting.poll()

    assert desk.pbx.orders == []
    assert desk.book.states() == [OrderState.REFUSED]
    assert words in desk.book.messages()[0]


async def test_a_user_without_a_telephone_is_named() -> None:
    desk = Desk([replace(WISH, user=b.ref("Борис"))])
    requesting = CallRequestPoller(
        call_requests=desk,
        originator=CallOriginator(
            pbx=desk.pbx,
            provider="sipuni",
            order_store=desk.book,
            decide=lambda _: b.decision(),
            phones=b.RULES,
            lang="ru",
            clock=lambda: desk.now,
        ),
        directory=MemoryDirectory(b.rows(b.manager("Борис", None))),
        partner_phones=desk,
        phones=b.RULES,
        mark="позвонить",
        lang="ru",
        clock=lambda: desk.now,
    )

    await requesting.poll()

    assert desk.book.messages() == ["у пользователя Борис нет внутреннего номера"]


async def test_a_disk_that_refuses_costs_no_wish() -> None:
    desk = Desk([WISH])
    desk.book.broken = True
    with pytest.raises(StoreError):
        await desk.requesting.poll()

    desk.book.broken = False
    assert await desk.requesting.poll() == 1


async def test_a_1c_that_is_away_is_told_once_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    desk = Desk([WISH], failure=OneCUnavailable("Document_ТелефонныйЗвонок", "refused"))
    for _ in range(12):  # a minute
        assert await desk.requesting.poll() == 0
        desk.now += timedelta(seconds=5)
    assert len(desk.asked) < 6

    desk.failure = None
    desk.now += timedelta(seconds=30)
    assert await desk.requesting.poll() == 1

    assert caplog.messages == ["call_requests_failed", "call_requests_back"]


async def test_a_1c_that_turns_us_down_is_left_to_a_person() -> None:
    desk = Desk([WISH], failure=OneCUnauthorized("Document_ТелефонныйЗвонок", "no rights"))
    for _ in range(12):
        await desk.requesting.poll()
        desk.now += timedelta(seconds=5)

    assert len(desk.asked) == 1
