"""Record calls: a call and its outbox entry are durable before the PBX has its answer."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import Final

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.errors import StoreError
from bridge.ports.events import CallRecorded, EventPublisher
from bridge.ports.raised_alarm import RaisedAlarm
from bridge.ports.stores.calls import CallRecords
from bridge.ports.stores.files import CallRescue

_log = logging.getLogger(__name__)

#: A caller does not wait longer for our disk; the record follows.
SLOW_DISK: Final = timedelta(milliseconds=100)

#: How soon a refused record is tried again: doubling, as a full disk is not emptied in a second.
_FIRST_PAUSE_S: Final = 0.5
_MAX_PAUSE_S: Final = 5.0

#: Calls that wait in memory for a disk that refuses them, some 40 MB; further ones go to the rescue
#: file at once.
MAX_IN_MEMORY: Final = 10_000


class CallRecorder:
    """Writes calls to the ledger; raises an alarm when the disk is slow or fails."""

    def __init__(
        self,
        ledger: CallRecords,
        events: EventPublisher,
        *,
        rescue: CallRescue | None = None,
        patience: timedelta = SLOW_DISK,
        first_pause_s: float = _FIRST_PAUSE_S,
        max_in_memory: int = MAX_IN_MEMORY,
    ) -> None:
        self._ledger = ledger
        self._events = events
        self._patience = patience
        self._first_pause_s = first_pause_s
        self._is_stopping = False
        #: Ends the pauses of all who wait for another try; each end makes the next event.
        self._retry_now = asyncio.Event()
        self._rescue = rescue
        self._max_in_memory = max_in_memory
        self._slow_alarm = RaisedAlarm(events, "store_slow")
        #: The alarm about the file that refuses, None while none does.
        self._down_alarm: RaisedAlarm | None = None
        self._pending: set[asyncio.Task[PhoneCall | None]] = set()

    async def record(self, call: PhoneCall) -> PhoneCall:
        """Make *call* durable; return the call that stands, an earlier one of its key if any.

        Wait for the disk no longer than the recorder's patience; then the record follows, and an
        alarm is raised.
        """
        loop = asyncio.get_running_loop()
        # asyncio.wait would do, at twice the cost; a caller waits here.
        waited: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(self._write(call, waited))
        self._pending.add(task)

        def written(task: asyncio.Task[PhoneCall | None]) -> None:
            self._pending.discard(task)
            _end_wait(waited)

        task.add_done_callback(written)
        late = loop.call_later(self._patience.total_seconds(), _end_wait, waited)
        try:
            await waited
        finally:
            late.cancel()
        if task.done():
            return task.result() or call
        if self._down_alarm is None:
            self._slow_alarm.raise_once(
                "the ledger's disk is slow: a call was answered before its record"
            )
        return call

    async def flush(self) -> None:
        """Wait until every pending record was tried once more; for an orderly stop."""
        self._is_stopping = True
        self._retry_now.set()
        while self._pending:
            await asyncio.wait(tuple(self._pending))

    async def retry_now(self) -> None:
        """Write pending records at once; for a disk that works again."""
        if self._pending and self._down_alarm is not None:
            self._retry_now.set()
            if not self._is_stopping:
                self._retry_now = asyncio.Event()
            await asyncio.wait(tuple(self._pending), timeout=_MAX_PAUSE_S)

    async def record_rescued(self) -> int:
        """Record what an earlier stop or a full memory left in the rescue file; return its number.

        Each call is recorded once: the ledger knows it by its key.

        Raises:
            StoreError: the ledger refuses, or the file cannot be read.
        """
        if self._rescue is None:
            return 0
        rescued = await self._rescue.saved_calls()
        for call, entry in rescued:
            recorded = await self._ledger.record_call(call, entry)
            if recorded is call:
                self._events.publish(CallRecorded(call))
        if rescued:
            await self._rescue.delete_first(len(rescued))
            _log.warning("calls_taken_from_rescue", extra={"calls": len(rescued)})
        return len(rescued)

    async def _write(self, call: PhoneCall, waited: asyncio.Future[None]) -> PhoneCall | None:
        """Write *call*; *waited* ends where the disk refuses: the caller cannot wait for it."""
        entry = None
        if call.needs_document:
            entry = OutboxEntry(key=call.key, created_at=call.received_at, due_at=call.received_at)
        recorded = await self._write_until_taken(call, entry, waited)
        if recorded is None:
            return None
        if recorded is call:
            self._events.publish(CallRecorded(call))
        # One commit frees several writers at once: one that is done may still stand in the set.
        others = (t for t in self._pending if t is not asyncio.current_task())
        if all(other.done() for other in others):
            self._clear_alarms()
        return recorded

    async def _write_until_taken(
        self, call: PhoneCall, entry: OutboxEntry | None, waited: asyncio.Future[None]
    ) -> PhoneCall | None:
        """Write until the disk takes it: the caller was answered, the call must not be lost.

        Return None where the call is kept elsewhere: the service stops, or memory is full.
        """
        pause_s = self._first_pause_s
        while True:
            try:
                return await self._ledger.record_call(call, entry)
            except StoreError as error:
                self._raise_down(error)
                _end_wait(waited)
                if self._is_stopping or len(self._pending) > self._max_in_memory:
                    await self._save_elsewhere(call, entry, error)
                    return None
            with suppress(TimeoutError):  # a stop ends the pause, and a disk that works again
                await asyncio.wait_for(self._retry_now.wait(), pause_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    async def _save_elsewhere(
        self, call: PhoneCall, entry: OutboxEntry | None, error: StoreError
    ) -> None:
        extra = {"call": call.key, "reason": str(error)}
        if self._rescue is None:
            _log.critical("call_lost", extra=extra)
            return
        await self._rescue.add(call, entry)
        _log.critical("call_kept_in_rescue", extra=extra)

    def _raise_down(self, error: StoreError) -> None:
        if self._down_alarm is None:
            self._down_alarm = RaisedAlarm(self._events, "store_down", error.file)
            self._down_alarm.raise_once(f"a call could not be recorded: {error}")

    def _clear_alarms(self) -> None:
        self._slow_alarm.clear("the ledger's disk keeps up again")
        if self._down_alarm is not None:
            alarm, self._down_alarm = self._down_alarm, None
            alarm.clear("calls are recorded again")


def _end_wait(waited: asyncio.Future[None]) -> None:
    if not waited.done():
        waited.set_result(None)
