"""The report of one sync run: what was compared and changed in each entity set, and proven when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.domain.clock import is_believable
from bridge.domain.directory.entities import EntityKind, ExtensionSources, Manager, Ref, Version
from bridge.domain.directory.reconcile import ListingChanges
from bridge.ports.stores.directory import DirectoryTransaction, EntitySync, SyncReport


@dataclass(slots=True)
class EntityPlan:
    """What has to be fetched of one entity set, and what it cost 1C so far."""

    kind: EntityKind
    #: Versions by reference; empty also where nothing changed, or the set could not be listed.
    versions: Mapping[Ref, Version]
    listed: int
    changes: ListingChanges
    fingerprint: str
    proven_at: datetime
    seconds: float
    requests: int
    bytes: int
    error: str = ""
    fetched: int = 0
    #: How many of the fetched bodies were still in the listed version.
    as_listed: int = 0

    @property
    def is_as_listed(self) -> bool:
        """Return whether our rows are those of the listing, each in the listed version."""
        return not self.error and self.as_listed == len(self.changes.to_fetch)


def build_report(
    tx: DirectoryTransaction,
    plans: list[EntityPlan],
    sources: ExtensionSources,
    last: SyncReport | None,
    started_at: datetime,
    *,
    managers: Sequence[Manager],
) -> SyncReport:
    """Return the report as far as it is known within the run's transaction."""
    entities: list[EntitySync] = []
    examples: list[str] = []
    for plan in plans:
        unread, unread_examples = tx.unread_phones(plan.kind)
        held = tx.count_rows(plan.kind)
        examples.extend(unread_examples)
        entities.append(
            EntitySync(
                kind=plan.kind,
                listed=plan.listed,
                held=held,
                fetched=plan.fetched,
                buried=len(plan.changes.deleted),
                unread_phones=unread,
                seconds=plan.seconds,
                requests=plan.requests,
                bytes=plan.bytes,
                proven_at=_proven_at(plan, last, held, started_at),
                error=plan.error,
                fingerprint=plan.fingerprint if plan.is_as_listed else "",
            )
        )
    return SyncReport(
        started_at=started_at,
        seconds=0.0,
        full=False,
        changed=False,
        numbers=0,
        entities=tuple(entities),
        shared_extensions=find_shared_extensions(managers),
        extension_property=sources.attribute_ref,
        managers_without_extension=sum(1 for m in managers if _lacks_extension(m)),
        unread_examples=tuple(dict.fromkeys(examples))[:20],
    )


def _proven_at(
    plan: EntityPlan, last: SyncReport | None, held: int, started_at: datetime
) -> datetime | None:
    """Return when the rows of a set were last proven; None for a set without rows.

    An old proof from the future is dated as much before this run as it was before the last one.
    """
    if not plan.error:
        return plan.proven_at
    proven_at = None if last is None or not held else last.entity(plan.kind).proven_at
    if last is None or proven_at is None or is_believable(proven_at, started_at):
        return proven_at
    return started_at - max(last.started_at - proven_at, timedelta(0))


def find_shared_extensions(managers: Sequence[Manager]) -> dict[str, tuple[str, ...]]:
    """Return the extensions that several reachable users share, with the names of the users."""
    names: dict[str, list[str]] = {}
    for manager in managers:
        if manager.is_reachable and manager.extension:
            names.setdefault(manager.extension, []).append(manager.name)
    return {ext: tuple(sorted(users)) for ext, users in sorted(names.items()) if len(users) > 1}


def _lacks_extension(manager: Manager) -> bool:
    is_gone = manager.invalid or manager.service or manager.deletion_mark
    return not is_gone and not manager.extension


def describe_missing_extensions(count: int) -> str:
    """Return a sentence about the users of 1C who could be called if they had an extension."""
    return f"{count} users have no extension: calls of their customers go on up the chain"
