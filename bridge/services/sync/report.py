"""How one sync run is told: per entity set what was compared, what moved, when it was proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.domain.clock import is_believable
from bridge.domain.directory.entities import EntityKind, ExtensionSources, Manager, Ref, Version
from bridge.domain.directory.reconcile import ListingChanges
from bridge.ports.stores.directory import DirectoryTransaction, EntitySync, SyncReport


@dataclass(slots=True)
class EntityPlan:
    """What one entity set needs, and what it cost so far."""

    kind: EntityKind
    #: Versions by reference; empty also where nothing moved, or the set could not be listed.
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
    #: How many of the bodies fetched were still in the version listed.
    as_listed: int = 0

    @property
    def is_as_listed(self) -> bool:
        """Whether the rows held are those of the listing, every one in its version."""
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
    """Tell how the run went, as far as it is known within its transaction."""
    entities: list[EntitySync] = []
    examples: list[str] = []
    for plan in plans:
        unread, some = tx.unread_phones(plan.kind)
        held = tx.count_rows(plan.kind)
        examples.extend(some)
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
                proven_at=_proof(plan, last, held, started_at),
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
        managers_without_extension=sum(1 for m in managers if _should_answer(m)),
        unread_examples=tuple(dict.fromkeys(examples))[:20],
    )


def _proof(
    plan: EntityPlan, last: SyncReport | None, held: int, started_at: datetime
) -> datetime | None:
    """Tell when the rows of a set were last proven; nothing is proven of a set without any.

    An old proof from the future is dated as much before this run as it was before the last one.
    """
    if not plan.error:
        return plan.proven_at
    proven_at = None if last is None or not held else last.entity(plan.kind).proven_at
    if last is None or proven_at is None or is_believable(proven_at, started_at):
        return proven_at
    return started_at - max(last.started_at - proven_at, timedelta(0))


def find_shared_extensions(managers: Sequence[Manager]) -> dict[str, tuple[str, ...]]:
    """Find extensions that several reachable users share; they are reported, never guessed."""
    names: dict[str, list[str]] = {}
    for manager in managers:
        if manager.is_reachable and manager.extension:
            names.setdefault(manager.extension, []).append(manager.name)
    return {ext: tuple(sorted(who)) for ext, who in sorted(names.items()) if len(who) > 1}


def _should_answer(manager: Manager) -> bool:
    gone = manager.invalid or manager.service or manager.deletion_mark
    return not gone and not manager.extension


def describe_missing_extensions(count: int) -> str:
    """Say how many people 1C would let us call, if they had an extension."""
    return f"{count} users have no extension: calls of their customers go on up the chain"
