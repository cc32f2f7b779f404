"""The guard of a sync run: what 1C lost is applied only where a person confirms it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from bridge.domain.directory.entities import EntityKind, ExtensionSources, Manager, Ref, Version
from bridge.domain.directory.reconcile import (
    ListingChanges,
    check_shrink,
    compare_versions,
    exceeds_allowed_loss,
)
from bridge.domain.directory.routing_facts import (
    DailyFacts,
    FactCounts,
    RoutingFact,
    count_lost_extensions,
    find_losses,
    has_extension,
    update_daily_facts,
)
from bridge.errors import Loss, OneCNotPublished, RoutingFactsLost, SyncRefused
from bridge.ports.stores.directory import SyncReport

#: Asks a person whether 1C really lost so much.
ConfirmLoss = Callable[[SyncRefused], bool]

_NO_ATTRIBUTE: Final = (
    "1C has no user attribute of the title in BRIDGE_EXTENSION_ATTRIBUTE: was it renamed in 1C, "
    "or is the setting mistyped?"
)


class SyncGuard:
    """Checks the losses of one run; what a person accepted of one kind is not asked again."""

    def __init__(self, max_shrink: float, *, accept_all: bool, confirm_loss: ConfirmLoss) -> None:
        self._max_shrink = max_shrink
        self._confirm_loss = confirm_loss
        self._accepted = set(EntityKind) if accept_all else set[EntityKind]()

    def compare_rows(
        self, kind: EntityKind, held: Mapping[Ref, Version], listed: Mapping[Ref, Version]
    ) -> ListingChanges:
        """Compare a listing with our rows.

        Raises:
            SyncRefused: it shrank too much, and no person confirmed it.
        """
        changes = compare_versions(held, listed)
        try:
            check_shrink(kind.value, len(held), changes, len(listed), self._max_shrink)
        except SyncRefused as refused:
            self._ask(refused, (kind,))
        return changes

    def check_missing_attribute(self, missing: OneCNotPublished, last: SyncReport | None) -> None:
        """Check what follows where the attribute of extensions is not published.

        Raises:
            OneCNotPublished: no manager had one before either, and no person accepted that.
            RoutingFactsLost: a manager had one, and no person confirmed the loss.
        """
        held = 0 if last is None else last.facts.get(RoutingFact.EXTENSION, 0)
        if not held:
            if self.is_nobody_reachable(last, {}):
                raise missing
            return
        fact = RoutingFact.EXTENSION
        losses = (Loss(fact.value, fact.plural, held, 0),)
        self._ask(self._refusal(losses, f"{missing}."), (fact.kind,))

    def check_facts(
        self,
        before: FactCounts,
        now: FactCounts,
        managers: tuple[Sequence[Manager], Sequence[Manager]],
        sources: ExtensionSources,
        last: SyncReport | None,
    ) -> None:
        """Check what calls are routed by; *managers* are those from before the run and of now.

        Raises:
            RoutingFactsLost: too much of it is gone, and no person confirmed the loss.
        """
        days = () if last is None else last.days
        found = {loss.what: loss for loss in find_losses(before, days, now, self._max_shrink)}
        attribute_changed = last is not None and last.extension_property != sources.attribute_ref
        lost = self._find_lost_extensions(*managers, attribute_changed=attribute_changed)
        if lost is not None:
            found.setdefault(lost.what, lost)
        losses = tuple(
            found[fact] for fact in RoutingFact if fact in found and fact.kind not in self._accepted
        )
        if losses:
            no_attribute = RoutingFact.EXTENSION in found and sources.attribute_ref is None
            refusal = self._refusal(losses, _NO_ATTRIBUTE if no_attribute else "")
            self._ask(refusal, (RoutingFact(loss.what).kind for loss in losses))

    def updated_days(
        self, last: SyncReport | None, today: date, facts: FactCounts
    ) -> tuple[DailyFacts, ...]:
        """Return the counts that later runs are compared with; accepted losses count no more."""
        days = () if last is None else last.days
        for fact in RoutingFact:
            if fact.kind in self._accepted:
                days = tuple(
                    DailyFacts(day.day, {**day.facts, fact.value: facts.get(fact, 0)})
                    for day in days
                )
        return update_daily_facts(days, today, facts)

    def is_nobody_reachable(self, last: SyncReport | None, facts: FactCounts) -> bool:
        """Return whether no manager can be called, and no person accepted that."""
        if facts.get(RoutingFact.EXTENSION, 0) or EntityKind.MANAGER in self._accepted:
            return False
        # Accepted once, it stays accepted until a manager has an extension.
        return (
            last is None
            or not last.facts
            or last.nobody_reachable
            or last.facts.get(RoutingFact.EXTENSION, 0) > 0
        )

    def _find_lost_extensions(
        self, before: Sequence[Manager], now: Sequence[Manager], *, attribute_changed: bool
    ) -> Loss | None:
        fact = RoutingFact.EXTENSION
        held = sum(map(has_extension, before))
        lost = count_lost_extensions(before, now, attribute_changed=attribute_changed)
        if not exceeds_allowed_loss(held, lost, self._max_shrink, fact.tolerated_loss):
            return None
        return Loss(fact.value, fact.plural, held, held - lost)

    def _refusal(self, losses: tuple[Loss, ...], reason: str) -> RoutingFactsLost:
        worst = losses[0]
        return RoutingFactsLost(
            worst.what, worst.before, worst.now, self._max_shrink, losses, reason
        )

    def _ask(self, refused: SyncRefused, kinds: Iterable[EntityKind]) -> None:
        kinds = set(kinds)
        if kinds <= self._accepted:
            return
        if not self._confirm_loss(refused):
            raise refused
        self._accepted |= kinds
