"""A directory of format 1 answers at once, and is upgraded by the next sync."""

import re
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.data_quality import SqliteDataQuality
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION
from bridge.domain.directory.entities import AttributeValue, EntityKind, Ref
from tests.adapters.sqlite.directory.objects import (
    N1,
    contact,
    guid,
    manager,
    names_at,
    partner,
    put,
)
from tests.support.builders import fields

_OLD_KEYS = {
    '"phone_fields":': '"fields":',
    '"deletion_mark":': '"marked":',
    '"value_ref":': '"listed":',
}
_NAME = 'ООО "fields":"marked"'


def downgrade(path: Path) -> None:
    """Give the file the keys and the number of format 1."""
    with sqlite3.connect(path) as file:
        for table in ("managers", "partners", "contacts", "counterparties"):
            for new, old in _OLD_KEYS.items():
                file.execute(f"UPDATE {table} SET doc = replace(doc, ?, ?)", (new, old))  # noqa: S608
        file.execute("PRAGMA user_version = 1")
    file.close()


def old_directory(path: Path) -> None:
    writer = SqliteDirectoryStore(path)
    put(
        writer,
        manager(1, deletion_mark=True, attribute=AttributeValue("", Ref("list value"))),
        partner(11, N1, manager=guid(1), name=_NAME),
        contact(21, N1, partner=guid(11), deletion_mark=True),
    )
    writer.close()
    downgrade(path)


def test_a_directory_of_before_answers_before_it_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "directory.db"
    old_directory(path)

    reader = SqliteDirectory(path, stale_after=timedelta(hours=1))

    assert reader.error() is None
    assert names_at(reader, N1) == [_NAME]
    (found,) = reader.managers().values()
    assert found.deletion_mark
    assert found.attribute == AttributeValue("", Ref("list value"))
    migrated = reader.partner(guid(11))
    assert migrated is not None
    assert [phone.number for field in migrated.phone_fields for phone in field.phones] == [N1]
    reader.close()


@pytest.mark.anyio
async def test_errors_in_a_directory_of_before_are_found_before_it_is_upgraded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "directory.db"
    writer = SqliteDirectoryStore(path)
    put(
        writer,
        partner(11, name="Без менеджера"),
        partner(12, name="Помечен", deletion_mark=True),
        replace(contact(21, partner=guid(11)), phone_fields=fields("спросить у Пети")),
    )
    writer.close()
    downgrade(path)
    data_quality = SqliteDataQuality(path)

    unmanaged = await data_quality.unmanaged_partners({}, 10)
    unreadable = await data_quality.unreadable_phones({}, 10)

    assert [issue.owner_name for issue in unmanaged.issues] == ["Без менеджера"]
    assert [issue.detail for issue in unreadable.issues] == ["спросить у Пети"]
    await data_quality.close()


def test_a_directory_of_before_is_upgraded_by_the_next_sync(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "directory.db"
    old_directory(path)

    with caplog.at_level("INFO"):
        writer = SqliteDirectoryStore(path)
    (line,) = [r for r in caplog.records if r.message == "store_upgraded"]
    assert (vars(line)["from_format"], vars(line)["documents"]) == (1, 3)
    assert writer.versions(EntityKind.PARTNER) == {guid(11): "1"}
    put(writer, partner(11, N1, manager=guid(1), name=f"{_NAME}!"))
    writer.close()

    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
        texts = [text for (text,) in file.execute("SELECT doc FROM contacts")]
    file.close()
    assert len(texts) == 1
    assert re.search('"deletion_mark":true', texts[0])
    reader = SqliteDirectory(path, stale_after=timedelta(hours=1))
    assert names_at(reader, N1) == [f"{_NAME}!"]
    reader.close()
