"""Who calls in the demonstration: five people of the composed company, and where each must go.

What is expected comes from the infobase's intended phones and extensions, never from the bridge.
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

#: Not a number of the composed company: its range is not assigned.
_UNKNOWN_NUMBER = "79990000001"

_EMPTY_DATE = "0001-01-01T00:00:00"


@dataclass(frozen=True, slots=True)
class DemoCaller:
    """One caller: how the number is typed in 1C, what the PBX sends, which extension must ring."""

    role: str
    name: str
    typed_number: str
    sent_number: str
    extension: str
    partner: str


@dataclass(frozen=True, slots=True)
class DemoCallers:
    """The five callers of the demonstration, and the extension of all other callers."""

    contact: DemoCaller
    partner: DemoCaller
    counterparty: DemoCaller
    holding: DemoCaller
    stranger: DemoCaller
    default_extension: str

    def in_call_order(self) -> tuple[DemoCaller, ...]:
        """Return the callers in the order they call."""
        return (self.contact, self.partner, self.counterparty, self.holding, self.stranger)


def choose_callers(infobase: Infobase) -> DemoCallers:
    """Choose the five in *infobase*, each number typed in another manner where there is a choice.

    Raises:
        LookupError: the company is too small to hold all of them.
    """
    owner_counts = Counter(phone.e164 for phone in infobase.intended_phones)
    unshared = [phone for phone in infobase.intended_phones if owner_counts[phone.e164] == 1]
    seen: set[str] = set()

    def pick(
        role: str, partner_of: Callable[[IntendedPhone], str | None], *, own: bool
    ) -> DemoCaller:
        fitting = list(_fitting(infobase, unshared, partner_of, own=own))
        if not fitting:
            raise LookupError(f"the company has no {role} to call; take more partners")
        # Another manner of typing, another partner, another extension: as varied as possible.
        phone, partner, extension = min(
            fitting, key=lambda f: (f[0].manner in seen) + (f[1] in seen) + (f[2] in seen)
        )
        seen.update((phone.manner, partner, extension))
        name = infobase.presentation(phone.owner_set, phone.ref)
        sent = phone.e164.removeprefix("+")
        return DemoCaller(role, name, phone.typed, sent, extension, partner)

    def contact_of(phone: IntendedPhone) -> str | None:
        if phone.owner_set != CONTACT_PERSONS:
            return None
        row = infobase.row(CONTACT_PERSONS, phone.ref)
        ended = row["ДатаПрекращенияСвязи"] not in ("", _EMPTY_DATE)
        return None if row["DeletionMark"] or ended else str(row["Owner_Key"])

    def partner_of(phone: IntendedPhone) -> str | None:
        if phone.owner_set != PARTNERS:
            return None
        row = infobase.row(PARTNERS, phone.ref)
        return None if row["DeletionMark"] or row["Predefined"] else phone.ref

    def counterparty_of(phone: IntendedPhone) -> str | None:
        if phone.owner_set != COUNTERPARTIES:
            return None
        row = infobase.row(COUNTERPARTIES, phone.ref)
        return None if row["DeletionMark"] else str(row["Партнер_Key"])

    contact = pick("contact person", contact_of, own=True)
    partner = pick("partner", partner_of, own=True)
    counterparty = pick("counterparty", counterparty_of, own=True)
    holding = pick("partner of a holding", partner_of, own=False)
    default = min(e for ref, e in infobase.extensions.items() if infobase.may_take_calls(ref))
    stranger = DemoCaller("unknown caller", "", "—", _UNKNOWN_NUMBER, default, EMPTY_REF)
    return DemoCallers(contact, partner, counterparty, holding, stranger, default)


def _fitting(
    infobase: Infobase,
    phones: list[IntendedPhone],
    partner_of: Callable[[IntendedPhone], str | None],
    *,
    own: bool,
) -> Iterator[tuple[IntendedPhone, str, str]]:
    """Yield phones whose partner has a manager of its own, or only that of its holding."""
    partners = infobase.table(PARTNERS).rows
    for phone in phones:
        ref = partner_of(phone)
        if ref is None or ref not in partners or phone.manner == "needs_area":
            continue
        manager = partners[ref].get("ОсновнойМенеджер_Key", EMPTY_REF)
        has_own = infobase.may_take_calls(manager) and manager in infobase.extensions
        extension = infobase.responsible_extension(ref)
        if extension is not None and has_own is own:
            yield phone, ref, extension
