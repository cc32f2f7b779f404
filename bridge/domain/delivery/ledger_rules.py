"""What a write to the ledger decides, whichever store makes it durable.

A store calls these functions within its transaction and writes what they return; the store on
SQLite and the one in memory share them, and the contract suite holds both to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.domain.calls.call import PhoneCall, join_question
from bridge.domain.clock import TOLERANCE
from bridge.domain.delivery.entry import (
    DeliveryStage,
    EntryState,
    OutboxEntry,
)
from bridge.domain.delivery.outbox import reopen_entry

#: An entry made within this is fresh: its call is delivered before those that wait longer.
FRESH_FOR: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """What stands in the ledger after a call was recorded whose key was there already."""

    call: PhoneCall
    entry: OutboxEntry | None


def record_again(
    standing: PhoneCall,
    standing_entry: OutboxEntry | None,
    call: PhoneCall,
    entry: OutboxEntry | None,
) -> RecordedCall:
    """Return what stands after *call* was recorded where a call of its key is there already.

    The question of *call* joins a call that began with its events. *entry* is added where there is
    none; it is reopened where the call changed, or where events had put the call there while its
    own record waited for a disk that refused. Without *entry* the standing one stays as it is.
    """
    joined = join_question(standing, call)
    if entry is None:
        return RecordedCall(joined, standing_entry)
    kept = add_or_keep(standing_entry, entry)
    if joined != standing or call.applied_events:
        kept = reopen_entry(kept, call.received_at)
    return RecordedCall(joined, kept)


def add_or_keep(standing: OutboxEntry | None, new: OutboxEntry) -> OutboxEntry:
    """Return the entry that stands after *new* was added: an earlier one of its key stays."""
    return new if standing is None else standing


def entry_to_save(entry: OutboxEntry, call: PhoneCall, now: datetime) -> OutboxEntry:
    """Return *entry* as it is written: reopened where it is done but its *call* changed meanwhile.

    A call may change while its entry is delivered; what it lacks then must not wait for ever.
    """
    is_done = entry.state is EntryState.DELIVERED or entry.stage is DeliveryStage.VERIFY
    if is_done and entry.state is not EntryState.SENDING and call.revision > entry.revision:
        return reopen_entry(entry, now)
    return entry


def may_guest_change(standing: OutboxEntry | None) -> bool:
    """Return whether a process that does not deliver may replace the *standing* entry."""
    return standing is None or standing.state is not EntryState.SENDING


def needs_recovery(entry: OutboxEntry) -> bool:
    """Return whether *entry* is left as being sent; asked only while nothing is sent."""
    return entry.state is EntryState.SENDING


def is_paused_at(entry: OutboxEntry, stage: DeliveryStage | None) -> bool:
    """Return whether *entry* is paused at *stage*; None: at any stage."""
    return entry.state is EntryState.DUE and entry.paused and stage in {None, entry.stage}


def trial_index(count: int, place: float) -> int:
    """Return which of *count* paused entries is resumed, the freshest call being the first.

    *place* is `StageCircuitBreaker.trial_place`.
    """
    return round(place * max(count - 1, 0))


def is_fresh(entry: OutboxEntry, now: datetime) -> bool:
    """Return whether *entry* was made a moment ago.

    One from the future was made before the wall clock was put back.
    """
    return now - FRESH_FOR <= entry.created_at <= now + TOLERANCE


def order_due_entries(newest_first: Iterable[OutboxEntry], now: datetime) -> list[OutboxEntry]:
    """Return those of the entries that are due, in the order of their delivery.

    *newest_first* are all entries, the last one added first. The unbroken run of fresh ones at its
    beginning comes first, the newest before the others; then what has been due longest.
    """
    fresh: list[OutboxEntry] = []
    rest: list[OutboxEntry] = []
    in_fresh_run = True
    for entry in newest_first:
        in_fresh_run = in_fresh_run and is_fresh(entry, now)
        if entry.is_due(now):
            (fresh if in_fresh_run else rest).append(entry)
    rest.reverse()  # of equal moments the one added first comes first
    return fresh + sorted(rest, key=lambda entry: entry.due_at)


def has_timers(entry: OutboxEntry, now: datetime) -> bool:
    """Return whether `reschedule_entry` may change *entry* at *now*."""
    is_waiting = entry.due_at > now
    in_doubt = entry.maybe_sent_at is not None or entry.verify_at is not None
    return entry.state is EntryState.DUE and (is_waiting or in_doubt)


def is_event_expired(
    received_at: datetime, call_key: str | None, before: datetime, *, call_exists: bool
) -> bool:
    """Return whether a stored event may be deleted: old, read, and its call is gone.

    *call_key* is None while it is applied to no call. An event of no call, or one that could not
    be read, has a key of which there is no call.
    """
    return received_at < before and call_key is not None and not call_exists
