"""What `onec-bridge outbox` does: list, show, retry and drop entries beside the running service."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.bootstrap.shared import (
    now,
)
from bridge.bootstrap.stores import (
    ledger_path,
)
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.errors import (
    NotFound,
    StoreError,
)
from bridge.settings import Settings

T = TypeVar("T")


@asynccontextmanager
async def _shared_ledger(settings: Settings) -> AsyncIterator[SqliteLedger | None]:
    """Open the ledger beside the service; None where no call was ever recorded."""
    path = ledger_path(settings)
    if not path.exists():
        if not settings.data_dir.is_dir():
            reason = "there is no such folder; is this the folder that onec-bridge serve is run in?"
            raise StoreError(str(settings.data_dir), reason)
        yield None
        return
    ledger = SqliteLedger.open(path, clock=now, as_guest=True)
    try:
        yield ledger
    finally:
        await ledger.close()


async def outbox_entries(
    settings: Settings, states: Sequence[EntryState], limit: int
) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
    """List outbox entries, newest first."""
    async with _shared_ledger(settings) as ledger:
        return [] if ledger is None else await ledger.entries(states, limit)


async def outbox_entry(settings: Settings, key: str) -> tuple[OutboxEntry, PhoneCall]:
    """Return one entry by the beginning of its key.

    Raises:
        NotFound: there is none, or more than one.
    """
    async with _shared_ledger(settings) as ledger:
        return await _find_entry(ledger, key)


async def outbox_retry(settings: Settings, key: str) -> OutboxEntry:
    """Make one entry due at once.

    Raises:
        NotFound: there is none, or more than one.
    """
    async with _shared_ledger(settings) as ledger:
        entry, _ = await _find_entry(ledger, key)
        retried = None if ledger is None else await ledger.retry_entry(entry.key, now())
        return _found_or_error(retried, key)


async def outbox_drop(settings: Settings, key: str) -> str:
    """Drop one entry; return its key.

    Raises:
        NotFound: there is none, or more than one.
    """
    async with _shared_ledger(settings) as ledger:
        entry, _ = await _find_entry(ledger, key)
        dropped = ledger is not None and await ledger.drop_entry(entry.key)
        return _found_or_error(entry.key if dropped else None, key)


async def _find_entry(ledger: SqliteLedger | None, key: str) -> tuple[OutboxEntry, PhoneCall]:
    return _found_or_error(None if ledger is None else await ledger.entry(key), key)


def _found_or_error(found: T | None, key: str) -> T:
    if found is None:
        raise NotFound(f"no outbox entry, or more than one, begins with “{key}”")
    return found
