"""Directory objects for tests, and how they are put and looked up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.adapters.sqlite.directory.documents import TABLES
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.caller_card import Candidate
from bridge.domain.directory.entities import (
    ContactPerson,
    Counterparty,
    EntityKind,
    Manager,
    Partner,
    PhoneField,
    Ref,
    Version,
)
from bridge.domain.phone.phone import ParsedPhone, PhoneNumber
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import EntitySync, SyncReport

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
N1, N2, N3 = PhoneNumber(74950000001), PhoneNumber(74950000002), PhoneNumber(79160000003)


def guid(n: int) -> Ref:
    return Ref(f"{n:08x}-1c1c-41c1-a1c1-{n:012x}")


def typed(*numbers: int, extension: str | None = None) -> PhoneField:
    phones = tuple(ParsedPhone(PhoneNumber(n), extension) for n in numbers)
    return PhoneField(" / ".join(f"+{n}" for n in numbers), phones)


def manager(n: int, **more: Any) -> Manager:
    return replace(Manager(guid(n), Version("1"), f"Менеджер {n}", str(100 + n)), **more)


def partner(n: int, *numbers: int, **more: Any) -> Partner:
    fields = tuple(typed(number) for number in numbers)
    return replace(
        Partner(guid(n), Version("1"), f"ООО «Ромашка {n}»", phone_fields=fields), **more
    )


def contact(n: int, *numbers: int, **more: Any) -> ContactPerson:
    fields = tuple(typed(number) for number in numbers)
    return replace(
        ContactPerson(guid(n), Version("1"), f"Иванов Пётр {n}", phone_fields=fields), **more
    )


def counterparty(n: int, *numbers: int, **more: Any) -> Counterparty:
    fields = tuple(typed(number) for number in numbers)
    return replace(
        Counterparty(guid(n), Version("1"), f"ИП Ёлкин {n}", phone_fields=fields), **more
    )


def kind_of(one: DirectoryObject) -> EntityKind:
    kinds = {
        Manager: EntityKind.MANAGER,
        Partner: EntityKind.PARTNER,
        ContactPerson: EntityKind.CONTACT,
        Counterparty: EntityKind.COUNTERPARTY,
    }
    return kinds[type(one)]


def report(proven_at: datetime | None = NOW, **more: Any) -> SyncReport:
    entity = EntitySync(EntityKind.PARTNER, listed=3, held=3, proven_at=proven_at)
    plain = SyncReport(NOW, 1.5, full=True, changed=True, numbers=3, entities=(entity,))
    return replace(plain, **more)


def put(writer: SqliteDirectoryStore, *objects: DirectoryObject) -> None:
    """One run that brings *objects*."""
    with writer.transaction() as run:
        for one in objects:
            run.put(kind_of(one), [one])
        run.reindex()
        run.save_report(report())


def manager_rows(writer: SqliteDirectoryStore) -> list[int]:
    """Return the row numbers of the managers, by which cards name them."""
    table = TABLES[EntityKind.MANAGER]
    rows = writer._db.file.read(f"SELECT id FROM {table} ORDER BY id")  # noqa: SLF001, S608 - ours
    return [row for (row,) in rows]


def names_at(reader: SqliteDirectory, number: PhoneNumber) -> list[str]:
    reader.refresh()
    card = reader.look_up(number)
    return [] if card is None else [candidate.name for candidate in card.candidates]


def only(reader: SqliteDirectory, number: PhoneNumber) -> Candidate:
    reader.refresh()
    card = reader.look_up(number)
    assert card is not None
    (candidate,) = card.candidates
    return candidate


def refreshed(reader: SqliteDirectory) -> SqliteDirectory:
    reader.refresh()
    return reader
