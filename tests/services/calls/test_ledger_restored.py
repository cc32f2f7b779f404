"""A ledger that lost calls gets from memory what memory has, and 1C gets no document twice."""

from datetime import timedelta

import pytest

from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.outbox import must_search_first
from tests.support import builders as b
from tests.support.call_services import build_call_services
from tests.support.fakes.ledger import MemoryLedger, RecordedEvents

pytestmark = pytest.mark.anyio

NOW = b.NOON + timedelta(minutes=5)


async def test_calls_in_memory_are_written_again_and_looked_for_before_they_are_created() -> None:
    ledger = MemoryLedger(lambda: NOW)
    delivery_requests: list[bool] = []
    call_store, _ = build_call_services(
        ledger, lambda: NOW, RecordedEvents(), deliver_soon=lambda: delivery_requests.append(True)
    )
    call = b.call()
    call_store.active_calls.put(call)

    await call_store.restore_ledger()

    assert ledger.calls_by_key == {call.key: call}
    assert must_search_first(ledger.entries_by_key[call.key])
    assert ledger.entries_by_key[call.key].needs_verification
    assert delivery_requests


async def test_an_entry_that_was_not_lost_stays_as_it_is() -> None:
    ledger = MemoryLedger(lambda: NOW)
    call_store, _ = build_call_services(ledger, lambda: NOW, RecordedEvents())
    call = b.call()
    standing = OutboxEntry(call.key, created_at=b.NOON, due_at=b.NOON, attempts=3)
    ledger.entries_by_key[call.key] = standing
    call_store.active_calls.put(call)

    await call_store.restore_ledger()

    assert ledger.entries_by_key[call.key].attempts == standing.attempts
    assert not ledger.entries_by_key[call.key].needs_verification


async def test_a_call_that_is_still_being_recorded_is_left_to_its_record() -> None:
    ledger = MemoryLedger(lambda: NOW)
    call_store, _ = build_call_services(ledger, lambda: NOW, RecordedEvents())
    call_store.active_calls.put(b.call(), is_recorded=False)

    await call_store.restore_ledger()

    assert ledger.calls_by_key == {}
