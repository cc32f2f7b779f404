"""What a ledger promises, asked of the one on the disk and of the one services are tested with."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import (
    DeliveryRules,
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.outbox import mark_dead, pause_entry
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.event_log import UNREAD
from bridge.ports.stores.ledger import Ledger, LedgerChange
from bridge.ports.stores.number_memory import Talk
from bridge.ports.stores.outbox import OutboxCounts
from bridge.ports.stores.retention import DeletedRecords
from tests.support import builders as b
from tests.support.fakes.ledger import MemoryLedger

pytestmark = pytest.mark.anyio

NOW = b.NOON
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["memory", "disk"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    opened: Ledger = (
        MemoryLedger(lambda: NOW)
        if request.param == "memory"
        else SqliteLedger.open(tmp_path / "ledger.db", lambda: NOW)
    )
    yield opened
    await opened.close()


def call(key: str, at: datetime = NOW, number: PhoneNumber | None = b.NUMBER) -> PhoneCall:
    plain = b.call()
    caller = replace(plain.caller, number=number)
    return replace(plain, key=key, received_at=at, arrived_at=at, caller=caller)


def entry_of(key: str, at: datetime = NOW) -> OutboxEntry:
    return OutboxEntry(key, created_at=at, due_at=at)


def sending(key: str) -> OutboxEntry:
    return replace(entry_of(key), state=EntryState.SENDING, attempts=1)


async def add_entries(ledger: Ledger, *keys: str, at: datetime = NOW) -> None:
    for key in keys:
        await ledger.record_call(call(key, at), entry_of(key, at))


async def test_a_recorded_call_is_given_back_as_it_was(ledger: Ledger) -> None:
    one = b.call()

    assert await ledger.record_call(one, entry_of(one.key)) is one

    found = await ledger.call(one.key)
    assert found == one
    assert found is not None
    assert type(found.decision.candidates[0]) is type(one.decision.candidates[0])
    assert await ledger.entry(one.key) == (entry_of(one.key), one)
    assert await ledger.call("nothing") is None


async def test_a_call_recorded_again_is_the_first_one(ledger: Ledger) -> None:
    first = call("a")
    await ledger.record_call(first, entry_of("a"))
    moved = replace(entry_of("a"), attempts=3)
    await ledger.save_entry(moved)

    again = await ledger.record_call(call("a", NOW + SECOND), entry_of("a", NOW + SECOND))

    assert again == first
    assert await ledger.entries() == [(moved, first)]
    assert await ledger.calls() == [first]


async def test_two_webhooks_of_one_call_at_once_are_one_call(ledger: Ledger) -> None:
    twins = [call("a", NOW + n * SECOND) for n in range(4)]

    stored = await asyncio.gather(
        *(ledger.record_call(twin, entry_of("a")) for twin in twins),
        *(ledger.record_call(call(f"b{n}"), None) for n in range(3)),
    )

    assert set(stored[:4]) == {stored[0]}
    assert [c.key for c in stored[4:]] == ["b0", "b1", "b2"]
    assert len(await ledger.calls()) == 4
    assert len(await ledger.entries()) == 1


async def test_a_call_that_its_events_put_there_first_gets_its_entry_by_its_record(
    ledger: Ledger,
) -> None:
    await ledger.apply_change(LedgerChange(calls=(call("a"),)))

    await ledger.record_call(call("a"), entry_of("a"))
    await ledger.record_call(call("a"), entry_of("a"))

    assert [entry.key for entry, _ in await ledger.entries()] == ["a"]


async def test_a_call_without_a_document_has_no_entry(ledger: Ledger) -> None:
    await ledger.record_call(call("a"), None)

    assert await ledger.entry("a") is None
    assert await ledger.count_entries() == OutboxCounts()
    assert not await ledger.save_entry(entry_of("a"))


async def test_only_what_is_due_is_given(ledger: Ledger) -> None:
    await add_entries(ledger, "now", "later", "sent", "dead", "done")
    await ledger.save_entry(replace(entry_of("later"), due_at=NOW + 5 * SECOND))
    await ledger.save_entry(sending("sent"))
    await ledger.save_entry(mark_dead(entry_of("dead"), reason="no"))
    await ledger.save_entry(replace(entry_of("done"), state=EntryState.DELIVERED, delivered_at=NOW))

    assert [e.key for e, _ in await ledger.due_entries(NOW + SECOND, 10)] == ["now"]
    assert {e.key for e, _ in await ledger.due_entries(NOW + 5 * SECOND, 10)} == {"now", "later"}
    assert len(await ledger.due_entries(NOW + 5 * SECOND, 1)) == 1
    assert await ledger.due_entries(NOW - SECOND, 10) == []
    counted = await ledger.count_entries()
    assert counted == OutboxCounts(due=2, sending=1, dead=1, delivered=1, oldest_due=NOW)


async def test_a_fresh_call_goes_before_old_entries(ledger: Ledger) -> None:
    long_ago = NOW - timedelta(hours=2)
    await add_entries(ledger, "older", at=long_ago - SECOND)
    await add_entries(ledger, "old", at=long_ago)
    for key, at in (("old", long_ago), ("older", long_ago - SECOND)):
        await ledger.save_entry(replace(entry_of(key, at), attempts=2))
    await add_entries(ledger, "fresh")

    found = await ledger.due_entries(NOW, 10)

    assert [entry.key for entry, _ in found] == ["fresh", "older", "old"]
    assert [one.key for _, one in found] == ["fresh", "older", "old"]


async def test_what_a_crash_left_in_sending_is_due_again_and_to_be_verified(ledger: Ledger) -> None:
    await add_entries(ledger, "a", "b")
    await ledger.save_entry(sending("a"))

    assert await ledger.recover_after_crash() == 1
    assert await ledger.recover_after_crash() == 0

    found = await ledger.entry("a")
    assert found is not None
    assert (found[0].state, found[0].needs_verification) == (EntryState.DUE, True)
    assert found[0].maybe_sent_at == NOW


async def test_paused_entries_are_resumed_by_stage_the_longest_paused_first(ledger: Ledger) -> None:
    await add_entries(ledger, "a", "b", "c", "d")
    for n, key in enumerate("abc"):
        stage = DeliveryStage.REMINDER if key == "c" else DeliveryStage.SUBJECT
        await ledger.save_entry(
            pause_entry(
                replace(entry_of(key), stage=stage, document=Ref("document")),
                NOW - n * SECOND,
                reason="no right",
            )
        )
    assert [e.key for e, _ in await ledger.due_entries(NOW, 10)] == ["d"]

    assert await ledger.resume_entries(NOW, DeliveryStage.SUBJECT, 1) == 1
    assert {e.key for e, _ in await ledger.due_entries(NOW, 10)} == {"b", "d"}
    assert await ledger.resume_trial(NOW, DeliveryStage.REMINDER, 0.0)
    assert not await ledger.resume_trial(NOW, DeliveryStage.REMINDER, 0.0)
    assert {e.key for e, _ in await ledger.due_entries(NOW, 10)} == {"b", "c", "d"}
    assert await ledger.resume_entries(NOW, None, 10) == 1
    assert await ledger.resume_entries(NOW, None, 10) == 0

    assert {e.key for e, _ in await ledger.due_entries(NOW, 10)} == {"a", "b", "c", "d"}
    assert not any(e.paused for e, _ in await ledger.entries())


@pytest.mark.parametrize(("place", "resumed"), [(0.0, "e"), (0.25, "d"), (0.5, "c"), (1.0, "a")])
async def test_a_trial_is_taken_at_its_place_from_the_freshest_call_to_the_oldest(
    ledger: Ledger, place: float, resumed: str
) -> None:
    await add_entries(ledger, *"abcde")
    for n, key in enumerate("ceadb"):  # how long they are paused does not matter
        await ledger.save_entry(pause_entry(entry_of(key), NOW - n * SECOND, reason="refused"))

    assert await ledger.resume_trial(NOW, DeliveryStage.DOCUMENT, place)

    assert [e.key for e, _ in await ledger.due_entries(NOW, 10)] == [resumed]


async def test_entries_are_listed_newest_first_by_state(ledger: Ledger) -> None:
    for n, key in enumerate("abc"):
        await add_entries(ledger, key, at=NOW + n * SECOND)
    await ledger.save_entry(mark_dead(entry_of("b"), reason="no"))

    assert [e.key for e, _ in await ledger.entries()] == ["c", "b", "a"]
    assert [e.key for e, _ in await ledger.entries([EntryState.DEAD])] == ["b"]
    assert [e.key for e, _ in await ledger.entries([EntryState.DUE, EntryState.DELIVERED])] == [
        "c",
        "a",
    ]
    assert [e.key for e, _ in await ledger.entries(limit=1)] == ["c"]


async def test_an_entry_is_found_by_a_beginning_that_means_one(ledger: Ledger) -> None:
    await add_entries(ledger, "abc1", "abd2")
    await ledger.record_call(call("ax"), None)

    found = await ledger.entry("abc")
    assert found is not None
    assert found[0].key == "abc1"
    assert await ledger.entry("ab") is None
    assert await ledger.entry("ax") is None
    assert await ledger.entry("zz") is None


async def test_a_dropped_entry_is_not_brought_back_by_its_delivery(ledger: Ledger) -> None:
    await add_entries(ledger, "a")

    assert await ledger.drop_entry("a")

    assert not await ledger.save_entry(replace(entry_of("a"), attempts=1))
    assert not await ledger.drop_entry("a")
    assert await ledger.entry("a") is None
    assert await ledger.call("a") == call("a")


async def test_calls_are_listed_newest_first(ledger: Ledger) -> None:
    other = PhoneNumber(79035550199)
    for n, number in enumerate((b.NUMBER, other, None, b.NUMBER)):
        await ledger.record_call(call(f"k{n}", NOW + n * SECOND, number), None)

    assert [c.key for c in await ledger.calls()] == ["k3", "k2", "k1", "k0"]
    assert [c.key for c in await ledger.calls(limit=2)] == ["k3", "k2"]
    assert [c.key for c in await ledger.calls(before=NOW + 2 * SECOND)] == ["k1", "k0"]
    assert [c.key for c in await ledger.calls(number=b.NUMBER)] == ["k3", "k0"]
    earlier = await ledger.calls(number=b.NUMBER, before=NOW + 3 * SECOND, limit=5)
    assert [c.key for c in earlier] == ["k0"]
    assert [c.key for c in await ledger.calls_since(NOW + 2 * SECOND)] == ["k2", "k3"]


async def test_an_operators_choice_for_a_number_is_kept(ledger: Ledger) -> None:
    assert ledger.number_memory(b.NUMBER) == NumberMemory()

    await ledger.save_choice(b.NUMBER, Ref("first"))
    await ledger.save_choice(b.NUMBER, Ref("second"))

    assert ledger.number_memory(b.NUMBER) == NumberMemory(chosen_owner=Ref("second"))


async def test_events_are_kept(ledger: Ledger) -> None:
    await ledger.record_event(RawEvent("sipuni", NOW, (("event", "1"), ("event", "2"))))


async def test_events_that_could_not_be_read_are_found_again(ledger: Ledger) -> None:
    raw = RawEvent("sipuni", NOW, (("kto", "1"),), "<x/>", "text/xml")
    await ledger.apply_change(LedgerChange(new_events=((raw, UNREAD), (raw, ""), (raw, UNREAD))))

    (first, kept), (second, _) = await ledger.unread_events(10)
    assert kept == raw
    assert [row for row, _ in await ledger.unread_events(10, first)] == [second]
    assert await ledger.count_unread_events() == 2
    assert await ledger.unapplied_events(10) == []

    await ledger.apply_change(LedgerChange(assigned_events=((first, ""),)))
    assert await ledger.count_unread_events() == 1


# ---------------------------------------------------------------- retention
DAY = timedelta(days=1)
OLD = NOW - 10 * DAY


def missed_call(key: str, *, closed: bool) -> MissedCall:
    return MissedCall(
        key=key,
        client=key,
        name="",
        numbers=(),
        call_keys=(key,),
        reminder_call=key,
        owner=None,
        opened_at=OLD,
        last_missed_at=OLD,
        closed_at=OLD if closed else None,
    )


async def test_age_deletes_what_is_done_and_nothing_that_is_pending(ledger: Ledger) -> None:
    await add_entries(ledger, "due", "sending", "dead", "verify", "done", "waits", "paid", at=OLD)
    await add_entries(ledger, "young")
    for key in ("done", "waits", "paid", "young"):
        delivered = replace(entry_of(key, OLD), state=EntryState.DELIVERED, delivered_at=OLD)
        await ledger.save_entry(delivered)
    await ledger.save_entry(sending("sending"))
    await ledger.save_entry(mark_dead(entry_of("dead", OLD), reason="no"))
    await ledger.save_entry(replace(entry_of("verify", OLD), stage=DeliveryStage.VERIFY))
    await ledger.apply_change(
        LedgerChange(
            missed_calls=(missed_call("waits", closed=False), missed_call("paid", closed=True))
        )
    )

    forgotten = await ledger.delete_older_than(NOW - DAY)

    left = {call.key for call in await ledger.calls()}
    assert left == {"due", "sending", "dead", "verify", "waits", "young"}
    assert forgotten == DeletedRecords(calls=2, missed_calls=1, kept=5)
    assert [open_one.key for open_one in await ledger.open_missed_calls()] == ["waits"]
    assert (await ledger.count_entries()).delivered == 2
    assert await ledger.delete_older_than(NOW - DAY) == DeletedRecords(kept=5)


async def test_events_go_with_their_call_and_never_before_they_are_applied(ledger: Ledger) -> None:
    await add_entries(ledger, "owed", at=OLD)
    await ledger.record_call(call("done", OLD), None)
    applied = [RawEvent("sipuni", OLD, (("n", key),)) for key in ("owed", "done", "")]
    unapplied = RawEvent("sipuni", OLD, (("n", "untold"),))
    await ledger.apply_change(
        LedgerChange(new_events=tuple(zip(applied, ("owed", "done", ""), strict=True)))
    )
    await ledger.record_event(unapplied)

    forgotten = await ledger.delete_older_than(NOW - DAY)

    assert forgotten == DeletedRecords(calls=1, events=2, kept=1)
    assert await ledger.events_of_call("owed") == [applied[0]]
    assert await ledger.events_of_call("done") == []
    assert [raw for _, raw in await ledger.unapplied_events(10)] == [unapplied]


async def test_the_last_talk_is_deleted_by_age_and_an_operators_choice_is_not(
    ledger: Ledger,
) -> None:
    owner = b.ref("ООО Ромашка")
    await ledger.save_choice(b.NUMBER, owner)
    other = PhoneNumber(b.NUMBER + 1)
    await ledger.apply_change(
        LedgerChange(talks=(Talk(b.NUMBER, "205", OLD), Talk(other, "206", NOW)))
    )

    forgotten = await ledger.delete_older_than(NOW - DAY)

    assert forgotten == DeletedRecords(talks=1)
    assert ledger.number_memory(b.NUMBER) == NumberMemory(chosen_owner=owner)
    assert ledger.number_memory(other) == NumberMemory(last_extension="206")


async def test_many_old_calls_go_in_one_deletion(ledger: Ledger) -> None:
    for number in range(450):
        await ledger.record_call(call(f"{number}", OLD), None)
    await add_entries(ledger, "owed", at=OLD)

    assert await ledger.delete_older_than(NOW - DAY) == DeletedRecords(calls=450, kept=1)
    assert [one.key for one in await ledger.calls()] == ["owed"]


async def test_days_are_recorded_in_the_order_they_were_seen(ledger: Ledger) -> None:
    assert (await ledger.days_seen(), await ledger.last_seen()) == ([], None)
    for at in (NOW, NOW + SECOND, NOW + 365 * DAY, NOW + DAY, NOW + DAY + SECOND, NOW):
        await ledger.record_day(at)

    seen = [(NOW + day * DAY).date() for day in (365, 1, 0)]
    assert await ledger.days_seen() == seen
    assert await ledger.last_seen() == NOW


async def test_entries_of_before_a_step_back_are_not_taken_for_fresh(ledger: Ledger) -> None:
    later = NOW + timedelta(hours=3)
    await add_entries(ledger, "due", at=NOW)
    await add_entries(ledger, "future", at=later)
    await ledger.retry_entry("future", NOW)

    at = NOW + timedelta(seconds=30)
    assert [entry.key for entry, _ in await ledger.due_entries(at, 10)] == ["due", "future"]


async def test_waiting_entries_are_rescheduled_and_no_others(ledger: Ledger) -> None:
    rules, year = DeliveryRules(), timedelta(days=365)
    await add_entries(ledger, "due", "waits", "doubt", "verify", "sent", "done", "later")
    delivered = replace(entry_of("done"), state=EntryState.DELIVERED, delivered_at=NOW)
    doubt = replace(entry_of("doubt"), attempts=1, maybe_sent_at=NOW - year)
    verify = replace(
        entry_of("verify"), stage=DeliveryStage.VERIFY, due_at=NOW + year, verify_at=NOW + year
    )
    postponed = replace(entry_of("later"), stage=DeliveryStage.REMINDER, due_at=NOW + year)
    waits = replace(entry_of("waits"), attempts=3, due_at=NOW + year)
    for entry in (delivered, doubt, verify, postponed, waits, sending("sent")):
        await ledger.save_entry(entry)

    assert await ledger.reschedule_entries(NOW, rules) == 3

    found = {entry.key: entry for entry, _ in await ledger.entries()}
    assert found["due"] == entry_of("due")
    assert found["waits"].due_at == NOW + timedelta(seconds=10)
    assert found["doubt"].maybe_sent_at == NOW
    assert found["verify"].due_at == found["verify"].verify_at == NOW + rules.verify_after
    assert (found["sent"], found["done"], found["later"]) == (sending("sent"), delivered, postponed)
    assert await ledger.reschedule_entries(NOW, rules) == 0


async def test_many_waiting_entries_are_rescheduled_at_once(ledger: Ledger) -> None:
    keys = [f"{number}" for number in range(450)]
    await add_entries(ledger, *keys, at=NOW + timedelta(hours=3))

    assert await ledger.reschedule_entries(NOW, DeliveryRules()) == 450
    assert len(await ledger.due_entries(NOW + timedelta(seconds=10), 1_000)) == 450
