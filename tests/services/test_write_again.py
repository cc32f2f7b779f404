"""A ledger that lost calls gets from memory what memory has, and 1C gets no document twice."""

from datetime import timedelta

import pytest

from bridge.domain.outbox import OutboxEntry, must_look
from tests.support import builders as b
from tests.support.following import following
from tests.support.memory_ledger import MemoryLedger, NotedEvents

pytestmark = pytest.mark.anyio

NOW = b.NOON + timedelta(minutes=5)


async def test_calls_in_memory_are_written_again_and_looked_for_before_they_are_created() -> None:
    ledger = MemoryLedger(lambda: NOW)
    kicks: list[bool] = []
    book, _ = following(ledger, lambda: NOW, NotedEvents(), kick=lambda: kicks.append(True))
    call = b.call()
    book.open.put(call)

    await book.write_again()

    assert ledger.journal == {call.key: call}
    assert must_look(ledger.debts[call.key])
    assert ledger.debts[call.key].doubtful
    assert kicks


async def test_an_entry_that_was_not_lost_stays_as_it_is() -> None:
    ledger = MemoryLedger(lambda: NOW)
    book, _ = following(ledger, lambda: NOW, NotedEvents())
    call = b.call()
    standing = OutboxEntry(call.key, created_at=b.NOON, due_at=b.NOON, attempts=3)
    ledger.debts[call.key] = standing
    book.open.put(call)

    await book.write_again()

    assert ledger.debts[call.key].attempts == standing.attempts
    assert not ledger.debts[call.key].doubtful


async def test_a_call_that_is_still_being_recorded_is_left_to_its_record() -> None:
    ledger = MemoryLedger(lambda: NOW)
    book, _ = following(ledger, lambda: NOW, NotedEvents())
    book.open.put(b.call(), on_disk=False)

    await book.write_again()

    assert ledger.journal == {}
