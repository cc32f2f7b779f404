"""The numbers of one partner, read for somebody who wants to call: three indexed reads."""

from collections.abc import Iterable, Iterator

from bridge.adapters.sqlite.directory.documents import (
    PARTNER_EXPRESSION,
    REF_EXPRESSION,
    TABLES,
    decode_object_of_any_format,
)
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    may_be_caller,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.orders import OwnedPhone

# ruff: noqa: S608 - tables are constants of this house.

_KINDS = {
    Partner: CandidateKind.PARTNER,
    ContactPerson: CandidateKind.CONTACT,
    Counterparty: CandidateKind.COUNTERPARTY,
}


def read_partner_phones(file: SqliteFile, owner: Ref) -> list[OwnedPhone] | None:
    """Give the numbers of a partner or a contact person, each once; None when there is no such.

    Raises StoreError or msgspec.MsgspecError when the file cannot be read.
    """
    partners = list(_read(file, EntityKind.PARTNER, REF_EXPRESSION, owner))
    if not partners:
        contacts = list(_read(file, EntityKind.CONTACT, REF_EXPRESSION, owner))
        return _phones(contacts) if contacts else None
    contacts = sorted(_read(file, EntityKind.CONTACT, PARTNER_EXPRESSION, owner), key=_order)
    firms = sorted(_read(file, EntityKind.COUNTERPARTY, PARTNER_EXPRESSION, owner), key=_order)
    return _phones([*partners, *contacts, *firms])


def _read(file: SqliteFile, kind: EntityKind, column: str, ref: Ref) -> Iterator[PhoneOwner]:
    for (text,) in file.read(f"SELECT doc FROM {TABLES[kind]} WHERE {column} = ?", (ref,)):
        noun = decode_object_of_any_format(kind, text)
        if not isinstance(noun, Manager):
            yield noun


def _order(owner: PhoneOwner) -> tuple[bool, str, str]:
    return _has_ended(owner), owner.name, owner.ref


def _has_ended(owner: PhoneOwner) -> bool:
    return isinstance(owner, ContactPerson) and owner.ended is not None


def _phones(owners: Iterable[PhoneOwner]) -> list[OwnedPhone]:
    found: dict[PhoneNumber, OwnedPhone] = {}
    for owner in filter(may_be_caller, owners):
        for field in owner.phone_fields:
            for phone in field.phones:
                found.setdefault(
                    phone.number,
                    OwnedPhone(
                        phone.number,
                        owner.ref,
                        _KINDS[type(owner)],
                        owner.name,
                        field.text,
                        phone.extension,
                        _has_ended(owner),
                    ),
                )
    return list(found.values())
