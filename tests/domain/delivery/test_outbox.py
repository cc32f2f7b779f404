"""The ways of an outbox entry, as a table: what 1C lacks, what failed, what may be repeated."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.domain.calls.desired import (
    DesiredReminder,
    DesiredState,
    DocumentText,
    ReminderState,
    SentReminder,
)
from bridge.domain.delivery import outbox
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
    with_reminder,
)
from tests.support import builders as b

RULES = DeliveryRules()
DUE = OutboxEntry("k", b.NOON, b.NOON)
DOCUMENT = b.ref("document")
LATER = b.NOON + timedelta(seconds=5)


TEXT = DocumentText("Входящий звонок: Иванов", "Звонит: +7 (903) 555-01-23")
ANNA, BORIS = b.ref("Анна Петрова"), b.ref("Борис Юдин")
RINGS = DesiredReminder(ANNA, "Звонит Иванов")
DESIRED = DesiredState(TEXT, considered=False, reminders=(RINGS,), revision=1)
NO_REMINDER = replace(DESIRED, reminders=())


def sending(stage: DeliveryStage = DeliveryStage.DOCUMENT) -> OutboxEntry:
    """Return an entry in the middle of *stage*, with all that comes before it in 1C."""
    entry = replace(DUE, stage=stage)
    if stage is not DeliveryStage.DOCUMENT:
        entry = replace(entry, document=DOCUMENT, written_text=TEXT)
    if stage in (DeliveryStage.REMINDER, DeliveryStage.VERIFY):
        entry = replace(entry, subject_written=True)
    return outbox.start_sending(entry, DESIRED)


def done(entry: OutboxEntry) -> OutboxEntry:
    """Return what the stage of *entry* leaves in 1C."""
    match entry.stage:
        case DeliveryStage.DOCUMENT:
            return replace(entry, document=DOCUMENT)
        case DeliveryStage.SUBJECT:
            return replace(entry, subject_written=True)
        case DeliveryStage.REMINDER:
            reminders = with_reminder(entry, ANNA, RINGS.text, ReminderState.WRITTEN)
            return replace(entry, reminders=reminders)
    return entry


# ---------------------------------------------------------------- one step
def test_an_entry_being_sent_is_no_longer_due() -> None:
    entry = sending()

    assert (entry.state, entry.attempts) == (EntryState.SENDING, 1)
    assert not entry.is_due(LATER)


@pytest.mark.parametrize(
    ("stage", "reminder", "doubtful", "state", "then"),
    [
        (DeliveryStage.DOCUMENT, True, False, EntryState.DUE, DeliveryStage.SUBJECT),
        (DeliveryStage.DOCUMENT, False, True, EntryState.DUE, DeliveryStage.SUBJECT),
        (DeliveryStage.SUBJECT, True, False, EntryState.DUE, DeliveryStage.REMINDER),
        (DeliveryStage.SUBJECT, False, False, EntryState.DELIVERED, DeliveryStage.SUBJECT),
        (DeliveryStage.SUBJECT, False, True, EntryState.DUE, DeliveryStage.VERIFY),
        (DeliveryStage.REMINDER, True, False, EntryState.DELIVERED, DeliveryStage.REMINDER),
        (DeliveryStage.REMINDER, True, True, EntryState.DUE, DeliveryStage.VERIFY),
    ],
)
def test_stages_follow_each_other(
    stage: DeliveryStage, *, reminder: bool, doubtful: bool, state: EntryState, then: DeliveryStage
) -> None:
    desired = DESIRED if reminder else NO_REMINDER
    entry = replace(
        sending(stage), needs_verification=doubtful, maybe_sent_at=b.NOON, last_error="?"
    )

    advanced = outbox.advance(done(entry), desired, LATER, RULES)

    assert (advanced.state, advanced.stage, advanced.document) == (state, then, DOCUMENT)
    assert (advanced.attempts, advanced.maybe_sent_at, advanced.last_error) == (0, None, "")
    assert (advanced.delivered_at == LATER) == (state is EntryState.DELIVERED)
    pause = (
        RULES.verify_after
        if then is DeliveryStage.VERIFY and state is EntryState.DUE
        else timedelta(0)
    )
    assert advanced.due_at == LATER + pause


# ---------------------------------------------------------------- what 1C lacks
DELIVERED = replace(
    DUE,
    state=EntryState.DELIVERED,
    stage=DeliveryStage.REMINDER,
    document=DOCUMENT,
    subject_written=True,
    written_text=TEXT,
    reminders=(SentReminder(ANNA, RINGS.text),),
    revision=1,
)


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        (DesiredState(TEXT, considered=False, reminders=(RINGS,)), None),
        (DesiredState(replace(TEXT, description="Итог"), False, (RINGS,)), DeliveryStage.OUTCOME),
        (DesiredState(replace(TEXT, responsible=BORIS), False, (RINGS,)), DeliveryStage.OUTCOME),
        (DesiredState(TEXT, True, (RINGS,)), DeliveryStage.CONSIDERED),
        (DesiredState(TEXT, False, ()), DeliveryStage.REMINDER),
        (DesiredState(TEXT, False, (replace(RINGS, text="Пропущен"),)), DeliveryStage.REMINDER),
        (
            DesiredState(TEXT, False, (RINGS, DesiredReminder(BORIS, "Не перезвонили"))),
            DeliveryStage.REMINDER,
        ),
    ],
)
def test_what_1c_lacks_is_the_next_stage(change: DesiredState, lacks: DeliveryStage | None) -> None:
    assert outbox.next_stage(DELIVERED, change) is lacks


@pytest.mark.parametrize("desired", [False, True])
@pytest.mark.parametrize("written", [False, True])
def test_considered_is_written_where_1c_holds_the_other(*, written: bool, desired: bool) -> None:
    entry = replace(DELIVERED, considered_written=written)
    lacks = None if written is desired else DeliveryStage.CONSIDERED

    assert outbox.next_stage(entry, replace(DESIRED, considered=desired)) is lacks


@pytest.mark.parametrize("killed", [False, True])
def test_considered_that_may_be_in_1c_is_taken_back_once_it_cannot_be_committed_any_more(
    *, killed: bool
) -> None:
    sent = outbox.start_sending(
        replace(DELIVERED, stage=DeliveryStage.CONSIDERED), replace(DESIRED, considered=True)
    )
    doubted = (
        outbox.recover_after_crash(sent, LATER)
        if killed
        else outbox.retry_later(sent, LATER, RULES, reason="no reply", maybe_sent=True)
    )
    over = LATER + RULES.verify_after

    assert outbox.next_stage(doubted, DESIRED) is DeliveryStage.CONSIDERED
    waiting = outbox.still_waiting(doubted, DESIRED, LATER, RULES)
    assert waiting is not None
    assert (waiting.state, waiting.due_at) == (EntryState.DUE, over)
    assert outbox.still_waiting(doubted, DESIRED, over, RULES) is None
    # Where it is still desired it is sent again at once.
    considered = replace(DESIRED, considered=True)
    assert outbox.still_waiting(doubted, considered, LATER, RULES) is None


def test_a_dismissed_reminder_is_neither_made_again_nor_withdrawn() -> None:
    gone = replace(DELIVERED, reminders=(SentReminder(ANNA, "", ReminderState.DISMISSED),))

    assert outbox.next_reminder(gone, DESIRED) is None
    assert outbox.next_reminder(gone, NO_REMINDER) is None


def test_what_the_first_dismissed_is_not_escalated() -> None:
    second = DesiredReminder(BORIS, "Не перезвонили", unless_dismissed_by=ANNA)
    desired = replace(DESIRED, reminders=(RINGS, second))
    gone = replace(DELIVERED, reminders=(SentReminder(ANNA, "", ReminderState.DISMISSED),))

    assert outbox.next_reminder(DELIVERED, desired) == second
    assert outbox.next_reminder(gone, desired) is None


def test_the_new_reminder_is_there_before_the_old_one_goes() -> None:
    desired = replace(DESIRED, reminders=(DesiredReminder(BORIS, "Пропущен"),))

    assert outbox.next_reminder(DELIVERED, desired) == desired.reminders[0]


def test_a_reminder_that_may_be_there_is_withdrawn_all_the_same() -> None:
    unsure = outbox.start_sending(
        replace(DELIVERED, stage=DeliveryStage.REMINDER, reminders=()), DESIRED
    )

    step = outbox.next_reminder(unsure, NO_REMINDER)

    assert step == SentReminder(ANNA, RINGS.text, ReminderState.SENDING)


def test_a_call_that_moved_on_wakes_what_rests_and_not_what_failed() -> None:
    verify = replace(DELIVERED, state=EntryState.DUE, stage=DeliveryStage.VERIFY, due_at=LATER)
    failed = replace(DUE, attempts=3, due_at=LATER + timedelta(minutes=4))

    assert outbox.reopen_entry(DELIVERED, b.NOON).is_due(b.NOON)
    assert outbox.reopen_entry(verify, b.NOON).is_due(b.NOON)
    assert outbox.reopen_entry(failed, b.NOON) == failed


def test_another_stage_begins_without_the_doubts_of_the_last_one() -> None:
    doubtful = replace(DELIVERED, state=EntryState.DUE, maybe_sent_at=b.NOON)
    with_outcome = replace(DESIRED, document_text=replace(TEXT, description="Итог"))

    advanced = outbox.at_next_stage(doubtful, with_outcome)

    assert (advanced.stage, advanced.maybe_sent_at) == (DeliveryStage.OUTCOME, None)


# ---------------------------------------------------------------- when it fails
def test_a_crash_while_sending_is_an_unknown_outcome() -> None:
    entry = outbox.recover_after_crash(sending(), b.NOON)

    assert (entry.state, entry.maybe_sent_at, entry.needs_verification) == (
        EntryState.DUE,
        b.NOON,
        True,
    )
    assert entry.last_error
    assert outbox.must_search_first(entry)


def test_a_crash_behind_the_document_casts_no_doubt_on_it() -> None:
    entry = outbox.recover_after_crash(
        replace(sending(DeliveryStage.SUBJECT), last_error="away"), b.NOON
    )

    assert (entry.needs_verification, entry.last_error) == (False, "away")


@pytest.mark.parametrize(
    ("stage", "sent", "looks", "doubtful"),
    [
        (DeliveryStage.DOCUMENT, True, True, True),
        (DeliveryStage.DOCUMENT, False, False, False),
        (DeliveryStage.SUBJECT, True, True, False),
        (DeliveryStage.REMINDER, False, False, False),
    ],
)
def test_only_what_may_have_been_sent_is_looked_for(
    stage: DeliveryStage, *, sent: bool, looks: bool, doubtful: bool
) -> None:
    entry = outbox.retry_later(sending(stage), LATER, RULES, reason="w" * 5000, maybe_sent=sent)

    assert entry.state is EntryState.DUE
    assert entry.due_at == LATER + RULES.first_backoff
    assert (outbox.must_search_first(entry), entry.needs_verification) == (looks, doubtful)
    assert len(entry.last_error) == 2000


def test_an_unknown_outcome_is_not_forgotten_when_1c_goes_down_next() -> None:
    unknown = outbox.retry_later(sending(), b.NOON, RULES, reason="lost", maybe_sent=True)

    down = outbox.retry_later(
        outbox.start_sending(unknown, DESIRED), LATER, RULES, reason="down", maybe_sent=False
    )

    assert (down.maybe_sent_at, down.needs_verification) == (b.NOON, True)


@pytest.mark.parametrize(
    ("since", "may"),
    [
        (None, True),
        (timedelta(0), False),
        (RULES.quiet_period - timedelta(microseconds=1), False),
        (RULES.quiet_period, True),
    ],
)
def test_nothing_found_is_believed_only_after_the_quiet(
    since: timedelta | None, *, may: bool
) -> None:
    entry = replace(DUE, maybe_sent_at=None if since is None else LATER - since)

    assert outbox.may_create(entry, LATER, RULES) is may


def test_waiting_changes_nothing_but_the_time() -> None:
    entry = replace(sending(), attempts=3, maybe_sent_at=b.NOON)

    waits = outbox.wait_for_quiet(entry, LATER, RULES, reason="not found yet")

    assert waits.due_at == LATER + timedelta(seconds=8)
    assert (waits.state, waits.maybe_sent_at) == (EntryState.DUE, b.NOON)
    assert waits.last_error == "not found yet"


def test_an_absent_1c_delays_an_entry_for_seconds_only() -> None:
    entry = outbox.retry_after_outage(replace(sending(), attempts=50), LATER, RULES, reason="down")

    assert (entry.state, entry.due_at) == (EntryState.DUE, LATER + timedelta(seconds=20))
    assert entry.maybe_sent_at is None


def test_a_lost_reference_is_looked_for_and_verified() -> None:
    entry = outbox.restart_at_document(sending(DeliveryStage.REMINDER), LATER)

    assert (entry.state, entry.stage, entry.needs_verification) == (
        EntryState.DUE,
        DeliveryStage.DOCUMENT,
        True,
    )
    assert outbox.must_search_first(entry)


def test_a_refusal_keeps_1cs_message() -> None:
    entry = outbox.mark_dead(sending(), reason="Период закрыт")

    assert (entry.state, entry.last_error, entry.is_pending) == (
        EntryState.DEAD,
        "Период закрыт",
        False,
    )


@pytest.mark.parametrize(
    ("state", "stage", "again"),
    [
        (EntryState.DEAD, DeliveryStage.DOCUMENT, True),
        (EntryState.DEAD, DeliveryStage.VERIFY, True),
        (EntryState.DUE, DeliveryStage.DOCUMENT, True),
        (EntryState.DUE, DeliveryStage.VERIFY, False),
        (EntryState.SENDING, DeliveryStage.DOCUMENT, False),
        (EntryState.DELIVERED, DeliveryStage.REMINDER, False),
    ],
)
def test_a_person_hurries_only_what_is_dead_or_waits(
    state: EntryState, stage: DeliveryStage, *, again: bool
) -> None:
    waits = timedelta(minutes=4)
    entry = replace(
        DUE, state=state, stage=stage, attempts=9, maybe_sent_at=b.NOON, due_at=b.NOON + waits
    )

    hurried = outbox.retry_now(entry, LATER)

    if again:
        assert hurried.is_due(LATER)
        assert (hurried.attempts, hurried.maybe_sent_at) == (0, b.NOON)
    else:
        assert hurried == entry


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 2), (1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (17, 300), (10**9, 300)],
)
def test_the_pause_doubles_up_to_five_minutes(attempts: int, seconds: int) -> None:
    assert RULES.backoff_after(attempts) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("state", "stage", "is_pending"),
    [
        (EntryState.DUE, DeliveryStage.DOCUMENT, True),
        (EntryState.SENDING, DeliveryStage.REMINDER, True),
        (EntryState.DUE, DeliveryStage.VERIFY, False),
        (EntryState.DEAD, DeliveryStage.DOCUMENT, False),
        (EntryState.DELIVERED, DeliveryStage.REMINDER, False),
    ],
)
def test_a_verification_is_not_pending(
    state: EntryState, stage: DeliveryStage, *, is_pending: bool
) -> None:
    assert replace(DUE, state=state, stage=stage).is_pending is is_pending
