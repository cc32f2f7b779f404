"""The directory as the core sees it: a transaction that writes, many readers, the run's report."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionOwner,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    Version,
)
from bridge.domain.directory.routing_facts import DailyFacts, FactCounts
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import DataAge
from bridge.errors import StoreError
from bridge.ports.onec import DirectoryObject


@dataclass(frozen=True, slots=True)
class EntitySync:
    """How one entity set fared in a run. *seconds* of wall time, *bytes* of decoded answers.

    *proven_at* is when its rows were last proven equal to 1C's: this run, or where *error* tells
    why they could not be compared, the last one that could. *fingerprint* is that of the listing
    with which the rows are level; empty when they are not.
    """

    kind: EntityKind
    listed: int = 0
    held: int = 0
    fetched: int = 0
    buried: int = 0
    unread_phones: int = 0
    seconds: float = 0.0
    requests: int = 0
    bytes: int = 0
    proven_at: datetime | None = None
    error: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One run as data: what was compared, what moved, what was found wrong on the way."""

    started_at: datetime
    seconds: float
    full: bool
    changed: bool
    numbers: int
    entities: tuple[EntitySync, ...]
    #: Extensions that several reachable users share: extension → names.
    shared_extensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The attribute that holds extensions; None when 1C has none of that title.
    extension_property: Ref | None = None
    managers_without_extension: int = 0
    unread_examples: tuple[str, ...] = ()
    #: What calls are routed by, counted, and the highest counts of the last days.
    facts: FactCounts = field(default_factory=dict)
    days: tuple[DailyFacts, ...] = ()
    #: Nobody can be called, and no person said that this is right.
    nobody_reachable: bool = False

    @property
    def proven_at(self) -> datetime | None:
        """When the data were last proven equal: the oldest of the entity sets that ever were."""
        oldest = self.oldest_proof
        return None if oldest is None else oldest.proven_at

    @property
    def oldest_proof(self) -> EntitySync | None:
        """The entity set whose proof is the oldest; sets that were never there do not count."""
        proven = {e.proven_at: e for e in self.entities if e.proven_at is not None}
        return proven[min(proven)] if proven else None

    @property
    def lagging_entity(self) -> EntitySync | None:
        """The entity set that keeps the data from being as fresh as this run, if there is one."""
        oldest = self.oldest_proof
        return oldest if oldest is not None and oldest.error else None

    def entity(self, kind: EntityKind) -> EntitySync:
        """Tell how *kind* fared."""
        return next((e for e in self.entities if e.kind is kind), EntitySync(kind))


class DirectoryCounts(Protocol):
    """What a transaction leaves in the directory, counted."""

    def routing_facts(self) -> FactCounts:
        """Return the counts of what calls are routed by, as this transaction leaves them."""
        ...

    def count_rows(self, kind: EntityKind) -> int:
        """Count rows of *kind* as this transaction leaves them."""
        ...

    def unread_phones(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        """Count phone fields from which no number was read, with up to ten examples."""
        ...


class DirectoryTransaction(DirectoryCounts, Protocol):
    """All of one run's changes; they become visible together, or not at all."""

    def put(self, kind: EntityKind, objects: Iterable[DirectoryObject]) -> None:
        """Insert or replace by reference."""
        ...

    def remove(self, kind: EntityKind, refs: Iterable[Ref]) -> None:
        """Bury objects that 1C no longer lists."""
        ...

    def managers(self) -> Sequence[Manager]:
        """Give all managers as this transaction leaves them; few."""
        ...

    def clear(self) -> None:
        """Forget everything: the run brings the world anew."""
        ...

    def reindex(self) -> int:
        """Recompute the cards of every number that the changes touch; give all numbers held."""
        ...

    def save_report(self, report: SyncReport) -> None:
        """Keep the run's report as the checkpoint."""
        ...


class DirectoryStore(Protocol):
    """The directory as the sync process writes it: one writer, blocking calls.

    Opening it raises SyncRunning while another process writes; every method may raise StoreError.
    Behind a StoreDamaged nothing is held any more: the next run is a first one.
    """

    def versions(self, kind: EntityKind) -> dict[Ref, Version]:
        """Give what is held, to compare with a listing."""
        ...

    def report(self) -> SyncReport | None:
        """Give the last saved report; None before the first run."""
        ...

    def transaction(self) -> AbstractContextManager[DirectoryTransaction]:
        """Begin the run's transaction; leaving with an exception rolls everything back."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class CallerDirectory(Protocol):
    """The directory as callers are answered from it: in microseconds, never blocked by a writer."""

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        """Find all owners of *number*; raises StoreError when the file cannot be read."""
        ...

    def managers(self) -> Mapping[Ref, Manager]:
        """Return the managers by reference, as of the last refresh."""
        ...

    def owner_of(self, extension: str) -> ExtensionOwner:
        """Find the 1C user behind an extension."""
        ...

    def age(self, now: datetime) -> DataAge:
        """Tell when the directory was last proven equal to 1C, and whether that is too long ago."""
        ...


class DirectoryNames(Protocol):
    """The directory as people search it; raises StoreError where it cannot be read."""

    def partner(self, ref: Ref) -> Partner | None:
        """Find a partner by reference; raises StoreError when the file cannot be read."""
        ...

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        """Search names by substring, in any letter case."""
        ...


class Directory(CallerDirectory, DirectoryNames, Protocol):
    """The directory as callers are answered from it: in microseconds, never blocked by a writer."""

    def report(self) -> SyncReport | None:
        """Give the report of the last run that proved it; None before the first."""
        ...

    def error(self) -> StoreError | None:
        """Give what is wrong with the index as a whole: it answers nobody; None when it is well."""
        ...

    def refresh(self) -> bool:
        """Take up what the sync process committed; True when something changed."""
        ...

    def count_numbers(self) -> int:
        """Count the numbers in the index."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
