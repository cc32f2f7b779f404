"""Follow: calls hear their events, and everything that follows from it is one step of the book.

event ─► which call? ─► hear it ─► pages ─► debts, who talked last, what 1C shall hold ─► one write

An event and all that it
changes are written together, before the PBX is told that it came; events that come meanwhile make
the next step. One that cannot be told yet is kept alone, and told later: that changes nothing, for
the life of a call is told from the set of its events.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.domain.calls import correlation as joining
from bridge.domain.calls.call import (
    PhoneCall,
    apply_event,
    call_from_event,
    call_from_question,
    with_late_question,
)
from bridge.domain.calls.events import CallEvent, Direction, EventKind
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.phone.callers import Caller, CallerKind
from bridge.domain.routing.decision import RouteDecision, RouteQuestion
from bridge.errors import StoreError, UnreadableEvent
from bridge.log_context import call_in_logs
from bridge.ports.clock import Clock
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.event_log import UNREAD
from bridge.ports.stores.ledger import CallLedger
from bridge.ports.stores.number_memory import Talk
from bridge.services.calls.call_store import CallStore
from bridge.services.calls.correlation import CallFinder
from bridge.services.calls.missed_calls import ChangeBuilder, MissedCalls
from bridge.services.calls.unread_events import UnreadEvents

_log = logging.getLogger(__name__)

#: Events told in one transaction.
_BATCH = 500

_Arrived = tuple[RawEvent, asyncio.Future[None]]

_WITHHELD = Caller(CallerKind.WITHHELD, "")


class CallTracker:
    """Follows all calls; `begin` and `recorded` stand on the ringing path and await nothing.

    *later* asks for `follow` soon. *internal*: whether calls between colleagues get documents in
    1C.
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
        self._book = call_store
        self._open = call_store.active_calls
        self._ledger = ledger
        self._debts = missed_calls
        self._read_event = read_event
        self._decide = decide
        self._clock = clock
        self._later = apply_soon
        self._internal = journal_internal
        self._unread = unread_events
        self._reparse = reparse
        #: What came and is not written yet; whoever brought it waits for the future.
        self._arrived: list[_Arrived] = []
        self._correlation = CallFinder(
            active_calls=call_store.active_calls, ledger=ledger, clock=clock
        )
        self._reread = reparse is None
        self._taking: asyncio.Task[None] | None = None
        #: By how much the wall clock stepped since debts were dated; at the start nobody knows.
        self._stepped: timedelta | None = timedelta(0)

    # ------------------------------------------------------------ the ringing path
    def open_call(self, question: RouteQuestion, decision: RouteDecision) -> PhoneCall:
        """Give the call that *question* begins, or the one whose events came before it."""
        begun = self._correlation.call_of_question(question)
        if begun is None:
            call = call_from_question(question, decision)
            if self._open.get(call.key) is None:
                self._open.put(call, on_disk=False)
            return call
        call = with_late_question(begun, question, decision)
        self._open.put(call)
        return call

    def mark_recorded(self, call: PhoneCall) -> None:
        """Take *call* for recorded, as it stands on disk."""
        held = self._open.get(call.key)
        # Events heard meanwhile are ahead of what the record gave back.
        self._open.put(call if held is None or not held.applied_events else held)

    # ------------------------------------------------------------ events
    async def receive(self, event: RawEvent) -> None:
        """Keep a PBX event and tell its call; returns when that is durable.

        Raises:
            StoreError: it is not; the PBX must not be told that the event came.
        """
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[None] = loop.create_future()
        self._arrived.append((event, kept))
        if self._taking is None:
            # A task of its own: whoever waits may be cut off, and others wait with him.
            self._taking = loop.create_task(self._take())
        await kept

    def reminder_changed(self, entry: OutboxEntry) -> None:
        """Hear from the delivery that a reminder was made, changed or found dismissed."""
        if self._debts.is_reminder_call(entry.key):
            self._book.changed_entries[entry.key] = entry

    async def apply_stored_events(self) -> int:
        """Tell the events that were kept alone to their calls; give their number."""
        told = 0
        if not self._reread:
            await self._read_again()
            self._reread = True
        async with self._book.transaction():
            while batch := await self._ledger.unapplied_events(_BATCH):
                step = ChangeBuilder()
                for row, raw in batch:
                    step.assigned_events.append((row, await self._tell_raw(step, raw) or ""))
                self._book.publish_calls(step)
                await self._book.commit(step)
                told += len(batch)
            await self._review()
        if self._unread is not None:
            await self._unread.update_alarm()
        return told

    async def _read_again(self) -> None:
        """Tell what an earlier bridge could not read and this one can; once, after the start."""
        after = -1
        while self._reparse and (batch := await self._ledger.unread_events(_BATCH, after)):
            after = batch[-1][0]
            async with self._book.transaction():
                step = ChangeBuilder()
                for row, raw in batch:
                    events = self._reparse(raw)
                    if all(self._is_readable(event) for event in events):
                        step.new_events += [(e, await self._tell_raw(step, e)) for e in events]
                        step.assigned_events.append((row, ""))
                await self._book.commit(step)

    def _is_readable(self, raw: RawEvent) -> bool:
        try:
            self._read_event(raw)
        except Exception as error:  # noqa: BLE001 - it stays where it is, and so does its alarm
            _log.debug("event_still_unread", extra={"reason": str(error)})
            return False
        return True

    async def dismiss_unread(self) -> int:
        """Let the unread events go, on a person's word; they stay kept, and the alarm is over."""
        gone, after = 0, -1
        while batch := await self._ledger.unread_events(_BATCH, after):
            after = batch[-1][0]
            async with self._book.transaction():
                step = ChangeBuilder()
                step.assigned_events += [(row, "") for row, _ in batch]
                await self._book.commit(step)
            gone += len(batch)
        if self._unread is not None:
            await self._unread.update_alarm()
        return gone

    def clock_stepped(self, step: timedelta) -> None:
        """Have what escalates by the wall clock dated anew, behind a *step* of it."""
        self._stepped = step + (self._stepped or timedelta(0))

    async def escalate_missed_calls(self) -> None:
        """Give missed calls to whom 1C names now; tell a second person who waited too long."""
        async with self._book.transaction():
            step, by = ChangeBuilder(), self._stepped
            await self._debts.reassign(step)
            if by is not None:
                await self._debts.reschedule_escalations(step, by)
            await self._debts.escalate(step)
            await self._book.commit(step)
            if by is not None:
                more = (self._stepped or by) - by
                self._stepped = more or None

    async def apply_history(
        self, waiting: Iterable[PhoneCall], records: Sequence[CallEvent]
    ) -> int:
        """Tell the unfinished calls of *waiting* what the statistics say; give how many ended."""
        async with self._book.transaction():
            step, ended = ChangeBuilder(), 0
            fresh = [self._open.get(call.key) or call for call in waiting]
            left = {c.key: c for c in fresh if c.is_unfinished}
            for record in records:
                call = joining.find_call_of_history(record, left.values())
                if call is None:
                    continue
                others = self._open.of_caller(call.caller)
                if joining.belongs_to_another_call(record, call, others):
                    continue
                del left[call.key]
                ref = call.state.call_ref or record.call_ref
                await self._hear(step, call, replace(record, call_ref=ref))
                ended += 1
            await self._book.commit(step)
        return ended

    async def give_up(self, calls: Iterable[PhoneCall]) -> None:
        """Mark calls whose end nobody ever told."""
        async with self._book.transaction():
            step = ChangeBuilder()
            for call in calls:
                word = CallEvent(
                    call.provider, EventKind.GIVEN_UP, self._clock(), call.state.call_ref
                )
                await self._hear(step, self._open.get(call.key) or call, word)
            await self._book.commit(step)

    def unfinished_calls(self, after: timedelta) -> list[PhoneCall]:
        """Give the calls of which nothing was heard for so long though they have not ended."""
        return [
            call
            for call in self._open
            if joining.needs_history_now(call, self._open.silent_for(call.key), after)
        ]

    # ------------------------------------------------------------ one step
    async def _take(self) -> None:
        """Take in what arrived, and what arrives meanwhile."""
        try:
            while self._arrived:
                await self._take_in()
        finally:
            self._taking = None

    async def _take_in(self) -> None:
        arrived: list[_Arrived] = []
        try:
            async with self._book.transaction():
                arrived = self._all_arrived()
                step = ChangeBuilder()
                for raw, _ in arrived:
                    step.new_events.append((raw, await self._tell_raw(step, raw, now=True)))
                self._book.publish_calls(step)
                await self._book.commit(step)
        except Exception as error:  # noqa: BLE001 - ours is logged, the disk's is told below
            if not isinstance(error, StoreError):
                _log.exception("step_broken")
            # Perhaps the disk takes the events alone; whoever brought them must not wait for ever.
            for raw, kept in arrived or self._all_arrived():
                await self._keep(raw, kept)
            self._later()
        else:
            for _, kept in arrived:
                _settle(kept, None)

    def _all_arrived(self) -> list[_Arrived]:
        arrived, self._arrived = self._arrived, []
        return arrived

    async def _keep(self, raw: RawEvent, kept: asyncio.Future[None]) -> None:
        try:
            await self._ledger.record_event(raw)
        except StoreError as error:
            _settle(kept, error)
        else:
            _settle(kept, None)

    async def _tell_raw(
        self, step: ChangeBuilder, raw: RawEvent, *, now: bool = False
    ) -> str | None:
        """Tell one event; give its call's key, empty where it speaks of none, UNREAD if unread.

        None where that would have to wait for the call's record, and it shall be *now*.
        """
        try:
            event = self._read_event(raw)
            return "" if event is None else await self._tell(step, event, raw.received_at, now=now)
        except StoreError:
            raise
        except UnreadableEvent as error:
            return self._keep_unread(raw, error.reason)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, kept, and an alarm
            # The last line of defence: one event we cannot read must not hold up all others.
            _log.exception("event_broken")
            return self._keep_unread(raw, f"reading it broke ({type(error).__name__})")

    def _keep_unread(self, raw: RawEvent, reason: str) -> str:
        if self._unread is not None:
            self._unread.add(raw, reason)
        return UNREAD

    async def _tell(
        self, step: ChangeBuilder, event: CallEvent, received_at: datetime, *, now: bool
    ) -> str | None:
        call = await self._correlation.call_of_event(event, received_at)
        if call is None:
            if event.kind is EventKind.UNKNOWN:
                return ""
            if not event.call_ref:
                raise UnreadableEvent("no field names its call, and its order is not known")
            call = self._begin_with(step, event, received_at)
        if now and not self._open.is_recorded(call.key):
            self._later()
            return None
        await self._open.wait_recorded(call.key)
        held = step.calls.get(call.key) or self._open.get(call.key) or call
        with call_in_logs(call.key):
            await self._hear(step, held, event)
        return call.key

    def _begin_with(
        self, step: ChangeBuilder, event: CallEvent, received_at: datetime
    ) -> PhoneCall:
        """Begin the call that *event* is the first word of."""
        caller = event.client or _WITHHELD
        question = RouteQuestion(
            event.provider, caller, event.did, received_at, arrived_at=event.started_at or event.at
        )
        call = call_from_event(
            event, self._decide(question), received_at=received_at, caller=caller
        )
        self._open.put(call)
        step.calls[call.key] = call
        return call

    async def _hear(self, step: ChangeBuilder, before: PhoneCall, event: CallEvent) -> None:
        after = self._book.with_people(self._decided(before, apply_event(before, event)))
        if after == before and before.key not in step.calls:
            return
        first = not before.applied_events and not before.has_question
        turned = after.direction is not before.direction and not before.needs_document
        if (first or turned) and self._is_journalled(after, event):
            self._book.add_entry(step, after)
        if (
            after.state.disposition.is_over
            and after.state.talked_extensions
            and after.caller.number
        ):
            at = after.state.ended_at or event.at
            step.talks.append(Talk(after.caller.number, after.state.answered_by, at))
        step.calls[after.key] = after
        if after.revision != before.revision:
            step.reopened[after.key] = None
        if after.state != before.state:
            await self._debts.call_changed(step, before, after)
        self._open.put(step.calls[after.key])

    def _decided(self, before: PhoneCall, after: PhoneCall) -> PhoneCall:
        """Return *after* with what is known of its caller, where its events told another one."""
        if after.caller == before.caller:
            return after
        question = RouteQuestion(
            after.provider, after.caller, after.did, after.received_at, arrived_at=after.arrived_at
        )
        decision = self._decide(question)
        if after.has_question:  # what the PBX was told stays
            decision = replace(after.decision, candidates=decision.candidates)
        return replace(after, decision=decision)

    def _is_journalled(self, call: PhoneCall, first: CallEvent) -> bool:
        """Whether 1C gets a document of a call that began with *first* and no question."""
        if first.kind is EventKind.GIVEN_UP:
            # Nobody rang; only a document that asked for the call has to be told so.
            return call.order is not None and call.order.document is not None
        return call.direction is not Direction.INTERNAL or self._internal

    async def _review(self) -> None:
        """Take up what the delivery told of reminders since the last step."""
        told, self._book.changed_entries = self._book.changed_entries, {}
        step = ChangeBuilder()
        for entry in told.values():
            await self._debts.reminder_changed(step, entry)
        await self._book.commit(step)


def _settle(kept: asyncio.Future[None], error: StoreError | None) -> None:
    if kept.done():
        return  # whoever brought it was cut off
    if error is None:
        kept.set_result(None)
    else:
        kept.set_exception(error)
