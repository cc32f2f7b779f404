"""Track calls by the events of the PBX: each event and all that follows from it is one write.

event ─► which call? ─► apply it ─► pages ─► missed calls, last talk, reminders ─► one write

An event is written together with all that it changes before the PBX gets its acknowledgement.
One that cannot be applied yet is stored alone and applied later: the order changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from bridge.domain.calls import correlation
from bridge.domain.calls.call import PhoneCall, call_from_question, with_late_question
from bridge.domain.calls.events import CallEvent, EventKind
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.errors import StoreError
from bridge.ports.clock import Clock
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.ledger import CallLedger
from bridge.services.calls.call_store import CallStore
from bridge.services.calls.change_builder import ChangeBuilder
from bridge.services.calls.correlation import CallFinder
from bridge.services.calls.event_applier import EventApplier
from bridge.services.calls.missed_calls import MissedCalls
from bridge.services.calls.unread_events import UnreadEvents

_log = logging.getLogger(__name__)

#: Stored events applied in one transaction.
_BATCH: Final = 500

#: An event that came, and what ends when it is durable.
_Received = tuple[RawEvent, asyncio.Future[None]]


class CallTracker:
    """Tracks all calls; `open_call` and `mark_recorded` run while a caller waits and never await.

    *apply_soon* asks for `apply_stored_events` soon. *journal_internal*: calls between colleagues
    get documents in 1C too. *reparse* parses again what was stored raw.
    """

    def __init__(
        self,
        *,
        call_store: CallStore,
        ledger: CallLedger,
        missed_calls: MissedCalls,
        read_event: Callable[[RawEvent], CallEvent | None],
        decide: Callable[[RouteQuestion], RouteDecision],
        clock: Clock,
        apply_soon: Callable[[], None],
        journal_internal: bool = False,
        unread_events: UnreadEvents | None = None,
        reparse: Callable[[RawEvent], Sequence[RawEvent]] | None = None,
    ) -> None:
        self._call_store = call_store
        self._active_calls = call_store.active_calls
        self._ledger = ledger
        self._missed_calls = missed_calls
        self._clock = clock
        self._apply_soon = apply_soon
        self._unread_events = unread_events
        self._reparse = reparse
        self._finder = CallFinder(active_calls=self._active_calls, ledger=ledger, clock=clock)
        self._applier = EventApplier(
            call_store=call_store,
            finder=self._finder,
            missed_calls=missed_calls,
            read_event=read_event,
            decide=decide,
            apply_soon=apply_soon,
            journal_internal=journal_internal,
            unread_events=unread_events,
        )
        #: What came and is not written yet.
        self._received: list[_Received] = []
        self._receiving: asyncio.Task[None] | None = None
        self._has_reread = reparse is None
        #: By how much the wall clock stepped since escalations were scheduled; None: not at all.
        #: Zero at the start, when that is not known.
        self._clock_step: timedelta | None = timedelta(0)

    # ------------------------------------------------------------ while a caller waits
    def open_call(self, question: RouteQuestion, decision: RouteDecision) -> PhoneCall:
        """Return the call that *question* begins, or the one whose events came before it."""
        begun = self._finder.call_of_question(question)
        if begun is None:
            call = call_from_question(question, decision)
            if self._active_calls.get(call.key) is None:
                self._active_calls.put(call, is_recorded=False)
            return call
        call = with_late_question(begun, question, decision)
        self._active_calls.put(call)
        return call

    def mark_recorded(self, call: PhoneCall) -> None:
        """Record that *call* is on disk, in this form."""
        active = self._active_calls.get(call.key)
        # Events applied meanwhile are ahead of what the record returned.
        is_ahead = active is not None and active.applied_events
        self._active_calls.put(active if active is not None and is_ahead else call)

    # ------------------------------------------------------------ events
    async def receive(self, event: RawEvent) -> None:
        """Store a PBX event and apply it to its call; return when that is durable.

        Raises:
            StoreError: it is not; the PBX must not get an acknowledgement.
        """
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()
        self._received.append((event, stored))
        if self._receiving is None:
            # A task of its own: one request may be cancelled while others wait for the same write.
            self._receiving = loop.create_task(self._write_received())
        await stored

    async def apply_stored_events(self) -> int:
        """Apply the events that were stored alone; return their number."""
        applied = 0
        if not self._has_reread:
            await self._reread_unread()
            self._has_reread = True
        async with self._call_store.transaction():
            while batch := await self._ledger.unapplied_events(_BATCH):
                changes = ChangeBuilder()
                for row, raw in batch:
                    key = await self._applier.apply_raw(changes, raw)
                    changes.assigned_events.append((row, key or ""))
                self._call_store.publish_calls(changes)
                await self._call_store.commit(changes)
                applied += len(batch)
            await self._apply_reminder_changes()
        await self._update_unread_alarm()
        return applied

    async def dismiss_unread(self) -> int:
        """Dismiss the unread events on request; they stay stored, the alarm is over."""
        dismissed, after = 0, -1
        while batch := await self._ledger.unread_events(_BATCH, after):
            after = batch[-1][0]
            async with self._call_store.transaction():
                changes = ChangeBuilder()
                changes.assigned_events += [(row, "") for row, _ in batch]
                await self._call_store.commit(changes)
            dismissed += len(batch)
        await self._update_unread_alarm()
        return dismissed

    def reminder_changed(self, entry: OutboxEntry) -> None:
        """Note for the next transaction that a reminder was created, changed or dismissed."""
        if self._missed_calls.is_reminder_call(entry.key):
            self._call_store.changed_entries[entry.key] = entry

    # ------------------------------------------------------------ from time to time
    def clock_stepped(self, step: timedelta) -> None:
        """Have escalations rescheduled by a *step* of the wall clock."""
        self._clock_step = step + (self._clock_step or timedelta(0))

    async def escalate_missed_calls(self) -> None:
        """Reassign missed calls to the owners that 1C names now; escalate those that wait long."""
        async with self._call_store.transaction():
            changes, step = ChangeBuilder(), self._clock_step
            await self._missed_calls.reassign(changes)
            if step is not None:
                await self._missed_calls.reschedule_escalations(changes, step)
            await self._missed_calls.escalate(changes)
            await self._call_store.commit(changes)
            if step is not None:
                later = (self._clock_step or step) - step
                self._clock_step = later or None

    async def apply_history(
        self, waiting: Iterable[PhoneCall], records: Sequence[CallEvent]
    ) -> int:
        """End the unfinished calls of *waiting* by the PBX's history; return how many ended."""
        async with self._call_store.transaction():
            changes, ended = ChangeBuilder(), 0
            present = [self._active_calls.get(call.key) or call for call in waiting]
            left = {call.key: call for call in present if call.is_unfinished}
            for record in records:
                call = correlation.find_call_of_history(record, left.values())
                if call is None:
                    continue
                others = self._active_calls.of_caller(call.caller)
                if correlation.belongs_to_another_call(record, call, others):
                    continue
                del left[call.key]
                ref = call.state.call_ref or record.call_ref
                await self._applier.apply(changes, call, replace(record, call_ref=ref))
                ended += 1
            await self._call_store.commit(changes)
        return ended

    async def give_up(self, calls: Iterable[PhoneCall]) -> None:
        """Mark calls as ended of which no end was ever reported."""
        async with self._call_store.transaction():
            changes = ChangeBuilder()
            for call in calls:
                event = CallEvent(
                    call.provider, EventKind.GIVEN_UP, self._clock(), call.state.call_ref
                )
                await self._applier.apply(changes, self._active_calls.get(call.key) or call, event)
            await self._call_store.commit(changes)

    def unfinished_calls(self, silent_for: timedelta) -> list[PhoneCall]:
        """Return the calls that have not ended and had no event for so long."""
        active = self._active_calls
        return [
            call
            for call in active
            if correlation.needs_history_now(call, active.silent_for(call.key), silent_for)
        ]

    # ------------------------------------------------------------ writes
    async def _write_received(self) -> None:
        """Write what was received, and what is received meanwhile."""
        try:
            while self._received:
                await self._write_batch()
        finally:
            self._receiving = None

    async def _write_batch(self) -> None:
        batch: list[_Received] = []
        try:
            async with self._call_store.transaction():
                batch = self._take_received()
                changes = ChangeBuilder()
                for raw, _ in batch:
                    key = await self._applier.apply_raw(changes, raw, without_waiting=True)
                    changes.new_events.append((raw, key))
                self._call_store.publish_calls(changes)
                await self._call_store.commit(changes)
        except Exception as error:  # noqa: BLE001 - ours is logged, the store's is raised below
            if not isinstance(error, StoreError):
                _log.exception("step_broken")
            # The store may take the events alone; requests must not wait for ever.
            for raw, stored in batch or self._take_received():
                await self._store_alone(raw, stored)
            self._apply_soon()
        else:
            for _, stored in batch:
                _finish(stored, None)

    def _take_received(self) -> list[_Received]:
        received, self._received = self._received, []
        return received

    async def _store_alone(self, raw: RawEvent, stored: asyncio.Future[None]) -> None:
        try:
            await self._ledger.record_event(raw)
        except StoreError as error:
            _finish(stored, error)
        else:
            _finish(stored, None)

    async def _reread_unread(self) -> None:
        """Apply what an earlier version could not read and this one can; once, after the start."""
        after = -1
        while self._reparse and (batch := await self._ledger.unread_events(_BATCH, after)):
            after = batch[-1][0]
            async with self._call_store.transaction():
                changes = ChangeBuilder()
                for row, raw in batch:
                    events = self._reparse(raw)
                    if all(self._applier.is_readable(event) for event in events):
                        changes.new_events += [
                            (event, await self._applier.apply_raw(changes, event))
                            for event in events
                        ]
                        changes.assigned_events.append((row, ""))
                await self._call_store.commit(changes)

    async def _apply_reminder_changes(self) -> None:
        """Apply what the delivery reported of reminders since the last transaction."""
        entries, self._call_store.changed_entries = self._call_store.changed_entries, {}
        changes = ChangeBuilder()
        for entry in entries.values():
            await self._missed_calls.reminder_changed(changes, entry)
        await self._call_store.commit(changes)

    async def _update_unread_alarm(self) -> None:
        if self._unread_events is not None:
            await self._unread_events.update_alarm()


def _finish(stored: asyncio.Future[None], error: StoreError | None) -> None:
    if stored.done():
        return  # the request was cancelled
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(error)
