"""What a run changed, as far as caller cards depend on it."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from bridge.adapters.sqlite.directory.documents import distinct_phones
from bridge.domain.directory.entities import EntityKind, Manager, Partner, Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.onec import DirectoryObject


class OwnerKey(NamedTuple):
    """An owner of numbers, by kind and reference."""

    kind: EntityKind
    ref: Ref


@dataclass(slots=True)
class IndexChanges:
    """What a run changed, as far as cards depend on it."""

    numbers: set[PhoneNumber] = field(default_factory=set)
    #: Owners that have a changed number now.
    owners_by_number: dict[PhoneNumber, set[OwnerKey]] = field(default_factory=dict)
    #: Partners of whom something changed that stands in the cards of others.
    partners: set[Ref] = field(default_factory=set)
    #: Managers that were added or deleted: cards name their row ids.
    managers: set[Ref] = field(default_factory=set)

    def add(
        self, kind: EntityKind, old: DirectoryObject | None, new: DirectoryObject | None
    ) -> None:
        """Add the change of *old* into *new*; None where it was added or deleted."""
        changed = new or old
        if changed is None or (old and new and replace(old, version=new.version) == new):
            return
        if isinstance(changed, Manager):
            if old is None or new is None:
                self.managers.add(changed.ref)
            return
        for version in (old, new):
            if version is not None:
                self.numbers.update(phone.number for phone in distinct_phones(version))
        if new is not None:
            for phone in distinct_phones(new):
                self.owners_by_number.setdefault(phone.number, set()).add(
                    OwnerKey(kind, changed.ref)
                )
        if isinstance(changed, Partner) and _part_in_cards(old) != _part_in_cards(new):
            self.partners.add(changed.ref)

    def __bool__(self) -> bool:
        return bool(self.numbers or self.partners or self.managers)


def _part_in_cards(partner: DirectoryObject | None) -> tuple[object, ...] | None:
    """Return what of a partner stands in the cards of others."""
    if not isinstance(partner, Partner) or partner.predefined:
        return None
    return (partner.name, partner.parent, partner.manager, partner.code, partner.customer)
