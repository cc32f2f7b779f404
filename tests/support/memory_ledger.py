"""A `Ledger` in memory that one can ask and put in a mood; and somebody who notes all events."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from bridge.domain import outbox
from bridge.domain.calls import PhoneCall, join_question
from bridge.domain.decision import NumberMemory
from bridge.domain.directory import Ref
from bridge.domain.missed import MissedDebt
from bridge.domain.outbox import EntryState, OutboxEntry
from bridge.domain.phone import PhoneNumber
from bridge.domain.retention import day_of, is_done
from bridge.errors import StoreError
from bridge.ports import (
    UNREAD,
    CallFilter,
    Change,
    Event,
    Forgotten,
    OutboxCounts,
    RawEvent,
    Talk,
)

_E = TypeVar("_E", bound=Event)


@dataclass(slots=True)
class NotedEvents:
    """`Events` with a memory."""

    noted: list[Event] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, event: Event) -> None:
        self.noted.append(event)
        self._more.set()

    def of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.noted if isinstance(event, kind)]

    async def until(self, kind: type[_E], wanted: Callable[[_E], bool]) -> None:
        """Wait until an event of *kind* was noted that is *wanted*."""
        async with asyncio.timeout(10):
            while not any(wanted(event) for event in self.of(kind)):
                self._more.clear()
                await self._more.wait()


@dataclass(slots=True)
class MemoryLedger:
    """*disk* holds writes of calls up until it is set; *broken* refuses every write."""

    clock: Callable[[], datetime]
    journal: dict[str, PhoneCall] = field(default_factory=dict)
    debts: dict[str, OutboxEntry] = field(default_factory=dict)
    events: list[RawEvent] = field(default_factory=list)
    told: dict[int, str] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    days: dict[date, datetime] = field(default_factory=dict)
    missed: dict[str, MissedDebt] = field(default_factory=dict)
    talks: dict[PhoneNumber, Talk] = field(default_factory=dict)
    choices: dict[PhoneNumber, Ref] = field(default_factory=dict)
    disk: asyncio.Event | None = None
    broken: bool = False
    #: Called around every durable change of an entry: the bridge may be killed there.
    around_save: Callable[[], None] = lambda: None

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        if self.disk is not None:
            await self.disk.wait()
        self._write()
        standing = self.journal.get(call.key)
        joined = call if standing is None else join_question(standing, call)
        self.journal[call.key] = joined
        if entry is not None:
            self.debts.setdefault(entry.key, entry)
            if standing is not None and (joined != standing or call.heard):
                self._wake(entry.key)
        return joined

    async def record_event(self, event: RawEvent) -> None:
        self._write()
        self.events.append(event)

    async def untold(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        rows = [(row, raw) for row, raw in enumerate(self.events) if row not in self.told]
        return rows[:limit]

    async def unread(self, limit: int, after: int = -1) -> Sequence[tuple[int, RawEvent]]:
        rows = [row for row, key in sorted(self.told.items()) if key == UNREAD and row > after]
        return [(row, self.events[row]) for row in rows[:limit]]

    async def unread_count(self) -> int:
        return sum(key == UNREAD for key in self.told.values())

    async def apply(self, change: Change) -> None:
        await asyncio.sleep(0)
        self._write()
        self.around_save()
        self.journal |= {call.key: call for call in change.calls}
        for entry in change.entries:
            self.debts.setdefault(entry.key, entry)
        for key in change.woken:
            self._wake(key)
        self.missed |= {debt.key: debt for debt in change.debts}
        self.talks |= {talk.number: talk for talk in change.talks}
        self.told |= dict(change.events)
        for raw, key in change.arrived:
            if key is not None:
                self.told[len(self.events)] = key
            self.events.append(raw)
        self.around_save()

    async def events_of(self, key: str) -> Sequence[RawEvent]:
        return [
            raw
            for row, raw in enumerate(self.events)
            if self.told.get(row) == key and row not in self.forgotten
        ]

    async def open_debts(self) -> Sequence[MissedDebt]:
        return [debt for debt in self.missed.values() if debt.is_open]

    async def forget(self, before: datetime) -> Forgotten:
        waiting = {key for debt in self.missed.values() if debt.is_open for key in debt.calls}
        old = [call for call in self.journal.values() if call.received_at < before]
        done = [
            call.key
            for call in old
            if is_done(call, self.debts.get(call.key), waits=call.key in waiting)
        ]
        missed = [key for key in done if self.missed.pop(key, None) is not None]
        for key in done:
            del self.journal[key]
            self.debts.pop(key, None)
        events = [
            row
            for row, raw in enumerate(self.events)
            if raw.received_at < before
            and row in self.told
            and self.told[row] not in self.journal
            and row not in self.forgotten
        ]
        self.forgotten.update(events)
        talks = [number for number, talk in self.talks.items() if talk.at < before]
        for number in talks:
            del self.talks[number]
        kept = len(old) - len(done)
        return Forgotten(len(done), len(events), len(missed), len(talks), kept)

    async def note_day(self, now: datetime) -> None:
        self.days.pop(day_of(now), None)
        self.days[day_of(now)] = now

    async def days_seen(self) -> Sequence[date]:
        return list(self.days)

    async def last_seen(self) -> datetime | None:
        return list(self.days.values())[-1] if self.days else None

    async def call_of_ref(self, ref: str) -> PhoneCall | None:
        found = [call for call in self.journal.values() if ref and call.life.call_ref == ref]
        return found[-1] if found else None

    async def save_entry(self, entry: OutboxEntry) -> bool:
        await asyncio.sleep(0)  # others run meanwhile, as they do while a disk writes
        self._write()
        if entry.key not in self.debts:
            return False
        self.around_save()
        rests = entry.state is EntryState.SETTLED or entry.stage is outbox.Stage.VERIFY
        behind = self.journal[entry.key].revision > entry.revision
        if rests and behind and entry.state is not EntryState.SENDING:
            entry = outbox.woken(entry, self.clock())
        self.debts[entry.key] = entry
        self.around_save()
        return True

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        entry = self.debts.get(key)
        if entry is not None:
            entry = self.debts[key] = outbox.retried(entry, now)
        return entry

    async def due(self, now: datetime, limit: int) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        entries = [entry for entry in self.debts.values() if entry.owed_now(now)]
        entries.sort(key=lambda e: (e.attempts > 0 or e.stage is outbox.Stage.VERIFY, e.created_at))
        return self._with_calls(entries[:limit])

    async def recover(self) -> int:
        left = [e for e in self.debts.values() if e.state is EntryState.SENDING]
        for entry in left:
            self.debts[entry.key] = outbox.recovered(entry, self.clock())
        return len(left)

    async def release(
        self, now: datetime, stage: outbox.Stage | None, limit: int, *, freshest: bool = False
    ) -> int:
        held = [e for e in self.debts.values() if e.held and stage in {None, e.stage}]
        held = held[::-1] if freshest else sorted(held, key=lambda e: e.due_at)
        for entry in held[:limit]:
            self.debts[entry.key] = outbox.released(entry, now)
        return len(held[:limit])

    async def rearm(self, now: datetime, rules: outbox.DeliveryRules) -> int:
        before = dict(self.debts)
        for key, entry in before.items():
            self.debts[key] = outbox.rearmed(entry, now, rules)
        return sum(self.debts[key] != entry for key, entry in before.items())

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        found = [e for e in self.debts.values() if not states or e.state in states]
        return self._with_calls(found[::-1][:limit])

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        found = [entry for name, entry in self.debts.items() if name.startswith(key)]
        return self._with_calls(found)[0] if len(found) == 1 else None

    async def drop_entry(self, key: str) -> bool:
        return self.debts.pop(key, None) is not None

    async def counts(self) -> OutboxCounts:
        states = [entry.state for entry in self.debts.values()]
        due = [e.created_at for e in self.debts.values() if e.state is EntryState.DUE]
        return OutboxCounts(
            due=len(due),
            sending=states.count(EntryState.SENDING),
            dead=states.count(EntryState.DEAD),
            settled=states.count(EntryState.SETTLED),
            oldest_due=min(due, default=None),
        )

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        wanted: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        wanted = wanted or CallFilter()
        number = wanted.number if number is None else number
        found = [
            call
            for call in self.journal.values()
            if (before is None or call.received_at < before)
            and (wanted.until is None or call.received_at < wanted.until)
            and (wanted.since is None or call.received_at >= wanted.since)
            and (number is None or call.caller.number == number)
            and wanted.client in (None, call.client)
            and wanted.direction in (None, call.direction)
            and (not wanted.dispositions or call.life.disposition in wanted.dispositions)
            and (wanted.extension is None or wanted.extension in _telephones(call))
        ]
        return sorted(found, key=lambda call: call.received_at)[::-1][:limit]

    async def call(self, key: str) -> PhoneCall | None:
        return self.journal.get(key)

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        found = [call for call in self.journal.values() if call.received_at >= moment]
        return [call for call in found if until is None or call.received_at < until]

    def memory(self, number: PhoneNumber) -> NumberMemory:
        talk = self.talks.get(number)
        last = None if talk is None else talk.extension
        return NumberMemory(choice=self.choices.get(number), last_extension=last)

    async def remember_choice(self, number: PhoneNumber, owner: Ref) -> None:
        self._write()
        self.choices[number] = owner

    async def close(self) -> None:
        pass

    # ---- what a test does
    def owes(self, call: PhoneCall, at: datetime) -> OutboxEntry:
        """Have *call* on record with its debt, as recording leaves it."""
        self.journal[call.key] = call
        self.debts[call.key] = OutboxEntry(call.key, at, at)
        return self.debts[call.key]

    def is_retried(self, key: str, now: datetime) -> None:
        self.debts[key] = outbox.retried(self.debts[key], now)

    def _wake(self, key: str) -> None:
        if key in self.debts:
            self.debts[key] = outbox.woken(self.debts[key], self.clock())

    def _write(self) -> None:
        if self.broken:
            raise StoreError("ledger.db", "disk full")

    def _with_calls(self, entries: list[OutboxEntry]) -> list[tuple[OutboxEntry, PhoneCall]]:
        return [(entry, self.journal[entry.key]) for entry in entries]


def _telephones(call: PhoneCall) -> tuple[str, ...]:
    told = call.decision.target
    return (
        *call.life.rung,
        *call.life.talked,
        call.placed_by,
        "" if told is None else told.extension,
    )
