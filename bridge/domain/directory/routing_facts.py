"""What calls are routed by, counted, so that a loss is seen where no row is lost.

A listing may be as long as ever while its rows are of no use any more: the attribute of extensions
renamed, main managers emptied, telephones written in a form that cannot be read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
    PhoneOwner,
    may_be_caller,
)
from bridge.domain.directory.reconcile import exceeds_allowed_loss
from bridge.errors import Loss

#: Counts by `RoutingFact`, as they are kept: a fact that another release counts is no damage.
FactCounts = Mapping[str, int]

#: The longest extension that any PBX of ours dials; a date or a reference is none.
_EXTENSION_LENGTH: Final = 10

#: For how many days, of those on which a run was done, the highest counts are remembered.
_DAYS: Final = 7


class RoutingFact(StrEnum):
    """A class of facts without which callers do not reach their managers."""

    EXTENSION = "extension"
    PARTNER_PHONE = "partner_phone"
    CONTACT_PHONE = "contact_phone"
    COUNTERPARTY_PHONE = "counterparty_phone"
    MAIN_MANAGER = "main_manager"
    CONTACT_OWNER = "contact_owner"
    COUNTERPARTY_OWNER = "counterparty_owner"

    @property
    def plural(self) -> str:
        """Return the name of several of them, as people read it."""
        return _PLURALS[self]

    @property
    def kind(self) -> EntityKind:
        """Return whose fact it is."""
        return _KINDS[self]

    @property
    def tolerated_loss(self) -> int:
        """Return how many may always go: one manager who leaves, one partner with its numbers."""
        return 1 if self is RoutingFact.EXTENSION else 3


_PLURALS: Final = {
    RoutingFact.EXTENSION: "managers with an extension",
    RoutingFact.PARTNER_PHONE: "phone numbers of partners",
    RoutingFact.CONTACT_PHONE: "phone numbers of contact persons",
    RoutingFact.COUNTERPARTY_PHONE: "phone numbers of counterparties",
    RoutingFact.MAIN_MANAGER: "partners with a main manager",
    RoutingFact.CONTACT_OWNER: "contact persons with a partner",
    RoutingFact.COUNTERPARTY_OWNER: "counterparties with a partner",
}

_KINDS: Final = {
    RoutingFact.EXTENSION: EntityKind.MANAGER,
    RoutingFact.PARTNER_PHONE: EntityKind.PARTNER,
    RoutingFact.CONTACT_PHONE: EntityKind.CONTACT,
    RoutingFact.COUNTERPARTY_PHONE: EntityKind.COUNTERPARTY,
    RoutingFact.MAIN_MANAGER: EntityKind.PARTNER,
    RoutingFact.CONTACT_OWNER: EntityKind.CONTACT,
    RoutingFact.COUNTERPARTY_OWNER: EntityKind.COUNTERPARTY,
}


@dataclass(frozen=True, slots=True)
class DailyFacts:
    """The highest counts of one day on which a run was done."""

    day: date
    facts: FactCounts


def has_extension(manager: Manager) -> bool:
    """Return whether calls can be sent to *manager* by the value of the extension attribute."""
    extension = manager.extension or ""
    dialled = len(extension) <= _EXTENSION_LENGTH and any(map(str.isdigit, extension))
    return dialled and manager.is_reachable


def count_facts(entities: Iterable[Manager | PhoneOwner]) -> Counter[str]:
    """Return what *entities* hold of each fact."""
    counts: Counter[str] = Counter()
    for entity in entities:
        if isinstance(entity, Manager):
            counts[RoutingFact.EXTENSION] += has_extension(entity)
            continue
        caller = may_be_caller(entity)
        phones = sum([len(field.phones) for field in entity.phone_fields]) if caller else 0
        if isinstance(entity, Partner):
            counts[RoutingFact.PARTNER_PHONE] += phones
            # The contact persons of a marked partner go to its manager all the same.
            counts[RoutingFact.MAIN_MANAGER] += entity.manager is not None and not entity.predefined
        elif isinstance(entity, ContactPerson):
            counts[RoutingFact.CONTACT_PHONE] += phones
            counts[RoutingFact.CONTACT_OWNER] += caller and entity.partner is not None
        elif isinstance(entity, Counterparty):
            counts[RoutingFact.COUNTERPARTY_PHONE] += phones
            counts[RoutingFact.COUNTERPARTY_OWNER] += caller and entity.partner is not None
    return counts


def count_lost_extensions(
    before: Sequence[Manager], now: Sequence[Manager], *, attribute_changed: bool
) -> int:
    """Count the managers of *before* whose extension is gone.

    *attribute_changed*: extensions are read from another attribute than before. Then an extension
    that became another one is lost too: the attribute may hold something else altogether.
    """
    after = {manager.ref: manager for manager in now}
    lost = 0
    for manager in filter(has_extension, before):
        new = after.get(manager.ref)
        kept = new is not None and has_extension(new)
        if not kept or (
            attribute_changed and new is not None and new.extension != manager.extension
        ):
            lost += 1
    return lost


def find_losses(
    before: FactCounts, days: Sequence[DailyFacts], now: FactCounts, share: float
) -> tuple[Loss, ...]:
    """Return the facts of which more than *share* are gone, or none is left.

    They are compared with the run *before*, and with the highest of the last *days*: what is lost
    little by little is lost as well.
    """
    losses: list[Loss] = []
    for fact in RoutingFact:
        held = max(before.get(fact, 0), *(day.facts.get(fact, 0) for day in days), 0)
        left = now.get(fact, 0)
        if exceeds_allowed_loss(held, held - left, share, fact.tolerated_loss):
            losses.append(Loss(fact.value, fact.plural, held, left))
    return tuple(losses)


def update_daily_facts(
    days: Sequence[DailyFacts], today: date, facts: FactCounts
) -> tuple[DailyFacts, ...]:
    """Return *days* with the *facts* of a run of *today*.

    Days are counted as runs see them, so a clock that jumps forgets one day at most.
    """
    if not days or days[-1].day != today:
        return (*days, DailyFacts(today, facts))[-_DAYS:]
    high = days[-1].facts
    highest = {fact: max(high.get(fact, 0), facts.get(fact, 0)) for fact in {*high, *facts}}
    return (*days[:-1], DailyFacts(today, highest))
