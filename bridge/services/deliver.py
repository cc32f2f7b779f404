"""Deliver: drain the outbox into 1C, exactly once, as patiently as it takes.

    due ─► (may it have been sent before? look) ─► create ─► settle the stage ─► next stage

What happened to an entry is decided in `domain.outbox`; here the two sides are only called.
The lane closes for a while when 1C is away or turns us down as a user: entries are not burnt, one
request is tried now and then, and both edges are told once.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.domain import outbox
from bridge.domain.calls import PhoneCall
from bridge.domain.directory import Ref
from bridge.domain.outbox import DeliveryRules, OutboxEntry, Stage
from bridge.domain.texts import Language
from bridge.domain.writeback import PhoneCallDraft, ReminderDraft, draft_phone_call, draft_reminder
from bridge.errors import (
    OneCAlreadyExists,
    OneCBlocked,
    OneCError,
    OneCNonsense,
    OneCNotPublished,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCUnauthorized,
    OneCUnavailable,
)
from bridge.ports import (
    Alarm,
    AlarmName,
    Clock,
    EntryMoved,
    Events,
    FoundDocument,
    Ledger,
    OneCJournal,
    OneCMood,
)

_log = logging.getLogger(__name__)

#: The lane's pause after the first failure, doubling; short, so that 1C's return is noticed soon.
_FIRST_PAUSE = timedelta(seconds=1)
_MAX_PAUSE = timedelta(seconds=20)

#: A rejected user or right needs a person; asking more often only fills 1C's log.
_UNAUTHORIZED_PAUSE = timedelta(seconds=60)

_BATCH = 50


@dataclass(slots=True)
class _Lane:
    """Whether 1C may be asked now, and what we last said about it."""

    closed_until: datetime | None = None
    failures: int = 0
    down: bool = False


class Delivery:
    """Writes to 1C what the ledger owes; one instance in the house."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        journal: OneCJournal,
        events: Events,
        clock: Clock,
        lang: Language,
        rules: DeliveryRules | None = None,
        concurrency: int = 2,
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._events = events
        self._clock = clock
        self._lang: Language = lang
        self._rules = rules or DeliveryRules()
        self._slots = asyncio.Semaphore(concurrency)
        self._draining = asyncio.Lock()
        self._lane = _Lane()
        self._unsure = True
        self._alarms: dict[Stage, AlarmName] = {}

    async def drain(self) -> int:
        """Deliver what is due until nothing is, or the lane closes; give the entries moved on."""
        async with self._draining:
            moved = 0
            if self._unsure:
                # Only here an entry can be `sending` that nobody sends: a crash, a failed save.
                await self._ledger.recover()
                self._unsure = False
            while self._open():
                due = await self._ledger.due(self._clock(), 1 if self._lane.down else _BATCH)
                if not due:
                    break
                self._unsure = True
                results = await asyncio.gather(*(self._deliver(e, c) for e, c in due))
                self._unsure = False
                moved += sum(results)
                if not any(results):
                    break
            return moved

    def _open(self) -> bool:
        until = self._lane.closed_until
        return until is None or self._clock() >= until

    async def _deliver(self, entry: OutboxEntry, call: PhoneCall) -> bool:
        """Take one entry through its stages until it settles or something stops it."""
        async with self._slots:
            progressed = False
            while self._open() and entry.owed_now(self._clock()):
                entry, done = await self._attempt(entry, call)
                if not done:
                    break
                progressed = True
            return progressed

    async def _attempt(self, entry: OutboxEntry, call: PhoneCall) -> tuple[OutboxEntry, bool]:
        """Make one attempt at the present stage; give the entry after it, and whether it moved."""
        sending = outbox.begin(entry)
        if not await self._ledger.save_entry(sending):
            return entry, False
        try:
            moved = await self._send(sending, call)
        except (OneCOutcomeUnknown, OneCNonsense) as error:
            # An answer that is not 1C's says nothing about what 1C did.
            after, done = self._put_back(sending, error, sent=True), False
        except OneCUnauthorized as error:
            after, done = self._unauthorized(sending, error), False
        except OneCNotPublished as error:
            self._alarm("onec_not_published", sending.stage, str(error))
            after = outbox.waiting(sending, self._clock(), self._rules, why=str(error))
            done = False
        except OneCUnavailable as error:
            after, done = self._put_back(sending, error, sent=False), False
        except OneCRejected as error:
            after, done = outbox.refused(sending, why=str(error)), True
            _log.warning("outbox_dead", extra={"entry": entry.key, "reason": str(error)})
        else:
            self._went_well(sending.stage)
            after, done = moved, moved.stage is not sending.stage or not moved.owed
        await self._ledger.save_entry(after)
        if after.state is not entry.state or after.stage is not entry.stage:
            self._events.publish(EntryMoved(after))
        return after, done

    async def _send(self, entry: OutboxEntry, call: PhoneCall) -> OutboxEntry:
        """Have 1C hold what the present stage names; give the entry moved on."""
        if entry.stage is Stage.DOCUMENT:
            return await self._send_document(entry, draft_phone_call(call, self._lang))
        if entry.document is None:
            return outbox.lost_document(entry, self._clock())
        reminder = draft_reminder(call, entry.document, self._lang)
        if entry.stage is Stage.SUBJECT:
            await self._send_subject(entry, entry.document)
        elif entry.stage is Stage.VERIFY:
            await self._verify(entry, draft_phone_call(call, self._lang))
        elif reminder is not None:
            await self._send_reminder(entry, reminder)
        return outbox.succeeded(entry, self._clock(), self._rules, reminder=reminder is not None)

    async def _send_subject(self, entry: OutboxEntry, document: Ref) -> None:
        if outbox.must_look(entry) and await self._journal.has_subject(document):
            return
        try:
            await self._journal.create_subject(document)
        except OneCAlreadyExists:
            if not await self._journal.has_subject(document):
                raise

    async def _send_reminder(self, entry: OutboxEntry, reminder: ReminderDraft) -> None:
        if outbox.must_look(entry) and await self._journal.has_reminder(reminder):
            return
        try:
            await self._journal.create_reminder(reminder)
        except OneCAlreadyExists:
            if not await self._journal.has_reminder(reminder):
                raise

    async def _send_document(self, entry: OutboxEntry, draft: PhoneCallDraft) -> OutboxEntry:
        if outbox.must_look(entry):
            # Before the look: what commits while we look must not count as having been looked for.
            now = self._clock()
            found = _unmarked(await self._journal.find_phone_calls(draft))
            if found:
                await self._mark_doubles(found[0], found)
                return outbox.succeeded(entry, now, self._rules, document=found[0].ref)
            if not outbox.may_create(entry, now, self._rules):
                why = entry.last_error or "not found in 1C yet; the lost write may still arrive"
                return outbox.waiting(entry, now, self._rules, why=why)
        try:
            ref = await self._journal.create_phone_call(draft)
        except OneCAlreadyExists:
            # 1C honours proposed references, and the document is there: an earlier attempt of ours.
            found = _unmarked(await self._journal.find_phone_calls(draft))
            if not found:
                raise
            ref = found[0].ref
        return outbox.succeeded(entry, self._clock(), self._rules, document=ref)

    async def _verify(self, entry: OutboxEntry, draft: PhoneCallDraft) -> None:
        """Look once more, long after: a late commit is marked, the one people see stays."""
        found = _unmarked(await self._journal.find_phone_calls(draft))
        kept = next((f for f in found if f.ref == entry.document), None)
        if kept is not None:
            await self._mark_doubles(kept, found)

    async def _mark_doubles(self, kept: FoundDocument, found: list[FoundDocument]) -> None:
        for double in found:
            if double.ref != kept.ref:
                await self._journal.mark_phone_call(double.ref)
                _log.warning("double_marked", extra={"kept": kept.ref, "marked": double.ref})

    def _put_back(self, sending: OutboxEntry, error: OneCError, *, sent: bool) -> OutboxEntry:
        now = self._clock()
        self._close(error, now)
        if sent:
            return outbox.unavailable(sending, now, self._rules, why=str(error), sent=True)
        return outbox.held_back(sending, now, self._rules, why=str(error))

    def _unauthorized(self, sending: OutboxEntry, error: OneCUnauthorized) -> OutboxEntry:
        now = self._clock()
        self._alarm("onec_unauthorized", sending.stage, str(error))
        if sending.stage is not Stage.DOCUMENT:
            # The user may write documents but not this register: other calls need not wait for it.
            return outbox.waiting(sending, now, self._rules, why=str(error))
        self._close(error, now, pause=_UNAUTHORIZED_PAUSE)
        return outbox.held_back(sending, now, self._rules, why=str(error))

    def _close(self, error: OneCError, now: datetime, pause: timedelta | None = None) -> None:
        self._lane.failures += 1
        doubling = _FIRST_PAUSE * (1 << min(self._lane.failures - 1, 10))
        self._lane.closed_until = now + (pause or min(doubling, _MAX_PAUSE))
        if not self._lane.down:
            self._lane.down = True
            blocked = isinstance(error, OneCBlocked)
            _log.warning("onec_down", extra={"reason": str(error), "blocked": blocked})
            self._events.publish(OneCMood(False, str(error)))

    def _went_well(self, stage: Stage) -> None:
        if self._lane.down:
            _log.info("onec_up")
            self._events.publish(OneCMood(True, "1C answers again"))
        self._lane = _Lane()
        name = self._alarms.pop(stage, None)
        if name is not None and name not in self._alarms.values():
            self._events.publish(Alarm(name, "1C accepts our writes again", clear=True))

    def _alarm(self, name: AlarmName, stage: Stage, words: str) -> None:
        if self._alarms.get(stage) != name:
            self._alarms[stage] = name
            _log.error(name, extra={"stage": stage.value, "reason": words})
            self._events.publish(Alarm(name, words))


def _unmarked(found: Sequence[FoundDocument]) -> list[FoundDocument]:
    """Leave out what somebody marked for deletion, but never all: a marked one is there too."""
    return [f for f in found if not f.marked] or list(found[:1])
