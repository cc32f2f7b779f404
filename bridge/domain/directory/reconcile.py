"""What changed in 1C since the last run, and whether that is plausible."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.domain.directory.entities import Ref, Version
from bridge.errors import SyncRefused


@dataclass(frozen=True, slots=True)
class ListingChanges:
    """The difference of a listing and what is held: bodies to fetch, rows to delete."""

    added: tuple[Ref, ...] = ()
    changed: tuple[Ref, ...] = ()
    deleted: tuple[Ref, ...] = ()
    unchanged: int = 0

    @property
    def to_fetch(self) -> tuple[Ref, ...]:
        """Return every reference whose body has to be read, in listing order."""
        return self.added + self.changed

    def __bool__(self) -> bool:
        """Return whether anything changed at all."""
        return bool(self.added or self.changed or self.deleted)


def compare_versions(held: Mapping[Ref, Version], listed: Mapping[Ref, Version]) -> ListingChanges:
    """Compare versions for equality only; they have no order.

    Source: docs/facts/onec-odata.md, 'DataVersion'.
    """
    if held == listed:
        return ListingChanges(unchanged=len(listed))
    added: list[Ref] = []
    changed: list[Ref] = []
    unchanged = 0
    for ref, version in listed.items():
        known = held.get(ref)
        if known is None:
            added.append(ref)
        elif known != version:
            changed.append(ref)
        else:
            unchanged += 1
    deleted = (
        ()
        if unchanged + len(changed) == len(held)
        else tuple(ref for ref in held if ref not in listed)
    )
    return ListingChanges(tuple(added), tuple(changed), deleted, unchanged)


def check_shrink(
    entity_set: str, held: int, changes: ListingChanges, listed: int, allowed_share: float
) -> None:
    """Refuse a listing that lost more than *allowed_share* of the rows held.

    A shortened listing looks like mass deletion; it may as well be a changed right, a smaller
    publication or a proxy's page.

    Raises:
        SyncRefused: with both counts; a person may accept it.
    """
    if exceeds_allowed_loss(held, len(changes.deleted), allowed_share):
        raise SyncRefused(entity_set, held, listed, allowed_share)


def exceeds_allowed_loss(held: int, lost: int, share: float, tolerated: int = 1) -> bool:
    """Return whether a loss of *lost* of *held* is more than is believed without a person.

    In a small company the share is less than one: one manager of three who leaves is daily work,
    and three of three are a fault. So *tolerated* may go all the same, but never more than half,
    and nothing may where the administrator set the share to 0.
    """
    if held <= 0 or lost <= 0:
        return False
    # Divided, not multiplied: 100 * 0.29 is 28.99…, and a loss of exactly the share is allowed.
    if lost / held <= share:
        return False
    return share == 0 or lost > min(tolerated, held / 2)
