"""Assigns the roles of a scenario to people of a composed company, so that 1C knows its callers.

    roles = assign_roles(scenario, lab.infobase)
    await play_scenario(scenario, sipuni_lab, roles=roles)

Whose number is whose comes from the intended phones of the infobase, never from the bridge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from bridge.lab.onec.infobase.infobase import (
    CONTACT_PERSONS,
    COUNTERPARTIES,
    PARTNERS,
    Infobase,
    IntendedPhone,
)
from bridge.lab.onec.infobase.schema import EMPTY_DATE, EMPTY_REF
from bridge.lab.sipuni.scenarios.scenario import Scenario

_OWNERS: Final = {CONTACT_PERSONS: "Owner_Key", COUNTERPARTIES: "Партнер_Key"}


def assign_roles(scenario: Scenario, infobase: Infobase, nth: int = 0) -> Mapping[str, str]:
    """Return values for the roles of *scenario*; another *nth* chooses other people.

    `client` is a number that one partner alone has, `owner` the extension responsible for that
    partner, `second` and `third` are two other extensions in use. `client2` is a second number of
    the same partner where the scenario has it so, else a number of another one. Roles that the
    scenario does not have, and those that are not people (`did`, `call`), are left out.

    Raises:
        LookupError: the company is too small.
    """
    pair = {"{client}", "{client2}"}
    one_client = any(pair <= set(numbers) for numbers in scenario.expect.same_client)
    partners = _numbers(infobase)
    suitable = [ref for ref, numbers in partners.items() if len(numbers) > one_client]
    if not suitable:
        raise LookupError("no partner of the company has two numbers of its own")
    client = suitable[nth % len(suitable)]
    holding = _holding(infobase, client)
    other = next((ref for ref in partners if ref not in holding), None)
    if other is None:
        raise LookupError("the company has one partner with a number, a scenario needs two")
    owner = str(infobase.responsible_extension(client))
    in_use = sorted(
        ext for user, ext in infobase.extensions.items() if infobase.may_take_calls(user)
    )
    colleagues = [ext for ext in dict.fromkeys(in_use) if ext != owner]
    if len(colleagues) < 2:  # noqa: PLR2004 - a group of three rings at once
        raise LookupError("the company has fewer than three extensions")
    roles = {
        "client": partners[client][0],
        "client2": partners[client][1] if one_client else partners[other][0],
        "owner": owner,
        "second": colleagues[0],
        "third": colleagues[1],
    }
    return {role: value for role, value in roles.items() if role in scenario.roles}


def partner_with_number(infobase: Infobase, number: str) -> str:
    """Return the reference of the partner with this *number*.

    Raises:
        LookupError: no partner has it, or more than one.
    """
    found = [ref for ref, numbers in _numbers(infobase).items() if number in numbers]
    if len(found) != 1:
        raise LookupError(f"{len(found)} partners have this number to themselves")
    return found[0]


def _numbers(infobase: Infobase) -> dict[str, list[str]]:
    """Return the numbers that one partner alone has, by partner, where a manager is responsible."""
    owner_counts = Counter(phone.e164 for phone in infobase.intended_phones)
    found: dict[str, list[str]] = defaultdict(list)
    for phone in infobase.intended_phones:
        partner = _active_partner(infobase, phone)
        # A number typed without its city is read right only where the city is set.
        if partner is None or owner_counts[phone.e164] > 1 or phone.manner == "needs_area":
            continue
        if infobase.responsible_extension(partner) is not None:
            found[partner].append(phone.e164.removeprefix("+"))
    return found


def _active_partner(infobase: Infobase, phone: IntendedPhone) -> str | None:
    """Return the partner of a phone, unless the partner or the owner is marked or ended."""
    row = infobase.tables[phone.owner_set].rows.get(phone.ref, {})
    if row.get("DeletionMark") or row.get("Predefined"):
        return None
    if row.get("ДатаПрекращенияСвязи", EMPTY_DATE) not in {"", EMPTY_DATE}:
        return None
    if phone.owner_set == PARTNERS:
        return phone.ref
    column = _OWNERS.get(phone.owner_set)
    partner = str(row.get(column, "")) if column else ""
    owner = infobase.tables[PARTNERS].rows.get(partner)
    return (
        None if owner is None or owner.get("DeletionMark") or owner.get("Predefined") else partner
    )


def _holding(infobase: Infobase, partner: str) -> set[str]:
    """Return the partners of the same holding: a talk with one may call back another."""
    rows = infobase.tables[PARTNERS].rows
    heads = {partner, str(rows[partner].get("Parent_Key", EMPTY_REF))} - {EMPTY_REF}
    below = {str(ref) for ref, row in rows.items() if row.get("Parent_Key", EMPTY_REF) in heads}
    return heads | below
