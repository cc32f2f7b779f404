"""Rows from 1C read into the domain's objects; pure, and one odd row must not stop a pull."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from bridge.adapters.onec.protocol.decoding import lenient_json_decoder, ref_or_none
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
    RowPage,
)
from bridge.domain.directory.entities import (
    AttributeValue,
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
    PhoneField,
    Ref,
    Version,
)
from bridge.domain.phone.phone import PhoneRules
from bridge.ports.onec import DirectoryObject

_EMPTY_YEAR: Final = "0001"
_DATE_LENGTH: Final = len("2026-11-23")

EntityT_co = TypeVar("EntityT_co", bound=DirectoryObject, covariant=True)
OwnerRowT = TypeVar("OwnerRowT", bound=OwnerRow)


class ReadObject(NamedTuple, Generic[EntityT_co]):
    """An object, and whether it has a phone that can be read from its storages only."""

    entity: EntityT_co
    has_unread_phones: bool = False


def is_group(row: ObjectRow) -> bool:
    """Return whether *row* is a group of the hierarchy; without its flag by what it cannot have."""
    if row.is_folder is not None:
        return row.is_folder
    if isinstance(row, PartnerRow):
        return row.contact_lines is None and row.manager is None
    if isinstance(row, ContactPersonRow | CounterpartyRow):
        return row.contact_lines is None and row.partner is None
    return False


def as_group(entity: DirectoryObject) -> DirectoryObject:
    """Return a group as an object that never answers calls and has no phones."""
    if isinstance(entity, Manager):
        return replace(entity, invalid=True)
    return replace(entity, phone_fields=())


def read_partners(rows: Sequence[PartnerRow], rules: PhoneRules) -> Iterator[ReadObject[Partner]]:
    """Yield the partners in *rows*."""
    return _read_owners(rows, rules, _read_partner)


def read_contact_persons(
    rows: Sequence[ContactPersonRow], rules: PhoneRules
) -> Iterator[ReadObject[ContactPerson]]:
    """Yield the contact persons in *rows*."""
    return _read_owners(rows, rules, _read_contact_person)


def read_counterparties(
    rows: Sequence[CounterpartyRow], rules: PhoneRules
) -> Iterator[ReadObject[Counterparty]]:
    """Yield the legal entities in *rows*."""
    return _read_owners(rows, rules, _read_counterparty)


def _read_owners(
    rows: Sequence[OwnerRowT],
    rules: PhoneRules,
    read: Callable[[OwnerRowT, tuple[PhoneField, ...]], EntityT_co],
) -> Iterator[ReadObject[EntityT_co]]:
    for row, (fields, unread) in zip(rows, read_phone_fields(rows, rules), strict=True):
        yield ReadObject(read(row, fields), unread)


def _read_partner(row: PartnerRow, fields: tuple[PhoneField, ...]) -> Partner:
    return Partner(
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


def _read_contact_person(row: ContactPersonRow, fields: tuple[PhoneField, ...]) -> ContactPerson:
    return ContactPerson(
        Ref(row.ref.lower()),
        Version(row.version or ""),
        row.name or "",
        ref_or_none(row.partner),
        row.position or "",
        _date_or_none(row.ended),
        bool(row.deletion_mark),
        fields,
    )


def _read_counterparty(row: CounterpartyRow, fields: tuple[PhoneField, ...]) -> Counterparty:
    return Counterparty(
        Ref(row.ref.lower()),
        Version(row.version or ""),
        row.name or "",
        ref_or_none(row.partner),
        row.tax_id or "",
        bool(row.deletion_mark),
        fields,
    )


def read_managers(
    rows: Iterable[ManagerRow], extension_property: Ref | None
) -> Iterator[ReadObject[Manager]]:
    """Yield the users in *rows*; *extension_property* is the property that holds extensions."""
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


class PhoneOwnerReader(NamedTuple):
    """How answers with owners of phones of one kind are decoded, and their rows read."""

    decode: Callable[[bytes], RowPage[Any]]
    read: Callable[[Sequence[Any], PhoneRules], Iterator[ReadObject[DirectoryObject]]]


PHONE_OWNER_READERS: Final = {
    EntityKind.CONTACT: PhoneOwnerReader(
        lenient_json_decoder(msgspec.json.Decoder(RowPage[ContactPersonRow])), read_contact_persons
    ),
    EntityKind.PARTNER: PhoneOwnerReader(
        lenient_json_decoder(msgspec.json.Decoder(RowPage[PartnerRow])), read_partners
    ),
    EntityKind.COUNTERPARTY: PhoneOwnerReader(
        lenient_json_decoder(msgspec.json.Decoder(RowPage[CounterpartyRow])), read_counterparties
    ),
}


def read_attribute_value(row: PropertyValueRow) -> AttributeValue:
    """Return a value by its type: text, number, or a reference to a list value."""
    kind, value = row.type or "", row.value
    if kind and kind != UNDEFINED_TYPE and not kind.startswith(PRIMITIVE_PREFIX):
        # A list that is not published has a type of another namespace; any other type of this
        # namespace refers to an object that holds no extension.
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


def _attribute_of(row: ManagerRow, extension_property: Ref | None) -> AttributeValue | None:
    if extension_property is None or not row.property_values:
        return None
    for value in row.property_values:
        if value.property is not None and value.property.lower() == extension_property:
            return read_attribute_value(value)
    return None


def read_phone_fields(
    rows: Sequence[OwnerRow], rules: PhoneRules
) -> Iterator[tuple[tuple[PhoneField, ...], bool]]:
    """Yield the phone fields of each row, and whether its storages may hold more numbers."""
    lines_of_rows = [
        [line for line in row.contact_lines if line.type == PHONE_CONTACT_TYPE]
        if row.contact_lines
        else ()
        for row in rows
    ]
    # Reading the lines of all rows at once takes less than half of the time.
    lines = list(chain.from_iterable(lines_of_rows))
    fields = read_phone_lines(lines, rules)
    # Without the presentation, the column of digits may hold one number of two.
    unread = [
        not (line.presentation and field.phones) and not _has_storages(line)
        for line, field in zip(lines, fields, strict=True)
    ]
    end = 0
    for lines_of_row in lines_of_rows:
        start, end = end, end + len(lines_of_row)
        yield tuple(fields[start:end]), True in unread[start:end]


def _has_storages(line: PhoneLineRow) -> bool:
    return line.json_storage is not None or line.text_storage is not None


def _date_or_none(text: str | None) -> date | None:
    if not text or text.startswith(_EMPTY_YEAR):
        return None
    try:
        return date.fromisoformat(text[:_DATE_LENGTH])
    except ValueError:
        return None
