"""What orders of calls rely on, kept by the fake and by the following of calls over the ledger."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.phone.callers import read_caller
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.orders import OrderStore
from bridge.services.health.system_state import EventFanOut
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.fakes.orders import MemoryOrderStore

pytestmark = pytest.mark.anyio

#: Opens the store as it stands, after a restart too.
Opened = Callable[[], Awaitable[OrderStore]]


@asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[Opened]:
    call_store = MemoryOrderStore()

    async def opened() -> OrderStore:
        return call_store

    yield opened


@asynccontextmanager
async def on_disk(folder: Path) -> AsyncIterator[Opened]:
    ledger = SqliteLedger.open(folder / "ledger.db", clock=lambda: b.NOON)

    async def opened() -> OrderStore:
        call_store, _ = build_call_services(ledger, lambda: b.NOON, EventFanOut())
        await call_store.load()
        return call_store

    try:
        yield opened
    finally:
        await ledger.close()


@pytest.fixture(params=[in_memory, on_disk])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    async with request.param(tmp_path) as store:
        yield store


def ordered(
    key: str = "k1", *, number: PhoneNumber | None = b.NUMBER, seconds: int = 0, **order: Any
) -> PhoneCall:
    at = b.NOON - timedelta(seconds=seconds)
    ordered_call = replace(CallOrder(key, "205", number, at), **order)
    return PhoneCall(
        key=key,
        provider="sipuni",
        direction=Direction.OUTBOUND,
        caller=read_caller("" if number is None else f"+{number}", b.RULES),
        did="",
        arrived_at=at,
        received_at=at,
        decision=b.decision(),
        has_question=False,
        placed_by="205",
        order=ordered_call,
    )


async def test_an_order_is_kept_once_and_the_first_counts(opened: Opened) -> None:
    call_store = await opened()
    first = await call_store.add_order(ordered())
    again = await (await opened()).add_order(ordered(seconds=-5, ordered_by="somebody else"))

    assert first.order == again.order == ordered().order


async def test_what_is_on_its_way_is_known_after_a_restart(opened: Opened) -> None:
    await (await opened()).add_order(ordered())
    call = ordered("k2", number=PhoneNumber(79001234567))
    await (await opened()).add_order(call)
    assert call.order is not None
    done = replace(call.order, state=OrderState.ACCEPTED, ref="00ff")
    await (await opened()).save_order("k2", done)

    assert [open_.key for open_ in await (await opened()).orders_being_sent()] == ["k1"]


async def test_an_order_of_the_pair_blocks_until_it_is_over(opened: Opened) -> None:
    await (await opened()).add_order(ordered(seconds=5))
    call_store = await opened()

    async def barring(extension: str, number: int, seconds: int = 0) -> str | None:
        now = b.NOON + timedelta(seconds=seconds)
        call = await call_store.blocking_order(extension, PhoneNumber(number), now)
        return None if call is None else call.key

    assert await barring("205", b.NUMBER) == "k1"
    assert await barring("205", b.NUMBER, 3600) == "k1"
    assert await barring("206", b.NUMBER) is None
    assert await barring("205", 79001234567) is None

    order = ordered(seconds=5).order
    assert order is not None
    for state in (OrderState.ACCEPTED, OrderState.UNKNOWN):
        await call_store.save_order("k1", replace(order, state=state))
        assert await barring("205", b.NUMBER, 3600) == "k1"
    await call_store.save_order("k1", replace(order, state=OrderState.REFUSED, reason="no money"))
    assert await barring("205", b.NUMBER) is None


async def test_the_outcome_of_an_order_that_is_not_there_changes_nothing(opened: Opened) -> None:
    call_store = await opened()
    order = ordered().order
    assert order is not None

    await call_store.save_order("k1", replace(order, state=OrderState.REFUSED))

    assert await call_store.orders_being_sent() == []


async def test_a_document_without_a_number_is_kept_too(opened: Opened) -> None:
    ordered_call = ordered(number=None, document=b.ref("document"))
    await (await opened()).add_order(ordered_call)
    assert ordered_call.order is not None
    refused = replace(ordered_call.order, state=OrderState.REFUSED, reason="no number")
    await (await opened()).save_order("k1", refused)

    standing = await (await opened()).add_order(ordered_call)

    assert standing.order == refused
