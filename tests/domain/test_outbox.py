"""What is owed reaches 1C once, whatever 1C and the process do: a table, and a state machine."""

from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.domain import outbox
from bridge.domain.calls import PhoneCall
from bridge.domain.decision import Target
from bridge.domain.directory import Ref
from bridge.domain.outbox import DeliveryRules, EntryState, OutboxEntry, Stage
from bridge.domain.writeback import PhoneCallDraft, draft_phone_call, draft_reminder
from bridge.errors import OneCAlreadyExists, OneCOutcomeUnknown, OneCRejected, OneCUnavailable
from bridge.ports import Clock, FoundDocument, OneCJournal
from tests.support import builders as b
from tests.support.onec_model import Crash, Fuse, ModelOneC, Mood

RULES = DeliveryRules()
DUE = OutboxEntry("k", b.NOON, b.NOON)
DOCUMENT = b.ref("document")
LATER = b.NOON + timedelta(seconds=5)


def sending(stage: Stage = Stage.DOCUMENT) -> OutboxEntry:
    document = None if stage is Stage.DOCUMENT else DOCUMENT
    return outbox.begin(replace(DUE, stage=stage, document=document))


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
        (Stage.VERIFY, True, True, EntryState.SETTLED, Stage.VERIFY),
    ],
)
def test_stages_follow_each_other(
    stage: Stage, *, reminder: bool, doubtful: bool, state: EntryState, then: Stage
) -> None:
    entry = replace(sending(stage), doubtful=doubtful, maybe_sent_at=b.NOON, last_error="?")

    moved = outbox.succeeded(entry, LATER, RULES, document=DOCUMENT, reminder=reminder)

    assert (moved.state, moved.stage, moved.document) == (state, then, DOCUMENT)
    assert (moved.attempts, moved.maybe_sent_at, moved.last_error) == (0, None, "")
    assert (moved.settled_at == LATER) == (state is EntryState.SETTLED)
    pause = RULES.verify_after if then is Stage.VERIFY and state is EntryState.DUE else timedelta(0)
    assert moved.due_at == LATER + pause


def test_the_document_of_an_earlier_stage_is_kept() -> None:
    assert outbox.succeeded(sending(Stage.SUBJECT), LATER, RULES).document == DOCUMENT


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

    down = outbox.unavailable(outbox.begin(unknown), LATER, RULES, why="down", sent=False)

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


# ---------------------------------------------------------------- the loop, as it has to be
async def put_document(
    entry: OutboxEntry, onec: OneCJournal, draft: PhoneCallDraft, clock: Clock
) -> OutboxEntry:
    """Look first when it may be there; create only when it surely is not."""
    if outbox.must_look(entry):
        asked_at = clock()  # what is found missing was missing then, not when the answer came
        found = _unmarked(await onec.find_phone_calls(draft))
        if found:
            return outbox.succeeded(entry, clock(), RULES, document=found[0].ref)
        if not outbox.may_create(entry, asked_at, RULES):
            return outbox.waiting(entry, clock(), RULES, why="the lost write may still arrive")
    try:
        made = await onec.create_phone_call(draft)
    except OneCAlreadyExists:
        made = _unmarked(await onec.find_phone_calls(draft))[0].ref
    return outbox.succeeded(entry, clock(), RULES, document=made)


async def put_stage(
    entry: OutboxEntry, onec: OneCJournal, call: PhoneCall, clock: Clock
) -> OutboxEntry:
    """Have 1C hold what the present stage names."""
    draft = draft_phone_call(call, "ru")
    if entry.stage is Stage.DOCUMENT:
        return await put_document(entry, onec, draft, clock)
    assert entry.document is not None
    reminder = draft_reminder(call, entry.document, "ru")
    looks = outbox.must_look(entry)
    if entry.stage is Stage.VERIFY:
        # The document that people were pointed at stays; it is rarely, but not surely, the older.
        for double in _unmarked(await onec.find_phone_calls(draft)):
            if double.ref != entry.document:
                await onec.mark_phone_call(double.ref)
    elif entry.stage is Stage.SUBJECT:
        if not (looks and await onec.has_subject(entry.document)):
            await onec.create_subject(entry.document)
    elif reminder is not None and not (looks and await onec.has_reminder(reminder)):
        await onec.create_reminder(reminder)
    return outbox.succeeded(entry, clock(), RULES, reminder=reminder is not None)


def _unmarked(found: Any) -> list[FoundDocument]:
    return [document for document in found if not document.marked]


def run(steps: Coroutine[Any, Any, OutboxEntry]) -> OutboxEntry:
    """Run a coroutine that never waits."""
    try:
        steps.send(None)
    except StopIteration as end:
        return cast("OutboxEntry", end.value)
    raise AssertionError("the model never waits")


# ---------------------------------------------------------------- whatever happens
class Delivering(RuleBasedStateMachine):
    """Calls come, time passes, 1C has moods, the bridge is killed anywhere: nothing is lost.

    Override `deliver_due` to check another loop against the same world.
    """

    #: How long after a request 1C may still commit it.
    latest: ClassVar[timedelta]
    #: Whether two documents of one call may stand side by side until the final look.
    doubles_for_a_while: ClassVar[bool]
    request_takes: ClassVar[timedelta]

    @initialize(honours_refs=st.booleans())
    def the_world_begins(self, *, honours_refs: bool) -> None:
        self.now = b.NOON
        self.onec = ModelOneC(lambda: self.now, honours_refs, takes_time=self.a_request_leaves)
        self.calls: dict[str, PhoneCall] = {}
        self.ledger: dict[str, OutboxEntry] = {}

    @precondition(lambda self: len(self.calls) < 3)
    @rule(known=st.booleans())
    def a_call_comes(self, *, known: bool) -> None:
        asked = b.question(asked_time=str(len(self.calls)))
        manager = b.manager().ref if known else None
        call = b.call(asked, b.decision(target=Target("205", manager)))
        self.calls[call.key] = call
        self.ledger[call.key] = OutboxEntry(call.key, self.now, self.now)

    @rule(seconds=st.sampled_from([1, 5, 29, 30, 59, 60, 61, 300, 599, 600, 601]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.onec.time_has_passed()

    @rule(
        moods=st.lists(st.sampled_from(Mood), max_size=3),
        killed_after=st.one_of(st.none(), st.integers(0, 7)),
        late=st.sampled_from([0.1, 0.5, 0.99, 1.0]),
    )
    def the_bridge_delivers(self, moods: list[Mood], killed_after: int | None, late: float) -> None:
        self.onec.has_moods(moods)
        self.onec.lateness = self.latest * late
        self.onec.fuse = Fuse(killed_after)
        with suppress(Crash):
            self.deliver_due()

    @rule()
    def a_person_retries_all(self) -> None:
        for key, entry in self.ledger.items():
            self.ledger[key] = outbox.retried(entry, self.now)

    def a_request_leaves(self) -> None:
        self.now += self.request_takes

    @invariant()
    def nothing_owed_is_lost(self) -> None:
        assert self.ledger.keys() == self.calls.keys()
        for entry in self.ledger.values():
            if entry.state is EntryState.DEAD:
                assert entry.last_error
            if entry.state is EntryState.SETTLED:
                self.is_whole(entry)

    @invariant()
    def nobody_sees_two_documents_of_one_call(self) -> None:
        if not self.doubles_for_a_while:
            assert all(len(self.onec.of(key)) <= 1 for key in self.calls)

    def teardown(self) -> None:
        """Let the world calm down: then everything owed is there, once."""
        self.onec.has_moods([])
        self.onec.fuse = Fuse()
        for _ in range(30):
            self.a_person_retries_all()
            self.deliver_due()
            self.time_passes(120)
        for entry in self.ledger.values():
            assert entry.state is EntryState.SETTLED
            assert len(self.onec.of(entry.key)) == 1
            self.is_whole(entry)

    def is_whole(self, entry: OutboxEntry) -> None:
        """The document people see has its subject, and one reminder points at it, if any does."""
        call = self.calls[entry.key]
        target = call.decision.target
        reminded = [r.document for r in self.onec.reminders if r.document in self.of_call(call)]
        assert entry.document in [found.ref for found in self.onec.of(entry.key)]
        assert entry.document in self.onec.subjects
        assert reminded == ([entry.document] if target and target.manager else [])

    def of_call(self, call: PhoneCall) -> list[Ref]:
        return [d for d, (key, _) in self.onec.documents.items() if key == call.key]

    # ---- the loop under test
    def deliver_due(self) -> None:
        for entry in list(self.ledger.values()):
            if entry.state is EntryState.SENDING:  # nobody sends it: the bridge was killed
                self.save(outbox.recovered(entry, self.now))
        for key in self.calls:
            while (entry := self.ledger[key]).owed_now(self.now):
                self.attempt(entry)

    def attempt(self, entry: OutboxEntry) -> None:
        entry = outbox.begin(entry)
        self.save(entry)
        try:
            after = run(put_stage(entry, self.onec, self.calls[entry.key], lambda: self.now))
        except OneCOutcomeUnknown as error:
            after = outbox.unavailable(entry, self.now, RULES, why=str(error), sent=True)
        except OneCUnavailable as error:
            after = outbox.held_back(entry, self.now, RULES, why=str(error))
        except OneCRejected as error:
            after = outbox.refused(entry, why=str(error))
        self.save(after)

    def save(self, entry: OutboxEntry) -> None:
        self.onec.fuse.burn()
        self.ledger[entry.key] = entry
        self.onec.fuse.burn()


class OneCThatCommitsWithinTheQuiet(Delivering):
    latest = RULES.quiet
    doubles_for_a_while = False
    request_takes = timedelta(0)


class OneCThatCommitsMuchLater(Delivering):
    latest = RULES.verify_after - timedelta(seconds=1)
    doubles_for_a_while = True
    request_takes = timedelta(seconds=1)


def late_onec() -> OneCThatCommitsMuchLater:
    """Begin with one known call, before anything of it was sent."""
    world = OneCThatCommitsMuchLater()
    world.the_world_begins(honours_refs=False)
    world.a_call_comes(known=True)
    return world


def unmarked(world: Delivering) -> int:
    return sum(len(world.onec.of(key)) for key in world.calls)


@pytest.mark.parametrize("killed_after", [None, 3])
def test_a_double_that_comes_after_the_quiet_is_marked_in_the_end(killed_after: int | None) -> None:
    world = late_onec()
    world.the_bridge_delivers([Mood.LATE], killed_after, 0.5)
    for _ in range(2):  # a kill makes the quiet begin anew
        world.time_passes(61)
        world.the_bridge_delivers([], None, 1.0)
    world.time_passes(300)
    assert unmarked(world) == 2

    world.time_passes(601)
    world.the_bridge_delivers([], None, 1.0)

    assert unmarked(world) == 1
    world.teardown()


def test_the_document_people_were_pointed_at_stays_even_if_it_is_the_younger() -> None:
    world = late_onec()
    between_look_and_create = timedelta(seconds=61.5) / world.latest
    world.the_bridge_delivers([Mood.LATE], None, between_look_and_create)
    world.time_passes(60)
    world.the_bridge_delivers([], None, 1.0)
    (entry,) = world.ledger.values()
    older, younger = world.onec.of(entry.key)

    world.teardown()

    assert entry.document == younger.ref
    assert world.onec.of(entry.key) == [younger]
    assert older.number < younger.number


def test_hurrying_does_not_bring_the_final_look_forward() -> None:
    world = late_onec()
    world.the_bridge_delivers([Mood.LATE], None, 1.0)
    world.time_passes(61)
    world.the_bridge_delivers([], None, 1.0)

    world.a_person_retries_all()
    world.the_bridge_delivers([], None, 1.0)

    assert [entry.stage for entry in world.ledger.values()] == [Stage.VERIFY]
    world.teardown()


_QUICK = settings(
    max_examples=200,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOneCThatCommitsWithinTheQuiet = OneCThatCommitsWithinTheQuiet.TestCase
TestOneCThatCommitsWithinTheQuiet.settings = _QUICK
TestOneCThatCommitsMuchLater = OneCThatCommitsMuchLater.TestCase
TestOneCThatCommitsMuchLater.settings = _QUICK
