"""The calls as they stand, in memory and on disk alike; changed in transactions, one at a time.

Orders and notes are written here; events are applied in `services.calls.tracking`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.domain.calls.call import CallNote, PhoneCall, blocks_repeat_order, with_order
from bridge.domain.calls.desired import DocumentText
from bridge.domain.calls.events import Direction
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.calls.state import Disposition
from bridge.domain.clock import TOLERANCE
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.directory.entities import ExtensionOwner
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import Target
from bridge.ports.clock import Clock
from bridge.ports.events import CallChanged, EventPublisher, MissedCallChanged
from bridge.ports.stores.calls import CallFilter
from bridge.ports.stores.ledger import CallLedger, LedgerChange
from bridge.services.calls.active_calls import ACTIVE_FOR, ActiveCalls
from bridge.services.calls.change_builder import ChangeBuilder
from bridge.services.calls.missed_calls import MissedCalls

_log = logging.getLogger(__name__)

#: How long a call that began with its events waits for its routing question before 1C gets it.
QUESTION_WAIT = timedelta(seconds=10)

#: After a stop that lasted longer, orders from before it stay as they are.
_OLDEST_ORDER = timedelta(days=7)

_NOTHING = ChangeBuilder().build()


class CallStore:
    """Changes calls after they are recorded, within `transaction`.

    *deliver_soon* makes the delivery look at the outbox at once.
    """

    def __init__(
        self,
        *,
        ledger: CallLedger,
        active_calls: ActiveCalls,
        missed_calls: MissedCalls,
        owner_of: Callable[[str], ExtensionOwner],
        events: EventPublisher,
        clock: Clock,
        deliver_soon: Callable[[], None],
        question_wait: timedelta = QUESTION_WAIT,
    ) -> None:
        self._ledger = ledger
        self.active_calls = active_calls
        self._missed_calls = missed_calls
        self._owner_of = owner_of
        self._events = events
        self._clock = clock
        self._deliver_soon = deliver_soon
        self._question_wait = question_wait
        self._lock = asyncio.Lock()
        #: Whether memory may hold what the disk does not.
        self._must_reload = False
        #: Entries of which a reminder changed since `CallTracker` applied the last such changes.
        self.changed_entries: dict[str, OutboxEntry] = {}

    async def load(self) -> None:
        """Load calls and missed calls as they stand on disk, after a restart or a failed write.

        Raises:
            StoreError: they cannot be read.
        """
        # Listed before the disk is read: what is recorded meanwhile may not be among what is read.
        stale = self.active_calls.recorded_keys()
        now = self._clock()
        calls = await self._read_recent(now, stale)
        await self._missed_calls.load()
        found = [await self._ledger.entry(m.reminder_call) for m in self._missed_calls.open]
        self.active_calls.reload(stale, calls, now)
        self.changed_entries.update((pair[0].key, pair[0]) for pair in found if pair is not None)
        self._must_reload = False

    async def _read_recent(self, now: datetime, held: Sequence[str]) -> list[PhoneCall]:
        """Read the calls of the last hours, and those of the hours before the newest call.

        The wall clock may have stepped since they were recorded, and one that was wrong leaves
        calls of the future behind; after a long stop the last calls still lack their ends. So may
        older ones that memory *held*.
        """
        ends = {now, *(call.received_at for call in await self._ledger.calls(limit=1))}
        found = [await self._ledger.calls_since(end - ACTIVE_FOR, end + TOLERANCE) for end in ends]
        calls = {call.key: call for some in found for call in some}
        for key in held:
            active = self.active_calls.get(key)
            if key not in calls and active is not None and active.awaits_end:
                call = await self._ledger.call(key)
                calls |= {} if call is None else {key: call}
        return sorted(calls.values(), key=lambda call: call.received_at)

    async def reload(self) -> None:
        """Load what stands on disk, between two transactions."""
        async with self._lock:
            await self.load()

    def reload_before_next_change(self) -> None:
        """Have memory loaded from the disk before the next transaction."""
        self._must_reload = True

    async def restore_ledger(self) -> None:
        """Write the calls and missed calls in memory to a ledger that lost some of them.

        What is written to 1C of each call is not known any more, so each gets a new entry that is
        searched for in 1C before it is created; an entry that is there already stays.
        """
        async with self._lock:
            now = self._clock()
            recorded = [self.active_calls.get(key) for key in self.active_calls.recorded_keys()]
            calls = [call for call in recorded if call is not None]
            entries = [
                OutboxEntry(
                    call.key, call.received_at, now, maybe_sent_at=now, needs_verification=True
                )
                for call in calls
                if _needs_entry_again(call)
            ]
            missed_calls = self._missed_calls.open
            await self._ledger.apply_change(
                LedgerChange(calls=tuple(calls), entries=tuple(entries), missed_calls=missed_calls)
            )
            counts = {"calls": len(calls), "debts": len(missed_calls)}
            _log.warning("calls_written_again", extra=counts)
        self._deliver_soon()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Gather one change and commit it; after one that failed memory is loaded anew.

        Loading waits for the next transaction: what cannot be written often cannot be read either,
        and a call that memory lost would be begun a second time.
        """
        async with self._lock:
            if self._must_reload:
                await self.load()
            try:
                yield
            except BaseException:
                self._must_reload = True
                raise

    # ------------------------------------------------------------ notes and orders
    async def annotate(self, key: str, by: str, text: str) -> PhoneCall | None:
        """Add an operator's note to the call of *key* and its document; None: no such call."""
        async with self.transaction():
            call = self.active_calls.get(key) or await self._ledger.call(key)
            if call is None:
                return None
            note = CallNote(self._clock(), by, text)
            call = replace(call, notes=(*call.notes, note), revision=call.revision + 1)
            changes = ChangeBuilder()
            changes.change_call(call)
            await self.commit(changes)
            return call

    async def add_order(self, call: PhoneCall) -> PhoneCall:
        """Record the call of an order before it is sent; return the one that stands."""
        async with self.transaction():
            standing = self.active_calls.get(call.key) or await self._ledger.call(call.key)
            if standing is not None:
                return standing
            changes = ChangeBuilder()
            changes.calls[call.key] = self.with_people(call)
            await self.commit(changes)
            return changes.calls[call.key]

    async def save_order(self, key: str, order: CallOrder) -> None:
        """Save the outcome of an order; its events may be there already."""
        async with self.transaction():
            call = self.active_calls.get(key) or await self._ledger.call(key)
            if call is None:
                return
            changes = ChangeBuilder()
            changes.change_call(with_order(call, order))
            if order.document is not None:
                self.add_entry(changes, changes.calls[key])
            await self.commit(changes)

    async def orders_being_sent(self) -> Sequence[PhoneCall]:
        """Return the orders that a crash left as being sent: it is not known whether they were.

        Orders older than the active calls are among them.
        """
        now = self._clock()
        older = CallFilter(
            direction=Direction.OUTBOUND,
            dispositions=(Disposition.RINGING,),
            since=now - _OLDEST_ORDER,
            until=now - ACTIVE_FOR,
        )
        calls = [*await self._ledger.calls(limit=1000, matching=older), *self.active_calls]
        return [c for c in calls if c.order and c.order.state is OrderState.SENDING]

    async def blocking_order(
        self, extension: str, number: PhoneNumber, now: datetime
    ) -> PhoneCall | None:
        """Return the latest order of this pair that is not known to be over."""
        # After a write that failed memory may hold an order that the disk does not.
        async with self.transaction():
            found = [
                call
                for call in self.active_calls
                if call.order is not None
                and (call.order.extension, call.order.number) == (extension, number)
                and blocks_repeat_order(call, now)
            ]
        return found[-1] if found else None

    # ------------------------------------------------------------ one change
    def with_people(self, call: PhoneCall) -> PhoneCall:
        """Return *call* with the 1C users behind its extensions, as of now."""
        known = {target.extension for target in call.known_targets}
        extensions = dict.fromkeys(
            (*call.state.rung_extensions, *call.state.talked_extensions, call.placed_by)
        )
        new = [extension for extension in extensions if extension and extension not in known]
        if not new:
            return call
        return replace(call, known_targets=(*call.known_targets, *(self._target(e) for e in new)))

    def _target(self, extension: str) -> Target:
        manager = self._owner_of(extension).manager
        return (
            Target(extension) if manager is None else Target(extension, manager.ref, manager.name)
        )

    def add_entry(self, changes: ChangeBuilder, call: PhoneCall) -> None:
        """Add the outbox entry of *call*; UT's own document that asked for it is its document."""
        now = self._clock()
        waits = call.direction is Direction.INBOUND
        entry = OutboxEntry(call.key, now, now + self._question_wait if waits else now)
        if call.order is not None and call.order.document is not None:
            entry = replace(
                entry,
                document=call.order.document,
                subject_written=True,
                written_text=DocumentText("", ""),
            )
        changes.entries.append(entry)

    def publish_calls(self, changes: ChangeBuilder) -> None:
        """Publish the calls before they are on disk: what the PBX reported is true in any case."""
        for call in changes.calls.values():
            self._events.publish(CallChanged(call))
        changes.published = True

    async def commit(self, changes: ChangeBuilder) -> None:
        """Write the change, and publish what it changes.

        Raises:
            StoreError: it cannot be written.
        """
        change = changes.build()
        if change == _NOTHING:
            return
        for call in changes.calls.values():
            self.active_calls.put(call)
        await self._ledger.apply_change(change)
        if not changes.published:
            self.publish_calls(changes)
        for missed_call in change.missed_calls:
            self._events.publish(MissedCallChanged(missed_call))
        if change.reopened or change.entries:
            self._deliver_soon()


def _needs_entry_again(call: PhoneCall) -> bool:
    if call.order is not None and call.order.document is not None:
        return False  # the document is UT's own, and what was written to it is not known
    return call.direction is not Direction.INTERNAL and not call.is_test_request
