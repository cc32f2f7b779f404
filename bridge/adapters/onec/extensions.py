"""Where 1C keeps the extensions of its users: which attribute, and what stands outside the users.

The attribute is found by its title among the properties of the users' set; namesakes of other sets
and marked ones are passed over (facts/ut11-metadata.md §6).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.nouns import read_value, ref_or_none
from bridge.adapters.onec.odata import guid, json_reader, listing_query
from bridge.adapters.onec.parts import keys
from bridge.adapters.onec.schema import ObjectRow, Page, PropertyRow, PropertySetRow, ValueRow
from bridge.adapters.onec.sets import SetReader
from bridge.domain.directory import Attribute, ExtensionSources, Ref
from bridge.errors import OneCNotPublished

_SETS: Final = json_reader(msgspec.json.Decoder(Page[PropertySetRow]))
_PROPERTIES: Final = json_reader(msgspec.json.Decoder(Page[PropertyRow]))
_VALUES: Final = json_reader(msgspec.json.Decoder(Page[ObjectRow]))
_EXTRA: Final = json_reader(msgspec.json.Decoder(Page[ValueRow]))


async def find_extension_sources(sets: SetReader, title: str) -> ExtensionSources:
    """Find the attribute called *title* (or whose reference it is), and what stands elsewhere.

    Raises:
        OneCError: as reads do; OneCNotPublished when properties or their sets are not published.
    """
    found = pick_property(await _properties_of_users(sets), title)
    if found is None:
        return ExtensionSources()
    ref = Ref(found.ref.lower())
    return ExtensionSources(
        property=ref,
        register=await _register(sets, ref) if found.in_register else None,
        listed=await _list_values(sets, found),
    )


def pick_property(rows: Iterable[PropertyRow], title: str) -> PropertyRow | None:
    """Choose the property of this title; where a title says nothing, by its longer name.

    Releases 11.4 name it by its title with the set in brackets.
    """
    wanted = _folded(title)
    alive = sorted((r for r in rows if not r.marked), key=lambda row: row.ref)
    for fits in (
        lambda row: row.ref.lower() == wanted,
        lambda row: _folded(row.title) == wanted,
        lambda row: _folded(row.name) == wanted,
        lambda row: _folded(row.name).startswith(f"{wanted} ("),
    ):
        for row in alive:
            if fits(row):
                return row
    return None


def members_of_users(rows: Iterable[PropertySetRow]) -> tuple[Ref, ...]:
    """Give the properties of the users' set, known by its name or by its fixed reference."""
    rows = tuple(rows)
    users = [row for row in rows if schema.USERS_SET in (row.name, row.predefined)]
    users = users or [row for row in rows if row.ref.lower() == schema.USERS_SET_REF]
    members = [
        ref_or_none(member.property)
        for row in users
        for member in (*(row.attributes or ()), *(row.extras or ()))
        if not member.marked
    ]
    return tuple(dict.fromkeys(ref for ref in members if ref is not None))


async def _properties_of_users(sets: SetReader) -> Sequence[PropertyRow]:
    # There are some hundred sets; asking for all is one short answer and needs no filter by a
    # column that older releases lack.
    page = await sets.page(schema.PROPERTY_SETS, schema.PROPERTY_SET_COLUMNS, _SETS)
    members = members_of_users(page.value)
    select = await sets.select(schema.PROPERTIES, schema.PROPERTY_COLUMNS)
    rows: list[PropertyRow] = []
    for part in keys(members, listing_query(select)):
        found = await sets.page(
            schema.PROPERTIES, schema.PROPERTY_COLUMNS, _PROPERTIES, options=part.options()
        )
        rows += found.value
    return rows


async def _register(sets: SetReader, attribute: Ref) -> dict[Ref, Attribute]:
    page = await sets.page(
        schema.EXTRA_VALUES,
        schema.EXTRA_VALUE_COLUMNS,
        _EXTRA,
        options={"filter": f"{schema.EXTRA_VALUE_PROPERTY} eq {guid(attribute)}"},
    )
    return {
        owner: read_value(row)
        for row in page.value
        if row.owner_type == schema.MANAGER_TYPE and (owner := ref_or_none(row.owner)) is not None
    }


async def _list_values(sets: SetReader, found: PropertyRow) -> dict[Ref, str] | None:
    """Give the texts of the attribute's list values; None where the catalog is not published."""
    # A property may borrow the list of another.
    owner = ref_or_none(found.list_owner) or Ref(found.ref.lower())
    try:
        page = await sets.page(
            schema.PROPERTY_VALUES,
            schema.PROPERTY_VALUE_COLUMNS,
            _VALUES,
            options={"filter": f"{schema.PROPERTY_VALUE_OWNER} eq {guid(owner)}"},
        )
    except OneCNotPublished:
        # Most attributes are plain texts and need no list; `onec-bridge check` tells of this.
        return None
    return {Ref(row.ref.lower()): (row.name or "").strip() for row in page.value}


def _folded(text: str | None) -> str:
    return " ".join((text or "").split()).casefold()
