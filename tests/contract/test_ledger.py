"""What a ledger promises, asked of the one on the disk and of the one services are tested with."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.domain.calls import PhoneCall
from bridge.domain.decision import NumberMemory
from bridge.domain.directory import Ref
from bridge.domain.outbox import (
    EntryState,
    OutboxEntry,
    refused,
)
from bridge.domain.phone import PhoneNumber
from bridge.ports import Change, Ledger, OutboxCounts, RawEvent
from tests.support import builders as b
from tests.support.memory_ledger import MemoryLedger

pytestmark = pytest.mark.anyio

NOW = b.NOON
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["memory", "disk"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    opened: Ledger = (
        MemoryLedger(lambda: NOW)
        if request.param == "memory"
        else LedgerStore.open(tmp_path / "ledger.db", lambda: NOW)
    )
    yield opened
    await opened.close()


def call(key: str, at: datetime = NOW, number: PhoneNumber | None = b.NUMBER) -> PhoneCall:
    plain = b.call()
    caller = replace(plain.caller, number=number)
    return replace(plain, key=key, received_at=at, arrived_at=at, caller=caller)


def debt(key: str, at: datetime = NOW) -> OutboxEntry:
    return OutboxEntry(key, created_at=at, due_at=at)


def sending(key: str) -> OutboxEntry:
    return replace(debt(key), state=EntryState.SENDING, attempts=1)


async def owe(ledger: Ledger, *keys: str, at: datetime = NOW) -> None:
    for key in keys:
        await ledger.record_call(call(key, at), debt(key, at))


async def test_a_recorded_call_is_given_back_as_it_was(ledger: Ledger) -> None:
    one = b.call()

    assert await ledger.record_call(one, debt(one.key)) is one

    found = await ledger.call(one.key)
    assert found == one
    assert found is not None
    assert type(found.decision.candidates[0]) is type(one.decision.candidates[0])
    assert await ledger.entry(one.key) == (debt(one.key), one)
    assert await ledger.call("nothing") is None


async def test_a_call_recorded_again_is_the_first_one(ledger: Ledger) -> None:
    first = call("a")
    await ledger.record_call(first, debt("a"))
    moved = replace(debt("a"), attempts=3)
    await ledger.save_entry(moved)

    again = await ledger.record_call(call("a", NOW + SECOND), debt("a", NOW + SECOND))

    assert again == first
    assert await ledger.entries() == [(moved, first)]
    assert await ledger.calls() == [first]


async def test_two_webhooks_of_one_call_at_once_are_one_call(ledger: Ledger) -> None:
    twins = [call("a", NOW + n * SECOND) for n in range(4)]

    stored = await asyncio.gather(
        *(ledger.record_call(twin, debt("a")) for twin in twins),
        *(ledger.record_call(call(f"b{n}"), None) for n in range(3)),
    )

    assert set(stored[:4]) == {stored[0]}
    assert [c.key for c in stored[4:]] == ["b0", "b1", "b2"]
    assert len(await ledger.calls()) == 4
    assert len(await ledger.entries()) == 1


async def test_a_call_that_its_events_put_there_first_is_owed_by_its_record(
    ledger: Ledger,
) -> None:
    await ledger.apply(Change(calls=(call("a"),)))

    await ledger.record_call(call("a"), debt("a"))
    await ledger.record_call(call("a"), debt("a"))

    assert [entry.key for entry, _ in await ledger.entries()] == ["a"]


async def test_a_call_that_owes_nothing_has_no_entry(ledger: Ledger) -> None:
    await ledger.record_call(call("a"), None)

    assert await ledger.entry("a") is None
    assert await ledger.counts() == OutboxCounts()
    assert not await ledger.save_entry(debt("a"))


async def test_only_what_is_due_is_given(ledger: Ledger) -> None:
    await owe(ledger, "now", "later", "sent", "dead", "done")
    await ledger.save_entry(replace(debt("later"), due_at=NOW + 5 * SECOND))
    await ledger.save_entry(sending("sent"))
    await ledger.save_entry(refused(debt("dead"), why="no"))
    await ledger.save_entry(replace(debt("done"), state=EntryState.SETTLED, settled_at=NOW))

    assert [e.key for e, _ in await ledger.due(NOW + SECOND, 10)] == ["now"]
    assert {e.key for e, _ in await ledger.due(NOW + 5 * SECOND, 10)} == {"now", "later"}
    assert len(await ledger.due(NOW + 5 * SECOND, 1)) == 1
    assert await ledger.due(NOW - SECOND, 10) == []
    counted = await ledger.counts()
    assert counted == OutboxCounts(due=2, sending=1, dead=1, settled=1, oldest_due=NOW)


async def test_a_fresh_call_goes_before_old_debts(ledger: Ledger) -> None:
    long_ago = NOW - timedelta(hours=2)
    await owe(ledger, "older", at=long_ago - SECOND)
    await owe(ledger, "old", at=long_ago)
    for key, at in (("old", long_ago), ("older", long_ago - SECOND)):
        await ledger.save_entry(replace(debt(key, at), attempts=2))
    await owe(ledger, "fresh")

    found = await ledger.due(NOW, 10)

    assert [entry.key for entry, _ in found] == ["fresh", "older", "old"]
    assert [one.key for _, one in found] == ["fresh", "older", "old"]


async def test_what_a_crash_left_in_sending_is_due_again_and_doubtful(ledger: Ledger) -> None:
    await owe(ledger, "a", "b")
    await ledger.save_entry(sending("a"))

    assert await ledger.recover() == 1
    assert await ledger.recover() == 0

    found = await ledger.entry("a")
    assert found is not None
    assert (found[0].state, found[0].doubtful) == (EntryState.DUE, True)
    assert found[0].maybe_sent_at == NOW


async def test_entries_are_listed_newest_first_by_state(ledger: Ledger) -> None:
    for n, key in enumerate("abc"):
        await owe(ledger, key, at=NOW + n * SECOND)
    await ledger.save_entry(refused(debt("b"), why="no"))

    assert [e.key for e, _ in await ledger.entries()] == ["c", "b", "a"]
    assert [e.key for e, _ in await ledger.entries([EntryState.DEAD])] == ["b"]
    assert [e.key for e, _ in await ledger.entries([EntryState.DUE, EntryState.SETTLED])] == [
        "c",
        "a",
    ]
    assert [e.key for e, _ in await ledger.entries(limit=1)] == ["c"]


async def test_an_entry_is_found_by_a_beginning_that_means_one(ledger: Ledger) -> None:
    await owe(ledger, "abc1", "abd2")
    await ledger.record_call(call("ax"), None)

    found = await ledger.entry("abc")
    assert found is not None
    assert found[0].key == "abc1"
    assert await ledger.entry("ab") is None
    assert await ledger.entry("ax") is None
    assert await ledger.entry("zz") is None


async def test_a_dropped_debt_is_not_brought_back_by_its_delivery(ledger: Ledger) -> None:
    await owe(ledger, "a")

    assert await ledger.drop_entry("a")

    assert not await ledger.save_entry(replace(debt("a"), attempts=1))
    assert not await ledger.drop_entry("a")
    assert await ledger.entry("a") is None
    assert await ledger.call("a") == call("a")


async def test_calls_are_listed_newest_first(ledger: Ledger) -> None:
    other = PhoneNumber(79035550199)
    for n, number in enumerate((b.NUMBER, other, None, b.NUMBER)):
        await ledger.record_call(call(f"k{n}", NOW + n * SECOND, number), None)

    assert [c.key for c in await ledger.calls()] == ["k3", "k2", "k1", "k0"]
    assert [c.key for c in await ledger.calls(limit=2)] == ["k3", "k2"]
    assert [c.key for c in await ledger.calls(before=NOW + 2 * SECOND)] == ["k1", "k0"]
    assert [c.key for c in await ledger.calls(number=b.NUMBER)] == ["k3", "k0"]
    earlier = await ledger.calls(number=b.NUMBER, before=NOW + 3 * SECOND, limit=5)
    assert [c.key for c in earlier] == ["k0"]
    assert [c.key for c in await ledger.calls_since(NOW + 2 * SECOND)] == ["k2", "k3"]


async def test_what_an_operator_said_of_a_number_is_remembered(ledger: Ledger) -> None:
    assert ledger.memory(b.NUMBER) == NumberMemory()

    await ledger.remember_choice(b.NUMBER, Ref("first"))
    await ledger.remember_choice(b.NUMBER, Ref("second"))

    assert ledger.memory(b.NUMBER) == NumberMemory(choice=Ref("second"))


async def test_events_are_kept(ledger: Ledger) -> None:
    await ledger.record_event(RawEvent("sipuni", NOW, (("event", "1"), ("event", "2"))))
