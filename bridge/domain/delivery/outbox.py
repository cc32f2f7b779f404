"""The outbox: what is pending for 1C, and the only transitions that an entry may make.

    due ──start_sending──► sending ──┬─ advance ─► due at the next stage … delivered
     ▲                               ├─ retry_later ─► due, after a backoff
     │                               ├─ outcome unknown ─► due: search, more than once, then create
     └────── retry_now (a person) ───┴─ mark_dead ─► dead, with what 1C answered

1C may commit and then lose the reply, and may commit after our time-out and after our search. So
an entry that may have been sent is searched for first; nothing found counts only after the quiet
period (`DeliveryRules`); and a document that was made after an unknown outcome is searched for once
more much later (stage VERIFY).

An entry keeps what 1C holds of its call; `DesiredState` is what it should hold. Their difference is
the next stage, so an event that comes late, twice or after a crash only changes the desired state.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bridge.domain.calls.desired import DesiredReminder, DesiredState, ReminderState, SentReminder
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
    doubt_considered,
    find_sent_reminder,
    may_take_back_at,
    needs_considered,
    with_reminder,
)

_MAX_OUTAGE_PAUSE = timedelta(seconds=20)

#: Paused entries come up again after this, should nothing resume them.
_PAUSED_FOR = timedelta(hours=1)
_MAX_REASON_LENGTH = 2000
#: No entry waits longer for its first attempt: a call waits this long for its routing question.
_MAX_FIRST_WAIT = timedelta(seconds=10)


def next_stage(entry: OutboxEntry, desired: DesiredState) -> DeliveryStage | None:
    """Return what 1C lacks first; None when it holds everything desired."""
    if entry.document is None:
        return DeliveryStage.DOCUMENT
    if not entry.subject_written:
        return DeliveryStage.SUBJECT
    if next_reminder(entry, desired) is not None:
        return DeliveryStage.REMINDER
    if entry.written_text != desired.document_text or entry.maybe_written_texts:
        return DeliveryStage.OUTCOME
    if needs_considered(entry, desired):
        return DeliveryStage.CONSIDERED
    return DeliveryStage.VERIFY if entry.needs_verification else None


def next_reminder(
    entry: OutboxEntry, desired: DesiredState
) -> DesiredReminder | SentReminder | None:
    """Return the reminder to create or change, else the sent one to withdraw, else None.

    Withdrawals come last: the new reminder exists before the old one goes.
    """
    for reminder in desired.reminders:
        sent = find_sent_reminder(entry, reminder.user)
        other = reminder.unless_dismissed_by
        first = None if other is None else find_sent_reminder(entry, other)
        if first is not None and first.state is ReminderState.DISMISSED:
            continue
        if sent is None or sent.state not in (ReminderState.WRITTEN, ReminderState.DISMISSED):
            return reminder
        if sent.state is ReminderState.WRITTEN and sent.text != reminder.text:
            return reminder
    users = {reminder.user for reminder in desired.reminders}
    unwanted = (r for r in entry.reminders if r.user not in users and r.state.may_be_in_onec)
    return next(unwanted, None)


def at_next_stage(entry: OutboxEntry, desired: DesiredState) -> OutboxEntry:
    """Return *entry* at the stage that comes next now; the call may have changed since.

    An attempt with an unknown outcome belongs to its own stage: another stage starts without it.
    """
    stage = next_stage(entry, desired) or DeliveryStage.VERIFY
    return entry if stage is entry.stage else replace(entry, stage=stage, maybe_sent_at=None)


def start_sending(entry: OutboxEntry, desired: DesiredState) -> OutboxEntry:
    """Mark the present stage as being sent; must be durable before the request leaves."""
    sending = replace(entry, state=EntryState.SENDING, attempts=entry.attempts + 1, paused=False)
    if entry.stage is DeliveryStage.DOCUMENT and not must_search_first(entry):
        # A document that may exist already has the text of an earlier attempt, not this one.
        return replace(sending, written_text=desired.document_text, maybe_written_texts=())
    if entry.stage in (DeliveryStage.DOCUMENT, DeliveryStage.OUTCOME):
        others = tuple(t for t in entry.maybe_written_texts if t != desired.document_text)
        return replace(sending, maybe_written_texts=(*others, desired.document_text))
    step = next_reminder(entry, desired) if entry.stage is DeliveryStage.REMINDER else None
    if isinstance(step, DesiredReminder):
        sent = find_sent_reminder(entry, step.user)
        if sent is None or not sent.state.may_be_in_onec:
            reminders = with_reminder(entry, step.user, step.text, ReminderState.SENDING)
            return replace(sending, reminders=reminders)
    return sending


def recover_after_crash(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Make due an entry that a crash left in `sending`: the outcome of its request is unknown.

    The quiet period counts from *now*: it is not known how long the request lived on.
    """
    return replace(
        doubt_considered(entry, now),
        state=EntryState.DUE,
        maybe_sent_at=now,
        needs_verification=entry.needs_verification or entry.stage is DeliveryStage.DOCUMENT,
        last_error=entry.last_error or "the bridge stopped while sending",
    )


def reschedule_entry(entry: OutboxEntry, now: datetime, rules: DeliveryRules) -> OutboxEntry:
    """Return a waiting *entry* with moments that hold whatever the wall clock did before *now*.

    How much of a pause is over is not known, so what guards against duplicates begins anew, and no
    pause is longer than it can be. What a user postponed in 1C stays: that is 1C's clock.
    """
    if entry.state is not EntryState.DUE:
        return entry
    maybe_sent_at = None if entry.maybe_sent_at is None else now
    verify_at = None if entry.verify_at is None else now + rules.verify_after
    due_at = entry.due_at
    if entry.stage is DeliveryStage.VERIFY and verify_at is not None:
        due_at = verify_at
    elif not (
        entry.stage is DeliveryStage.REMINDER and not entry.attempts and not entry.last_error
    ):
        due_at = min(due_at, now + max(rules.backoff_after(entry.attempts), _MAX_FIRST_WAIT))
    return replace(entry, due_at=due_at, maybe_sent_at=maybe_sent_at, verify_at=verify_at)


def must_search_first(entry: OutboxEntry) -> bool:
    """Return whether this stage may be in 1C already and has to be searched for."""
    return entry.maybe_sent_at is not None


def may_create(entry: OutboxEntry, now: datetime, rules: DeliveryRules) -> bool:
    """Return whether, nothing having been found, the quiet period is over."""
    return entry.maybe_sent_at is None or now - entry.maybe_sent_at >= rules.quiet_period


def advance(
    entry: OutboxEntry, desired: DesiredState, now: datetime, rules: DeliveryRules
) -> OutboxEntry:
    """Move on after the present stage is in 1C, as *entry* records by now."""
    verified = entry.stage is DeliveryStage.VERIFY
    entry = replace(
        entry,
        maybe_sent_at=None,
        last_error="",
        attempts=0,
        state=EntryState.DUE,
        due_at=now,
        paused=False,
        needs_verification=entry.needs_verification and not verified,
        verify_at=None if verified else entry.verify_at,
    )
    stage = next_stage(entry, desired)
    if stage is None:
        return replace(
            entry, state=EntryState.DELIVERED, delivered_at=now, revision=desired.revision
        )
    if stage is not DeliveryStage.VERIFY:
        return replace(entry, stage=stage)
    verify_at = entry.verify_at or now + rules.verify_after
    return replace(
        entry, stage=stage, due_at=verify_at, verify_at=verify_at, revision=desired.revision
    )


def still_waiting(
    entry: OutboxEntry, desired: DesiredState, now: datetime, rules: DeliveryRules
) -> OutboxEntry | None:
    """Return *entry* waiting for what must not come early, where it came up before; else None.

    The search for a late duplicate would miss what it waits for, and never be made again, whatever
    a call changes meanwhile; "considered" that is taken back could be committed late after that.
    """
    stage, until, revision = next_stage(entry, desired), None, entry.revision
    if stage is DeliveryStage.VERIFY:
        until, revision = entry.verify_at, desired.revision
    elif stage is DeliveryStage.CONSIDERED and not desired.considered:
        until = may_take_back_at(entry, rules)
    if stage is None or until is None or now >= until:
        return None
    return replace(
        entry, state=EntryState.DUE, stage=stage, due_at=until, attempts=0, revision=revision
    )


def reopen_entry(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Make due an entry whose call has changed; one that failed keeps its pause."""
    waits = entry.state is EntryState.DUE and entry.attempts == 0 and entry.due_at > now
    if waits or entry.state is EntryState.DELIVERED:
        return replace(entry, state=EntryState.DUE, due_at=now, paused=False)
    return entry


def pause_entry(entry: OutboxEntry, now: datetime, *, reason: str) -> OutboxEntry:
    """Return *entry* paused, not sent: the circuit breaker of its stage is open."""
    return replace(
        entry,
        state=EntryState.DUE,
        due_at=now + _PAUSED_FOR,
        attempts=0,
        paused=True,
        last_error=reason[:_MAX_REASON_LENGTH],
    )


def resume_entry(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Return a paused *entry* as due."""
    return replace(entry, due_at=now, paused=False)


def retry_later(
    entry: OutboxEntry, now: datetime, rules: DeliveryRules, *, reason: str, maybe_sent: bool
) -> OutboxEntry:
    """Return *entry* due after a backoff; *maybe_sent*: the request may have reached 1C."""
    return replace(
        doubt_considered(entry, now) if maybe_sent else entry,
        state=EntryState.DUE,
        due_at=now + rules.backoff_after(entry.attempts),
        maybe_sent_at=now if maybe_sent else entry.maybe_sent_at,
        needs_verification=entry.needs_verification
        or (maybe_sent and entry.stage is DeliveryStage.DOCUMENT),
        last_error=reason[:_MAX_REASON_LENGTH],
    )


def wait_for_quiet(
    entry: OutboxEntry, now: datetime, rules: DeliveryRules, *, reason: str
) -> OutboxEntry:
    """Return *entry* due again unharmed: nothing was sent, and nothing found yet.

    It is due after its backoff, or when the quiet period ends, whichever is sooner.
    """
    due_at = now + rules.backoff_after(entry.attempts)
    if entry.maybe_sent_at is not None and now < entry.maybe_sent_at + rules.quiet_period:
        due_at = min(due_at, entry.maybe_sent_at + rules.quiet_period)
    last_error = reason[:_MAX_REASON_LENGTH]
    return replace(entry, state=EntryState.DUE, due_at=due_at, last_error=last_error)


def retry_after_outage(
    entry: OutboxEntry, now: datetime, rules: DeliveryRules, *, reason: str
) -> OutboxEntry:
    """Return *entry* due again soon: 1C is unavailable, which is not the fault of the entry.

    A little later than others all the same: one request at a time tries whether 1C is back, and it
    should not always be the same one.
    """
    return replace(
        entry,
        state=EntryState.DUE,
        due_at=now + min(rules.backoff_after(entry.attempts), _MAX_OUTAGE_PAUSE),
        last_error=reason[:_MAX_REASON_LENGTH],
    )


def restart_at_document(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Return *entry* due at its document, to be searched for: its reference is not on record."""
    return replace(
        entry,
        state=EntryState.DUE,
        stage=DeliveryStage.DOCUMENT,
        due_at=now,
        maybe_sent_at=now,
        needs_verification=True,
    )


def postpone_entry(entry: OutboxEntry, until: datetime) -> OutboxEntry:
    """Return *entry* due at *until*: its user postponed the reminder in 1C."""
    return replace(entry, state=EntryState.DUE, due_at=until, attempts=0, last_error="")


def mark_dead(entry: OutboxEntry, *, reason: str) -> OutboxEntry:
    """Return *entry* as a dead letter with 1C's *reason*, to be retried or dropped."""
    return replace(entry, state=EntryState.DEAD, last_error=reason[:_MAX_REASON_LENGTH])


def retry_now(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Return a dead or waiting entry as due, because the administrator asked for it.

    One that is being sent is left alone, or it would be sent twice; so is one that waits for its
    verification, which would come too early to find anything.
    """
    waits_to_verify = entry.state is EntryState.DUE and entry.stage is DeliveryStage.VERIFY
    if entry.state in (EntryState.SENDING, EntryState.DELIVERED) or waits_to_verify:
        return entry
    return replace(entry, state=EntryState.DUE, due_at=now, attempts=0, paused=False)
