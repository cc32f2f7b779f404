"""A directory in memory: `Directory` as callers are answered, `DirectoryStore` as a pull writes."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionOwner,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    Version,
    find_extension_owner,
)
from bridge.domain.directory.routing_facts import FactCounts, count_facts
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import DataAge
from bridge.errors import StoreError
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import DirectoryTransaction, SyncReport
from tests.support import builders as b


@dataclass(slots=True)
class MemoryDirectory:
    """Answers from *cards*; *read_error* is the message with which its file fails."""

    people: dict[Ref, Manager] = field(default_factory=lambda: b.rows(b.manager()))
    cards: dict[PhoneNumber, CallerCard] = field(default_factory=dict)
    read_error: str = ""
    #: Returned instead of "proven a minute ago", where it is set.
    data_age: DataAge | None = None

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        if self.read_error:
            raise StoreError("directory.db", self.read_error)
        return self.cards.get(number)

    def managers(self) -> Mapping[Ref, Manager]:
        return self.people

    def owner_of(self, extension: str) -> ExtensionOwner:
        return find_extension_owner(extension, self.people)

    def age(self, now: datetime) -> DataAge:
        return self.data_age or DataAge(proven_at=now - timedelta(minutes=1))

    def report(self) -> SyncReport | None:
        return None

    def error(self) -> StoreError | None:
        return StoreError("directory.db", self.read_error) if self.read_error else None

    def refresh(self) -> bool:
        return False

    def partner(self, ref: Ref) -> Partner | None:
        del ref
        return None

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        del text, limit
        return []

    def count_numbers(self) -> int:
        return len(self.cards)

    def close(self) -> None:
        pass


ObjectsByKind = dict[EntityKind, dict[Ref, DirectoryObject]]


@dataclass(slots=True)
class MemoryTransaction:
    """Works on a copy of the objects; the store takes it over at the end."""

    objects: ObjectsByKind
    saved_report: SyncReport | None
    reindexed: bool = False
    cleared: bool = False

    def put(self, kind: EntityKind, objects: Iterable[DirectoryObject]) -> None:
        self.objects[kind].update({one.ref: one for one in objects})

    def remove(self, kind: EntityKind, refs: Iterable[Ref]) -> None:
        for ref in refs:
            self.objects[kind].pop(ref, None)

    def managers(self) -> Sequence[Manager]:
        return [m for m in self.objects[EntityKind.MANAGER].values() if isinstance(m, Manager)]

    def clear(self) -> None:
        self.cleared = True
        for rows in self.objects.values():
            rows.clear()

    def reindex(self) -> int:
        self.reindexed = True
        return len(
            {
                phone.number
                for rows in self.objects.values()
                for one in rows.values()
                if not isinstance(one, Manager)
                for typed in one.phone_fields
                for phone in typed.phones
            }
        )

    def routing_facts(self) -> FactCounts:
        return count_facts(one for rows in self.objects.values() for one in rows.values())

    def count_rows(self, kind: EntityKind) -> int:
        return len(self.objects[kind])

    def unread_phones(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        texts = [
            typed.text
            for one in self.objects[kind].values()
            if not isinstance(one, Manager)
            for typed in one.phone_fields
            if not typed.phones
        ]
        return len(texts), tuple(texts[:10])

    def save_report(self, report: SyncReport) -> None:
        self.saved_report = report


@dataclass(slots=True)
class MemoryDirectoryStore:
    """Objects by kind and reference."""

    objects: ObjectsByKind = field(default_factory=lambda: {kind: {} for kind in EntityKind})
    saved_report: SyncReport | None = None
    transactions: list[MemoryTransaction] = field(default_factory=list)
    compared: list[EntityKind] = field(default_factory=list)

    def versions(self, kind: EntityKind) -> dict[Ref, Version]:
        self.compared.append(kind)
        return {ref: one.version for ref, one in self.objects[kind].items()}

    def report(self) -> SyncReport | None:
        return self.saved_report

    @contextmanager
    def transaction(self) -> Iterator[DirectoryTransaction]:
        run = MemoryTransaction(copy.deepcopy(self.objects), self.saved_report)
        yield run
        self.objects, self.saved_report = run.objects, run.saved_report
        self.transactions.append(run)

    def close(self) -> None:
        pass
