"""Remind: make, change and withdraw the reminders of one call, one request at a time.

What a manager did with his reminder in 1C is respected: one he dismissed is not made again, one
he postponed stays where he put it.
"""

from dataclasses import replace

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.desired import DesiredState, ReminderState, SentReminder
from bridge.domain.delivery import outbox
from bridge.domain.delivery.document_drafts import ReminderDraft
from bridge.domain.delivery.documents import build_reminder_draft
from bridge.domain.delivery.entry import DeliveryRules, OutboxEntry
from bridge.domain.directory.entities import Ref
from bridge.errors import OneCAlreadyExists
from bridge.ports.clock import Clock
from bridge.ports.onec import OneCJournal


class ReminderDelivery:
    """The delivery's hand for reminders; errors are those of the journal."""

    def __init__(self, journal: OneCJournal, clock: Clock, rules: DeliveryRules) -> None:
        self._journal = journal
        self._clock = clock
        self._rules = rules

    async def deliver_next(
        self, entry: OutboxEntry, call: PhoneCall, wanted: DesiredState
    ) -> OutboxEntry:
        """Make, change or withdraw the next reminder; give the entry moved on."""
        step = outbox.next_reminder(entry, wanted)
        if step is None or entry.document is None:
            return outbox.advance(entry, wanted, self._clock(), self._rules)
        draft = build_reminder_draft(call, step.user, step.text, entry.document)
        if isinstance(step, SentReminder):
            there = await self._journal.delete_reminder(draft)
            unsure = step.state is ReminderState.SENDING and not there
            if unsure and not outbox.may_create(entry, self._clock(), self._rules):
                # A create that was lost may still arrive, and nobody would withdraw it then.
                why = "a lost reminder may still arrive in 1C"
                return outbox.wait_for_quiet(entry, self._clock(), self._rules, reason=why)
            # What had stood there until then was dismissed, unless an earlier try took it away.
            dismissed = not there and not unsure and not outbox.must_search_first(entry)
            gone = ReminderState.DISMISSED if dismissed else ReminderState.WITHDRAWN
            return self._noted(entry, wanted, step.user, "", gone)
        if step.unless_dismissed_by is not None:
            answer = await self._first_owner(entry, call, wanted, step.unless_dismissed_by)
            if answer is not None:
                return answer
        kept = outbox.find_sent_reminder(entry, step.user)
        if kept is not None and kept.state is ReminderState.WRITTEN:
            there = await self._journal.change_reminder(draft)
            state = ReminderState.WRITTEN if there else ReminderState.DISMISSED
            return self._noted(entry, wanted, step.user, step.text, state)
        await self._send_reminder(entry, draft)
        return self._noted(entry, wanted, step.user, step.text, ReminderState.WRITTEN)

    async def _first_owner(
        self, entry: OutboxEntry, call: PhoneCall, wanted: DesiredState, owner: Ref
    ) -> OutboxEntry | None:
        """Look what the owner did with his reminder before another is reminded; None: go on."""
        kept = outbox.find_sent_reminder(entry, owner)
        if kept is None or not kept.state.may_be_in_onec or entry.document is None:
            return None
        draft = build_reminder_draft(call, owner, kept.text, entry.document)
        his = await self._journal.read_reminder(draft)
        if his is None:
            return self._noted(entry, wanted, owner, kept.text, ReminderState.DISMISSED)
        # Later than its event, by 1C's clock: ours alone may be behind.
        if his.due_at > max(draft.at, self._clock()):
            return outbox.postpone_entry(entry, his.due_at)
        return None

    def _noted(
        self, entry: OutboxEntry, wanted: DesiredState, user: Ref, text: str, state: ReminderState
    ) -> OutboxEntry:
        entry = replace(entry, reminders=outbox.with_reminder(entry, user, text, state))
        return outbox.advance(entry, wanted, self._clock(), self._rules)

    async def _send_reminder(self, entry: OutboxEntry, reminder: ReminderDraft) -> None:
        if outbox.must_search_first(entry) and await self._journal.has_reminder(reminder):
            await self._journal.change_reminder(reminder)
            return
        try:
            await self._journal.create_reminder(reminder)
        except OneCAlreadyExists:
            if not await self._journal.change_reminder(reminder):
                raise
