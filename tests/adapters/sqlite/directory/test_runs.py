"""Runs on the directory file: versions, reports, failures and kills."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.entities import (
    AttributeValue,
    EntityKind,
    PhoneField,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import StoreError, SyncAlreadyRunning
from bridge.ports.stores.directory import SyncReport
from tests.adapters.sqlite.directory.objects import (
    HOUR,
    N1,
    N2,
    N3,
    NOW,
    contact,
    guid,
    manager,
    names_at,
    partner,
    put,
    report,
    typed,
)


def test_the_directory_is_listed_with_its_versions(writer: SqliteDirectoryStore) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.MANAGER, [manager(1, attribute=AttributeValue("101"))])
        run.put(EntityKind.PARTNER, [partner(11), partner(12)])
        run.save_report(report())
        assert run.managers() == [manager(1, attribute=AttributeValue("101"))]

    assert writer.versions(EntityKind.PARTNER) == {guid(11): "1", guid(12): "1"}
    assert writer.versions(EntityKind.CONTACT) == {}
    assert writer.report() == report()


def test_an_object_that_comes_twice_in_the_first_load_is_kept_once(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    old = replace(partner(11, N1), phone_fields=(typed(N1), PhoneField("звонить Оле", ())))
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [old, partner(12), partner(11, N2, name="Новый")])
        assert run.count_rows(EntityKind.PARTNER) == 2
        assert run.unread_phones(EntityKind.PARTNER) == (0, ())

    assert names_at(reader, N1) == []
    assert names_at(reader, N2) == ["Новый"]
    assert [n.name for n in reader.find_by_name("новый")] == ["Новый"]
    with writer.transaction() as run:
        assert run.routing_facts()["partner_phone"] == 1


def test_facts_that_an_older_release_did_not_count_are_counted_once(path: Path) -> None:
    writer = SqliteDirectoryStore(path)
    put(writer, manager(1), partner(11, N1, N2, manager=guid(1)), contact(20, N3))
    writer.close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE checkpoint SET doc = json_remove(doc, '$.facts')")
    file.close()
    writer = SqliteDirectoryStore(path)

    with writer.transaction() as run:
        facts = Counter(run.routing_facts())
        run.save_report(SyncReport(NOW, 1.0, False, False, 3, ()))

    expected = {"extension": 1, "partner_phone": 2, "main_manager": 1, "contact_phone": 1}
    assert facts == Counter(expected)
    writer.close()
    with sqlite3.connect(path) as file:
        docs = [row[0] for row in file.execute("SELECT doc FROM checkpoint ORDER BY id")]
    file.close()
    assert '"facts"' in docs[-1]


def test_fields_without_a_number_are_counted_with_examples(writer: SqliteDirectoryStore) -> None:
    unread = (PhoneField("звонить Оле", ()), PhoneField("нет", ()), PhoneField(" ", ()))
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [replace(partner(11), phone_fields=unread), partner(12, N1)])
        assert run.unread_phones(EntityKind.PARTNER) == (2, ("звонить Оле",))
        assert run.unread_phones(EntityKind.CONTACT) == (0, ())

    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11)])
        assert run.unread_phones(EntityKind.PARTNER) == (0, ())


def test_a_failed_run_leaves_the_old_world(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(11, N1))

    with pytest.raises(ZeroDivisionError):
        _fail_after_clearing(writer)

    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    assert writer.versions(EntityKind.PARTNER) == {guid(11): "1"}


def _fail_after_clearing(writer: SqliteDirectoryStore) -> None:
    with writer.transaction() as run:
        run.clear()
        run.put(EntityKind.PARTNER, [partner(12, N2)])
        run.reindex()
        raise ZeroDivisionError


def test_readers_see_the_old_world_until_the_run_ends(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    put(writer, partner(11, N1))
    reader.refresh()

    with writer.transaction() as run:
        run.clear()
        run.put(EntityKind.PARTNER, [partner(12, N1)])
        run.reindex()
        assert not reader.refresh()
        assert names_at(reader, N1) == ["ООО «Ромашка 11»"]

    assert reader.refresh()
    assert names_at(reader, N1) == ["ООО «Ромашка 12»"]


def test_a_run_without_reindex_is_reindexed_all_the_same(
    writer: SqliteDirectoryStore, reader: SqliteDirectory
) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11, N1)])

    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]


@pytest.mark.usefixtures("writer")
def test_only_one_run_at_a_time(path: Path) -> None:
    with pytest.raises(SyncAlreadyRunning):
        SqliteDirectoryStore(path)


def test_the_lock_is_free_after_closing(path: Path) -> None:
    SqliteDirectoryStore(path).close()

    SqliteDirectoryStore(path).close()


def test_a_first_run_is_not_seen_before_it_is_over(
    writer: SqliteDirectoryStore, reader: SqliteDirectory, path: Path
) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11, N1)])
        run.reindex()
        assert not reader.refresh()
        assert not path.exists()

    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    assert list(path.parent.glob("directory.db.new*")) == []


def test_a_first_run_that_failed_leaves_nothing_and_can_be_tried_again(
    writer: SqliteDirectoryStore, reader: SqliteDirectory, path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail_after_clearing(writer)
    assert not path.exists()

    put(writer, partner(11, N1))
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    assert reader.look_up(N2) is None


def test_a_first_run_whose_place_is_taken_says_so_and_leaves_nothing(
    writer: SqliteDirectoryStore, path: Path
) -> None:
    with pytest.raises(StoreError, match=r"directory\.db"):
        _be_in_the_way(writer, path)

    assert list(path.parent.glob("directory.db.new*")) == []


def _be_in_the_way(writer: SqliteDirectoryStore, path: Path) -> None:
    with writer.transaction() as run:
        run.put(EntityKind.PARTNER, [partner(11, N1)])
        Path(path, "something").mkdir(parents=True)


_KILLED = """
import sys
from pathlib import Path
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.entities import EntityKind
from tests.adapters.sqlite.directory.objects import partner
writer = SqliteDirectoryStore(Path(sys.argv[1]))
with writer.transaction() as run:
    run.clear()
    run.put(EntityKind.PARTNER, (partner(n, 74950000000 + n) for n in range(20, 12000)))
    if sys.argv[2] == "indexed":
        run.reindex()
    sys.stdout.write("in the middle\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
@pytest.mark.parametrize("at", ["indexed", "rows on their way"])
@pytest.mark.parametrize("old", [True, False], ids=["a filled directory", "the first run"])
def test_a_run_killed_in_the_middle_leaves_the_old_world(path: Path, at: str, *, old: bool) -> None:
    if old:
        writer = SqliteDirectoryStore(path)
        put(writer, partner(11, N1))
        writer.close()
    run = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _KILLED, str(path), at],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    )
    assert run.stdout is not None
    assert run.stdin is not None
    assert run.stdout.readline() == b"in the middle\n"
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    run.stdin.close()

    reader = SqliteDirectory(path, stale_after=HOUR)
    assert names_at(reader, N1) == (["ООО «Ромашка 11»"] if old else [])
    assert reader.look_up(PhoneNumber(74950000020)) is None
    reader.close()
    writer = SqliteDirectoryStore(path)
    assert writer.versions(EntityKind.PARTNER) == ({guid(11): "1"} if old else {})
    writer.close()
    assert not list(path.parent.glob("directory.db.new*"))
