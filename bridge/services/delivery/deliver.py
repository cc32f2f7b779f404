"""Delivery: write the entries of the outbox to 1C, each exactly once.

    due ─► what does 1C lack? ─► (maybe sent before? search) ─► write ─► what does it lack now?

What an attempt makes of an entry is decided in `domain.delivery.outbox`; here 1C and the outbox are
only called. While 1C is away or refuses our user a circuit breaker lets one request through now
and then, and no entry is lost.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta, tzinfo
from typing import Final

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.desired import DesiredState
from bridge.domain.delivery import outbox
from bridge.domain.delivery.documents import (
    build_desired_state,
    build_phone_call_draft,
    document_marker,
)
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
    confirm_considered,
)
from bridge.domain.delivery.texts import Language
from bridge.errors import OneCError, OneCObjectMissing
from bridge.log_context import call_in_logs
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.events import EntryChanged, EventPublisher
from bridge.ports.onec import OneCJournal
from bridge.ports.stores.outbox import OutboxQueue
from bridge.services.delivery.circuit_breaker import OneCCircuitBreaker
from bridge.services.delivery.documents import DocumentDelivery
from bridge.services.delivery.failures import DeliveryFailures
from bridge.services.delivery.reminders import ReminderDelivery
from bridge.services.delivery.stage_breakers import StageBreakers

_log = logging.getLogger(__name__)

_BATCH: Final = 50

#: How often fresh calls are looked for while a slot is free and a request hangs in the other.
_POLL_INTERVAL: Final = timedelta(seconds=1)


class Delivery:
    """Writes pending outbox entries to 1C; one instance in the service.

    *reminder_changed* is called with every entry of which a reminder was created, changed,
    withdrawn or found dismissed. *clock_steps* returns how often `clock` was seen to step.
    """

    def __init__(
        self,
        *,
        ledger: OutboxQueue,
        journal: OneCJournal,
        events: EventPublisher,
        clock: Clock,
        lang: Language,
        zone: tzinfo,
        rules: DeliveryRules | None = None,
        concurrency: int = 2,
        poll_interval: timedelta = _POLL_INTERVAL,
        reminder_changed: Callable[[OutboxEntry], None] = lambda _: None,
        monotonic: Monotonic = time.monotonic,
        clock_steps: Callable[[], int] = lambda: 0,
    ) -> None:
        self._outbox = ledger
        self._journal = journal
        self._events = events
        self._clock = clock
        self._lang: Language = lang
        self._zone = zone
        self._reminder_changed = reminder_changed
        self._rules = rules or DeliveryRules()
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._poll_interval_s = poll_interval.total_seconds()
        self._drain_lock = asyncio.Lock()
        self._documents = DocumentDelivery(journal, clock, self._rules)
        self._reminders = ReminderDelivery(journal, clock, self._rules)
        self._breaker = OneCCircuitBreaker(events, monotonic)
        self._stages = StageBreakers(ledger, monotonic)
        self._failures = DeliveryFailures(self._breaker, self._stages, clock, self._rules)
        self._clock_steps = clock_steps
        #: After how many steps of the clock all entries were rescheduled.
        self._rescheduled_at: int | None = None
        #: The same of the entries that are being delivered, by key.
        self._entry_steps: dict[str, int] = {}
        #: Whether entries may be left as being sent that are not: after a crash, a failed write.
        self._may_have_orphans = True

    async def drain(self) -> int:
        """Deliver until nothing is due, or the breaker opens; return how many entries advanced.

        Raises:
            StoreError: the outbox cannot be read or written.
        """
        async with self._drain_lock:
            if self._may_have_orphans:
                await self._outbox.recover_after_crash()
            self._may_have_orphans = True
            running: dict[str, asyncio.Task[bool]] = {}
            try:
                advanced = await self._drain(running)
            finally:
                # Cut short: nothing may go on sending what the next drain takes for left behind.
                for task in running.values():
                    task.cancel()
                await asyncio.gather(*running.values(), return_exceptions=True)
            self._may_have_orphans = False
            return advanced

    async def _drain(self, running: dict[str, asyncio.Task[bool]]) -> int:
        """Deliver with all slots: a request that hangs does not keep fresh calls waiting."""
        advanced, may_find_more = 0, True
        while True:
            if may_find_more and self._breaker.allows_requests():
                await self._start_due(running)
            if not running:
                return advanced
            done, _ = await asyncio.wait(
                running.values(),
                timeout=self._poll_interval_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            results = [task.result() for task in done]
            for key in [key for key, task in running.items() if task in done]:
                del running[key]
                self._entry_steps.pop(key, None)
            advanced += sum(results)
            # Another look at once is worth it only where something advanced.
            may_find_more = any(results) or not done

    async def _start_due(self, running: dict[str, asyncio.Task[bool]]) -> None:
        free, batch = (1, 1) if self._breaker.is_failing else (self._concurrency, _BATCH)
        if len(running) >= free:
            return
        now = self._clock()
        if self._rescheduled_at != (steps := self._clock_steps()):
            # At the start too: what the clock did while the service was stopped is not known.
            await self._outbox.reschedule_entries(now, self._rules)
            self._rescheduled_at = steps
        await self._stages.resume_entries(now)
        for entry, call in await self._outbox.due_entries(now, batch):
            if entry.key not in running:
                self._entry_steps[entry.key] = steps
                running[entry.key] = asyncio.create_task(self._deliver(entry, call))

    async def _deliver(self, entry: OutboxEntry, call: PhoneCall) -> bool:
        """Deliver one entry stage by stage until it is delivered or something stops it."""
        with call_in_logs(entry.key):
            return await self._through_stages(entry, call)

    async def _through_stages(self, entry: OutboxEntry, call: PhoneCall) -> bool:
        async with self._slots:
            has_advanced = False
            while self._breaker.allows_requests() and entry.is_due(self._clock()):
                entry, is_progress = await self._attempt(self._rescheduled(entry), call)
                if not is_progress:
                    break
                has_advanced = True
            return has_advanced

    def _rescheduled(self, entry: OutboxEntry) -> OutboxEntry:
        """Return *entry* rescheduled where the clock has stepped since it was taken up."""
        steps = self._clock_steps()
        if self._entry_steps.get(entry.key) == steps:
            return entry
        self._entry_steps[entry.key] = steps
        return outbox.reschedule_entry(entry, self._clock(), self._rules)

    async def _attempt(self, entry: OutboxEntry, call: PhoneCall) -> tuple[OutboxEntry, bool]:
        """Make one attempt at the next stage; return the entry, and whether it advanced."""
        desired = build_desired_state(call, self._lang, self._zone)
        if entry.document is None and entry.stage is not DeliveryStage.DOCUMENT:
            entry = outbox.restart_at_document(entry, self._clock())
        entry = outbox.at_next_stage(entry, desired)
        waiting = outbox.still_waiting(entry, desired, self._clock(), self._rules)
        if waiting is not None:
            after, is_progress = waiting, True
        elif outbox.next_stage(entry, desired) is None:
            after, is_progress = outbox.advance(entry, desired, self._clock(), self._rules), True
        elif not self._stages.admit(entry.stage, entry.key):
            # Out of the way of entries whose stage 1C accepts: that is progress too.
            reason = self._stages.reason(entry.stage)
            after, is_progress = outbox.pause_entry(entry, self._clock(), reason=reason), True
        else:
            sending = outbox.start_sending(entry, desired)
            try:
                if not await self._outbox.save_entry(sending):
                    return entry, False
                after, is_progress = await self._try_stage(sending, call, desired)
                after = self._rescheduled(after)
            finally:
                self._stages.attempt_ended(sending.stage, sending.key)
        if not await self._outbox.save_entry(after):
            return after, False  # an administrator dropped it meanwhile
        if after.state is not entry.state or after.stage is not entry.stage:
            self._events.publish(EntryChanged(after))
        if after.reminders != entry.reminders:
            self._reminder_changed(after)
        return after, is_progress

    async def _try_stage(
        self, sending: OutboxEntry, call: PhoneCall, desired: DesiredState
    ) -> tuple[OutboxEntry, bool]:
        try:
            after = await self._send(sending, call, desired)
        except OneCError as error:
            return self._failures.after_error(sending, error)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, shown to a person
            # A fault of ours in one call must not stop the others.
            _log.exception("outbox_broken", extra={"call": sending.key})
            return self._failures.after_bug(sending, error), True
        self._breaker.record_answer()
        self._breaker.clear_alarm(sending.stage)
        self._stages.record_success(sending.stage)
        is_same_stage = after.state is EntryState.DUE and after.stage is sending.stage
        return after, not (is_same_stage and after.due_at > self._clock())

    async def _send(
        self, entry: OutboxEntry, call: PhoneCall, desired: DesiredState
    ) -> OutboxEntry:
        """Write what the present stage names to 1C; return the entry advanced."""
        if entry.stage is DeliveryStage.DOCUMENT:
            draft = build_phone_call_draft(call, self._lang, self._zone)
            is_clock_steady = self._entry_steps.get(entry.key) == self._clock_steps()
            return await self._documents.deliver_document(
                entry, draft, desired, is_clock_steady=is_clock_steady
            )
        document = entry.document
        if document is None:
            raise LookupError("an entry behind its document has none")
        match entry.stage:
            case DeliveryStage.SUBJECT:
                await self._documents.deliver_subject(entry, document)
                entry = replace(entry, subject_written=True)
            case DeliveryStage.OUTCOME:
                marker = document_marker(call.key) if call.order and call.order.document else ""
                text = desired.document_text
                await self._documents.deliver_outcome(entry, document, text, marker)
                entry = replace(entry, written_text=text, maybe_written_texts=())
            case DeliveryStage.CONSIDERED:
                with suppress(OneCObjectMissing):
                    await self._journal.set_considered(document, considered=desired.considered)
                entry = confirm_considered(entry, desired)
            case DeliveryStage.VERIFY:
                draft = build_phone_call_draft(call, self._lang, self._zone)
                await self._documents.verify(entry, draft)
            case _:
                return await self._reminders.deliver_next(entry, call, desired)
        return outbox.advance(entry, desired, self._clock(), self._rules)
