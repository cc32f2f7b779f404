"""Pull: make the directory equal to 1C.

    list ─► compare ─► guard ─► fetch what changed ─► apply in one transaction ─► report

The listing is the proof of equality. Readers see the directory from before the run or from after
it, and nothing between.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionSources,
    Manager,
    Ref,
    Version,
    with_extension,
)
from bridge.domain.directory.reconcile import ListingChanges
from bridge.errors import OneCFilteredByWebServer, OneCNotPublished, SyncRefused
from bridge.ports.clock import Clock
from bridge.ports.onec import OneCSource
from bridge.ports.stores.directory import (
    DirectoryStore,
    DirectoryTransaction,
    EntitySync,
    SyncReport,
)
from bridge.services.sync.guard import ConfirmLoss, SyncGuard
from bridge.services.sync.report import EntityPlan, build_report

_log = logging.getLogger(__name__)


def confirm_nothing(refused: SyncRefused) -> bool:
    """Confirm no loss: no person can be asked."""
    del refused
    return False


#: Managers first: owner chains point at them. Phone owners after the partners they belong to.
_ORDER: Final = (
    EntityKind.MANAGER,
    EntityKind.PARTNER,
    EntityKind.CONTACT,
    EntityKind.COUNTERPARTY,
)

#: Without these there is no manager to route to, or no caller to route.
_REQUIRED: Final = frozenset({EntityKind.MANAGER, EntityKind.PARTNER})


class Progress(Protocol):
    """Receives the progress of a run: a terminal's bar, or nothing."""

    def listing(self, kind: EntityKind) -> None:
        """The listing of *kind* begins."""
        ...

    def fetching(self, kind: EntityKind, total: int) -> None:
        """Fetching begins: *total* bodies of *kind*."""
        ...

    def fetched(self, kind: EntityKind, count: int) -> None:
        """Another *count* bodies of *kind* were fetched."""
        ...

    def indexing(self) -> None:
        """The phone index is being updated."""
        ...


@dataclass(frozen=True, slots=True)
class PullRules:
    """*full*: fetch every body anew. *accept_shrink*: a person confirmed what 1C lost."""

    max_shrink: float = 0.2
    full: bool = False
    accept_shrink: bool = False


class DirectoryPull:
    """One sync run over a 1C source and a directory store."""

    def __init__(
        self,
        *,
        source: OneCSource,
        store: DirectoryStore,
        clock: Clock,
        rules: PullRules,
        progress: Progress,
        confirm_loss: ConfirmLoss = confirm_nothing,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._rules = rules
        self._progress = progress
        self._guard = SyncGuard(
            rules.max_shrink, accept_all=rules.accept_shrink, confirm_loss=confirm_loss
        )
        self._stopwatch = stopwatch

    async def run(self, last: SyncReport | None) -> SyncReport:
        """Run once; *last* is the report of the run before, None when there was none.

        Where 1C lost too much, `confirm_loss` is asked before the run is refused.

        Raises:
            OneCError: nothing was changed.
            SyncRefused: a listing shrank too much, or its rows lost what calls are routed by, and
                no person confirmed it; nothing was changed.
            StoreError: nothing was changed.
        """
        started_at = self._clock()
        start = self._stopwatch()
        sources, missing = await self._extension_sources()
        full = self._rules.full or last is None
        managers_anew = full or (
            last is not None and last.extension_property != sources.attribute_ref
        )
        plans: list[EntityPlan] = []
        for kind in _ORDER:
            plans.append(await self._plan(kind, last, full=full, managers_anew=managers_anew))
            # Only once the users are listed: where they are not published either, no extension is
            # lost, and the address is wrong.
            if missing is not None and kind is EntityKind.MANAGER:
                self._guard.check_missing_attribute(missing, last)
        with self._store.transaction() as tx:
            before = tx.routing_facts()
            managers_before = () if last is None else tx.managers()
            # A set that cannot be listed today keeps its rows; then the others are replaced singly.
            if full and not any(plan.error for plan in plans):
                tx.clear()
            for plan in plans:
                await self._apply(plan, tx)
            managers, extensions_changed = self._resolve_extensions(tx, sources)
            changed = full or extensions_changed or any(plan.changes for plan in plans)
            if changed:
                if last is not None:
                    self._guard.check_facts(
                        before, tx.routing_facts(), (managers_before, managers), sources, last
                    )
                self._progress.indexing()
                numbers = tx.reindex()
            else:
                numbers = 0 if last is None else last.numbers
            facts = tx.routing_facts()
            report = replace(
                build_report(tx, plans, sources, last, started_at, managers=managers),
                seconds=self._stopwatch() - start,
                full=full,
                changed=changed,
                numbers=numbers,
                facts=facts,
                days=self._guard.updated_days(last, started_at.date(), facts),
                nobody_reachable=self._guard.is_nobody_reachable(last, facts),
            )
            tx.save_report(report)
        return report

    async def _extension_sources(self) -> tuple[ExtensionSources, OneCNotPublished | None]:
        """Return where extensions stand, or that it is not published."""
        try:
            return await self._source.extension_sources(), None
        except OneCFilteredByWebServer:
            raise
        except OneCNotPublished as missing:
            return ExtensionSources(), missing

    async def _plan(
        self, kind: EntityKind, last: SyncReport | None, *, full: bool, managers_anew: bool
    ) -> EntityPlan:
        self._progress.listing(kind)
        start, before = self._stopwatch(), replace(self._source.traffic)
        asked_at = self._clock()
        before_run = EntitySync(kind) if last is None else last.entity(kind)
        fetch_all = full or (managers_anew and kind is EntityKind.MANAGER)
        versions: Mapping[Ref, Version] = {}
        listed, fingerprint, error = 0, "", ""
        try:
            known = "" if fetch_all else before_run.fingerprint
            listing = await self._source.listing(kind, known)
            fingerprint = listing.fingerprint
            if listing.versions is None:
                listed = before_run.listed
                changes = ListingChanges(unchanged=listed)
            else:
                versions, listed = listing.versions, len(listing.versions)
                changes = self._guard.compare_rows(kind, self._store.versions(kind), versions)
        except OneCNotPublished as missing:
            if kind in _REQUIRED:
                raise
            error, changes = str(missing), ListingChanges()
            if self._rules.accept_shrink:
                changes = ListingChanges(deleted=tuple(self._store.versions(kind)))
        if bool(error) != bool(before_run.error):
            event = "entity_set_lost" if error else "entity_set_back"
            _log.warning(event, extra={"kind": kind.value, "reason": error})
        if fetch_all:
            changes = replace(changes, added=tuple(versions), changed=(), unchanged=0)
        spent = self._source.traffic
        return EntityPlan(
            kind,
            versions,
            listed,
            changes,
            fingerprint,
            asked_at,
            self._stopwatch() - start,
            spent.requests - before.requests,
            spent.bytes - before.bytes,
            error,
        )

    async def _apply(self, plan: EntityPlan, tx: DirectoryTransaction) -> None:
        to_fetch = () if plan.error else plan.changes.to_fetch
        start, before = self._stopwatch(), replace(self._source.traffic)
        if to_fetch:
            self._progress.fetching(plan.kind, len(to_fetch))
            listed = plan.versions
            async for batch in self._source.fetch(plan.kind, to_fetch, plan.listed):
                tx.put(plan.kind, batch)
                plan.fetched += len(batch)
                plan.as_listed += len([1 for n in batch if listed.get(n.ref) == n.version])
                self._progress.fetched(plan.kind, len(batch))
        if plan.changes.deleted:
            tx.remove(plan.kind, plan.changes.deleted)
        plan.seconds += self._stopwatch() - start
        plan.requests += self._source.traffic.requests - before.requests
        plan.bytes += self._source.traffic.bytes - before.bytes

    def _resolve_extensions(
        self, tx: DirectoryTransaction, sources: ExtensionSources
    ) -> tuple[Sequence[Manager], bool]:
        """Set the extension of every manager; its value may be outside the object of the user.

        Return all managers, and whether an extension changed.
        """
        before = tx.managers()
        managers = [with_extension(manager, sources) for manager in before]
        changed = [new for old, new in zip(before, managers, strict=True) if new != old]
        if changed:
            tx.put(EntityKind.MANAGER, changed)
        return managers, bool(changed)
