"""Deliver: drain the outbox into 1C, exactly once, as patiently as it takes.

    due ─► what does 1C lack? ─► (perhaps sent before? look) ─► write ─► what does it lack now?

What happened to an entry is decided in `domain.outbox`; here the two sides are only called.
The lane closes for a while when 1C is away or turns us down as a user: entries are not burnt, one
request is tried now and then, and both edges are told once.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta, tzinfo

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.desired import DesiredState, DocumentText
from bridge.domain.delivery import outbox
from bridge.domain.delivery.documents import (
    PhoneCallDraft,
    build_desired_state,
    build_document_change,
    build_phone_call_draft,
    document_marker,
)
from bridge.domain.delivery.outbox import DeliveryRules, DeliveryStage, EntryState, OutboxEntry
from bridge.domain.delivery.texts import Language
from bridge.domain.directory.entities import Ref
from bridge.errors import (
    OneCAlreadyExists,
    OneCError,
    OneCFilteredByWebServer,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCObjectMissing,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCUnauthorized,
    OneCVersionConflict,
)
from bridge.log_context import call_in_logs
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.events import EntryChanged, EventPublisher
from bridge.ports.onec import FoundDocument, OneCJournal
from bridge.ports.stores.outbox import OutboxQueue
from bridge.services.delivery.circuit_breaker import TURNED_DOWN_PAUSE, OneCCircuitBreaker
from bridge.services.delivery.reminders import ReminderDelivery
from bridge.services.delivery.stage_breakers import StageBreakers

_log = logging.getLogger(__name__)

_BATCH = 50

#: How often to look for fresh calls while a slot is free and a request hangs in the other.
_GLANCE = timedelta(seconds=1)


class Delivery:
    """Writes to 1C what the ledger owes; one instance in the house."""

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
        poll_interval: timedelta = _GLANCE,
        reminder_changed: Callable[[OutboxEntry], None] = lambda _: None,
        monotonic: Monotonic = time.monotonic,
        clock_steps: Callable[[], int] = lambda: 0,
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._events = events
        self._clock = clock
        self._lang: Language = lang
        self._zone = zone
        #: Hears of every reminder made, changed, withdrawn or found dismissed.
        self._reminded = reminder_changed
        self._rules = rules or DeliveryRules()
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._glance = poll_interval.total_seconds()
        self._draining = asyncio.Lock()
        self._reminding = ReminderDelivery(journal, clock, self._rules)
        self._lane = OneCCircuitBreaker(events, monotonic)
        self._stages = StageBreakers(ledger, monotonic)
        #: Tells how often the clock was seen to step, as far as `clock` was read.
        self._clock_steps = clock_steps
        self._rearmed_at: int | None = None  # the step behind which all entries were rearmed
        self._level_with: dict[str, int] = {}  # the same of the entries under way
        self._unsure = True

    async def drain(self) -> int:
        """Deliver what is due until nothing is, or the lane closes; give the entries moved on."""
        async with self._draining:
            if self._unsure:
                # Only here an entry can be `sending` that nobody sends: a crash, a failed save.
                await self._ledger.recover_after_crash()
            self._unsure = True
            flying: dict[str, asyncio.Task[bool]] = {}
            try:
                moved = await self._drain(flying)
            finally:
                # Cut short: nobody may go on sending what the next drain takes for left behind.
                for task in flying.values():
                    task.cancel()
                await asyncio.gather(*flying.values(), return_exceptions=True)
            self._unsure = False
            return moved

    async def _drain(self, flying: dict[str, asyncio.Task[bool]]) -> int:
        """Keep the slots busy: a request that hangs must not keep fresh calls waiting."""
        moved, look = 0, True
        while True:
            if look and self._lane.allows_requests():
                await self._take_off(flying)
            if not flying:
                return moved
            done, _ = await asyncio.wait(
                flying.values(), timeout=self._glance, return_when=asyncio.FIRST_COMPLETED
            )
            landed = [task.result() for task in done]
            for key in [key for key, task in flying.items() if task in done]:
                del flying[key]
                self._level_with.pop(key, None)
            moved += sum(landed)
            # Looking again at once is worth it only where something moved.
            look = any(landed) or not done

    async def _take_off(self, flying: dict[str, asyncio.Task[bool]]) -> None:
        room, batch = (1, 1) if self._lane.is_failing else (self._concurrency, _BATCH)
        if len(flying) >= room:
            return
        now = self._clock()
        if self._rearmed_at != (steps := self._clock_steps()):
            # At the start too: nobody knows what the clock did while the service was away.
            await self._ledger.reschedule_entries(now, self._rules)
            self._rearmed_at = steps
        await self._stages.resume_entries(now)
        for entry, call in await self._ledger.due_entries(now, batch):
            if entry.key not in flying:
                self._level_with[entry.key] = steps
                flying[entry.key] = asyncio.create_task(self._deliver(entry, call))

    async def _deliver(self, entry: OutboxEntry, call: PhoneCall) -> bool:
        """Take one entry through its stages until it settles or something stops it."""
        with call_in_logs(entry.key):
            return await self._through_stages(entry, call)

    async def _through_stages(self, entry: OutboxEntry, call: PhoneCall) -> bool:
        async with self._slots:
            progressed = False
            while self._lane.allows_requests() and entry.is_due(self._clock()):
                entry, done = await self._attempt(self._level(entry), call)
                if not done:
                    break
                progressed = True
            return progressed

    def _level(self, entry: OutboxEntry) -> OutboxEntry:
        """Give an entry under way rearmed, where the clock has stepped since it was taken up."""
        steps = self._clock_steps()
        if self._level_with.get(entry.key) == steps:
            return entry
        self._level_with[entry.key] = steps
        return outbox.reschedule_entry(entry, self._clock(), self._rules)

    async def _attempt(self, entry: OutboxEntry, call: PhoneCall) -> tuple[OutboxEntry, bool]:
        """Make one attempt at the stage that comes next; give the entry, and whether it moved."""
        wanted = build_desired_state(call, self._lang, self._zone)
        if entry.document is None and entry.stage is not DeliveryStage.DOCUMENT:
            entry = outbox.restart_at_document(entry, self._clock())
        entry = outbox.at_next_stage(entry, wanted)
        resting = outbox.still_waiting(entry, wanted, self._clock())
        if resting is not None:
            after, done = resting, True
        elif outbox.next_stage(entry, wanted) is None:
            after, done = outbox.advance(entry, wanted, self._clock(), self._rules), True
        elif not self._stages.admit(entry.stage, entry.key):
            # Out of the way of those whose stage 1C takes: that is progress too.
            after = outbox.pause_entry(
                entry, self._clock(), reason=self._stages.reason(entry.stage)
            )
            done = True
        else:
            sending = outbox.start_sending(entry, wanted)
            try:
                if not await self._ledger.save_entry(sending):
                    return entry, False
                after, done = await self._try_stage(sending, call, wanted)
                after = self._level(after)
            finally:
                self._stages.attempt_ended(sending.stage, sending.key)
        if not await self._ledger.save_entry(after):
            return after, False  # a person dropped it meanwhile
        if after.state is not entry.state or after.stage is not entry.stage:
            self._events.publish(EntryChanged(after))
        if after.reminders != entry.reminders:
            self._reminded(after)
        return after, done

    async def _try_stage(
        self, sending: OutboxEntry, call: PhoneCall, wanted: DesiredState
    ) -> tuple[OutboxEntry, bool]:
        try:
            moved = await self._send(sending, call, wanted)
        except OneCError as error:
            return self._failed(sending, error)
        except Exception as error:  # noqa: BLE001 - logged with its traceback, shown to a person
            # The last line of defence: a mistake of ours about one call must not stop the others.
            _log.exception("outbox_broken", extra={"call": sending.key})
            words = f"the bridge failed on this call: {type(error).__name__}: {error}"
            return self._refused(self._doubted(sending), words, None), True
        self._lane.record_answer()
        self._lane.clear_alarm(sending.stage)
        self._stages.record_success(sending.stage)
        still = moved.state is EntryState.DUE and moved.stage is sending.stage
        waits = still and moved.due_at > self._clock()
        return moved, not waits

    def _failed(self, sending: OutboxEntry, error: OneCError) -> tuple[OutboxEntry, bool]:
        """Tell what becomes of an entry that 1C did not take, and whether it moved."""
        if isinstance(error, OneCVersionConflict):  # a person was quicker; 1C is there
            why = str(error)
            return outbox.wait_for_quiet(sending, self._clock(), self._rules, reason=why), False
        if isinstance(error, OneCOutcomeUnknown | OneCInvalidResponse):
            # An answer that is not 1C's says nothing about what 1C did.
            return self._put_back(sending, error, sent=True), False
        if isinstance(error, OneCUnauthorized | OneCNotPublished):
            return self._turned_down(sending, error), False
        if isinstance(error, OneCRejected):
            self._lane.record_answer()
            return self._refused(sending, str(error), error), True
        return self._put_back(sending, error, sent=False), False

    async def _send(self, entry: OutboxEntry, call: PhoneCall, wanted: DesiredState) -> OutboxEntry:
        """Have 1C hold what the present stage names; give the entry moved on."""
        if entry.stage is DeliveryStage.DOCUMENT:
            draft = build_phone_call_draft(call, self._lang, self._zone)
            return await self._send_document(entry, draft, wanted)
        document = entry.document
        if document is None:
            raise LookupError("an entry behind its document has none")
        match entry.stage:
            case DeliveryStage.SUBJECT:
                await self._send_subject(entry, document)
                entry = replace(entry, subject_written=True)
            case DeliveryStage.OUTCOME:
                mark = document_marker(call.key) if call.order and call.order.document else ""
                await self._tell_outcome(entry, document, wanted.document_text, mark)
                entry = replace(entry, written_text=wanted.document_text, maybe_written_texts=())
            case DeliveryStage.CONSIDERED:
                with suppress(OneCObjectMissing):
                    await self._journal.set_considered(document, considered=wanted.considered)
                entry = replace(entry, considered_written=wanted.considered)
            case DeliveryStage.VERIFY:
                await self._verify(entry, build_phone_call_draft(call, self._lang, self._zone))
            case _:
                return await self._reminding.deliver_next(entry, call, wanted)
        return outbox.advance(entry, wanted, self._clock(), self._rules)

    async def _send_subject(self, entry: OutboxEntry, document: Ref) -> None:
        if outbox.must_search_first(entry) and await self._journal.has_subject(document):
            return
        try:
            await self._journal.create_subject(document)
        except OneCAlreadyExists:
            if not await self._journal.has_subject(document):
                raise

    async def _tell_outcome(
        self, entry: OutboxEntry, document: Ref, told: DocumentText, mark: str
    ) -> None:
        """Complete the document: what people changed in it meanwhile stays theirs.

        *mark* is what a document that ordered a call has to bear: it is never an order again.
        """
        present = await self._journal.read_phone_call(document)
        if present is None:
            return  # somebody deleted it: there is nothing to complete
        ours = (
            entry.maybe_written_texts
            if entry.written_text is None
            else (entry.written_text, *entry.maybe_written_texts)
        )
        change = build_document_change(present, ours, told, mark)
        if change:
            with suppress(OneCObjectMissing):
                await self._journal.change_phone_call(document, change)

    async def _send_document(
        self, entry: OutboxEntry, draft: PhoneCallDraft, wanted: DesiredState
    ) -> OutboxEntry:
        if outbox.must_search_first(entry):
            # Before the look: what commits while we look must not count as having been looked for.
            now = self._clock()
            found = _unmarked(await self._journal.find_phone_calls(draft))
            if found:
                try:
                    await self._mark_doubles(found[0], found)
                except (OneCRejected, OneCFilteredByWebServer) as error:
                    # The call is in 1C, which is what is owed; the last look marks, or tells.
                    _log.warning("double_unmarked", extra={"reason": str(error)})
                written = replace(entry, document=found[0].ref)
                return outbox.advance(written, wanted, now, self._rules)
            # Behind a step nobody knows how long it has been quiet.
            steady = self._level_with.get(entry.key) == self._clock_steps()
            if not (steady and outbox.may_create(entry, now, self._rules)):
                why = entry.last_error or "not found in 1C yet; the lost write may still arrive"
                return outbox.wait_for_quiet(entry, now, self._rules, reason=why)
        try:
            ref = await self._journal.create_phone_call(draft)
        except OneCAlreadyExists:
            # 1C honours proposed references, and the document is there: an earlier attempt of ours.
            found = _unmarked(await self._journal.find_phone_calls(draft))
            if not found:
                raise
            written = replace(entry, document=found[0].ref)
        else:
            written = replace(
                entry, document=ref, written_text=wanted.document_text, maybe_written_texts=()
            )
        return outbox.advance(written, wanted, self._clock(), self._rules)

    async def _verify(self, entry: OutboxEntry, draft: PhoneCallDraft) -> None:
        """Look once more, long after: a late commit is marked, the one people see stays."""
        found = _unmarked(await self._journal.find_phone_calls(draft))
        kept = next((f for f in found if f.ref == entry.document), None)
        if kept is not None:
            await self._mark_doubles(kept, found)

    async def _mark_doubles(self, kept: FoundDocument, found: list[FoundDocument]) -> None:
        for double in found:
            if double.ref != kept.ref:
                await self._journal.set_deletion_mark(double.ref)
                _log.warning("double_marked", extra={"kept": kept.ref, "marked": double.ref})

    def _put_back(self, sending: OutboxEntry, error: OneCError, *, sent: bool) -> OutboxEntry:
        self._lane.record_failure(error)
        now = self._clock()
        if sent:
            return outbox.retry_later(sending, now, self._rules, reason=str(error), maybe_sent=True)
        return outbox.retry_after_outage(sending, now, self._rules, reason=str(error))

    def _turned_down(
        self, sending: OutboxEntry, error: OneCUnauthorized | OneCNotPublished
    ) -> OutboxEntry:
        self._lane.raise_alarm(sending.stage, error)
        if sending.stage is not DeliveryStage.DOCUMENT:
            # 1C takes documents but not this register: other calls need not wait for it.
            self._stages.open(sending.stage, str(error))
            return outbox.pause_entry(sending, self._clock(), reason=str(error))
        self._lane.record_failure(error, TURNED_DOWN_PAUSE)
        return outbox.retry_after_outage(sending, self._clock(), self._rules, reason=str(error))

    def _refused(self, sending: OutboxEntry, why: str, error: OneCRejected | None) -> OutboxEntry:
        """Return a refused entry: dead, or held where 1C refuses the same to all."""
        if not self._stages.record_refusal(sending.stage, sending.key, why):
            return self._bury(sending, why)
        self._lane.raise_alarm(
            sending.stage, error or OneCInvalidResponse(sending.stage.value, why)
        )
        return outbox.pause_entry(sending, self._clock(), reason=why)

    def _bury(self, sending: OutboxEntry, why: str) -> OutboxEntry:
        _log.warning("outbox_dead", extra={"call": sending.key, "reason": why})
        return outbox.mark_dead(sending, reason=why)

    def _doubted(self, sending: OutboxEntry) -> OutboxEntry:
        now = self._clock()
        return outbox.retry_later(
            sending, now, self._rules, reason=sending.last_error, maybe_sent=True
        )


def _unmarked(found: Sequence[FoundDocument]) -> list[FoundDocument]:
    """Leave out what somebody marked for deletion, but never all: a marked one is there too."""
    return [f for f in found if not f.deletion_mark] or list(found[:1])
