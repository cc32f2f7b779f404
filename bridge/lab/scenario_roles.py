"""Casts a story with the people of a composed company, so that its calls mean somebody in 1C.

    cast = cast_story(story, lab.world)
    await perform(story, sipuni, cast=cast)

Whose number is whose comes from the world's own truth, never from the bridge.
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


def assign_roles(story: Scenario, world: Infobase, nth: int = 0) -> Mapping[str, str]:
    """Give the roles of *story* to people of *world*; another *nth*, other people.

    `client` is a partner's number that is nobody else's, `owner` the extension responsible for
    him, `second` and `third` two other extensions in use. `client2` is a second number of the
    same partner where the story says so, else a number of another one. Roles the story does not
    have, and those that are no people (`did`, `call`), are left alone.

    Raises:
        LookupError: the company is too small.
    """
    shares = any({"{client}", "{client2}"} <= set(numbers) for numbers in story.expect.same_client)
    partners = _numbers(world)
    able = [ref for ref, numbers in partners.items() if len(numbers) > shares]
    if not able:
        raise LookupError("no partner of the company has two numbers of his own")
    client = able[nth % len(able)]
    other = next((ref for ref in partners if ref not in {client, *_family(world, client)}), None)
    if other is None:
        raise LookupError("the company has one partner with a number, a story needs two")
    owner = str(world.responsible_extension(client))
    in_use = sorted(ext for user, ext in world.extensions.items() if world.may_take_calls(user))
    colleagues = [ext for ext in dict.fromkeys(in_use) if ext != owner]
    if len(colleagues) < 2:  # noqa: PLR2004 - a group of three rings at once
        raise LookupError("the company has fewer than three extensions")
    roles = {
        "client": partners[client][0],
        "client2": partners[client][1] if shares else partners[other][0],
        "owner": owner,
        "second": colleagues[0],
        "third": colleagues[1],
    }
    return {role: value for role, value in roles.items() if role in story.roles}


def partner_with_number(world: Infobase, number: str) -> str:
    """Tell whose number this is: the partner's reference.

    Raises:
        LookupError: nobody's, or more than one partner's.
    """
    found = [ref for ref, numbers in _numbers(world).items() if number in numbers]
    if len(found) != 1:
        raise LookupError(f"{len(found)} partners have this number to themselves")
    return found[0]


def _numbers(world: Infobase) -> dict[str, list[str]]:
    """Give the digits that belong to one partner alone, by partner, if somebody answers for him."""
    shared = Counter(truth.e164 for truth in world.intended_phones)
    found: dict[str, list[str]] = defaultdict(list)
    for truth in world.intended_phones:
        partner = _living_partner(world, truth)
        # A number typed without its city is read right only where the city is set.
        if partner is None or shared[truth.e164] > 1 or truth.manner == "needs_area":
            continue
        if world.responsible_extension(partner) is not None:
            found[partner].append(truth.e164.removeprefix("+"))
    return found


def _living_partner(world: Infobase, truth: IntendedPhone) -> str | None:
    """Give the partner a phone leads to, unless somebody on the way is marked or gone."""
    row = world.tables[truth.owner_set].rows.get(truth.ref, {})
    if row.get("DeletionMark") or row.get("Predefined"):
        return None
    if row.get("ДатаПрекращенияСвязи", EMPTY_DATE) not in {"", EMPTY_DATE}:
        return None
    if truth.owner_set == PARTNERS:
        return truth.ref
    column = _OWNERS.get(truth.owner_set)
    partner = str(row.get(column, "")) if column else ""
    owner = world.tables[PARTNERS].rows.get(partner)
    return (
        None if owner is None or owner.get("DeletionMark") or owner.get("Predefined") else partner
    )


def _family(world: Infobase, partner: str) -> set[str]:
    """Give the partners of the same holding: a talk with one of them may pay for another."""
    rows = world.tables[PARTNERS].rows
    heads = {partner, str(rows[partner].get("Parent_Key", EMPTY_REF))} - {EMPTY_REF}
    below = {str(ref) for ref, row in rows.items() if row.get("Parent_Key", EMPTY_REF) in heads}
    return heads | below
