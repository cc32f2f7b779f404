"""What is wrong in the data pulled from 1C, the costly first."""

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.data_quality import SqliteDataQuality
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.entities import EntityKind
from tests.support.builders import contact, partner, ref

pytestmark = pytest.mark.anyio


@pytest.fixture
def data_quality(tmp_path: Path) -> SqliteDataQuality:
    path = tmp_path / "directory.db"
    store = SqliteDirectoryStore(path)
    with store.transaction() as run:
        run.put(
            EntityKind.PARTNER,
            [
                partner("С менеджером"),
                partner("Без менеджера 1", manager=None, phones=["спросить у Пети"]),
                partner("Без менеджера 2", manager=None),
                replace(partner("Помечен", manager=None), deletion_mark=True),
                replace(partner("Наше предприятие", manager=None), predefined=True),
            ],
        )
        run.put(EntityKind.CONTACT, [contact("Иванов", phones=["8 903 555-0123-45"])])
        run.reindex()
    store.close()
    return SqliteDataQuality(path)


async def test_partners_without_a_manager_are_listed_with_their_calls(
    data_quality: SqliteDataQuality,
) -> None:
    found = await data_quality.unmanaged_partners(
        {ref("Без менеджера 2"): 4, ref("С менеджером"): 9}, 10
    )

    assert [(issue.owner_name, issue.call_count) for issue in found.issues] == [
        ("Без менеджера 2", 4),
        ("Без менеджера 1", 0),
    ]
    assert (found.total, found.call_count) == (2, 4)


async def test_an_unread_phone_costs_the_calls_of_unknown_callers_who_have_its_digits(
    data_quality: SqliteDataQuality,
) -> None:
    found = await data_quality.unreadable_phones({"5550123": 3}, 10)

    assert [(issue.owner_name, issue.call_count) for issue in found.issues] == [
        ("Иванов", 3),
        ("Без менеджера 1", 0),
    ]
    assert found.issues[1].detail == "спросить у Пети"
    assert (found.total, found.call_count) == (2, 3)


async def test_before_the_first_sync_nothing_is_wrong(tmp_path: Path) -> None:
    found = await SqliteDataQuality(tmp_path / "none.db").unmanaged_partners({}, 10)

    assert found.total == 0
