"""What services read of the ledger: queries on a connection that no writer blocks."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

from bridge.adapters.sqlite.calls.queries import (
    SELECT_ENTRIES_WITH_CALLS,
    call_conditions,
    count_entries,
    decode_pairs,
    read_due_entries,
)
from bridge.adapters.sqlite.calls.rows import (
    CALL_KEY,
    CALL_RECEIVED_AT,
    CALL_REF,
    ENTRY_IS_PENDING,
    ENTRY_STATE,
    day_of_column,
    decode_call,
    decode_day,
    decode_event,
    decode_missed_call,
    to_micros,
)
from bridge.adapters.sqlite.file.read_thread import ReadThread
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import StoreError
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.calls import CallFilter
from bridge.ports.stores.event_log import UNREAD
from bridge.ports.stores.outbox import OutboxCounts

# ruff: noqa: S608 - tables and columns are constants of ours.

_LAST_CHARACTER: Final = "\U0010ffff"


class LedgerReads:
    """The reading methods of `SqliteLedger`, in a thread of their own.

    *on_error* is called with an error of the file that stands at *path*.
    """

    def __init__(self, path: Path, on_error: Callable[[StoreError], None]) -> None:
        self._reader = ReadThread(path, "ledger-reader", on_error)

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Return entries to deliver: the freshest calls first, then the longest due."""
        return await self._reader.run(lambda file: read_due_entries(file, now, limit))

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        """Return entries, newest first; of all states when none is named."""
        values = tuple(state.value for state in states)
        where = f"WHERE {ENTRY_STATE} IN ({', '.join('?' * len(values))})" if values else ""
        if values and EntryState.DELIVERED not in states:
            where += f" AND {ENTRY_IS_PENDING}"
        return await self._pairs(f"{where} ORDER BY id DESC LIMIT ?", (*values, limit))

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        """Return one entry by its key, or by an unambiguous beginning of it."""
        exact = await self._pairs(f"WHERE {CALL_KEY} = ?", (key,))
        if exact or not key:
            return exact[0] if exact else None
        like = await self._pairs(
            f"WHERE {CALL_KEY} >= ? AND {CALL_KEY} < ? LIMIT 2", (key, key + _LAST_CHARACTER)
        )
        return like[0] if len(like) == 1 else None

    async def count_entries(self) -> OutboxCounts:
        """Count the entries by state."""
        return await self._reader.run(count_entries)

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        matching: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        """Return calls, newest first."""
        where, values = call_conditions(matching or CallFilter(), before, number)
        return await self._calls(
            f"WHERE {where} ORDER BY {CALL_RECEIVED_AT} DESC, id DESC LIMIT ?", (*values, limit)
        )

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        """Return events that are not applied to a call yet, oldest first, each with its number."""
        query = "SELECT id, doc FROM events WHERE call IS NULL ORDER BY id LIMIT ?"
        return await self._reader.run(
            lambda file: [(row, decode_event(text)) for row, text in file.read(query, (limit,))]
        )

    async def unread_events(self, limit: int, after: int = -1) -> Sequence[tuple[int, RawEvent]]:
        """Return events that could not be read behind number *after*, each with its number."""
        query = "SELECT id, doc FROM events WHERE call = ? AND id > ? ORDER BY id LIMIT ?"
        return await self._reader.run(
            lambda file: [
                (n, decode_event(text)) for n, text in file.read(query, (UNREAD, after, limit))
            ]
        )

    async def count_unread_events(self) -> int:
        """Return how many events are kept that could not be read."""
        query = "SELECT count(*) FROM events WHERE call = ?"
        return await self._reader.run(lambda file: int(file.read(query, (UNREAD,))[0][0]))

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        """Return the events that were applied to a call, oldest first."""
        query = "SELECT doc FROM events WHERE call = ? ORDER BY id"
        return await self._reader.run(
            lambda file: [decode_event(text) for (text,) in file.read(query, (key,))]
        )

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        """Return the clients who wait to be called back, the longest waiting first."""
        query = "SELECT doc FROM debts WHERE closed IS NULL ORDER BY id"
        return await self._reader.run(
            lambda file: [decode_missed_call(text) for (text,) in file.read(query)]
        )

    async def call(self, key: str) -> PhoneCall | None:
        """Return one call; None where there is none of that key."""
        found = await self._calls(f"WHERE {CALL_KEY} = ?", (key,))
        return found[0] if found else None

    async def call_by_ref(self, ref: str) -> PhoneCall | None:
        """Return the latest call that the PBX knows by *ref*."""
        found = await self._calls(
            f"WHERE {CALL_REF} = ? AND {CALL_REF} <> '' ORDER BY id DESC LIMIT 1", (ref,)
        )
        return found[0] if found else None

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        """Return the calls received since *moment*, and before *until*, oldest first."""
        if until is None:
            return await self._calls(
                f"WHERE {CALL_RECEIVED_AT} >= ? ORDER BY {CALL_RECEIVED_AT}, id",
                (to_micros(moment),),
            )
        ends = (to_micros(moment), to_micros(until))
        return await self._calls(
            f"WHERE {CALL_RECEIVED_AT} >= ? AND {CALL_RECEIVED_AT} < ? "
            f"ORDER BY {CALL_RECEIVED_AT}, id",
            ends,
        )

    async def days_seen(self) -> Sequence[date]:
        """Return the days on which the service ran, the one recorded last at the end."""
        query = "SELECT day FROM days ORDER BY id"
        return await self._reader.run(
            lambda file: [day_of_column(day) for (day,) in file.read(query)]
        )

    async def last_seen(self) -> datetime | None:
        """Return the moment that was recorded last; None before the first."""
        query = "SELECT doc FROM days ORDER BY id DESC LIMIT 1"
        found = await self._reader.run(
            lambda file: [decode_day(text) for (text,) in file.read(query)]
        )
        return found[0] if found else None

    async def _calls(self, rest: str, values: Sequence[object]) -> list[PhoneCall]:
        query = f"SELECT doc FROM calls {rest}"
        return await self._reader.run(
            lambda file: [decode_call(text) for (text,) in file.read(query, values)]
        )

    async def _pairs(
        self, rest: str, values: Sequence[object]
    ) -> list[tuple[OutboxEntry, PhoneCall]]:
        return await self._reader.run(
            lambda file: decode_pairs(file.read(f"{SELECT_ENTRIES_WITH_CALLS} {rest}", values))
        )
