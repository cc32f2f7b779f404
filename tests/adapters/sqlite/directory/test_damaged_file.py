"""A damaged directory is set aside and pulled anew; what else is wrong with it is left alone."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.domain.directory.entities import EntityKind
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import StoreDamaged, StoreError
from tests.adapters.sqlite.directory.objects import manager, names_at, partner, put

HOUR = timedelta(hours=1)
N1, N2 = PhoneNumber(74950000001), PhoneNumber(74950000002)
PAGE = 4096

Damage = Callable[[Path], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory of two people, closed, beside the remains of an earlier mishap."""
    path = tmp_path / "directory.db"
    fill(path)
    (tmp_path / "directory.db.damaged").write_bytes(b"of last year")
    (tmp_path / "directory.db.damaged-wal").write_bytes(b"of last year")
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[SqliteDirectory]:
    opened = SqliteDirectory(path, stale_after=HOUR)
    yield opened
    opened.close()


def fill(path: Path) -> None:
    writer = SqliteDirectoryStore(path)
    put(writer, manager(1), partner(11, N1), *(partner(n, N2 + n) for n in range(100, 400)))
    writer.close()


def no_database(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 1000)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 3 * PAGE])


def no_schema(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[100:PAGE] = b"\xa5" * (PAGE - 100)
    path.write_bytes(whole)


def spoil_table(table: str) -> Damage:
    """Overwrite the root of *table*: nothing shows before somebody reads it."""

    def spoil(path: Path) -> None:
        with sqlite3.connect(path) as file:
            ((root,),) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        file.close()
        whole = bytearray(path.read_bytes())
        whole[(root - 1) * PAGE : root * PAGE] = b"\xa5" * PAGE
        path.write_bytes(whole)

    return spoil


def spoil_documents(table: str, doc: str) -> Damage:
    def spoil(path: Path) -> None:
        with sqlite3.connect(path) as file:
            file.execute(f"UPDATE {table} SET doc = {doc}")  # noqa: S608 - words of this test
        file.close()

    return spoil


def spoil_bytes(old: bytes, new: bytes) -> Damage:
    def spoil(path: Path) -> None:
        whole = path.read_bytes()
        assert old in whole
        path.write_bytes(whole.replace(old, new))

    return spoil


NOT_JSON, NOT_TEXT = "'{\"ref\"'", "CAST(x'ff7b' AS TEXT)"


@pytest.mark.parametrize("damage", [no_database, cut_short, no_schema])
def test_damage_that_shows_at_opening_is_set_aside_and_the_first_run_comes_anew(
    path: Path, reader: SqliteDirectory, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    reader.close()
    damage(path)
    spoilt = path.read_bytes()
    broken = SqliteDirectory(path, stale_after=HOUR)
    trouble = broken.error()

    writer = SqliteDirectoryStore(path)

    assert isinstance(trouble, StoreDamaged)
    broken.refresh()
    # Until the run is over, callers get the reason.
    with pytest.raises(StoreDamaged, match=trouble.reason):
        broken.look_up(N1)
    assert (writer.report(), writer.versions(EntityKind.PARTNER)) == (None, {})
    put(writer, partner(12, N1))
    assert names_at(broken, N1) == ["ООО «Ромашка 12»"]
    assert broken.error() is None
    broken.close()
    writer.close()
    assert path.with_name("directory.db.damaged").read_bytes() == spoilt
    assert b"of last year" not in b"".join(f.read_bytes() for f in path.parent.glob("*.damaged*"))
    (warning,) = [r for r in caplog.records if r.message == "directory_damaged"]
    assert warning.levelname == "WARNING"
    assert vars(warning)["kept"] == str(path.with_name("directory.db.damaged"))


@pytest.mark.parametrize(
    "damage",
    [
        spoil_table("checkpoint"),
        spoil_documents("checkpoint", NOT_JSON),
        spoil_documents("checkpoint", NOT_TEXT),
    ],
)
def test_damage_in_the_report_is_raised_once_and_then_nothing_is_kept(
    path: Path, damage: Damage
) -> None:
    damage(path)
    writer = SqliteDirectoryStore(path)

    with pytest.raises(StoreDamaged, match=r"directory\.db"):
        writer.report()

    assert (writer.report(), writer.versions(EntityKind.PARTNER)) == (None, {})
    put(writer, partner(12, N1))
    writer.close()


@pytest.mark.parametrize(
    "damage",
    [
        spoil_table("partners"),
        spoil_bytes(b'"version":"1"', b'"version"!"1"'),
        spoil_bytes(b'"version":"1"', b'"version":"\xff"'),
        spoil_bytes(b'"version":"1"', b'"version":  5'),
    ],
)
def test_damage_in_the_directory_is_never_taken_for_a_loss(path: Path, damage: Damage) -> None:
    damage(path)
    writer = SqliteDirectoryStore(path)
    assert writer.report() is not None

    with pytest.raises(StoreDamaged, match=r"directory\.db"):
        writer.versions(EntityKind.PARTNER)

    assert (writer.report(), writer.versions(EntityKind.PARTNER)) == (None, {})
    writer.close()


def test_damage_in_the_middle_of_a_run_ends_it_and_the_next_loads_anew(
    path: Path, reader: SqliteDirectory
) -> None:
    assert names_at(reader, N1) == ["ООО «Ромашка 11»"]
    spoil_table("phone")(path)
    writer = SqliteDirectoryStore(path)
    assert len(writer.versions(EntityKind.PARTNER)) == 301

    with pytest.raises(StoreDamaged, match=r"directory\.db"):
        put(writer, partner(11, N2))

    assert writer.report() is None
    put(writer, partner(11, N2))
    assert names_at(reader, N2) == ["ООО «Ромашка 11»"]
    assert writer.versions(EntityKind.PARTNER).keys() == {partner(11).ref}
    writer.close()


@pytest.mark.parametrize("damage", [spoil_table("phone"), None])
def test_damage_that_only_callers_meet_is_recorded_for_the_writer(
    path: Path, reader: SqliteDirectory, damage: Damage | None
) -> None:
    reader.close()
    if damage is None:
        stranger = sqlite3.connect(path)
        stranger.execute("UPDATE phone SET card = x'9192' WHERE number = ?", (N1,))
        stranger.commit()
        stranger.close()
    else:
        damage(path)
    met = SqliteDirectory(path, stale_after=HOUR)
    for _ in range(2):
        with pytest.raises(StoreDamaged):
            met.look_up(N1)

    writer = SqliteDirectoryStore(path)

    assert writer.report() is None
    put(writer, partner(12, N1))
    assert names_at(met, N1) == ["ООО «Ромашка 12»"]
    writer.close()
    # What was reported of the old file does not apply to the new one.
    again = SqliteDirectoryStore(path)
    assert again.versions(EntityKind.PARTNER).keys() == {partner(12).ref}
    again.close()
    met.close()


def test_a_note_about_a_file_that_is_gone_does_not_count(
    path: Path, reader: SqliteDirectory
) -> None:
    reader.close()
    spoil_table("phone")(path)
    late = SqliteDirectory(path, stale_after=HOUR)
    path.rename(path.with_name("elsewhere.db"))
    fill(path)

    with pytest.raises(StoreDamaged):
        late.look_up(N1)

    writer = SqliteDirectoryStore(path)
    assert writer.report() is not None
    writer.close()
    late.close()


def _another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE theirs (n INTEGER)")
    file.close()


def _another_format(path: Path) -> None:
    with SqliteDb(path) as db:
        db.file.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("strange", [_another_program, _another_format])
def test_a_file_that_is_not_ours_is_refused_and_left_alone(path: Path, strange: Damage) -> None:
    strange(path)
    before = path.read_bytes()

    with pytest.raises(StoreError) as refused:
        SqliteDirectoryStore(path)

    assert not isinstance(refused.value, StoreDamaged)
    assert path.read_bytes() == before
    assert path.with_name("directory.db.damaged").read_bytes() == b"of last year"


def test_a_lock_and_a_full_disk_are_no_damage(path: Path) -> None:
    file, other = SqliteFile(path, busy_timeout_s=0), SqliteFile(path, busy_timeout_s=0)
    with file.transaction(), pytest.raises(StoreError, match="locked") as locked:
        other.execute("DELETE FROM partners")
    ((pages,),) = other.read("PRAGMA page_count")
    other.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full") as full:
        other.execute("INSERT INTO unread VALUES (99, 1, hex(zeroblob(100000)))")
    file.close()
    other.close()

    assert not isinstance(locked.value, StoreDamaged)
    assert not isinstance(full.value, StoreDamaged)
