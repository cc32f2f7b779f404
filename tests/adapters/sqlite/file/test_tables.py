"""TinyDB's promises, asked of TinyDB itself and of our tables; then what only a disk can break."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tinydb import TinyDB, where
from tinydb.operations import delete, increment
from tinydb.storages import MemoryStorage
from tinydb.table import Document, Table

from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.errors import StoreError


@pytest.fixture(params=["tinydb", "sqlite"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TinyDB]:
    """The same questions to TinyDB in memory and to ours on the disk."""
    if request.param == "tinydb":
        yield TinyDB(storage=MemoryStorage)
        return
    with SqliteDb(tmp_path / "t.db") as opened:
        yield opened


@pytest.fixture
def table(db: TinyDB) -> Table:
    return db.table("people")


# ---------------------------------------------------------------- what TinyDB promises
def test_an_inserted_document_is_found_by_its_id(table: Table) -> None:
    doc_id = table.insert({"name": "Анна", "tags": [1, {"a": None}]})

    found = table.get(doc_id=doc_id)

    assert found == {"name": "Анна", "tags": [1, {"a": None}]}
    assert isinstance(found, Document)
    assert found.doc_id == doc_id == 1


def test_a_document_may_bring_its_own_id(table: Table) -> None:
    table.insert(Document({"n": 1}, doc_id=7))

    assert table.insert({"n": 2}) == 8
    with pytest.raises(ValueError, match="already exists"):
        table.insert(Document({"n": 3}, doc_id=7))
    assert [dict(d) for d in table.all()] == [{"n": 1}, {"n": 2}]


def test_many_documents_get_ids_in_order(table: Table) -> None:
    assert table.insert_multiple({"n": n} for n in range(3)) == [1, 2, 3]
    assert table.insert_multiple([]) == []
    assert table.insert_multiple([Document({"n": 9}, doc_id=9)]) == [9]
    with pytest.raises(ValueError, match="already exists"):
        table.insert_multiple([{"n": 10}, Document({"n": 11}, doc_id=1)])


@pytest.mark.parametrize("wrong", [[1, 2], "text", None])
def test_only_a_mapping_is_a_document(table: Table, wrong: Any) -> None:
    with pytest.raises(ValueError, match="not a Mapping"):
        table.insert(wrong)
    with pytest.raises(ValueError, match="not a Mapping"):
        table.insert_multiple([{"n": 1}, wrong])
    assert len(table) == 0


def test_search_count_and_contains_agree(table: Table) -> None:
    table.insert_multiple([{"n": 1, "k": "a"}, {"n": 2, "k": "b"}, {"n": 3, "k": "a"}])

    assert [d.doc_id for d in table.search(where("k") == "a")] == [1, 3]
    assert table.count(where("k") == "a") == 2
    assert table.contains(where("n") > 2)
    assert not table.contains(where("n") > 3)
    assert table.contains(doc_id=2)
    assert not table.contains(doc_id=4)
    assert table.get(where("k") == "a") == {"n": 1, "k": "a"}
    assert table.get(where("k") == "c") is None
    assert table.get(doc_id=99) is None
    assert [d.doc_id for d in table.get(doc_ids=[3, 1, 99])] == [1, 3]


@pytest.mark.parametrize("name", ["get", "contains", "remove"])
def test_a_question_without_a_condition_is_refused(table: Table, name: str) -> None:
    with pytest.raises(RuntimeError):
        getattr(table, name)()


def test_updates_touch_what_they_name(table: Table) -> None:
    table.insert_multiple([{"n": 1, "k": "a"}, {"n": 2, "k": "b"}, {"n": 3, "k": "a"}])

    assert table.update({"seen": True}, where("k") == "a") == [1, 3]
    assert table.update(increment("n"), doc_ids=[2, 99]) == [2]
    assert table.update(delete("k")) == [1, 2, 3]
    assert table.update({"x": 0}, doc_ids=[]) == []
    changes: list[Any] = [(increment("n"), where("n") == 1), ({"last": True}, where("n") == 3)]
    assert table.update_multiple(changes) == [1, 2, 3]

    assert [dict(d) for d in table] == [
        {"n": 2, "seen": True},
        {"n": 3, "last": True},
        {"n": 3, "seen": True, "last": True},
    ]


def test_upsert_updates_or_inserts(table: Table) -> None:
    assert table.upsert({"n": 1, "k": "a"}, where("n") == 1) == [1]
    assert table.upsert({"k": "b"}, where("n") == 1) == [1]
    assert table.upsert(Document({"k": "c"}, doc_id=5)) == [5]
    assert table.upsert(Document({"z": 1}, doc_id=5)) == [5]
    with pytest.raises(ValueError, match="doc_id"):
        table.upsert({"n": 1})

    assert {d.doc_id: dict(d) for d in table} == {1: {"n": 1, "k": "b"}, 5: {"k": "c", "z": 1}}


def test_removed_documents_are_gone_and_their_ids_not_given_again(table: Table) -> None:
    table.insert_multiple({"n": n} for n in range(4))

    assert table.remove(where("n") == 1) == [2]
    assert table.remove(doc_ids=[4, 4, 77][1:]) == [4]
    assert table.insert({"n": 9}) == 5

    assert [d.doc_id for d in table] == [1, 3, 5]


def test_a_truncated_table_begins_anew(table: Table) -> None:
    table.insert_multiple({"n": n} for n in range(4))

    table.truncate()

    assert (len(table), table.all(), list(table)) == (0, [], [])
    assert table.insert({"n": 1}) == 1


def test_tables_are_apart_and_can_be_dropped(db: TinyDB) -> None:
    db.insert({"default": True})
    db.table("a").insert({"n": 1})
    db.table("b").insert({"n": 2})
    assert db.tables() == {"_default", "a", "b"}
    assert len(db) == 1
    assert [dict(d) for d in db] == [{"default": True}]

    db.drop_table("a")
    db.drop_table("nowhere")
    assert (db.tables(), len(db.table("a"))) == ({"_default", "b"}, 0)
    db.drop_tables()
    assert db.tables() == set()


def test_a_search_after_a_write_is_never_an_old_answer(table: Table) -> None:
    question = where("n") == 1
    assert table.search(question) == []

    table.insert({"n": 1})
    assert len(table.search(question)) == 1
    table.update({"n": 2}, question)
    assert table.search(question) == []
    table.clear_cache()


def test_documents_may_be_written_while_one_iterates(table: Table) -> None:
    table.insert_multiple({"n": n} for n in range(3))

    for document in table:
        table.update({"n": document["n"] + 10}, doc_ids=[document.doc_id])
        table.insert({"n": -1})

    assert sorted(d["n"] for d in table) == [-1, -1, -1, 10, 11, 12]


_BODIES = st.fixed_dictionaries(
    {"n": st.integers(0, 3)},
    optional={"t": st.text(max_size=3), "x": st.none() | st.booleans() | st.floats(0, 1)},
)
_IDS = st.integers(1, 6)


class SameAsTinyDB(RuleBasedStateMachine):
    """Any sequence of operations ends in the same table, and answers the same on the way."""

    @initialize()
    def open_both(self) -> None:
        self.theirs = TinyDB(storage=MemoryStorage).table("t")
        self.folder = tempfile.TemporaryDirectory()
        self.db = SqliteDb(Path(self.folder.name, "t.db"))
        self.ours = self.db.table("t")

    def teardown(self) -> None:
        self.db.close()
        self.folder.cleanup()

    def both(self, act: Callable[[Table], object]) -> None:
        answers = []
        for table in (self.theirs, self.ours):
            try:
                answer = act(table)
            except ValueError as error:
                answer = str(error)
            answers.append(sorted(answer) if isinstance(answer, list) else answer)
        assert answers[0] == answers[1]

    @rule(body=_BODIES)
    def insert(self, body: dict[str, object]) -> None:
        self.both(lambda t: t.insert(body))

    @rule(body=_BODIES, doc_id=_IDS)
    def insert_with_id(self, body: dict[str, object], doc_id: int) -> None:
        self.both(lambda t: t.insert(Document(body, doc_id=doc_id)))

    @rule(bodies=st.lists(_BODIES, max_size=3))
    def insert_multiple(self, bodies: list[dict[str, object]]) -> None:
        self.both(lambda t: t.insert_multiple(bodies))

    @rule(body=_BODIES, n=st.integers(0, 3))
    def update(self, body: dict[str, object], n: int) -> None:
        self.both(lambda t: t.update(body, where("n") == n))

    @rule(ids=st.lists(_IDS, unique=True))
    def update_by_id(self, ids: list[int]) -> None:
        self.both(lambda t: t.update(increment("n"), doc_ids=ids))

    @rule(n=st.integers(0, 3), m=st.integers(0, 3))
    def update_multiple(self, n: int, m: int) -> None:
        pairs: list[Any] = [({"x": n}, where("n") == n), (increment("n"), where("n") == m)]
        self.both(lambda t: t.update_multiple(pairs))

    @rule(body=_BODIES, n=st.integers(0, 3))
    def upsert(self, body: dict[str, object], n: int) -> None:
        self.both(lambda t: t.upsert(body, where("n") == n))

    @rule(body=_BODIES, doc_id=_IDS)
    def upsert_by_id(self, body: dict[str, object], doc_id: int) -> None:
        self.both(lambda t: t.upsert(Document(body, doc_id=doc_id)))

    @rule(n=st.integers(0, 3))
    def remove(self, n: int) -> None:
        self.both(lambda t: t.remove(where("n") == n))

    @rule(ids=st.lists(_IDS, unique=True, max_size=2))
    def remove_by_id(self, ids: list[int]) -> None:
        self.both(lambda t: t.remove(doc_ids=ids))

    @rule()
    def truncate(self) -> None:
        self.both(lambda t: t.truncate())

    @invariant()
    def same_documents(self) -> None:
        theirs = {d.doc_id: dict(d) for d in self.theirs}
        assert {d.doc_id: dict(d) for d in self.ours} == theirs
        assert len(self.ours) == len(theirs)
        assert self.ours.count(where("n") == 1) == self.theirs.count(where("n") == 1)


TestSameAsTinyDB = SameAsTinyDB.TestCase
TestSameAsTinyDB.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


# ---------------------------------------------------------------- what only ours promises
def test_a_failed_transaction_over_two_tables_leaves_nothing(tmp_path: Path) -> None:
    with SqliteDb(tmp_path / "t.db") as db:
        db.table("calls").insert({"n": 0})

        with pytest.raises(TypeError):
            _insert_into_two(db, {"n": 1}, {"n": object()})

        assert [dict(d) for d in db.table("calls")] == [{"n": 0}]
        assert db.tables() == {"calls"}


def _insert_into_two(db: SqliteDb, call: dict[str, object], entry: dict[str, object]) -> None:
    with db.transaction():
        db.table("calls").insert(call)
        db.table("outbox").insert(entry)


def test_an_inner_failure_undoes_its_own_part_only(tmp_path: Path) -> None:
    with SqliteDb(tmp_path / "t.db") as db:
        table = db.table("t")

        with db.transaction():
            table.insert({"n": 1})
            with pytest.raises(TypeError):
                table.insert_multiple([{"n": 2}, {"n": object()}])
            table.insert({"n": 3})

        assert sorted(d["n"] for d in table) == [1, 3]


def test_a_document_that_was_read_and_changed_by_hand_is_not_the_stored_one(tmp_path: Path) -> None:
    with SqliteDb(tmp_path / "t.db") as db:
        table = db.table("t")
        table.insert({"tags": [1]})

        table.all()[0]["tags"].append(2)

        assert table.get(doc_id=1) == {"tags": [1]}


def test_two_connections_see_each_others_writes(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with SqliteDb(path) as one, SqliteDb(path) as two:
        question = where("n") == 1
        assert two.table("t").search(question) == []

        assert one.table("t").insert({"n": 1}) == 1

        assert len(two.table("t").search(question)) == 1
        assert two.table("t").insert({"n": 2}) == 2
        assert one.table("t").insert({"n": 3}) == 3


def test_documents_survive_closing(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with SqliteDb(path) as db:
        db.table("t").insert({"n": 1})

    with SqliteDb(path) as db:
        assert [dict(d) for d in db.table("t")] == [{"n": 1}]


def test_an_opened_table_that_must_persist_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with SqliteDb(path) as db:
        db.table("t", persist_empty=True).insert({"n": 1})

    with SqliteDb(path) as db:
        assert len(db.table("t", persist_empty=True)) == 1


@pytest.mark.parametrize("name", ["Calls", "a b", 'x"; drop table t', "sqlite_x", "", "звонки"])
def test_a_name_that_is_no_plain_word_is_refused(tmp_path: Path, name: str) -> None:
    with SqliteDb(tmp_path / "t.db") as db, pytest.raises(ValueError, match="name"):
        db.table(name)


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE bookmarks (url TEXT)")
    theirs.commit()
    theirs.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="belongs to another program"):
        SqliteDb(path)

    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("Dear diary, " * 100, encoding="utf-8")

    with pytest.raises(StoreError) as caught:
        SqliteDb(path)

    assert str(caught.value) == f"{path.name}: file is not a database"
    assert caught.value.with_path == f"{path}: file is not a database"


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with SqliteDb(path) as db:
        db.file.execute("PRAGMA user_version = 99")

    with pytest.raises(StoreError, match="format 99"):
        SqliteDb(path)


def test_a_damaged_file_is_a_store_error_not_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with SqliteDb(path) as db:
        db.table("t").insert_multiple({"n": n, "text": "x" * 500} for n in range(200))
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xa5" * (len(whole) - 4096)
    path.write_bytes(whole)

    with SqliteDb(path) as db, pytest.raises(StoreError):
        db.table("t").all()


def test_a_directory_that_does_not_exist_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SqliteDb(tmp_path / "nowhere" / "t.db")


def test_only_one_holds_the_writers_lock(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path / "t.lock"), WriterLock(tmp_path / "t.lock")

    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


_WRITER = """
import sys
from bridge.adapters.sqlite.file.tables import SqliteDb
db = SqliteDb(sys.argv[1])
n = len(db.table("a"))
while True:
    n += 1
    with db.transaction():
        db.table("a").insert({"n": n})
        db.table("b").insert({"n": n})
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    for round_ in range(4):
        writer = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(5 + 7 * round_):
            acknowledged = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.stdout.close()
        writer.wait()
        # The last line may be torn by the kill; whole ones before it were acknowledged.
        acknowledged = int(rest[-2]) if len(rest) > 1 else acknowledged

        with SqliteDb(path) as db:
            numbers = [d["n"] for d in db.table("a")]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) >= acknowledged
            assert [d["n"] for d in db.table("b")] == numbers
