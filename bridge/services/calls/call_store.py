"""The calls as they stand, in memory and on disk alike: changed one step at a time, durably.

Orders and notes are steps of their own here; events are told to their calls in `services.follow`.
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
from bridge.services.calls.missed_calls import ChangeBuilder, MissedCalls

_log = logging.getLogger(__name__)

#: How long a call that began with its events waits for its routing question before 1C gets it.
QUESTION_WAIT = timedelta(seconds=10)

#: A stop that lasted longer leaves orders of before it as they are.
_OLDEST_ORDER = timedelta(days=7)

_NOTHING = ChangeBuilder().build()


class CallStore:
    """Where calls are changed after they are recorded, within `one_step`.

    *kick* makes the delivery look at once.
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
        self._debts = missed_calls
        self._owner_of = owner_of
        self._events = events
        self._clock = clock
        self._kick = deliver_soon
        self._grace = question_wait
        self._lock = asyncio.Lock()
        #: Whether memory may hold what the disk does not.
        self._ahead = False
        #: What the delivery told of reminders since the last review, by the call that holds them.
        self.changed_entries: dict[str, OutboxEntry] = {}

    async def load(self) -> None:
        """Take up the calls and debts as they stand on disk: of before a restart, or a failure."""
        # Named before the look: what is recorded meanwhile may not be among what is read.
        stale = self.active_calls.recorded_keys()
        now = self._clock()
        calls = await self._calls_of_late(now)
        await self._debts.load()
        found = [await self._ledger.entry(debt.reminder_call) for debt in self._debts.open]
        self.active_calls.reload(stale, calls, now)
        self.changed_entries.update((pair[0].key, pair[0]) for pair in found if pair is not None)
        self._ahead = False

    async def _calls_of_late(self, now: datetime) -> list[PhoneCall]:
        """Read the calls of the last hours, and those of the last hours before the newest call.

        The wall clock may have stepped since they were recorded, and one that was wrong leaves
        calls of the future behind; a service that was away owes its last calls an end.
        """
        ends = {now, *(call.received_at for call in await self._ledger.calls(limit=1))}
        found = [await self._ledger.calls_since(end - ACTIVE_FOR, end + TOLERANCE) for end in ends]
        calls = {call.key: call for some in found for call in some}
        return sorted(calls.values(), key=lambda call: call.received_at)

    async def reload(self) -> None:
        """Take up what stands on disk, between two steps."""
        async with self._lock:
            await self.load()

    def reload_before_next_change(self) -> None:
        """Have memory read back from the disk before the next step: it could not be before."""
        self._ahead = True

    async def restore_ledger(self) -> None:
        """Write what memory has of calls and debts to a ledger that lost some of it.

        What each call owed is not known any more, so it is owed anew, and looked for in 1C before
        it is created; an entry that is there already stays.
        """
        async with self._lock:
            now = self._clock()
            recorded = [self.active_calls.get(key) for key in self.active_calls.recorded_keys()]
            calls = [call for call in recorded if call is not None]
            owed = [call for call in calls if self._is_owed(call)]
            entries = [
                OutboxEntry(
                    call.key, call.received_at, now, maybe_sent_at=now, needs_verification=True
                )
                for call in owed
            ]
            debts = self._debts.open
            await self._ledger.apply_change(
                LedgerChange(calls=tuple(calls), entries=tuple(entries), missed_calls=debts)
            )
            _log.warning("calls_written_again", extra={"calls": len(calls), "debts": len(debts)})
        self._kick()

    def _is_owed(self, call: PhoneCall) -> bool:
        if call.order is not None and call.order.document is not None:
            return False  # its document is UT's own, and how far we were with it nobody knows
        return call.direction is not Direction.INTERNAL and not call.is_test_request

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Let one step be gathered and written; behind one that failed memory is read back first.

        Not at once: what cannot be written often cannot be read, and a call that memory forgot
        would be begun a second time.
        """
        async with self._lock:
            if self._ahead:
                await self.load()
            try:
                yield
            except BaseException:
                self._ahead = True
                raise

    # ------------------------------------------------------------ people and orders
    async def annotate(self, key: str, by: str, text: str) -> PhoneCall | None:
        """Write an operator's note to the call of *key* and its document; None: no such call."""
        async with self.transaction():
            call = self.active_calls.get(key) or await self._ledger.call(key)
            if call is None:
                return None
            note = CallNote(self._clock(), by, text)
            call = replace(call, notes=(*call.notes, note), revision=call.revision + 1)
            step = ChangeBuilder()
            step.change_call(call)
            await self.commit(step)
            return call

    async def add_order(self, call: PhoneCall) -> PhoneCall:
        """Have the call of an order on disk before the order leaves; give the one that stands."""
        async with self.transaction():
            standing = self.active_calls.get(call.key) or await self._ledger.call(call.key)
            if standing is not None:
                return standing
            step = ChangeBuilder()
            step.calls[call.key] = self.with_people(call)
            await self.commit(step)
            return step.calls[call.key]

    async def save_order(self, key: str, order: CallOrder) -> None:
        """Keep what became of an order; its events may be there already."""
        async with self.transaction():
            call = self.active_calls.get(key) or await self._ledger.call(key)
            if call is None:
                return
            step = ChangeBuilder()
            step.change_call(with_order(call, order))
            if order.document is not None:
                self.add_entry(step, step.calls[key])
            await self.commit(step)

    async def orders_being_sent(self) -> Sequence[PhoneCall]:
        """Give the orders of which nobody knows whether they left: a crash stood between.

        Among them those that came before the calls which are remembered.
        """
        now = self._clock()
        older = CallFilter(
            direction=Direction.OUTBOUND,
            dispositions=(Disposition.RINGING,),
            since=now - _OLDEST_ORDER,
            until=now - ACTIVE_FOR,
        )
        known = [*await self._ledger.calls(limit=1000, matching=older), *self.active_calls]
        return [c for c in known if c.order and c.order.state is OrderState.SENDING]

    async def blocking_order(
        self, extension: str, number: PhoneNumber, now: datetime
    ) -> PhoneCall | None:
        """Return the latest order of this pair that is not known to be over."""
        # Behind a write that failed memory may hold an order that the disk does not.
        async with self.transaction():
            found = [
                call
                for call in self.active_calls
                if call.order is not None
                and (call.order.extension, call.order.number) == (extension, number)
                and blocks_repeat_order(call, now)
            ]
        return found[-1] if found else None

    # ------------------------------------------------------------ a step
    def with_people(self, call: PhoneCall) -> PhoneCall:
        """Give *call* with the 1C users behind its telephones, as of now."""
        named = {target.extension for target in call.known_targets}
        telephones = dict.fromkeys(
            (*call.state.rung_extensions, *call.state.talked_extensions, call.placed_by)
        )
        new = [extension for extension in telephones if extension and extension not in named]
        if not new:
            return call
        return replace(call, known_targets=(*call.known_targets, *(self._person(e) for e in new)))

    def _person(self, extension: str) -> Target:
        manager = self._owner_of(extension).manager
        return (
            Target(extension) if manager is None else Target(extension, manager.ref, manager.name)
        )

    def add_entry(self, step: ChangeBuilder, call: PhoneCall) -> None:
        """Have 1C get a document of *call*; one that UT's own document asked for is in it."""
        now = self._clock()
        waits = call.direction is Direction.INBOUND
        entry = OutboxEntry(call.key, now, now + self._grace if waits else now)
        if call.order is not None and call.order.document is not None:
            document = call.order.document
            entry = replace(
                entry, document=document, subject_written=True, written_text=DocumentText("", "")
            )
        step.entries.append(entry)

    def publish_calls(self, step: ChangeBuilder) -> None:
        """Tell the pages before the disk: what the PBX said of a call is true in any case."""
        for call in step.calls.values():
            self._events.publish(CallChanged(call))
        step.published = True

    async def commit(self, step: ChangeBuilder) -> None:
        """Write the step."""
        change = step.build()
        if change == _NOTHING:
            return
        for call in step.calls.values():
            self.active_calls.put(call)
        await self._ledger.apply_change(change)
        if not step.published:
            self.publish_calls(step)
        for debt in change.missed_calls:
            self._events.publish(MissedCallChanged(debt))
        if change.reopened or change.entries:
            self._kick()
