"""What a write to the ledger decides; the contract suite shows that both stores follow."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.ledger_rules import (
    add_or_keep,
    entry_to_save,
    has_timers,
    is_event_expired,
    is_fresh,
    is_paused_at,
    may_guest_change,
    order_due_entries,
    record_again,
)
from bridge.domain.delivery.outbox import pause_entry, reschedule_entry
from tests.support import builders as b

NOW = b.NOON
MINUTE = timedelta(minutes=1)


def entry(key: str = "k", **seconds_ago: int) -> OutboxEntry:
    """Make an entry that was made and is due so many seconds ago."""
    made = NOW - timedelta(seconds=seconds_ago.get("made", 0))
    return OutboxEntry(key, made, NOW - timedelta(seconds=seconds_ago.get("due", 0)))


def test_a_call_recorded_again_is_the_first_one_with_its_entry() -> None:
    call = b.call()
    delivered = replace(entry(call.key), state=EntryState.DELIVERED, delivered_at=NOW)
    later = replace(call, did="other")

    recorded = record_again(call, delivered, later, entry(call.key))

    assert (recorded.call, recorded.entry) == (call, delivered)


def test_the_question_joins_a_call_that_began_with_events_and_reopens_its_entry() -> None:
    call = b.call()
    begun = replace(call, has_question=False)
    delivered = replace(entry(call.key), state=EntryState.DELIVERED, delivered_at=NOW)

    recorded = record_again(begun, delivered, call, entry(call.key))

    assert recorded.call.has_question
    assert recorded.entry is not None
    assert (recorded.entry.state, recorded.entry.due_at) == (EntryState.DUE, call.received_at)


def test_without_an_entry_of_its_own_a_call_changes_no_entry() -> None:
    call = b.call()
    standing = entry(call.key)

    recorded = record_again(replace(call, has_question=False), standing, call, None)

    assert recorded.call.has_question
    assert recorded.entry is standing


def test_an_entry_that_stands_is_kept() -> None:
    assert add_or_keep(None, entry("new")).key == "new"
    assert add_or_keep(entry("old"), entry("new")).key == "old"


def test_an_entry_that_is_done_is_reopened_where_its_call_changed_meanwhile() -> None:
    call = replace(b.call(), revision=2)
    delivered = replace(entry(), state=EntryState.DELIVERED, delivered_at=NOW, revision=1)

    assert entry_to_save(delivered, call, NOW + MINUTE).state is EntryState.DUE
    assert entry_to_save(replace(delivered, revision=2), call, NOW).state is EntryState.DELIVERED
    verifying = replace(entry(), stage=DeliveryStage.VERIFY, due_at=NOW + MINUTE, revision=1)
    assert entry_to_save(verifying, call, NOW).due_at == NOW
    sending = replace(verifying, state=EntryState.SENDING)
    assert entry_to_save(sending, call, NOW) is sending


def test_a_guest_leaves_alone_what_is_being_sent() -> None:
    assert may_guest_change(None)
    assert may_guest_change(entry())
    assert not may_guest_change(replace(entry(), state=EntryState.SENDING))


def test_a_paused_entry_is_found_by_its_stage() -> None:
    paused = pause_entry(replace(entry(), stage=DeliveryStage.SUBJECT), NOW, reason="no right")

    assert is_paused_at(paused, None)
    assert is_paused_at(paused, DeliveryStage.SUBJECT)
    assert not is_paused_at(paused, DeliveryStage.REMINDER)
    assert not is_paused_at(entry(), None)


def test_fresh_entries_come_first_the_newest_of_them_before_the_others() -> None:
    newest_first = [
        entry("new", made=5, due=5),
        entry("newer than due", made=10, due=-30),
        entry("a minute old", made=60, due=1),
        entry("old", made=600, due=2),
        entry("older", made=900, due=300),
    ]

    ordered = order_due_entries(newest_first, NOW)

    assert [e.key for e in ordered] == ["new", "a minute old", "older", "old"]


def test_an_entry_from_the_future_is_not_fresh() -> None:
    assert is_fresh(entry(made=0), NOW)
    assert not is_fresh(entry(made=-3600), NOW)


@given(
    due=st.integers(-600, 600),
    maybe_sent=st.none() | st.integers(-600, 600),
    verify=st.none() | st.integers(-600, 600),
    stage=st.sampled_from(DeliveryStage),
    state=st.sampled_from(EntryState),
    attempts=st.integers(0, 3),
)
def test_only_an_entry_with_timers_is_rescheduled(
    due: int,
    maybe_sent: int | None,
    verify: int | None,
    *,
    stage: DeliveryStage,
    state: EntryState,
    attempts: int,
) -> None:
    def at(seconds: int | None) -> timedelta:
        return timedelta(seconds=seconds or 0)

    one = replace(
        entry(),
        due_at=NOW + at(due),
        maybe_sent_at=None if maybe_sent is None else NOW + at(maybe_sent),
        verify_at=None if verify is None else NOW + at(verify),
        stage=stage,
        state=state,
        attempts=attempts,
    )

    if reschedule_entry(one, NOW, DeliveryRules()) != one:
        assert has_timers(one, NOW)


def test_an_event_expires_with_its_call_and_never_before_it_is_applied() -> None:
    old = NOW - MINUTE
    assert is_event_expired(old, "k", NOW, call_exists=False)
    assert not is_event_expired(old, "k", NOW, call_exists=True)
    assert not is_event_expired(old, None, NOW, call_exists=False)
    assert not is_event_expired(NOW, "k", NOW, call_exists=False)
