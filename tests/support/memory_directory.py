"""A directory in memory: `Directory` as callers are answered, `DirectoryStore` as a pull writes."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.domain.decision import DataAge
from bridge.domain.directory import (
    CallerCard,
    EntityKind,
    ExtensionOwner,
    Manager,
    Owner,
    Ref,
    Version,
    owners_of_extension,
)
from bridge.domain.phone import PhoneNumber
from bridge.domain.routing_facts import FactCounts, count_facts
from bridge.errors import StoreError
from bridge.ports import DirectoryTransaction, Noun, SyncReport
from tests.support import builders as b


@dataclass(slots=True)
class MemoryDirectory:
    """Answers from *cards*; *broken* holds the words with which its file refuses."""

    people: dict[int, Manager] = field(default_factory=lambda: b.rows(b.manager()))
    cards: dict[PhoneNumber, CallerCard] = field(default_factory=dict)
    broken: str = ""
    #: Told instead of "proven a minute ago", where it is set.
    data_age: DataAge | None = None

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        if self.broken:
            raise StoreError("directory.db", self.broken)
        return self.cards.get(number)

    def managers(self) -> Mapping[int, Manager]:
        return self.people

    def owner_of(self, extension: str) -> ExtensionOwner:
        return owners_of_extension(extension, self.people)

    def age(self, now: datetime) -> DataAge:
        return self.data_age or DataAge(proven_at=now - timedelta(minutes=1))

    def report(self) -> SyncReport | None:
        return None

    def trouble(self) -> StoreError | None:
        return StoreError("directory.db", self.broken) if self.broken else None

    def refresh(self) -> bool:
        return False

    def find(self, words: str, limit: int = 20) -> Sequence[Owner | Manager]:
        del words, limit
        return []

    def numbers(self) -> int:
        return len(self.cards)

    def close(self) -> None:
        pass


World = dict[EntityKind, dict[Ref, Noun]]


@dataclass(slots=True)
class MemoryTransaction:
    """Works on a copy of the world; the store takes it over at the end."""

    world: World
    saved: SyncReport | None
    reindexed: bool = False
    cleared: bool = False

    def put(self, kind: EntityKind, nouns: Iterable[Noun]) -> None:
        self.world[kind].update({noun.ref: noun for noun in nouns})

    def remove(self, kind: EntityKind, refs: Iterable[Ref]) -> None:
        for ref in refs:
            self.world[kind].pop(ref, None)

    def managers(self) -> Sequence[Manager]:
        return [m for m in self.world[EntityKind.MANAGER].values() if isinstance(m, Manager)]

    def clear(self) -> None:
        self.cleared = True
        for rows in self.world.values():
            rows.clear()

    def reindex(self) -> int:
        self.reindexed = True
        return len(
            {
                phone.number
                for rows in self.world.values()
                for noun in rows.values()
                if not isinstance(noun, Manager)
                for typed in noun.fields
                for phone in typed.phones
            }
        )

    def facts(self) -> FactCounts:
        return count_facts(noun for rows in self.world.values() for noun in rows.values())

    def held(self, kind: EntityKind) -> int:
        return len(self.world[kind])

    def unread(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        texts = [
            typed.typed
            for noun in self.world[kind].values()
            if not isinstance(noun, Manager)
            for typed in noun.fields
            if not typed.phones
        ]
        return len(texts), tuple(texts[:10])

    def save_report(self, report: SyncReport) -> None:
        self.saved = report


@dataclass(slots=True)
class MemoryDirectoryStore:
    """Holds nouns by kind and reference."""

    world: World = field(default_factory=lambda: {kind: {} for kind in EntityKind})
    saved: SyncReport | None = None
    runs: list[MemoryTransaction] = field(default_factory=list)
    looked_at: list[EntityKind] = field(default_factory=list)

    def versions(self, kind: EntityKind) -> dict[Ref, Version]:
        self.looked_at.append(kind)
        return {ref: noun.version for ref, noun in self.world[kind].items()}

    def report(self) -> SyncReport | None:
        return self.saved

    @contextmanager
    def transaction(self) -> Iterator[DirectoryTransaction]:
        run = MemoryTransaction(copy.deepcopy(self.world), self.saved)
        yield run
        self.world, self.saved = run.world, run.saved
        self.runs.append(run)

    def close(self) -> None:
        pass
