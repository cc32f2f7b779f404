"""The directory: a transaction that writes it, many readers, the report of a sync run."""

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
    """The report of one entity set. *seconds* of wall time, *bytes* of decoded answers.

    *proven_at* is when its rows were last proven equal to 1C's: this run, or where *error* is
    why they could not be compared, the last one that could. *fingerprint* is that of the listing
    that the rows are equal to; empty where they are not. *buried* is the number of deleted rows.
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
    """One run: what was compared, what changed, what is wrong in the data."""

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
    #: No manager can be called, and no person accepted that.
    nobody_reachable: bool = False

    @property
    def proven_at(self) -> datetime | None:
        """Return when the data were last proven equal: the oldest proof of an entity set."""
        oldest = self.oldest_proof
        return None if oldest is None else oldest.proven_at

    @property
    def oldest_proof(self) -> EntitySync | None:
        """Return the entity set whose proof is the oldest.

        Sets that were never there do not count.
        """
        proven = {e.proven_at: e for e in self.entities if e.proven_at is not None}
        return proven[min(proven)] if proven else None

    @property
    def lagging_entity(self) -> EntitySync | None:
        """Return the entity set that this run could not compare, if its proof is the oldest."""
        oldest = self.oldest_proof
        return oldest if oldest is not None and oldest.error else None

    def entity(self, kind: EntityKind) -> EntitySync:
        """Return the report of *kind*."""
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
        """Delete objects that 1C no longer lists."""
        ...

    def managers(self) -> Sequence[Manager]:
        """Return all managers as this transaction leaves them; few."""
        ...

    def clear(self) -> None:
        """Delete everything: the run fetches all of it anew."""
        ...

    def reindex(self) -> int:
        """Recompute the cards of all numbers that the changes concern.

        Return the count of numbers.
        """
        ...

    def save_report(self, report: SyncReport) -> None:
        """Save the run's report as the checkpoint."""
        ...


class DirectoryStore(Protocol):
    """The directory as the sync process writes it: one writer, blocking calls.

    Opening it raises SyncAlreadyRunning while another process writes; every method may raise
    StoreError. After a StoreDamaged nothing is stored any more: the next run is a first one.
    """

    def versions(self, kind: EntityKind) -> dict[Ref, Version]:
        """Return the stored versions, to compare with a listing."""
        ...

    def report(self) -> SyncReport | None:
        """Return the last saved report; None before the first run."""
        ...

    def transaction(self) -> AbstractContextManager[DirectoryTransaction]:
        """Begin the run's transaction; leaving with an exception rolls everything back."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class CallerDirectory(Protocol):
    """The directory as callers are answered from it: in microseconds, never blocked by a writer."""

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        """Return the card with all owners of *number*; None where there are none.

        Raises StoreError.
        """
        ...

    def managers(self) -> Mapping[Ref, Manager]:
        """Return the managers by reference, as of the last refresh."""
        ...

    def owner_of(self, extension: str) -> ExtensionOwner:
        """Return the 1C user of an extension."""
        ...

    def age(self, now: datetime) -> DataAge:
        """Return when the data were last proven equal to 1C, and whether that is too long ago."""
        ...


class DirectoryNames(Protocol):
    """The directory as operators search it; raises StoreError where it cannot be read."""

    def partner(self, ref: Ref) -> Partner | None:
        """Return a partner by reference. Raises StoreError."""
        ...

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        """Return the owners and managers whose names contain *text*, in any letter case."""
        ...


class Directory(CallerDirectory, DirectoryNames, Protocol):
    """The directory as callers are answered from it: in microseconds, never blocked by a writer."""

    def report(self) -> SyncReport | None:
        """Return the report of the last run that proved it; None before the first."""
        ...

    def error(self) -> StoreError | None:
        """Return why the index answers no question at all; None where it does."""
        ...

    def refresh(self) -> bool:
        """Load what the sync process committed; return whether something changed."""
        ...

    def count_numbers(self) -> int:
        """Return the count of numbers in the index."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...
