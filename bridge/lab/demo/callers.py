"""Who calls in the demonstration: five people of the composed company, and where each must go.

Expectations come from the world's own truth, never from the bridge.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    Infobase,
    IntendedPhone,
)
from bridge.lab.onec.infobase.schema import EMPTY_REF

#: Nobody in the composed company has it: the range is not assigned to anybody.
_STRANGER = "79990000001"

_EMPTY_DATE = "0001-01-01T00:00:00"


@dataclass(frozen=True, slots=True)
class DemoCaller:
    """One caller: how his number is typed in 1C, what the PBX sends, who must answer."""

    role: str
    name: str
    typed_number: str
    sent_number: str
    extension: str
    partner: str


@dataclass(frozen=True, slots=True)
class DemoCallers:
    """The five callers of the scripted day, and the extension of everybody else."""

    contact: DemoCaller
    partner: DemoCaller
    counterparty: DemoCaller
    holding: DemoCaller
    stranger: DemoCaller
    default_extension: str

    def in_call_order(self) -> tuple[DemoCaller, ...]:
        """Give the callers in the order they call."""
        return (self.contact, self.partner, self.counterparty, self.holding, self.stranger)


def choose_callers(world: Infobase) -> DemoCallers:
    """Find the five in *world*, each number typed in another manner where there is a choice.

    Raises:
        LookupError: the company is too small to hold all of them.
    """
    shared = Counter(truth.e164 for truth in world.intended_phones)
    alone = [truth for truth in world.intended_phones if shared[truth.e164] == 1]
    seen: set[str] = set()

    def pick(
        role: str, partner_of: Callable[[IntendedPhone], str | None], *, own: bool
    ) -> DemoCaller:
        fitting = list(_fitting(world, alone, partner_of, own=own))
        if not fitting:
            raise LookupError(f"the company has no {role} to call; take more partners")
        # A new manner of typing, another partner, another desk: as varied as the company allows.
        truth, partner, extension = min(
            fitting, key=lambda f: (f[0].manner in seen) + (f[1] in seen) + (f[2] in seen)
        )
        seen.update((truth.manner, partner, extension))
        name = world.presentation(truth.owner_set, truth.ref)
        sent = truth.e164.removeprefix("+")
        return DemoCaller(role, name, truth.typed, sent, extension, partner)

    def contact_of(truth: IntendedPhone) -> str | None:
        if truth.owner_set != CONTACT_PERSONS:
            return None
        row = world.row(CONTACT_PERSONS, truth.ref)
        ended = row["ДатаПрекращенияСвязи"] not in ("", _EMPTY_DATE)
        return None if row["DeletionMark"] or ended else str(row["Owner_Key"])

    def partner_of(truth: IntendedPhone) -> str | None:
        if truth.owner_set != PARTNERS:
            return None
        row = world.row(PARTNERS, truth.ref)
        return None if row["DeletionMark"] or row["Predefined"] else truth.ref

    def counterparty_of(truth: IntendedPhone) -> str | None:
        if truth.owner_set != COUNTERPARTIES:
            return None
        row = world.row(COUNTERPARTIES, truth.ref)
        return None if row["DeletionMark"] else str(row["Партнер_Key"])

    contact = pick("contact person", contact_of, own=True)
    partner = pick("partner", partner_of, own=True)
    counterparty = pick("counterparty", counterparty_of, own=True)
    holding = pick("partner of a holding", partner_of, own=False)
    default = min(e for ref, e in world.extensions.items() if world.may_take_calls(ref))
    stranger = DemoCaller("unknown caller", "", "—", _STRANGER, default, EMPTY_REF)
    return DemoCallers(contact, partner, counterparty, holding, stranger, default)


def _fitting(
    world: Infobase,
    truths: list[IntendedPhone],
    partner_of: Callable[[IntendedPhone], str | None],
    *,
    own: bool,
) -> Iterator[tuple[IntendedPhone, str, str]]:
    """Walk the phones whose partner is answered by his own manager, or only by his holding's."""
    partners = world.table(PARTNERS).rows
    for truth in truths:
        ref = partner_of(truth)
        if ref is None or ref not in partners or truth.manner == "needs_area":
            continue
        manager = partners[ref].get("ОсновнойМенеджер_Key", EMPTY_REF)
        has_own = world.may_take_calls(manager) and manager in world.extensions
        extension = world.responsible_extension(ref)
        if extension is not None and has_own is own:
            yield truth, ref, extension
