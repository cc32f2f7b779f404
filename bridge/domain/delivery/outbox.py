"""What is owed to 1C, and the only ways an entry may move.

    due ──begin──► sending ──┬─ moved_on ─► due (next stage) … settled
     ▲                       ├─ unavailable ─► due, later
     │                       ├─ outcome unknown ─► due: look, and look again, before creating
     └──── retry (a person) ─┴─ refused ─► dead, with 1C's own words

1C may commit and then lose the reply, and may commit after our time-out and after our look. So an
entry that may have been sent is looked for; nothing found is believed only after `QUIET`; and a
document made after an unknown outcome is looked for once more much later (stage VERIFY).

An entry keeps what 1C holds of its call; `Wanted` is what it should hold by now. The difference of
the two is the next stage, so an event that comes late, twice or after a crash only moves the goal.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bridge.domain.calls.desired import (
    DesiredReminder,
    DesiredState,
    ReminderState,
    SentReminder,
)
from bridge.domain.delivery.entry import DeliveryRules, DeliveryStage, EntryState, OutboxEntry
from bridge.domain.directory.entities import Ref

_MAX_BACKOFF = timedelta(minutes=5)
_MAX_HOLD = timedelta(seconds=20)

#: Held entries come up again after this, should nobody release them.
_HELD_FOR = timedelta(hours=1)
_MAX_WORDS = 2000

#: No entry waits longer for its first attempt: a call waits so long for its routing question.
_LONGEST_GRACE = timedelta(seconds=10)


def next_stage(entry: OutboxEntry, wanted: DesiredState) -> DeliveryStage | None:
    """Tell what 1C lacks first; None when it holds everything wanted."""
    if entry.document is None:
        return DeliveryStage.DOCUMENT
    if not entry.subject_written:
        return DeliveryStage.SUBJECT
    if next_reminder(entry, wanted) is not None:
        return DeliveryStage.REMINDER
    if entry.written_text != wanted.document_text or entry.maybe_written_texts:
        return DeliveryStage.OUTCOME
    if wanted.considered and not entry.considered_written:
        return DeliveryStage.CONSIDERED
    return DeliveryStage.VERIFY if entry.needs_verification else None


def next_reminder(
    entry: OutboxEntry, wanted: DesiredState
) -> DesiredReminder | SentReminder | None:
    """Give the reminder to be made or changed (a wish), else the one to be withdrawn (a kept one).

    Withdrawals come last: the new reminder is there before the old one goes.
    """
    for wish in wanted.reminders:
        kept = find_sent_reminder(entry, wish.user)
        source = (
            None
            if wish.unless_dismissed_by is None
            else find_sent_reminder(entry, wish.unless_dismissed_by)
        )
        if source is not None and source.state is ReminderState.DISMISSED:
            continue
        sure = kept is not None and kept.state in (ReminderState.WRITTEN, ReminderState.DISMISSED)
        if not sure or (kept and kept.state is ReminderState.WRITTEN and kept.text != wish.text):
            return wish
    wished = {wish.user for wish in wanted.reminders}
    return next(
        (k for k in entry.reminders if k.user not in wished and k.state.may_be_in_onec),
        None,
    )


def find_sent_reminder(entry: OutboxEntry, user: Ref) -> SentReminder | None:
    """Give the reminder of *user* as we last wrote it."""
    return next((kept for kept in entry.reminders if kept.user == user), None)


def with_reminder(
    entry: OutboxEntry, user: Ref, text: str, state: ReminderState
) -> tuple[SentReminder, ...]:
    """Give the entry's reminders with that of *user* as it stands now."""
    others = tuple(kept for kept in entry.reminders if kept.user != user)
    return (*others, SentReminder(user, text, state))


def at_next_stage(entry: OutboxEntry, wanted: DesiredState) -> OutboxEntry:
    """Give *entry* at the stage that comes next now; the call may have moved on since.

    An attempt whose fate is unknown belongs to its own stage: another one starts without it, but
    for the document, which is looked for until it is found.
    """
    stage = next_stage(entry, wanted) or DeliveryStage.VERIFY
    if stage is entry.stage:
        return entry
    return replace(entry, stage=stage, maybe_sent_at=None)


def start_sending(entry: OutboxEntry, wanted: DesiredState) -> OutboxEntry:
    """Mark the present stage as being sent; must be durable before the request leaves."""
    sending = replace(entry, state=EntryState.SENDING, attempts=entry.attempts + 1, paused=False)
    if entry.stage is DeliveryStage.DOCUMENT and not must_search_first(entry):
        # What may be there already tells what was sent then, not what would be sent now.
        return replace(sending, written_text=wanted.document_text, maybe_written_texts=())
    if entry.stage in (DeliveryStage.DOCUMENT, DeliveryStage.OUTCOME):
        others = tuple(told for told in entry.maybe_written_texts if told != wanted.document_text)
        return replace(sending, maybe_written_texts=(*others, wanted.document_text))
    step = next_reminder(entry, wanted) if entry.stage is DeliveryStage.REMINDER else None
    kept = find_sent_reminder(entry, step.user) if isinstance(step, DesiredReminder) else None
    if isinstance(step, DesiredReminder) and (kept is None or not kept.state.may_be_in_onec):
        sending_it = with_reminder(entry, step.user, step.text, ReminderState.SENDING)
        return replace(sending, reminders=sending_it)
    return sending


def recover_after_crash(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Take up an entry that a crash left in `sending`: its outcome is unknown.

    The quiet counts from *now*: nobody knows how long the request was alive after it began.
    """
    return replace(
        entry,
        state=EntryState.DUE,
        maybe_sent_at=now,
        needs_verification=entry.needs_verification or entry.stage is DeliveryStage.DOCUMENT,
        last_error=entry.last_error or "the bridge stopped while sending",
    )


def reschedule_entry(entry: OutboxEntry, now: datetime, rules: DeliveryRules) -> OutboxEntry:
    """Return a waiting *entry* with moments that hold whatever the wall clock did before *now*.

    Nobody knows how much of a pause is over, so what guards against doubles begins anew, and no
    pause is longer than it can be. What somebody in 1C postponed stays: that is 1C's clock.
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
        due_at = min(due_at, now + max(backoff_pause(entry.attempts, rules), _LONGEST_GRACE))
    return replace(entry, due_at=due_at, maybe_sent_at=maybe_sent_at, verify_at=verify_at)


def must_search_first(entry: OutboxEntry) -> bool:
    """Whether this stage may already be in 1C and has to be looked for before it is created."""
    return entry.maybe_sent_at is not None


def may_create(entry: OutboxEntry, now: datetime, rules: DeliveryRules) -> bool:
    """Whether, nothing having been found, enough quiet has passed to create again."""
    return entry.maybe_sent_at is None or now - entry.maybe_sent_at >= rules.quiet_period


def advance(
    entry: OutboxEntry, wanted: DesiredState, now: datetime, rules: DeliveryRules
) -> OutboxEntry:
    """Move on after the present stage is in 1C, as *entry* holds by now."""
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
    stage = next_stage(entry, wanted)
    if stage is None:
        return replace(
            entry, state=EntryState.DELIVERED, delivered_at=now, revision=wanted.revision
        )
    if stage is not DeliveryStage.VERIFY:
        return replace(entry, stage=stage)
    verify_at = entry.verify_at or now + rules.verify_after
    return replace(
        entry, stage=stage, due_at=verify_at, verify_at=verify_at, revision=wanted.revision
    )


def still_waiting(entry: OutboxEntry, wanted: DesiredState, now: datetime) -> OutboxEntry | None:
    """Give *entry* back to its rest where it was taken up only to look too early; None otherwise.

    A call may move on without a word that 1C lacks. The look for a late double waits all the same:
    early, it would miss what it waits for, and never be made again.
    """
    if entry.verify_at is None or now >= entry.verify_at:
        return None
    if next_stage(entry, wanted) is not DeliveryStage.VERIFY:
        return None
    return replace(
        entry,
        state=EntryState.DUE,
        stage=DeliveryStage.VERIFY,
        due_at=entry.verify_at,
        attempts=0,
        revision=wanted.revision,
    )


def reopen_entry(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Take an entry up whose call has moved on; one that failed keeps its pause."""
    rests = entry.state is EntryState.DUE and entry.attempts == 0 and entry.due_at > now
    if rests or entry.state is EntryState.DELIVERED:
        return replace(entry, state=EntryState.DUE, due_at=now, paused=False)
    return entry


def pause_entry(entry: OutboxEntry, now: datetime, *, reason: str) -> OutboxEntry:
    """Return *entry* out of the way, not sent: 1C refuses its present stage to all."""
    return replace(
        entry,
        state=EntryState.DUE,
        due_at=now + _HELD_FOR,
        attempts=0,
        paused=True,
        last_error=reason[:_MAX_WORDS],
    )


def resume_entry(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Return a held *entry* as due again."""
    return replace(entry, due_at=now, paused=False)


def retry_later(
    entry: OutboxEntry, now: datetime, rules: DeliveryRules, *, reason: str, maybe_sent: bool
) -> OutboxEntry:
    """Put the entry back, later. *sent*: the request may have reached 1C, its fate is unknown."""
    return replace(
        entry,
        state=EntryState.DUE,
        due_at=now + backoff_pause(entry.attempts, rules),
        maybe_sent_at=now if maybe_sent else entry.maybe_sent_at,
        needs_verification=entry.needs_verification
        or (maybe_sent and entry.stage is DeliveryStage.DOCUMENT),
        last_error=reason[:_MAX_WORDS],
    )


def wait_for_quiet(
    entry: OutboxEntry, now: datetime, rules: DeliveryRules, *, reason: str
) -> OutboxEntry:
    """Put the entry back unharmed: nothing was sent, and nothing found yet.

    It comes up again after its backoff, or when the quiet ends, whichever is sooner.
    """
    due_at = now + backoff_pause(entry.attempts, rules)
    if entry.maybe_sent_at is not None and now < entry.maybe_sent_at + rules.quiet_period:
        due_at = min(due_at, entry.maybe_sent_at + rules.quiet_period)
    return replace(
        entry,
        state=EntryState.DUE,
        due_at=due_at,
        last_error=reason[:_MAX_WORDS],
    )


def retry_after_outage(
    entry: OutboxEntry, now: datetime, rules: DeliveryRules, *, reason: str
) -> OutboxEntry:
    """Put the entry back: 1C is away, which is not its fault, so it comes up again soon.

    A little later than others all the same: one request at a time asks whether 1C is back, and
    it should not always be the same one.
    """
    return replace(
        entry,
        state=EntryState.DUE,
        due_at=now + min(backoff_pause(entry.attempts, rules), _MAX_HOLD),
        last_error=reason[:_MAX_WORDS],
    )


def restart_at_document(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Begin again at the document, by looking: the reference is not on record."""
    return replace(
        entry,
        state=EntryState.DUE,
        stage=DeliveryStage.DOCUMENT,
        due_at=now,
        maybe_sent_at=now,
        needs_verification=True,
    )


def postpone_entry(entry: OutboxEntry, until: datetime) -> OutboxEntry:
    """Put the entry back until *until*: somebody in 1C said "later"."""
    return replace(entry, state=EntryState.DUE, due_at=until, attempts=0, last_error="")


def mark_dead(entry: OutboxEntry, *, reason: str) -> OutboxEntry:
    """Bury the entry with 1C's own words; a person may retry or drop it."""
    return replace(entry, state=EntryState.DEAD, last_error=reason[:_MAX_WORDS])


def retry_now(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Make a dead or waiting entry due at once, on a person's word.

    One that is being sent is left alone (it would be sent twice), and so is a final look: early,
    it would miss what it waits for.
    """
    waits_to_verify = entry.state is EntryState.DUE and entry.stage is DeliveryStage.VERIFY
    if entry.state in (EntryState.SENDING, EntryState.DELIVERED) or waits_to_verify:
        return entry
    return replace(entry, state=EntryState.DUE, due_at=now, attempts=0, paused=False)


def backoff_pause(attempts: int, rules: DeliveryRules) -> timedelta:
    """Give the pause after the n-th attempt: doubling, at most five minutes.

    Doubling without jitter: one bridge talks to one 1C, there is no herd to spread.
    """
    doublings = min(max(attempts, 1) - 1, 16)
    return min(rules.first_backoff * (1 << doublings), _MAX_BACKOFF)
