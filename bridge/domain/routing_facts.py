"""What calls are routed by, counted: so that a loss of worth is seen where no row is lost.

A listing may be as long as ever while its rows are worth nothing any more: the attribute of
extensions renamed, main managers emptied, telephones written in a form that nobody reads.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from bridge.domain.directory import (
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Owner,
    Partner,
    is_caller,
)
from bridge.domain.reconcile import is_too_much
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
    def few(self) -> int:
        """Return how many may always go: one manager who leaves, one partner with his numbers."""
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
class FactsOfDay:
    """The highest counts of one day on which a run was done."""

    day: date
    facts: FactCounts


def has_extension(manager: Manager) -> bool:
    """Return whether calls can be sent to *manager* by what stands in his attribute."""
    extension = manager.extension or ""
    dialled = len(extension) <= _EXTENSION_LENGTH and any(map(str.isdigit, extension))
    return dialled and manager.reachable


def count_facts(nouns: Iterable[Manager | Owner]) -> Counter[str]:
    """Return what *nouns* hold of each fact."""
    counts: Counter[str] = Counter()
    for noun in nouns:
        if isinstance(noun, Manager):
            counts[RoutingFact.EXTENSION] += has_extension(noun)
            continue
        caller = is_caller(noun)
        phones = sum([len(field.phones) for field in noun.fields]) if caller else 0
        if isinstance(noun, Partner):
            counts[RoutingFact.PARTNER_PHONE] += phones
            # The contact persons of a marked partner go to his manager all the same.
            counts[RoutingFact.MAIN_MANAGER] += noun.manager is not None and not noun.predefined
        elif isinstance(noun, ContactPerson):
            counts[RoutingFact.CONTACT_PHONE] += phones
            counts[RoutingFact.CONTACT_OWNER] += caller and noun.partner is not None
        elif isinstance(noun, Counterparty):
            counts[RoutingFact.COUNTERPARTY_PHONE] += phones
            counts[RoutingFact.COUNTERPARTY_OWNER] += caller and noun.partner is not None
    return counts


def extensions_lost(before: Sequence[Manager], now: Sequence[Manager], *, moved: bool) -> int:
    """Count the managers of *before* whose extension is gone.

    *moved*: extensions are read from another attribute than before. Then an extension that became
    another one is lost too: the attribute may hold something else altogether.
    """
    after = {manager.ref: manager for manager in now}
    lost = 0
    for manager in filter(has_extension, before):
        new = after.get(manager.ref)
        kept = new is not None and has_extension(new)
        if not kept or (moved and new is not None and new.extension != manager.extension):
            lost += 1
    return lost


def find_losses(
    before: FactCounts, days: Sequence[FactsOfDay], now: FactCounts, share: float
) -> tuple[Loss, ...]:
    """Return the facts of which more than *share* are gone, or none is left.

    They are compared with the run *before*, and with the highest of the last *days*: what is lost
    little by little is lost as well.
    """
    losses: list[Loss] = []
    for fact in RoutingFact:
        held = max(before.get(fact, 0), *(day.facts.get(fact, 0) for day in days), 0)
        left = now.get(fact, 0)
        if is_too_much(held, held - left, share, fact.few):
            losses.append(Loss(fact.value, fact.plural, held, left))
    return tuple(losses)


def remember_facts(
    days: Sequence[FactsOfDay], today: date, facts: FactCounts
) -> tuple[FactsOfDay, ...]:
    """Return *days* with the *facts* of a run of *today*.

    Days are counted as runs see them, so a clock that jumps forgets one day at most.
    """
    if not days or days[-1].day != today:
        return (*days, FactsOfDay(today, facts))[-_DAYS:]
    high = days[-1].facts
    highest = {fact: max(high.get(fact, 0), facts.get(fact, 0)) for fact in {*high, *facts}}
    return (*days[:-1], FactsOfDay(today, highest))
