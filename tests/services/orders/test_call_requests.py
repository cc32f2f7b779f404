"""Calls ordered from inside UT.

Each document once, failures written to it, 1C asked rarely while unavailable.
"""

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
REQUEST = CallRequest(b.ref("wish"), b.NOON, "Позвонить по счёту", "", ANNA.ref, "+79035550123")
PHONE = OwnedPhone(b.NUMBER, b.ref("Иванов"), CandidateKind.CONTACT, "Иванов", "8 903 555-01-23")


@dataclass
class OrderSetup:
    """A 1C with documents, a directory, a PBX; *failure* is how 1C answers."""

    documents: list[CallRequest] = field(default_factory=list)
    failure: OneCError | None = None
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    phones: dict[Ref, Sequence[OwnedPhone]] = field(default_factory=dict)
    store: MemoryOrderStore = field(default_factory=MemoryOrderStore)
    pbx: FakePbx = field(default_factory=FakePbx)
    now: datetime = b.NOON + timedelta(seconds=4)

    def __post_init__(self) -> None:
        self.poller = self.started()

    def started(self) -> CallRequestPoller:
        originating = CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=self.store,
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
        return [asked for asked in self.documents if asked.at >= since]

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        return self.phones.get(owner)


async def test_a_document_rings_the_telephone_of_its_user_once() -> None:
    env = OrderSetup([REQUEST])

    assert await env.poller.poll() == 1
    env.now += timedelta(seconds=5)
    assert await env.poller.poll() == 0

    assert env.pbx.originated() == [("205", "79035550123")]
    (call,) = env.store.calls.values()
    assert call.order is not None
    assert (call.order.document, call.order.ordered_by) == (REQUEST.document, ANNA.name)
    assert env.asked[0] == (b.NOON + timedelta(seconds=4) - timedelta(minutes=15), "позвонить")


async def test_nor_does_it_ring_again_after_a_restart() -> None:
    env = OrderSetup([REQUEST])
    await env.poller.poll()

    assert await env.started().poll() == 0

    assert len(env.pbx.orders) == 1


async def test_a_contact_s_number_is_taken_where_the_document_has_none() -> None:
    contact = ContactRef(CandidateKind.CONTACT, PHONE.owner)
    env = OrderSetup([replace(REQUEST, how_to_reach="", contact=contact)])
    env.phones[PHONE.owner] = [PHONE]

    await env.poller.poll()

    assert env.pbx.originated() == [("205", "79035550123")]


async def test_a_document_dated_tomorrow_rings_when_its_time_has_come_and_not_before() -> None:
    tomorrow = replace(REQUEST, at=b.NOON + timedelta(days=1))
    env = OrderSetup([tomorrow])
    assert await env.poller.poll() == 0

    env.now = tomorrow.at - timedelta(minutes=3)
    assert await env.poller.poll() == 0
    env.now = tomorrow.at
    assert await env.poller.poll() == 1
    assert len(env.pbx.orders) == 1


async def test_a_clock_of_1c_that_is_a_little_ahead_keeps_no_document_waiting() -> None:
    env = OrderSetup([replace(REQUEST, at=b.NOON + timedelta(minutes=1))])

    assert await env.poller.poll() == 1


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (replace(REQUEST, how_to_reach=""), "номер телефона не указан"),
        (replace(REQUEST, user=None), "не указан пользователь"),
        (replace(REQUEST, user=b.ref("stranger")), "не указан пользователь"),
    ],
)
async def test_what_cannot_be_ordered_is_recorded_as_refused_with_its_reason(
    asked: CallRequest, reason: str
) -> None:
    env = OrderSetup([asked])

    await env.poller.poll()

    assert env.pbx.orders == []
    assert env.store.states() == [OrderState.REFUSED]
    assert reason in env.store.messages()[0]


async def test_a_user_without_a_telephone_is_named() -> None:
    env = OrderSetup([replace(REQUEST, user=b.ref("Борис"))])
    poller = CallRequestPoller(
        call_requests=env,
        originator=CallOriginator(
            pbx=env.pbx,
            provider="sipuni",
            order_store=env.store,
            decide=lambda _: b.decision(),
            phones=b.RULES,
            lang="ru",
            clock=lambda: env.now,
        ),
        directory=MemoryDirectory(b.rows(b.manager("Борис", None))),
        partner_phones=env,
        phones=b.RULES,
        mark="позвонить",
        lang="ru",
        clock=lambda: env.now,
    )

    await poller.poll()

    assert env.store.messages() == ["у пользователя Борис нет внутреннего номера"]


async def test_a_disk_that_refuses_loses_no_order() -> None:
    env = OrderSetup([REQUEST])
    env.store.broken = True
    with pytest.raises(StoreError):
        await env.poller.poll()

    env.store.broken = False
    assert await env.poller.poll() == 1


async def test_an_unavailable_1c_is_logged_once_and_asked_rarely(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    env = OrderSetup([REQUEST], failure=OneCUnavailable("Document_ТелефонныйЗвонок", "refused"))
    for _ in range(12):  # a minute
        assert await env.poller.poll() == 0
        env.now += timedelta(seconds=5)
    assert len(env.asked) < 6

    env.failure = None
    env.now += timedelta(seconds=30)
    assert await env.poller.poll() == 1

    assert caplog.messages == ["call_requests_failed", "call_requests_back"]


async def test_a_1c_that_turns_us_down_is_left_to_a_person() -> None:
    env = OrderSetup([REQUEST], failure=OneCUnauthorized("Document_ТелефонныйЗвонок", "no rights"))
    for _ in range(12):
        await env.poller.poll()
        env.now += timedelta(seconds=5)

    assert len(env.asked) == 1
