"""Record: a call and what it owes 1C become durable before the PBX has its answer."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.events import CallRecorded, EventPublisher
from bridge.ports.stores.calls import CallRecords
from bridge.ports.stores.files import CallRescue

_log = logging.getLogger(__name__)

#: A caller is not kept waiting longer for our disk; his record follows (design.md §3).
SLOW_DISK = timedelta(milliseconds=100)

#: How soon a refused record is tried again: doubling, as a full disk is not emptied in a second.
_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 5.0

#: Calls that wait in memory for a disk that refuses; beyond them memory would be the next to go,
#: and they go to the rescue file. It is some 40 MB.
MAX_IN_MEMORY = 10_000


class CallRecorder:
    """Writes calls to the ledger; raises an alarm when the disk is slow or broken."""

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
        self._stopping = False
        #: Ends the pauses of all who wait for another try; each end makes the next event.
        self._again = asyncio.Event()
        self._rescue = rescue
        self._most_in_memory = max_in_memory
        self._slow = False
        #: The file that refuses; empty while none does.
        self._refusing = ""
        self._following: set[asyncio.Task[PhoneCall | None]] = set()

    async def record(self, call: PhoneCall) -> PhoneCall:
        """Make *call* durable; give the call that counts, an earlier one if it was there already.

        Waits for the disk at most *patience*; then the record follows, and an alarm is up.
        """
        loop = asyncio.get_running_loop()
        # asyncio.wait would do, at twice the price; this is the ringing path.
        waited: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(self._write(call, waited))
        self._following.add(task)

        def written(task: asyncio.Task[PhoneCall | None]) -> None:
            self._following.discard(task)
            _wake(waited)

        task.add_done_callback(written)
        late = loop.call_later(self._patience.total_seconds(), _wake, waited)
        try:
            await waited
        finally:
            late.cancel()
        if task.done():
            return task.result() or call
        if not (self._slow or self._refusing):
            self._slow = True
            words = "the ledger's disk is slow: a call was answered before its record"
            self._events.publish(Alarm("store_slow", words))
        return call

    async def flush(self) -> None:
        """Wait until every record that follows was tried once more; for a graceful stop."""
        self._stopping = True
        self._again.set()
        while self._following:
            await asyncio.wait(tuple(self._following))

    async def _write(self, call: PhoneCall, waited: asyncio.Future[None]) -> PhoneCall | None:
        """Write *call*; *waited* ends where the disk refuses: the caller cannot wait for it."""
        entry = None
        if call.needs_document:
            entry = OutboxEntry(key=call.key, created_at=call.received_at, due_at=call.received_at)
        recorded = await self._insist(call, entry, waited)
        if recorded is None:
            return None
        if recorded is call:
            self._events.publish(CallRecorded(call))
        # One commit frees several writers at once: one that is done may still stand in the set.
        others = (t for t in self._following if t is not asyncio.current_task())
        if (self._slow or self._refusing) and all(other.done() for other in others):
            self._take_back()
        return recorded

    async def _insist(
        self, call: PhoneCall, entry: OutboxEntry | None, waited: asyncio.Future[None]
    ) -> PhoneCall | None:
        """Write until the disk takes it: the caller was answered, his call must not be lost.

        None where it is kept elsewhere: the service stops, or memory is full.
        """
        pause_s = self._first_pause_s
        while True:
            try:
                return await self._ledger.record_call(call, entry)
            except StoreError as error:
                self._refused(error)
                _wake(waited)
                if self._stopping or len(self._following) > self._most_in_memory:
                    await self._keep_elsewhere(call, entry, error)
                    return None
            with suppress(TimeoutError):  # a stop ends the pause, and a disk that is well again
                await asyncio.wait_for(self._again.wait(), pause_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    async def retry_now(self) -> None:
        """Write at once what waits for another try; for a disk that is well again."""
        if self._following and self._refusing:
            self._again.set()
            if not self._stopping:
                self._again = asyncio.Event()
            await asyncio.wait(tuple(self._following), timeout=_MAX_PAUSE_S)

    async def record_rescued(self) -> int:
        """Record what an earlier stop or a full memory left in the rescue file; give its number.

        Each call is recorded once: the ledger knows it by its key. Raises StoreError.
        """
        rescued = [] if self._rescue is None else await self._rescue.saved_calls()
        for call, entry in rescued:
            recorded = await self._ledger.record_call(call, entry)
            if recorded is call:
                self._events.publish(CallRecorded(call))
        if rescued and self._rescue is not None:
            await self._rescue.delete_first(len(rescued))
            _log.warning("calls_taken_from_rescue", extra={"calls": len(rescued)})
        return len(rescued)

    async def _keep_elsewhere(
        self, call: PhoneCall, entry: OutboxEntry | None, error: StoreError
    ) -> None:
        extra = {"call": call.key, "reason": str(error)}
        if self._rescue is None:
            _log.critical("call_lost", extra=extra)
            return
        await self._rescue.add(call, entry)
        _log.critical("call_kept_in_rescue", extra=extra)

    def _refused(self, error: StoreError) -> None:
        if not self._refusing:
            self._refusing = error.file
            words = f"a call could not be recorded: {error}"
            self._events.publish(Alarm("store_down", words, error.file))

    def _take_back(self) -> None:
        if self._slow:
            self._slow = False
            words = "the ledger's disk keeps up again"
            self._events.publish(Alarm("store_slow", words, clear=True))
        if self._refusing:
            file, self._refusing = self._refusing, ""
            words = "calls are recorded again"
            self._events.publish(Alarm("store_down", words, file, clear=True))


def _wake(waited: asyncio.Future[None]) -> None:
    if not waited.done():
        waited.set_result(None)
