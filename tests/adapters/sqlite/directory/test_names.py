"""Names of the directory found by substring."""

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from tests.adapters.sqlite.directory.objects import (
    contact,
    counterparty,
    manager,
    partner,
    put,
)


@pytest.fixture
def people(writer: SqliteDirectoryStore, reader: SqliteDirectory) -> SqliteDirectory:
    put(
        writer,
        manager(1, name="Ли"),
        partner(11, name='ООО "Ромашка"'),
        partner(12, name="Белая ромашка", deletion_mark=True),
        contact(21, name="Ёлкина Анна Ивановна"),
        counterparty(31, name="ИП Иванов А. А."),
    )
    reader.refresh()
    return reader


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ромашка", ['ООО "Ромашка"', "Белая ромашка"]),
        ("РОМАШ", ['ООО "Ромашка"', "Белая ромашка"]),
        ("иван", ["Ёлкина Анна Ивановна", "ИП Иванов А. А."]),
        ("елкина ан", ["Ёлкина Анна Ивановна"]),
        ("анна ёлкина", ["Ёлкина Анна Ивановна"]),
        ("ип", ["ИП Иванов А. А."]),
        ("ли", ["Ли"]),
        ("и", ["ИП Иванов А. А.", "Ёлкина Анна Ивановна", "Ли"]),
        ('"ром', ['ООО "Ромашка"']),
        ("а.", ["ИП Иванов А. А."]),
        ("' OR 1", []),
        ("нет такого", []),
        ("  ", []),
        ("\0", []),
    ],
)
def test_names_are_found_by_any_part_in_any_case(
    people: SqliteDirectory, text: str, found: list[str]
) -> None:
    assert sorted(n.name for n in people.find_by_name(text)) == sorted(found)


def test_names_that_begin_so_come_first_and_marked_ones_last(people: SqliteDirectory) -> None:
    assert people.find_by_name("и")[0].name == "ИП Иванов А. А."
    assert people.find_by_name("ромашка")[-1].name == "Белая ромашка"
    assert len(people.find_by_name("и", limit=1)) == 1
