"""A `Ledger` in memory that a test can read and break, and a publisher that keeps all events."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery import ledger_rules, outbox
from bridge.domain.delivery.entry import DeliveryRules, DeliveryStage, EntryState, OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.retention import day_of, is_done
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import NumberMemory
from bridge.errors import StoreError
from bridge.ports.events import Event
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.calls import CallFilter
from bridge.ports.stores.event_log import UNREAD
from bridge.ports.stores.ledger import LedgerChange
from bridge.ports.stores.number_memory import Talk
from bridge.ports.stores.outbox import OutboxCounts
from bridge.ports.stores.retention import DeletedRecords

_E = TypeVar("_E", bound=Event)


@dataclass(slots=True)
class RecordedEvents:
    """`EventPublisher` that keeps what was published."""

    published: list[Event] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, event: Event) -> None:
        self.published.append(event)
        self._more.set()

    def of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.published if isinstance(event, kind)]

    async def wait_for(self, kind: type[_E], matches: Callable[[_E], bool]) -> None:
        """Wait until an event of *kind* was published that *matches*."""
        async with asyncio.timeout(10):
            while not any(matches(event) for event in self.of(kind)):
                self._more.clear()
                await self._more.wait()


@dataclass(slots=True)
class MemoryLedger:
    """`Ledger` by the rules of `domain.delivery.ledger_rules`.

    Calls are recorded once *disk_ready* is set, where it is given; *broken* refuses every write.
    """

    clock: Callable[[], datetime]
    calls_by_key: dict[str, PhoneCall] = field(default_factory=dict)
    entries_by_key: dict[str, OutboxEntry] = field(default_factory=dict)
    stored_events: list[RawEvent] = field(default_factory=list)
    event_keys: dict[int, str] = field(default_factory=dict)
    deleted_events: set[int] = field(default_factory=set)
    days: dict[date, datetime] = field(default_factory=dict)
    missed_calls: dict[str, MissedCall] = field(default_factory=dict)
    talks: dict[PhoneNumber, Talk] = field(default_factory=dict)
    choices: dict[PhoneNumber, Ref] = field(default_factory=dict)
    disk_ready: asyncio.Event | None = None
    broken: bool = False
    #: Called around every durable change of an entry: the bridge may be killed there.
    around_save: Callable[[], None] = lambda: None

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        if self.disk_ready is not None:
            await self.disk_ready.wait()
        self._write()
        standing = self.calls_by_key.get(call.key)
        if standing is None:
            recorded = ledger_rules.RecordedCall(call, entry)
        else:
            standing_entry = self.entries_by_key.get(call.key)
            recorded = ledger_rules.record_again(standing, standing_entry, call, entry)
        self.calls_by_key[call.key] = recorded.call
        if recorded.entry is not None:
            self.entries_by_key[call.key] = recorded.entry
        return recorded.call

    async def record_event(self, event: RawEvent) -> None:
        self._write()
        self.stored_events.append(event)

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        rows = [
            (row, raw) for row, raw in enumerate(self.stored_events) if row not in self.event_keys
        ]
        return rows[:limit]

    async def unread_events(self, limit: int, after: int = -1) -> Sequence[tuple[int, RawEvent]]:
        rows = [
            row for row, key in sorted(self.event_keys.items()) if key == UNREAD and row > after
        ]
        return [(row, self.stored_events[row]) for row in rows[:limit]]

    async def count_unread_events(self) -> int:
        return sum(key == UNREAD for key in self.event_keys.values())

    async def apply_change(self, change: LedgerChange) -> None:
        await asyncio.sleep(0)
        self._write()
        self.around_save()
        self.calls_by_key |= {call.key: call for call in change.calls}
        for entry in change.entries:
            standing = self.entries_by_key.get(entry.key)
            self.entries_by_key[entry.key] = ledger_rules.add_or_keep(standing, entry)
        for key in change.reopened:
            if key in self.entries_by_key:
                reopened = outbox.reopen_entry(self.entries_by_key[key], self.clock())
                self.entries_by_key[key] = reopened
        self.missed_calls |= {missed.key: missed for missed in change.missed_calls}
        self.talks |= {talk.number: talk for talk in change.talks}
        self.event_keys |= dict(change.assigned_events)
        for raw, call_key in change.new_events:
            if call_key is not None:
                self.event_keys[len(self.stored_events)] = call_key
            self.stored_events.append(raw)
        self.around_save()

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        return [
            raw
            for row, raw in enumerate(self.stored_events)
            if self.event_keys.get(row) == key and row not in self.deleted_events
        ]

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        return [missed for missed in self.missed_calls.values() if missed.is_open]

    async def delete_older_than(self, before: datetime) -> DeletedRecords:
        waiting = {key for missed in await self.open_missed_calls() for key in missed.call_keys}
        old = [call for call in self.calls_by_key.values() if call.received_at < before]
        done = [
            call.key
            for call in old
            if is_done(
                call, self.entries_by_key.get(call.key), is_client_waiting=call.key in waiting
            )
        ]
        missed = [key for key in done if self.missed_calls.pop(key, None) is not None]
        for key in done:
            del self.calls_by_key[key]
            self.entries_by_key.pop(key, None)
        events = [
            row
            for row, raw in enumerate(self.stored_events)
            if row not in self.deleted_events and self._is_event_expired(row, raw, before)
        ]
        self.deleted_events.update(events)
        talks = [number for number, talk in self.talks.items() if talk.at < before]
        for number in talks:
            del self.talks[number]
        kept = len(old) - len(done)
        return DeletedRecords(len(done), len(events), len(missed), len(talks), kept)

    async def record_day(self, now: datetime) -> None:
        self.days.pop(day_of(now), None)
        self.days[day_of(now)] = now

    async def days_seen(self) -> Sequence[date]:
        return list(self.days)

    async def last_seen(self) -> datetime | None:
        return list(self.days.values())[-1] if self.days else None

    async def call_by_ref(self, ref: str) -> PhoneCall | None:
        found = [call for call in self.calls_by_key.values() if ref and call.state.call_ref == ref]
        return found[-1] if found else None

    async def save_entry(self, entry: OutboxEntry) -> bool:
        await asyncio.sleep(0)  # others run meanwhile, as they do while a disk writes
        self._write()
        if entry.key not in self.entries_by_key:
            return False
        self.around_save()
        call = self.calls_by_key[entry.key]
        self.entries_by_key[entry.key] = ledger_rules.entry_to_save(entry, call, self.clock())
        self.around_save()
        return True

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        entry = self.entries_by_key.get(key)
        if entry is not None:
            entry = self.entries_by_key[key] = outbox.retry_now(entry, now)
        return entry

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        newest_first = reversed(self.entries_by_key.values())
        return self._with_calls(ledger_rules.order_due_entries(newest_first, now)[:limit])

    async def recover_after_crash(self) -> int:
        left = [e for e in self.entries_by_key.values() if ledger_rules.needs_recovery(e)]
        for entry in left:
            self.entries_by_key[entry.key] = outbox.recover_after_crash(entry, self.clock())
        return len(left)

    async def resume_entries(
        self,
        now: datetime,
        stage: DeliveryStage | None,
        limit: int,
    ) -> int:
        paused = [e for e in self.entries_by_key.values() if ledger_rules.is_paused_at(e, stage)]
        paused.sort(key=lambda e: e.due_at)
        for entry in paused[:limit]:
            self.entries_by_key[entry.key] = outbox.resume_entry(entry, now)
        return len(paused[:limit])

    async def resume_trial(self, now: datetime, stage: DeliveryStage, place: float) -> bool:
        paused = [e for e in self.entries_by_key.values() if ledger_rules.is_paused_at(e, stage)]
        if not paused:
            return False
        entry = paused[::-1][ledger_rules.trial_index(len(paused), place)]
        self.entries_by_key[entry.key] = outbox.resume_entry(entry, now)
        return True

    async def reschedule_entries(self, now: datetime, rules: DeliveryRules) -> int:
        before = dict(self.entries_by_key)
        for key, entry in before.items():
            if ledger_rules.has_timers(entry, now):
                self.entries_by_key[key] = outbox.reschedule_entry(entry, now, rules)
        return sum(self.entries_by_key[key] != entry for key, entry in before.items())

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        found = [e for e in self.entries_by_key.values() if not states or e.state in states]
        return self._with_calls(found[::-1][:limit])

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        found = [entry for name, entry in self.entries_by_key.items() if name.startswith(key)]
        return self._with_calls(found)[0] if len(found) == 1 else None

    async def drop_entry(self, key: str) -> bool:
        return self.entries_by_key.pop(key, None) is not None

    async def count_entries(self) -> OutboxCounts:
        states = [entry.state for entry in self.entries_by_key.values()]
        due = [e.created_at for e in self.entries_by_key.values() if e.state is EntryState.DUE]
        return OutboxCounts(
            due=len(due),
            sending=states.count(EntryState.SENDING),
            dead=states.count(EntryState.DEAD),
            delivered=states.count(EntryState.DELIVERED),
            oldest_due=min(due, default=None),
        )

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        matching: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        matching = matching or CallFilter()
        number = matching.number if number is None else number
        found = [
            call
            for call in self.calls_by_key.values()
            if (before is None or call.received_at < before)
            and (matching.until is None or call.received_at < matching.until)
            and (matching.since is None or call.received_at >= matching.since)
            and (number is None or call.caller.number == number)
            and matching.client in (None, call.client_key)
            and matching.direction in (None, call.direction)
            and (not matching.dispositions or call.state.disposition in matching.dispositions)
            and (matching.extension is None or matching.extension in _extensions(call))
        ]
        return sorted(found, key=lambda call: call.received_at)[::-1][:limit]

    async def call(self, key: str) -> PhoneCall | None:
        return self.calls_by_key.get(key)

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        found = [call for call in self.calls_by_key.values() if call.received_at >= moment]
        return [call for call in found if until is None or call.received_at < until]

    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        talk = self.talks.get(number)
        last = None if talk is None else talk.extension
        return NumberMemory(chosen_owner=self.choices.get(number), last_extension=last)

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        self._write()
        self.choices[number] = owner

    async def close(self) -> None:
        pass

    # ---- what a test does
    def add_entry(self, call: PhoneCall, at: datetime) -> OutboxEntry:
        """Record *call* with its outbox entry, as `CallRecorder` leaves it."""
        self.calls_by_key[call.key] = call
        self.entries_by_key[call.key] = OutboxEntry(call.key, at, at)
        return self.entries_by_key[call.key]

    def retry(self, key: str, now: datetime) -> None:
        self.entries_by_key[key] = outbox.retry_now(self.entries_by_key[key], now)

    def _is_event_expired(self, row: int, raw: RawEvent, before: datetime) -> bool:
        key = self.event_keys.get(row)
        exists = key in self.calls_by_key
        return ledger_rules.is_event_expired(raw.received_at, key, before, call_exists=exists)

    def _write(self) -> None:
        if self.broken:
            raise StoreError("ledger.db", "disk full")

    def _with_calls(self, entries: list[OutboxEntry]) -> list[tuple[OutboxEntry, PhoneCall]]:
        return [(entry, self.calls_by_key[entry.key]) for entry in entries]


def _extensions(call: PhoneCall) -> tuple[str, ...]:
    target = call.decision.target
    return (
        *call.state.rung_extensions,
        *call.state.talked_extensions,
        call.placed_by,
        "" if target is None else target.extension,
    )
