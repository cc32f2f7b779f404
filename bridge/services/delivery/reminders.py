"""The reminders of one call: create, change and withdraw them, one request to 1C at a time.

What a manager did with a reminder in 1C is respected: one that was dismissed is not created again,
one that was postponed stays where it was put.
"""

from dataclasses import replace

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.desired import (
    DesiredReminder,
    DesiredState,
    ReminderState,
    SentReminder,
)
from bridge.domain.delivery import outbox
from bridge.domain.delivery.document_drafts import ReminderDraft
from bridge.domain.delivery.documents import build_reminder_draft
from bridge.domain.delivery.entry import (
    DeliveryRules,
    OutboxEntry,
    find_sent_reminder,
    with_reminder,
)
from bridge.domain.directory.entities import Ref
from bridge.errors import OneCAlreadyExists
from bridge.ports.clock import Clock
from bridge.ports.onec import OneCJournal


class ReminderDelivery:
    """Writes the reminders of a call; errors are those of the journal."""

    def __init__(self, journal: OneCJournal, clock: Clock, rules: DeliveryRules) -> None:
        self._journal = journal
        self._clock = clock
        self._rules = rules

    async def deliver_next(
        self, entry: OutboxEntry, call: PhoneCall, desired: DesiredState
    ) -> OutboxEntry:
        """Create, change or withdraw the next reminder; return the entry advanced."""
        reminder = outbox.next_reminder(entry, desired)
        if reminder is None or entry.document is None:
            return outbox.advance(entry, desired, self._clock(), self._rules)
        draft = build_reminder_draft(call, reminder.user, reminder.text, entry.document)
        if isinstance(reminder, SentReminder):
            return await self._withdraw(entry, desired, reminder, draft)
        if reminder.unless_dismissed_by is not None:
            owner = reminder.unless_dismissed_by
            after = await self._after_owner(entry, call, desired, owner)
            if after is not None:
                return after
        return await self._write(entry, desired, reminder, draft)

    async def _withdraw(
        self,
        entry: OutboxEntry,
        desired: DesiredState,
        reminder: SentReminder,
        draft: ReminderDraft,
    ) -> OutboxEntry:
        was_there = await self._journal.delete_reminder(draft)
        may_arrive = reminder.state is ReminderState.SENDING and not was_there
        if may_arrive and not outbox.may_create(entry, self._clock(), self._rules):
            # A create that was lost may still arrive, and nothing would withdraw it then.
            reason = "a lost reminder may still arrive in 1C"
            return outbox.wait_for_quiet(entry, self._clock(), self._rules, reason=reason)
        # What was there before was dismissed, unless an earlier attempt of ours deleted it.
        is_dismissed = not was_there and not may_arrive and not outbox.must_search_first(entry)
        state = ReminderState.DISMISSED if is_dismissed else ReminderState.WITHDRAWN
        return self._advanced(entry, desired, reminder.user, "", state)

    async def _after_owner(
        self, entry: OutboxEntry, call: PhoneCall, desired: DesiredState, owner: Ref
    ) -> OutboxEntry | None:
        """Return the entry where the owner's own reminder decides; None: the next one is written.

        A second person is reminded only while the owner has not dismissed or postponed the first
        reminder in 1C.
        """
        sent = find_sent_reminder(entry, owner)
        if sent is None or not sent.state.may_be_in_onec or entry.document is None:
            return None
        draft = build_reminder_draft(call, owner, sent.text, entry.document)
        present = await self._journal.read_reminder(draft)
        if present is None:
            return self._advanced(entry, desired, owner, sent.text, ReminderState.DISMISSED)
        # Postponed means later than its event by 1C's clock: ours alone may be behind.
        if present.due_at > max(draft.at, self._clock()):
            return outbox.postpone_entry(entry, present.due_at)
        return None

    async def _write(
        self,
        entry: OutboxEntry,
        desired: DesiredState,
        reminder: DesiredReminder,
        draft: ReminderDraft,
    ) -> OutboxEntry:
        sent = find_sent_reminder(entry, reminder.user)
        state = ReminderState.WRITTEN
        if sent is None or sent.state is not ReminderState.WRITTEN:
            await self._create(entry, draft)
        elif not await self._journal.change_reminder(draft):
            state = ReminderState.DISMISSED
        return self._advanced(entry, desired, reminder.user, reminder.text, state)

    async def _create(self, entry: OutboxEntry, draft: ReminderDraft) -> None:
        if outbox.must_search_first(entry) and await self._journal.has_reminder(draft):
            await self._journal.change_reminder(draft)
            return
        try:
            await self._journal.create_reminder(draft)
        except OneCAlreadyExists:
            if not await self._journal.change_reminder(draft):
                raise

    def _advanced(
        self, entry: OutboxEntry, desired: DesiredState, user: Ref, text: str, state: ReminderState
    ) -> OutboxEntry:
        entry = replace(entry, reminders=with_reminder(entry, user, text, state))
        return outbox.advance(entry, desired, self._clock(), self._rules)
