"""Pull: bring the directory level with 1C.

    list ─► compare ─► guard ─► fetch what moved ─► apply in one transaction ─► report

The listing is the proof: whatever happens after it, readers see the old world or the new one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bridge.domain.directory import (
    EntityKind,
    ExtensionSources,
    Manager,
    Ref,
    Version,
    with_extension,
)
from bridge.domain.reconcile import Changes, compare, guard
from bridge.errors import OneCNotPublished
from bridge.ports import (
    Clock,
    DirectoryStore,
    DirectoryTransaction,
    EntitySync,
    OneCSource,
    SyncReport,
)

#: Managers first: chains point at their rows. Owners of phones after the partners they belong to.
_ORDER = (EntityKind.MANAGER, EntityKind.PARTNER, EntityKind.CONTACT, EntityKind.COUNTERPARTY)

#: Without these there is nobody to route to, or nobody to route for.
_REQUIRED = frozenset({EntityKind.MANAGER, EntityKind.PARTNER})


class Progress(Protocol):
    """Where a run tells how far it is; a terminal's bar, or nothing."""

    def listing(self, kind: EntityKind) -> None:
        """Say that *kind* is being listed."""
        ...

    def fetching(self, kind: EntityKind, total: int) -> None:
        """Say how many bodies of *kind* will be fetched."""
        ...

    def fetched(self, kind: EntityKind, count: int) -> None:
        """Say that *count* more bodies are here."""
        ...

    def indexing(self) -> None:
        """Say that the phone index is being brought level."""
        ...


@dataclass(frozen=True, slots=True)
class PullRules:
    """*full*: bring every body anew. *accept_shrink*: a person said the listing is right."""

    max_shrink: float = 0.2
    full: bool = False
    accept_shrink: bool = False


@dataclass(slots=True)
class _Plan:
    """What one entity set needs, and what it cost so far."""

    kind: EntityKind
    listed: Mapping[Ref, Version]
    changes: Changes
    proven_at: datetime
    seconds: float
    requests: int
    bytes: int
    error: str = ""
    fetched: int = 0


class Pull:
    """One sync run over a 1C source and a directory store."""

    def __init__(
        self,
        *,
        source: OneCSource,
        store: DirectoryStore,
        clock: Clock,
        rules: PullRules,
        progress: Progress,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._rules = rules
        self._progress = progress
        self._stopwatch = stopwatch

    async def run(self, last: SyncReport | None) -> SyncReport:
        """Run once; *last* is the report of the run before, None when there was none.

        Raises:
            OneCError: nothing was changed.
            SyncRefused: a listing shrank too much; nothing was changed.
            StoreError: nothing was changed.
        """
        started_at = self._clock()
        start = self._stopwatch()
        sources = await self._source.extension_sources()
        full = self._rules.full or last is None
        anew = full or (last is not None and last.extension_property != sources.property)
        plans = [await self._plan(kind, full, anew) for kind in _ORDER]
        with self._store.transaction() as tx:
            # What cannot be listed today keeps its old rows; the rest is replaced one by one then.
            if full and not any(plan.error for plan in plans):
                tx.clear()
            for plan in plans:
                await self._apply(plan, tx)
            moved_extensions = self._resolve_extensions(tx, sources)
            changed = full or moved_extensions or any(plan.changes for plan in plans)
            if changed:
                self._progress.indexing()
                numbers = tx.reindex()
            else:
                numbers = 0 if last is None else last.numbers
            report = replace(
                self._report(tx, plans, sources, started_at),
                seconds=self._stopwatch() - start,
                full=full,
                changed=changed,
                numbers=numbers,
            )
            tx.save_report(report)
        return report

    async def _plan(self, kind: EntityKind, full: bool, anew: bool) -> _Plan:
        self._progress.listing(kind)
        start, before = self._stopwatch(), replace(self._source.traffic)
        asked_at = self._clock()
        held = self._store.versions(kind)
        error = ""
        try:
            listed: Mapping[Ref, Version] = await self._source.list_versions(kind)
            changes = compare(held, listed)
            if not self._rules.accept_shrink:
                guard(kind.value, len(held), changes, len(listed), self._rules.max_shrink)
        except OneCNotPublished as missing:
            if kind in _REQUIRED:
                raise
            listed, changes, error = held, Changes(unchanged=len(held)), str(missing)
        if full or (anew and kind is EntityKind.MANAGER):
            changes = replace(changes, appeared=tuple(listed), moved=(), unchanged=0)
        spent = self._source.traffic
        return _Plan(
            kind,
            listed,
            changes,
            asked_at,
            self._stopwatch() - start,
            spent.requests - before.requests,
            spent.bytes - before.bytes,
            error,
        )

    async def _apply(self, plan: _Plan, tx: DirectoryTransaction) -> None:
        wanted = () if plan.error else plan.changes.to_fetch
        start, before = self._stopwatch(), replace(self._source.traffic)
        if wanted:
            self._progress.fetching(plan.kind, len(wanted))
            async for batch in self._source.fetch(plan.kind, wanted, len(plan.listed)):
                tx.put(plan.kind, batch)
                plan.fetched += len(batch)
                self._progress.fetched(plan.kind, len(batch))
        if plan.changes.vanished:
            tx.remove(plan.kind, plan.changes.vanished)
        plan.seconds += self._stopwatch() - start
        plan.requests += self._source.traffic.requests - before.requests
        plan.bytes += self._source.traffic.bytes - before.bytes

    def _resolve_extensions(self, tx: DirectoryTransaction, sources: ExtensionSources) -> bool:
        """Give every manager the extension 1C holds for him now; it may stand outside him."""
        moved = [
            resolved
            for manager in tx.managers()
            if (resolved := with_extension(manager, sources)) != manager
        ]
        if moved:
            tx.put(EntityKind.MANAGER, moved)
        return bool(moved)

    def _report(
        self,
        tx: DirectoryTransaction,
        plans: list[_Plan],
        sources: ExtensionSources,
        started_at: datetime,
    ) -> SyncReport:
        entities: list[EntitySync] = []
        examples: list[str] = []
        for plan in plans:
            unread, some = tx.unread(plan.kind)
            examples.extend(some)
            entities.append(
                EntitySync(
                    kind=plan.kind,
                    listed=len(plan.listed),
                    held=tx.held(plan.kind),
                    fetched=plan.fetched,
                    buried=len(plan.changes.vanished),
                    unread_phones=unread,
                    seconds=plan.seconds,
                    requests=plan.requests,
                    bytes=plan.bytes,
                    proven_at=None if plan.error else plan.proven_at,
                    error=plan.error,
                )
            )
        managers = tx.managers()
        return SyncReport(
            started_at=started_at,
            seconds=0.0,
            full=False,
            changed=False,
            numbers=0,
            entities=tuple(entities),
            shared_extensions=shared_extensions(managers),
            extension_property=sources.property,
            managers_without_extension=sum(1 for m in managers if _should_answer(m)),
            unread_examples=tuple(dict.fromkeys(examples))[:20],
        )


def shared_extensions(managers: Sequence[Manager]) -> dict[str, tuple[str, ...]]:
    """Find extensions that several reachable users share; they are reported, never guessed."""
    names: dict[str, list[str]] = {}
    for manager in managers:
        if manager.reachable and manager.extension:
            names.setdefault(manager.extension, []).append(manager.name)
    return {ext: tuple(sorted(who)) for ext, who in sorted(names.items()) if len(who) > 1}


def _should_answer(manager: Manager) -> bool:
    gone = manager.invalid or manager.service or manager.marked
    return not gone and not manager.extension


def unanswered(count: int) -> str:
    """Say how many people 1C would let us call, if they had an extension."""
    return f"{count} users have no extension: calls of their customers go on up the chain"
