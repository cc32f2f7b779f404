"""A `Ledger` in memory that one can ask and put in a mood; and somebody who notes all events."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from bridge.domain.calls.call import PhoneCall, join_question
from bridge.domain.delivery import outbox
from bridge.domain.delivery.entry import EntryState, OutboxEntry
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
    """`Events` with a memory."""

    published: list[Event] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, event: Event) -> None:
        self.published.append(event)
        self._more.set()

    def of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.published if isinstance(event, kind)]

    async def wait_for(self, kind: type[_E], wanted: Callable[[_E], bool]) -> None:
        """Wait until an event of *kind* was noted that is *wanted*."""
        async with asyncio.timeout(10):
            while not any(wanted(event) for event in self.of(kind)):
                self._more.clear()
                await self._more.wait()


@dataclass(slots=True)
class MemoryLedger:
    """*disk* holds writes of calls up until it is set; *broken* refuses every write."""

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
        joined = call if standing is None else join_question(standing, call)
        self.calls_by_key[call.key] = joined
        if entry is not None:
            self.entries_by_key.setdefault(entry.key, entry)
            if standing is not None and (joined != standing or call.applied_events):
                self._wake(entry.key)
        return joined

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
            self.entries_by_key.setdefault(entry.key, entry)
        for key in change.reopened:
            self._wake(key)
        self.missed_calls |= {debt.key: debt for debt in change.missed_calls}
        self.talks |= {talk.number: talk for talk in change.talks}
        self.event_keys |= dict(change.assigned_events)
        for raw, key in change.new_events:
            if key is not None:
                self.event_keys[len(self.stored_events)] = key
            self.stored_events.append(raw)
        self.around_save()

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        return [
            raw
            for row, raw in enumerate(self.stored_events)
            if self.event_keys.get(row) == key and row not in self.deleted_events
        ]

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        return [debt for debt in self.missed_calls.values() if debt.is_open]

    async def delete_older_than(self, before: datetime) -> DeletedRecords:
        waiting = {
            key for debt in self.missed_calls.values() if debt.is_open for key in debt.call_keys
        }
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
            if raw.received_at < before
            and row in self.event_keys
            and self.event_keys[row] not in self.calls_by_key
            and row not in self.deleted_events
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
        rests = entry.state is EntryState.DELIVERED or entry.stage is outbox.DeliveryStage.VERIFY
        behind = self.calls_by_key[entry.key].revision > entry.revision
        if rests and behind and entry.state is not EntryState.SENDING:
            entry = outbox.reopen_entry(entry, self.clock())
        self.entries_by_key[entry.key] = entry
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
        entries = [entry for entry in self.entries_by_key.values() if entry.is_due(now)]
        entries.sort(
            key=lambda e: (e.attempts > 0 or e.stage is outbox.DeliveryStage.VERIFY, e.created_at)
        )
        return self._with_calls(entries[:limit])

    async def recover_after_crash(self) -> int:
        left = [e for e in self.entries_by_key.values() if e.state is EntryState.SENDING]
        for entry in left:
            self.entries_by_key[entry.key] = outbox.recover_after_crash(entry, self.clock())
        return len(left)

    async def resume_entries(
        self,
        now: datetime,
        stage: outbox.DeliveryStage | None,
        limit: int,
        *,
        freshest: bool = False,
    ) -> int:
        held = [e for e in self.entries_by_key.values() if e.paused and stage in {None, e.stage}]
        held = held[::-1] if freshest else sorted(held, key=lambda e: e.due_at)
        for entry in held[:limit]:
            self.entries_by_key[entry.key] = outbox.resume_entry(entry, now)
        return len(held[:limit])

    async def reschedule_entries(self, now: datetime, rules: outbox.DeliveryRules) -> int:
        before = dict(self.entries_by_key)
        for key, entry in before.items():
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
            and (matching.extension is None or matching.extension in _telephones(call))
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
        """Have *call* on record with its debt, as recording leaves it."""
        self.calls_by_key[call.key] = call
        self.entries_by_key[call.key] = OutboxEntry(call.key, at, at)
        return self.entries_by_key[call.key]

    def retry(self, key: str, now: datetime) -> None:
        self.entries_by_key[key] = outbox.retry_now(self.entries_by_key[key], now)

    def _wake(self, key: str) -> None:
        if key in self.entries_by_key:
            self.entries_by_key[key] = outbox.reopen_entry(self.entries_by_key[key], self.clock())

    def _write(self) -> None:
        if self.broken:
            raise StoreError("ledger.db", "disk full")

    def _with_calls(self, entries: list[OutboxEntry]) -> list[tuple[OutboxEntry, PhoneCall]]:
        return [(entry, self.calls_by_key[entry.key]) for entry in entries]


def _telephones(call: PhoneCall) -> tuple[str, ...]:
    told = call.decision.target
    return (
        *call.state.rung_extensions,
        *call.state.talked_extensions,
        call.placed_by,
        "" if told is None else told.extension,
    )
