"""The services behind the web application, in memory and with failures that a test wants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.domain.calls.call import PhoneCall, call_from_question
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.delivery.outbox import retry_now
from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.directory.entities import (
    ExtensionOwner,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    find_extension_owner,
)
from bridge.domain.phone.callers import read_caller, read_did
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.reporting.data_quality import DataQualityIssueKind, DataQualityIssues
from bridge.domain.reporting.figures import CallFact
from bridge.domain.reporting.search_names import normalise_name, searchable_names
from bridge.domain.routing.decision import (
    DataAge,
    NumberMemory,
    RouteDecision,
    RouteQuestion,
    RoutingRules,
)
from bridge.domain.routing.routing import decide_route
from bridge.domain.whole_numbers import read_whole_number
from bridge.errors import StoreError
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.calls import CallFilter, CallSearch
from bridge.ports.stores.directory import SyncReport
from bridge.ports.stores.outbox import OutboxCounts
from tests.support.builders import NOON, RULES


@dataclass
class LedgerInMemory:
    """Keeps calls, outbox entries and events; *full_disk* makes every access fail."""

    stored: dict[str, PhoneCall] = field(default_factory=dict)
    outbox: dict[str, OutboxEntry] = field(default_factory=dict)
    kept_events: list[RawEvent] = field(default_factory=list)
    kept_unread: list[RawEvent] = field(default_factory=list)
    missed: list[MissedCall] = field(default_factory=list)
    choices: dict[PhoneNumber, Ref] = field(default_factory=dict)
    full_disk: bool = False

    def _touch(self) -> None:
        if self.full_disk:
            raise StoreError("ledger.db", "disk full")

    async def unread_events(self, limit: int, after: int = -1) -> list[tuple[int, RawEvent]]:
        self._touch()
        return list(enumerate(self.kept_unread))[after + 1 :][:limit]

    async def count_unread_events(self) -> int:
        self._touch()
        return len(self.kept_unread)

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        self._touch()
        if call.key in self.stored:
            return self.stored[call.key]
        self.stored[call.key] = call
        if entry is not None:
            self.outbox[entry.key] = entry
        return call

    async def record_event(self, event: RawEvent) -> None:
        self._touch()
        self.kept_events.append(event)

    async def retry_entry(self, key: str, now: datetime) -> OutboxEntry | None:
        self._touch()
        if key in self.outbox:
            self.outbox[key] = retry_now(self.outbox[key], now)
        return self.outbox.get(key)

    async def save_entry(self, entry: OutboxEntry) -> bool:
        self._touch()
        if entry.key not in self.outbox:
            return False
        self.outbox[entry.key] = entry
        return True

    async def due_entries(
        self, now: datetime, limit: int
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        due = [e for e in self.outbox.values() if e.is_due(now)]
        return [(e, self.stored[e.key]) for e in due[:limit]]

    async def recover_after_crash(self) -> int:
        return 0

    async def entries(
        self, states: Sequence[EntryState] = (), limit: int = 100
    ) -> Sequence[tuple[OutboxEntry, PhoneCall]]:
        self._touch()
        found = [e for e in self.outbox.values() if not states or e.state in states]
        found.sort(key=lambda e: e.created_at, reverse=True)
        return [(e, self.stored[e.key]) for e in found[:limit]]

    async def entry(self, key: str) -> tuple[OutboxEntry, PhoneCall] | None:
        self._touch()
        found = [e for e in self.outbox.values() if e.key.startswith(key)]
        return (found[0], self.stored[found[0].key]) if len(found) == 1 else None

    async def drop_entry(self, key: str) -> bool:
        self._touch()
        return self.outbox.pop(key, None) is not None

    async def open_missed_calls(self) -> Sequence[MissedCall]:
        self._touch()
        return self.missed

    async def count_entries(self) -> OutboxCounts:
        self._touch()
        states = [e.state for e in self.outbox.values()]
        return OutboxCounts(
            due=states.count(EntryState.DUE),
            sending=states.count(EntryState.SENDING),
            dead=states.count(EntryState.DEAD),
            delivered=states.count(EntryState.DELIVERED),
            oldest_due=min(
                (e.created_at for e in self.outbox.values() if e.state is EntryState.DUE),
                default=None,
            ),
        )

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        matching: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        self._touch()
        filtered = matching or CallFilter()
        number = filtered.number if number is None else number
        found = [
            c
            for c in self.stored.values()
            if (before is None or c.received_at < before)
            and (number is None or c.caller.number == number)
            and filtered.client in (None, c.client_key)
            and filtered.direction in (None, c.direction)
            and (not filtered.dispositions or c.state.disposition in filtered.dispositions)
        ]
        return sorted(found, key=lambda c: c.received_at, reverse=True)[:limit]

    async def call(self, key: str) -> PhoneCall | None:
        self._touch()
        return self.stored.get(key)

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        return [
            c
            for c in self.stored.values()
            if c.received_at >= moment and (until is None or c.received_at < until)
        ]

    async def call_by_ref(self, ref: str) -> PhoneCall | None:
        return next((c for c in self.stored.values() if ref and c.state.call_ref == ref), None)

    async def unapplied_events(self, limit: int) -> Sequence[tuple[int, RawEvent]]:
        return list(enumerate(self.kept_events))[:limit]

    async def events_of_call(self, key: str) -> Sequence[RawEvent]:
        del key
        return ()

    def number_memory(self, number: PhoneNumber) -> NumberMemory:
        return NumberMemory(chosen_owner=self.choices.get(number))

    async def save_choice(self, number: PhoneNumber, owner: Ref) -> None:
        self._touch()
        self.choices[number] = owner

    async def close(self) -> None:
        pass


@dataclass
class DirectoryInMemory:
    """Knows the cards it is given; *proven_at* and *stale* are its freshness."""

    cards: dict[PhoneNumber, CallerCard] = field(default_factory=dict)
    staff: dict[Ref, Manager] = field(default_factory=dict)
    proven_at: datetime | None = NOON - timedelta(minutes=1)
    stale: bool = False
    last_report: SyncReport | None = None
    broken: StoreError | None = None

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        return self.cards.get(number)

    def managers(self) -> Mapping[Ref, Manager]:
        return self.staff

    def owner_of(self, extension: str) -> ExtensionOwner:
        return find_extension_owner(extension, self.staff)

    def age(self, now: datetime) -> DataAge:
        del now
        return DataAge(self.proven_at, self.stale)

    def report(self) -> SyncReport | None:
        return self.last_report

    def error(self) -> StoreError | None:
        return self.broken

    def refresh(self) -> bool:
        return False

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        del text, limit
        return ()

    def partner(self, ref: Ref) -> Partner | None:
        del ref
        return None

    def count_numbers(self) -> int:
        return len(self.cards)

    def close(self) -> None:
        pass


@dataclass
class AnsweringInMemory:
    """Decides from the directory and records at once; *broken* makes it raise what it is."""

    ledger: LedgerInMemory
    directory: DirectoryInMemory
    clock: Callable[[], datetime]
    rules: RoutingRules = field(default_factory=RoutingRules)
    broken: Exception | None = None
    questions: list[RouteQuestion] = field(default_factory=list)

    async def answer(self, question: RouteQuestion) -> RouteDecision:
        self.questions.append(question)
        if self.broken is not None:
            raise self.broken
        decision = self._decide(question)
        call = call_from_question(question, decision)
        entry = OutboxEntry(call.key, call.received_at, call.received_at)
        await self.ledger.record_call(call, entry if call.needs_document else None)
        return decision

    def fallback(self, question: RouteQuestion) -> RouteDecision:
        return decide_route(
            question, None, {}, lambda _: ExtensionOwner(None), self.rules, index_error="broken"
        )

    def explain(self, caller: str, did: str) -> tuple[RouteQuestion, RouteDecision]:
        question = RouteQuestion(
            "explain", read_caller(caller, RULES), read_did(did, RULES), self.clock()
        )
        return question, self._decide(question)

    def _decide(self, question: RouteQuestion) -> RouteDecision:
        number = question.caller.number
        return decide_route(
            question,
            None if number is None else self.directory.look_up(number),
            self.directory.managers(),
            self.directory.owner_of,
            self.rules,
            memory=None if number is None else self.ledger.number_memory(number),
            age=self.directory.age(question.received_at),
        )


@dataclass
class HistoryInMemory:
    """Looks through the ledger's calls: by outcome, direction, extension, number, name, days."""

    ledger: LedgerInMemory

    async def find(
        self, filtered: CallSearch, *, limit: int, after: str = ""
    ) -> tuple[Sequence[PhoneCall], str]:
        found = [call for call in await self.ledger.calls(limit=10_000) if _matches(call, filtered)]
        begun = read_whole_number(after) or 0
        page = found[begun : begun + limit]
        return page, str(begun + limit) if len(found) > begun + limit else ""

    async def facts(self, since: datetime, until: datetime) -> Sequence[CallFact]:
        return [
            CallFact(
                c.received_at, c.direction, c.state.disposition, c.decision.rule, c.state.wait_time
            )
            for c in self.ledger.stored.values()
            if since <= c.received_at < until and not c.is_test_request
        ]

    async def each(self, since: datetime, look: Callable[[PhoneCall], None]) -> None:
        for call in self.ledger.stored.values():
            if call.received_at >= since:
                look(call)


def _matches(call: PhoneCall, search: CallSearch) -> bool:
    target, filtered = call.decision.target, search.filter
    return (
        (filtered.since is None or call.received_at >= filtered.since)
        and (filtered.until is None or call.received_at < filtered.until)
        and filtered.direction in {None, call.direction}
        and (not filtered.dispositions or call.state.disposition in filtered.dispositions)
        and (
            not filtered.extension
            or (target is not None and target.extension == filtered.extension)
        )
        and filtered.number in {None, call.caller.number}
        and search.digits in str(call.caller.number)
        and normalise_name(search.name) in searchable_names(call)
    )


@dataclass
class DataQualityInMemory:
    """Returns the issues it was given."""

    unmanaged: DataQualityIssues = field(
        default_factory=lambda: DataQualityIssues(DataQualityIssueKind.NO_MANAGER, 0, 0)
    )
    unreadable: DataQualityIssues = field(
        default_factory=lambda: DataQualityIssues(DataQualityIssueKind.UNREADABLE, 0, 0)
    )

    async def unmanaged_partners(self, costs: Mapping[Ref, int], limit: int) -> DataQualityIssues:
        del costs, limit
        return self.unmanaged

    async def unreadable_phones(
        self, unknown_tails: Mapping[str, int], limit: int
    ) -> DataQualityIssues:
        del unknown_tails, limit
        return self.unreadable
