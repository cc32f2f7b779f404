"""The ways of an outbox entry, as a table: what 1C lacks, what failed, what may be repeated."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.domain import outbox
from bridge.domain.outbox import DeliveryRules, EntryState, OutboxEntry, Stage
from bridge.domain.wanted import KeptReminder, ReminderState, ReminderWish, Told, Wanted
from tests.support import builders as b

RULES = DeliveryRules()
DUE = OutboxEntry("k", b.NOON, b.NOON)
DOCUMENT = b.ref("document")
LATER = b.NOON + timedelta(seconds=5)


TOLD = Told("Входящий звонок: Иванов", "Звонит: +7 (903) 555-01-23")
ANNA, BORIS = b.ref("Анна Петрова"), b.ref("Борис Юдин")
RINGS = ReminderWish(ANNA, "Звонит Иванов")
WANTED = Wanted(TOLD, considered=False, reminders=(RINGS,), revision=1)
NO_REMINDER = replace(WANTED, reminders=())


def sending(stage: Stage = Stage.DOCUMENT) -> OutboxEntry:
    """Give an entry in the middle of *stage*, with all that comes before it in 1C."""
    entry = replace(DUE, stage=stage)
    if stage is not Stage.DOCUMENT:
        entry = replace(entry, document=DOCUMENT, told=TOLD)
    if stage in (Stage.REMINDER, Stage.VERIFY):
        entry = replace(entry, subject=True)
    return outbox.begin(entry, WANTED)


def done(entry: OutboxEntry) -> OutboxEntry:
    """Give what the stage of *entry* leaves in 1C."""
    match entry.stage:
        case Stage.DOCUMENT:
            return replace(entry, document=DOCUMENT)
        case Stage.SUBJECT:
            return replace(entry, subject=True)
        case Stage.REMINDER:
            kept = outbox.noted(entry, ANNA, RINGS.text, ReminderState.KEPT)
            return replace(entry, reminders=kept)
    return entry


# ---------------------------------------------------------------- one step
def test_an_entry_being_sent_is_no_longer_due() -> None:
    entry = sending()

    assert (entry.state, entry.attempts) == (EntryState.SENDING, 1)
    assert not entry.owed_now(LATER)


@pytest.mark.parametrize(
    ("stage", "reminder", "doubtful", "state", "then"),
    [
        (Stage.DOCUMENT, True, False, EntryState.DUE, Stage.SUBJECT),
        (Stage.DOCUMENT, False, True, EntryState.DUE, Stage.SUBJECT),
        (Stage.SUBJECT, True, False, EntryState.DUE, Stage.REMINDER),
        (Stage.SUBJECT, False, False, EntryState.SETTLED, Stage.SUBJECT),
        (Stage.SUBJECT, False, True, EntryState.DUE, Stage.VERIFY),
        (Stage.REMINDER, True, False, EntryState.SETTLED, Stage.REMINDER),
        (Stage.REMINDER, True, True, EntryState.DUE, Stage.VERIFY),
    ],
)
def test_stages_follow_each_other(
    stage: Stage, *, reminder: bool, doubtful: bool, state: EntryState, then: Stage
) -> None:
    wanted = WANTED if reminder else NO_REMINDER
    entry = replace(sending(stage), doubtful=doubtful, maybe_sent_at=b.NOON, last_error="?")

    moved = outbox.moved_on(done(entry), wanted, LATER, RULES)

    assert (moved.state, moved.stage, moved.document) == (state, then, DOCUMENT)
    assert (moved.attempts, moved.maybe_sent_at, moved.last_error) == (0, None, "")
    assert (moved.settled_at == LATER) == (state is EntryState.SETTLED)
    pause = RULES.verify_after if then is Stage.VERIFY and state is EntryState.DUE else timedelta(0)
    assert moved.due_at == LATER + pause


# ---------------------------------------------------------------- what 1C lacks
SETTLED = replace(
    DUE,
    state=EntryState.SETTLED,
    stage=Stage.REMINDER,
    document=DOCUMENT,
    subject=True,
    told=TOLD,
    reminders=(KeptReminder(ANNA, RINGS.text),),
    revision=1,
)


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        (Wanted(TOLD, considered=False, reminders=(RINGS,)), None),
        (Wanted(replace(TOLD, description="Итог"), False, (RINGS,)), Stage.OUTCOME),
        (Wanted(replace(TOLD, responsible=BORIS), False, (RINGS,)), Stage.OUTCOME),
        (Wanted(TOLD, True, (RINGS,)), Stage.CONSIDERED),
        (Wanted(TOLD, False, ()), Stage.REMINDER),
        (Wanted(TOLD, False, (replace(RINGS, text="Пропущен"),)), Stage.REMINDER),
        (Wanted(TOLD, False, (RINGS, ReminderWish(BORIS, "Не перезвонили"))), Stage.REMINDER),
    ],
)
def test_what_1c_lacks_is_the_next_stage(change: Wanted, lacks: Stage | None) -> None:
    assert outbox.next_stage(SETTLED, change) is lacks


def test_a_dismissed_reminder_is_neither_made_again_nor_withdrawn() -> None:
    gone = replace(SETTLED, reminders=(KeptReminder(ANNA, "", ReminderState.GONE),))

    assert outbox.next_reminder(gone, WANTED) is None
    assert outbox.next_reminder(gone, NO_REMINDER) is None


def test_a_second_person_is_not_told_of_what_the_first_dismissed() -> None:
    second = ReminderWish(BORIS, "Не перезвонили", unless_gone=ANNA)
    wanted = replace(WANTED, reminders=(RINGS, second))
    gone = replace(SETTLED, reminders=(KeptReminder(ANNA, "", ReminderState.GONE),))

    assert outbox.next_reminder(SETTLED, wanted) == second
    assert outbox.next_reminder(gone, wanted) is None


def test_the_new_reminder_is_there_before_the_old_one_goes() -> None:
    wanted = replace(WANTED, reminders=(ReminderWish(BORIS, "Пропущен"),))

    assert outbox.next_reminder(SETTLED, wanted) == wanted.reminders[0]


def test_a_reminder_that_may_be_there_is_withdrawn_all_the_same() -> None:
    unsure = outbox.begin(replace(SETTLED, stage=Stage.REMINDER, reminders=()), WANTED)

    step = outbox.next_reminder(unsure, NO_REMINDER)

    assert step == KeptReminder(ANNA, RINGS.text, ReminderState.SENDING)


def test_a_call_that_moved_on_wakes_what_rests_and_not_what_failed() -> None:
    verify = replace(SETTLED, state=EntryState.DUE, stage=Stage.VERIFY, due_at=LATER)
    failed = replace(DUE, attempts=3, due_at=LATER + timedelta(minutes=4))

    assert outbox.woken(SETTLED, b.NOON).owed_now(b.NOON)
    assert outbox.woken(verify, b.NOON).owed_now(b.NOON)
    assert outbox.woken(failed, b.NOON) == failed


def test_another_stage_begins_without_the_doubts_of_the_last_one() -> None:
    doubtful = replace(SETTLED, state=EntryState.DUE, maybe_sent_at=b.NOON)
    told = replace(WANTED, told=replace(TOLD, description="Итог"))

    aimed = outbox.aimed(doubtful, told)

    assert (aimed.stage, aimed.maybe_sent_at) == (Stage.OUTCOME, None)


# ---------------------------------------------------------------- when it fails
def test_a_crash_while_sending_is_an_unknown_outcome() -> None:
    entry = outbox.recovered(sending(), b.NOON)

    assert (entry.state, entry.maybe_sent_at, entry.doubtful) == (EntryState.DUE, b.NOON, True)
    assert entry.last_error
    assert outbox.must_look(entry)


def test_a_crash_behind_the_document_casts_no_doubt_on_it() -> None:
    entry = outbox.recovered(replace(sending(Stage.SUBJECT), last_error="away"), b.NOON)

    assert (entry.doubtful, entry.last_error) == (False, "away")


@pytest.mark.parametrize(
    ("stage", "sent", "looks", "doubtful"),
    [
        (Stage.DOCUMENT, True, True, True),
        (Stage.DOCUMENT, False, False, False),
        (Stage.SUBJECT, True, True, False),
        (Stage.REMINDER, False, False, False),
    ],
)
def test_only_what_may_have_been_sent_is_looked_for(
    stage: Stage, *, sent: bool, looks: bool, doubtful: bool
) -> None:
    entry = outbox.unavailable(sending(stage), LATER, RULES, why="w" * 5000, sent=sent)

    assert entry.state is EntryState.DUE
    assert entry.due_at == LATER + RULES.first_backoff
    assert (outbox.must_look(entry), entry.doubtful) == (looks, doubtful)
    assert len(entry.last_error) == 2000


def test_an_unknown_outcome_is_not_forgotten_when_1c_goes_down_next() -> None:
    unknown = outbox.unavailable(sending(), b.NOON, RULES, why="lost", sent=True)

    down = outbox.unavailable(outbox.begin(unknown, WANTED), LATER, RULES, why="down", sent=False)

    assert (down.maybe_sent_at, down.doubtful) == (b.NOON, True)


@pytest.mark.parametrize(
    ("since", "may"),
    [
        (None, True),
        (timedelta(0), False),
        (RULES.quiet - timedelta(microseconds=1), False),
        (RULES.quiet, True),
    ],
)
def test_nothing_found_is_believed_only_after_the_quiet(
    since: timedelta | None, *, may: bool
) -> None:
    entry = replace(DUE, maybe_sent_at=None if since is None else LATER - since)

    assert outbox.may_create(entry, LATER, RULES) is may


def test_waiting_changes_nothing_but_the_time() -> None:
    entry = replace(sending(), attempts=3, maybe_sent_at=b.NOON)

    waits = outbox.waiting(entry, LATER, RULES, why="not found yet")

    assert waits.due_at == LATER + timedelta(seconds=8)
    assert (waits.state, waits.maybe_sent_at) == (EntryState.DUE, b.NOON)
    assert waits.last_error == "not found yet"


def test_an_absent_1c_holds_an_entry_back_for_seconds_only() -> None:
    entry = outbox.held_back(replace(sending(), attempts=50), LATER, RULES, why="down")

    assert (entry.state, entry.due_at) == (EntryState.DUE, LATER + timedelta(seconds=20))
    assert entry.maybe_sent_at is None


def test_a_lost_reference_is_looked_for_and_verified() -> None:
    entry = outbox.lost_document(sending(Stage.REMINDER), LATER)

    assert (entry.state, entry.stage, entry.doubtful) == (EntryState.DUE, Stage.DOCUMENT, True)
    assert outbox.must_look(entry)


def test_a_refusal_keeps_1cs_words() -> None:
    entry = outbox.refused(sending(), why="Период закрыт")

    assert (entry.state, entry.last_error, entry.owed) == (EntryState.DEAD, "Период закрыт", False)


@pytest.mark.parametrize(
    ("state", "stage", "again"),
    [
        (EntryState.DEAD, Stage.DOCUMENT, True),
        (EntryState.DEAD, Stage.VERIFY, True),
        (EntryState.DUE, Stage.DOCUMENT, True),
        (EntryState.DUE, Stage.VERIFY, False),
        (EntryState.SENDING, Stage.DOCUMENT, False),
        (EntryState.SETTLED, Stage.REMINDER, False),
    ],
)
def test_a_person_hurries_only_what_is_dead_or_waits(
    state: EntryState, stage: Stage, *, again: bool
) -> None:
    waits = timedelta(minutes=4)
    entry = replace(
        DUE, state=state, stage=stage, attempts=9, maybe_sent_at=b.NOON, due_at=b.NOON + waits
    )

    hurried = outbox.retried(entry, LATER)

    if again:
        assert hurried.owed_now(LATER)
        assert (hurried.attempts, hurried.maybe_sent_at) == (0, b.NOON)
    else:
        assert hurried == entry


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 2), (1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (17, 300), (10**9, 300)],
)
def test_the_pause_doubles_up_to_five_minutes(attempts: int, seconds: int) -> None:
    assert outbox.backoff(attempts, RULES) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("state", "stage", "owed"),
    [
        (EntryState.DUE, Stage.DOCUMENT, True),
        (EntryState.SENDING, Stage.REMINDER, True),
        (EntryState.DUE, Stage.VERIFY, False),
        (EntryState.DEAD, Stage.DOCUMENT, False),
        (EntryState.SETTLED, Stage.REMINDER, False),
    ],
)
def test_a_final_look_is_no_debt(state: EntryState, stage: Stage, *, owed: bool) -> None:
    assert replace(DUE, state=state, stage=stage).owed is owed
