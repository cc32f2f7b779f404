"""Rows from 1C → the domain's nouns: pure, and forgiving, for one odd row must not stop a pull."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain
from typing import Final, NamedTuple

from bridge.adapters.onec.reading.phones import read_phone_lines
from bridge.adapters.onec.schema import (
    LIST_VALUE_TYPE,
    PHONE_CONTACT_TYPE,
    PRIMITIVE_PREFIX,
    TYPE_PREFIX,
    UNDEFINED_TYPE,
    ContactPersonRow,
    CounterpartyRow,
    ManagerRow,
    ObjectRow,
    OwnerRow,
    PartnerRow,
    PhoneLineRow,
    PropertyValueRow,
)
from bridge.domain.directory.entities import (
    EMPTY_REF,
    AttributeValue,
    ContactPerson,
    Counterparty,
    Manager,
    Partner,
    PhoneField,
    Ref,
    Version,
)
from bridge.domain.phone.phone import PhoneRules
from bridge.ports.onec import DirectoryObject

_EMPTY_YEAR: Final = "0001"
_DAY: Final = len("2026-11-23")


class ReadObject(NamedTuple):
    """A noun, and whether a phone of it is unread and may be found in its storages."""

    entity: DirectoryObject
    has_unread_phones: bool = False


def ref_or_none(text: str | None) -> Ref | None:
    """Read a reference in lower case; null and the zero guid are none."""
    if not text or text == EMPTY_REF:
        return None
    return Ref(text.lower())


def is_group(row: ObjectRow) -> bool:
    """Tell a group of the hierarchy; without its flag it is known by what it cannot have."""
    if row.is_folder is not None:
        return row.is_folder
    if isinstance(row, PartnerRow):
        return row.contact_lines is None and row.manager is None
    if isinstance(row, ContactPersonRow | CounterpartyRow):
        return row.contact_lines is None and row.partner is None
    return False


def as_group(noun: DirectoryObject) -> DirectoryObject:
    """Make of a group what is known to be there and never answers or calls."""
    if isinstance(noun, Manager):
        return replace(noun, invalid=True)
    return replace(noun, phone_fields=())


def read_partners(rows: Sequence[PartnerRow], rules: PhoneRules) -> Iterator[ReadObject]:
    """ReadObject partners."""
    for row, (fields, unread) in zip(rows, read_phone_fields(rows, rules), strict=True):
        partner = Partner(
            Ref(row.ref.lower()),
            Version(row.version or ""),
            row.name or "",
            (row.code or "").strip(),
            ref_or_none(row.parent),
            ref_or_none(row.manager),
            bool(row.customer),
            bool(row.deletion_mark),
            bool(row.predefined),
            fields,
        )
        yield ReadObject(partner, unread)


def read_contact_persons(
    rows: Sequence[ContactPersonRow], rules: PhoneRules
) -> Iterator[ReadObject]:
    """ReadObject contact persons."""
    for row, (fields, unread) in zip(rows, read_phone_fields(rows, rules), strict=True):
        person = ContactPerson(
            Ref(row.ref.lower()),
            Version(row.version or ""),
            row.name or "",
            ref_or_none(row.partner),
            row.position or "",
            _day_or_none(row.ended),
            bool(row.deletion_mark),
            fields,
        )
        yield ReadObject(person, unread)


def read_counterparties(rows: Sequence[CounterpartyRow], rules: PhoneRules) -> Iterator[ReadObject]:
    """ReadObject legal entities."""
    for row, (fields, unread) in zip(rows, read_phone_fields(rows, rules), strict=True):
        entity = Counterparty(
            Ref(row.ref.lower()),
            Version(row.version or ""),
            row.name or "",
            ref_or_none(row.partner),
            row.tax_id or "",
            bool(row.deletion_mark),
            fields,
        )
        yield ReadObject(entity, unread)


def read_managers(
    rows: Iterable[ManagerRow], extension_property: Ref | None
) -> Iterator[ReadObject]:
    """Read users; *attribute* is the property that holds extensions."""
    for row in rows:
        manager = Manager(
            ref=Ref(row.ref.lower()),
            version=Version(row.version or ""),
            name=row.name or "",
            invalid=bool(row.invalid),
            service=bool(row.service),
            deletion_mark=bool(row.deletion_mark),
            attribute=_attribute_of(row, extension_property),
        )
        yield ReadObject(manager)


def read_attribute_value(row: PropertyValueRow) -> AttributeValue:
    """Read a value by its type: text, number, or a reference to a list value."""
    kind, value = row.type or "", row.value
    if kind and kind != UNDEFINED_TYPE and not kind.startswith(PRIMITIVE_PREFIX):
        # A list that is not published has a type of another namespace; a type of ours that is no
        # list value refers to something that has no extension in it.
        is_listed = kind == LIST_VALUE_TYPE or not kind.startswith(TYPE_PREFIX)
        return AttributeValue(
            value_ref=ref_or_none(value) if is_listed and isinstance(value, str) else None
        )
    if row.long_text and row.long_text.strip():
        return AttributeValue(row.long_text.strip())
    if value is None or isinstance(value, bool):
        return AttributeValue()
    if isinstance(value, float) and value.is_integer():
        return AttributeValue(str(int(value)))
    return AttributeValue(str(value).strip())


def _attribute_of(row: ManagerRow, attribute: Ref | None) -> AttributeValue | None:
    if attribute is None or not row.property_values:
        return None
    for value in row.property_values:
        if value.property is not None and value.property.lower() == attribute:
            return read_attribute_value(value)
    return None


def read_phone_fields(
    rows: Sequence[OwnerRow], rules: PhoneRules
) -> Iterator[tuple[tuple[PhoneField, ...], bool]]:
    """Read the phone lines of each row; True when one of his may tell more at a second look."""
    phones = [
        [line for line in row.contact_lines if line.type == PHONE_CONTACT_TYPE]
        if row.contact_lines
        else ()
        for row in rows
    ]
    # The lines of all rows at once, for that takes less than half of the time.
    lines = list(chain.from_iterable(phones))
    fields = read_phone_lines(lines, rules)
    # Without the text people see, the column of digits may hold one number of two.
    unread = [
        not (line.presentation and field.phones) and not _was_looked_at(line)
        for line, field in zip(lines, fields, strict=True)
    ]
    end = 0
    for own in phones:
        start, end = end, end + len(own)
        yield tuple(fields[start:end]), True in unread[start:end]


def _was_looked_at(line: PhoneLineRow) -> bool:
    return line.json_storage is not None or line.text_storage is not None


def _day_or_none(text: str | None) -> date | None:
    if not text or text.startswith(_EMPTY_YEAR):
        return None
    try:
        return date.fromisoformat(text[:_DAY])
    except ValueError:
        return None
