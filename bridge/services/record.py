"""Record: a call and what it owes 1C become durable before the PBX has its answer."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from bridge.domain.calls import PhoneCall
from bridge.domain.outbox import OutboxEntry
from bridge.errors import StoreError
from bridge.ports import Alarm, CallRecorded, Events, Ledger

_log = logging.getLogger(__name__)

#: A caller is not kept waiting longer for our disk; his record follows (design.md §3).
SLOW_DISK = timedelta(milliseconds=100)

#: How soon a refused record is tried again: doubling, as a full disk is not emptied in a second.
_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 5.0

#: Calls that wait in memory for a disk that refuses; beyond them memory would be the next to go.
_MOST_FOLLOWING = 10_000


class Recording:
    """Writes calls to the ledger; raises an alarm when the disk is slow or broken."""

    def __init__(
        self,
        ledger: Ledger,
        events: Events,
        *,
        patience: timedelta = SLOW_DISK,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._ledger = ledger
        self._events = events
        self._patience = patience
        self._first_pause_s = first_pause_s
        self._stopping = asyncio.Event()
        self._slow = False
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
        if not self._slow:
            self._alarm("the ledger's disk is slow: a call was answered before its record")
        return call

    async def settle(self) -> None:
        """Wait until every record that follows was tried once more; for a graceful stop."""
        self._stopping.set()
        while self._following:
            await asyncio.wait(tuple(self._following))

    async def _write(self, call: PhoneCall, waited: asyncio.Future[None]) -> PhoneCall | None:
        """Write *call*; *waited* ends where the disk refuses: the caller cannot wait for it."""
        entry = None
        if call.owed_to_onec:
            entry = OutboxEntry(key=call.key, created_at=call.received_at, due_at=call.received_at)
        recorded = await self._insist(call, entry, waited)
        if recorded is None:
            return None
        if recorded is call:
            self._events.publish(CallRecorded(call))
        # One commit frees several writers at once: one that is done may still stand in the set.
        others = (t for t in self._following if t is not asyncio.current_task())
        if self._slow and all(other.done() for other in others):
            self._slow = False
            self._events.publish(
                Alarm("store_slow", "the ledger's disk keeps up again", clear=True)
            )
        return recorded

    async def _insist(
        self, call: PhoneCall, entry: OutboxEntry | None, waited: asyncio.Future[None]
    ) -> PhoneCall | None:
        """Write until the disk takes it: the caller was answered, his call must not be lost.

        None only where the service stops and the disk still refuses.
        """
        pause_s = self._first_pause_s
        while True:
            last = self._stopping.is_set() or len(self._following) > _MOST_FOLLOWING
            try:
                return await self._ledger.record_call(call, entry)
            except StoreError as error:
                self._alarm(f"a call could not be recorded: {error}")
                _wake(waited)
                if last:
                    _log.critical("call_lost", extra={"entry": call.key, "reason": str(error)})
                    return None
            with suppress(TimeoutError):  # a stop ends the pause
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    def _alarm(self, words: str) -> None:
        if not self._slow:
            self._slow = True
            self._events.publish(Alarm("store_slow", words))


def _wake(waited: asyncio.Future[None]) -> None:
    if not waited.done():
        waited.set_result(None)
