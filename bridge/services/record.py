"""Record: a call and what it owes 1C become durable before the PBX has its answer."""

import asyncio
from datetime import timedelta

from bridge.domain.calls import PhoneCall
from bridge.domain.outbox import OutboxEntry
from bridge.errors import StoreError
from bridge.ports import Alarm, CallRecorded, Clock, Events, Ledger, RawEvent

#: A caller is not kept waiting longer for our disk; his record follows (design.md §3).
SLOW_DISK = timedelta(milliseconds=100)


class Recording:
    """Writes calls and events to the ledger; raises an alarm when the disk is slow or broken."""

    def __init__(
        self, ledger: Ledger, events: Events, clock: Clock, *, patience: timedelta = SLOW_DISK
    ) -> None:
        self._ledger = ledger
        self._events = events
        self._clock = clock
        self._patience = patience
        self._slow = False
        self._following: set[asyncio.Task[PhoneCall | None]] = set()

    async def record(self, call: PhoneCall) -> PhoneCall:
        """Make *call* durable; give the call that counts, an earlier one if it was there already.

        Waits for the disk at most *patience*; then the record follows, and an alarm is up.
        """
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._write(call))
        self._following.add(task)
        # asyncio.wait would do, at twice the price; this is the ringing path.
        waited: asyncio.Future[None] = loop.create_future()

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
        self._alarm("the ledger's disk took over 100 ms; a call was answered before its record")
        return call

    async def receive(self, event: RawEvent) -> None:
        """Keep a PBX event; returns when it is durable.

        Raises:
            StoreError: it is not; the PBX must not be told it is.
        """
        await self._ledger.record_event(event)

    async def settle(self) -> None:
        """Wait until every record that follows is written; for a graceful stop."""
        while self._following:
            await asyncio.wait(tuple(self._following))

    async def _write(self, call: PhoneCall) -> PhoneCall | None:
        entry = None
        if call.owed_to_onec:
            entry = OutboxEntry(key=call.key, created_at=call.received_at, due_at=call.received_at)
        try:
            recorded = await self._ledger.record_call(call, entry)
        except StoreError as error:
            self._alarm(f"a call could not be recorded: {error}")
            return None
        if recorded is call:
            self._events.publish(CallRecorded(call))
        # One commit frees several writers at once: one that is done may still stand in the set.
        others = (t for t in self._following if t is not asyncio.current_task())
        if self._slow and all(other.done() for other in others):
            self._slow = False
            self._events.publish(Alarm("slow_disk", "the ledger's disk keeps up again", clear=True))
        return recorded

    def _alarm(self, words: str) -> None:
        if not self._slow:
            self._slow = True
            self._events.publish(Alarm("slow_disk", words))


def _wake(waited: asyncio.Future[None]) -> None:
    if not waited.done():
        waited.set_result(None)
