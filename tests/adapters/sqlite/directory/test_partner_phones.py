"""The numbers of a partner, as somebody reads them who wants to call."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import EntityKind
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import SyncReport
from tests.support import builders as b

ROMASHKA = b.partner(phones=("8 (495) 000-00-01",))


def directory(path: Path, nouns: dict[EntityKind, list[DirectoryObject]]) -> SqliteDirectory:
    store = SqliteDirectoryStore(path)
    with store.transaction() as transaction:
        for kind, some in nouns.items():
            transaction.put(kind, some)
        transaction.reindex()
        transaction.save_report(SyncReport(b.NOON, 1.0, False, True, 0, ()))
    store.close()
    return SqliteDirectory(path, stale_after=timedelta(hours=1))


@pytest.fixture
def reader(tmp_path: Path) -> SqliteDirectory:
    gone = b.contact("Аксёнов", ended=date(2025, 1, 1), phones=("8 903 555-01-25",))
    marked = replace(b.contact("Лишний", phones=("8 903 555-01-26",)), deletion_mark=True)
    foreign = b.contact("Чужой", partner="ООО Лютик", phones=("8 903 555-01-27",))
    return directory(
        tmp_path / "directory.db",
        {
            EntityKind.PARTNER: [ROMASHKA, b.partner("ООО Пустое")],
            EntityKind.CONTACT: [
                gone,
                marked,
                foreign,
                b.contact("Яшин", phones=("8 903 555-01-24 доб. 14, 8 495 000-00-01",)),
                b.contact("Иванов Пётр"),
            ],
            EntityKind.COUNTERPARTY: [b.counterparty(phones=("8 (495) 000-00-02",))],
        },
    )


def test_a_partner_s_own_numbers_come_first_then_his_people_s_then_his_firms(
    reader: SqliteDirectory,
):
    phones = reader.phones_of(ROMASHKA.ref)

    assert phones is not None
    assert [(str(p.number), p.name, p.kind) for p in phones] == [
        ("74950000001", "ООО Ромашка", CandidateKind.PARTNER),
        ("79035550123", "Иванов Пётр", CandidateKind.CONTACT),
        ("79035550124", "Яшин", CandidateKind.CONTACT),
        ("79035550125", "Аксёнов", CandidateKind.CONTACT),
        ("74950000002", "Ромашка-Сервис ООО", CandidateKind.COUNTERPARTY),
    ]
    assert [p.ended for p in phones] == [False, False, False, True, False]
    assert [p.extension for p in phones] == [None, None, "14", None, None]


def test_a_contact_person_has_his_own_numbers_alone(reader: SqliteDirectory):
    phones = reader.phones_of(b.ref("Иванов Пётр"))

    assert phones is not None
    assert [p.as_typed for p in phones] == ["+7 (903) 555-01-23"]


def test_nobody_has_no_numbers_and_a_partner_may_have_none(reader: SqliteDirectory):
    assert reader.phones_of(b.ref("nobody")) is None
    assert reader.phones_of(b.ref("ООО Пустое")) == []


def test_before_the_first_sync_nobody_is_known(tmp_path: Path):
    empty = SqliteDirectory(tmp_path / "directory.db", stale_after=timedelta(hours=1))

    assert empty.phones_of(ROMASHKA.ref) is None
