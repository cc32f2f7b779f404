"""The numbers of one partner, read for somebody who wants to call: three indexed reads."""

from collections.abc import Iterable, Iterator

from bridge.adapters.embedded.directory_documents import BY_PARTNER, BY_REF, TABLES, decode_noun
from bridge.adapters.embedded.sqlite_file import SqliteFile
from bridge.domain.directory import (
    CandidateKind,
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Owner,
    Partner,
    Ref,
    is_caller,
)
from bridge.domain.phone import PhoneNumber
from bridge.ports import OwnedPhone

# ruff: noqa: S608 - tables are constants of this house.

_KINDS = {
    Partner: CandidateKind.PARTNER,
    ContactPerson: CandidateKind.CONTACT,
    Counterparty: CandidateKind.COUNTERPARTY,
}


def phones_of(file: SqliteFile, owner: Ref) -> list[OwnedPhone] | None:
    """Give the numbers of a partner or a contact person, each once; None when there is no such.

    Raises StoreError or msgspec.MsgspecError when the file cannot be read.
    """
    partners = list(_read(file, EntityKind.PARTNER, BY_REF, owner))
    if not partners:
        contacts = list(_read(file, EntityKind.CONTACT, BY_REF, owner))
        return _phones(contacts) if contacts else None
    contacts = sorted(_read(file, EntityKind.CONTACT, BY_PARTNER, owner), key=_order)
    firms = sorted(_read(file, EntityKind.COUNTERPARTY, BY_PARTNER, owner), key=_order)
    return _phones([*partners, *contacts, *firms])


def _read(file: SqliteFile, kind: EntityKind, column: str, ref: Ref) -> Iterator[Owner]:
    for (text,) in file.read(f"SELECT doc FROM {TABLES[kind]} WHERE {column} = ?", (ref,)):
        noun = decode_noun(kind, text)
        if not isinstance(noun, Manager):
            yield noun


def _order(owner: Owner) -> tuple[bool, str, str]:
    return _has_ended(owner), owner.name, owner.ref


def _has_ended(owner: Owner) -> bool:
    return isinstance(owner, ContactPerson) and owner.ended is not None


def _phones(owners: Iterable[Owner]) -> list[OwnedPhone]:
    found: dict[PhoneNumber, OwnedPhone] = {}
    for owner in filter(is_caller, owners):
        for field in owner.fields:
            for phone in field.phones:
                found.setdefault(
                    phone.number,
                    OwnedPhone(
                        phone.number,
                        owner.ref,
                        _KINDS[type(owner)],
                        owner.name,
                        field.typed,
                        phone.extension,
                        _has_ended(owner),
                    ),
                )
    return list(found.values())
