"""Where 1C keeps the extensions of its users: which attribute, and its values outside the users.

The attribute is found by its title among the properties of the users' set; properties of the same
title in other sets, and those marked for deletion, are left out.
Source: docs/facts/ut11.md, 'Extensions of managers'.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder, ref_or_none
from bridge.adapters.onec.protocol.query import guid_literal, listing_query
from bridge.adapters.onec.reading.objects import read_attribute_value
from bridge.adapters.onec.reading.parts import split_refs
from bridge.adapters.onec.reading.sets import EntitySetReader
from bridge.adapters.onec.schema import (
    ObjectRow,
    PropertyRow,
    PropertySetRow,
    PropertyValueRow,
    RowPage,
)
from bridge.domain.directory.entities import AttributeValue, ExtensionSources, Ref
from bridge.errors import OneCNotPublished

_PROPERTY_SETS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PropertySetRow]))
_PROPERTIES: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PropertyRow]))
_LIST_VALUES: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ObjectRow]))
_REGISTER_VALUES: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PropertyValueRow]))


async def find_extension_sources(sets: EntitySetReader, title: str) -> ExtensionSources:
    """Return the attribute with *title* (or this reference), and its values outside the users.

    Raises:
        OneCError: as reads do; OneCNotPublished when properties or their sets are not published.
    """
    found = find_property(await _properties_of_users(sets), title)
    if found is None:
        return ExtensionSources()
    ref = Ref(found.ref.lower())
    return ExtensionSources(
        attribute_ref=ref,
        register_values=await _register_values(sets, ref) if found.in_register else None,
        list_values=await _list_values(sets, found),
    )


def find_property(rows: Iterable[PropertyRow], title: str) -> PropertyRow | None:
    """Return the property with this reference, title or name.

    Releases 11.4 name a property by its title with the set in brackets.
    """
    title_or_ref = _folded(title)
    unmarked = sorted((r for r in rows if not r.deletion_mark), key=lambda row: row.ref)
    for matches in (
        lambda row: row.ref.lower() == title_or_ref,
        lambda row: _folded(row.title) == title_or_ref,
        lambda row: _folded(row.name) == title_or_ref,
        lambda row: _folded(row.name).startswith(f"{title_or_ref} ("),
    ):
        for row in unmarked:
            if matches(row):
                return row
    return None


def user_properties(rows: Iterable[PropertySetRow]) -> tuple[Ref, ...]:
    """Return the properties of the users' set, found by its name or by its fixed reference."""
    rows = tuple(rows)
    users = [row for row in rows if schema.USERS_PROPERTY_SET in (row.name, row.predefined)]
    users = users or [row for row in rows if row.ref.lower() == schema.USERS_PROPERTY_SET_REF]
    members = [
        ref_or_none(member.property)
        for row in users
        for member in (*(row.attributes or ()), *(row.register_properties or ()))
        if not member.deletion_mark
    ]
    return tuple(dict.fromkeys(ref for ref in members if ref is not None))


async def _properties_of_users(sets: EntitySetReader) -> Sequence[PropertyRow]:
    # There are about a hundred sets; all of them are one short answer, and a filter would need a
    # column that older releases lack.
    page = await sets.read_page(schema.PROPERTY_SETS, schema.PROPERTY_SET_COLUMNS, _PROPERTY_SETS)
    members = user_properties(page.value)
    select = await sets.select_option(schema.PROPERTIES, schema.PROPERTY_COLUMNS)
    rows: list[PropertyRow] = []
    for part in split_refs(members, listing_query(select)):
        found = await sets.read_page(
            schema.PROPERTIES, schema.PROPERTY_COLUMNS, _PROPERTIES, options=part.query_options()
        )
        rows += found.value
    return rows


async def _register_values(sets: EntitySetReader, attribute: Ref) -> dict[Ref, AttributeValue]:
    page = await sets.read_page(
        schema.EXTRA_VALUES,
        schema.EXTRA_VALUE_COLUMNS,
        _REGISTER_VALUES,
        options={"filter": f"{schema.EXTRA_VALUE_PROPERTY} eq {guid_literal(attribute)}"},
    )
    return {
        owner: read_attribute_value(row)
        for row in page.value
        if row.owner_type == schema.MANAGER_TYPE and (owner := ref_or_none(row.owner)) is not None
    }


async def _list_values(sets: EntitySetReader, found: PropertyRow) -> dict[Ref, str] | None:
    """Return the texts of the attribute's list values; None where the catalog is not published."""
    # A property may use the list of another.
    owner = ref_or_none(found.list_owner) or Ref(found.ref.lower())
    try:
        page = await sets.read_page(
            schema.PROPERTY_VALUES,
            schema.PROPERTY_VALUE_COLUMNS,
            _LIST_VALUES,
            options={"filter": f"{schema.PROPERTY_VALUE_OWNER} eq {guid_literal(owner)}"},
        )
    except OneCNotPublished:
        # Most attributes are plain texts and need no list; `onec-bridge check` reports it.
        return None
    return {Ref(row.ref.lower()): (row.name or "").strip() for row in page.value}


def _folded(text: str | None) -> str:
    return " ".join((text or "").split()).casefold()
