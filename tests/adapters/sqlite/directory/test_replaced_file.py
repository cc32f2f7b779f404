"""Whatever is done to `directory.db` while callers are answered, the process lives and reports it.

What could end the process is done in a process of its own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import StoreError
from bridge.ports.stores.directory import SyncReport
from tests.adapters.sqlite.directory.objects import NOW, manager, names_at, partner, put

HOUR = timedelta(hours=1)
FIRST, COUNT = 100, 3000
N1 = PhoneNumber(74950000000 + FIRST)

_LOOKS = """
import os, sys
from datetime import timedelta
from pathlib import Path
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.errors import StoreError

reader = SqliteDirectory(Path(sys.argv[1]), stale_after=timedelta(hours=1))
first, count = int(sys.argv[2]), int(sys.argv[3])
found = failed = 0
print("ready", flush=True)
for line in sys.stdin:
    step, found, failed = int(line), 0, 0
    if step > 0:
        reader.refresh()
    for n in range(first, first + count, 7):
        try:
            found += reader.look_up(n) is not None
        except StoreError:
            failed += 1
    print(found, failed, reader.needs_sync(), flush=True)
reader.close()
print("over", flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory of many numbers, written by two runs, and the file of the first one beside."""
    path = tmp_path / "directory.db"
    writer = SqliteDirectoryStore(path)
    put(writer, manager(1), *(partner(n, 74950000000 + n) for n in range(FIRST, FIRST + COUNT)))
    report(writer, 0)
    writer.close()
    shutil.copy(path, tmp_path / "older.db")
    writer = SqliteDirectoryStore(path)
    put(writer, partner(FIRST, N1, name="Новое имя"))
    report(writer, 1)
    writer.close()
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[SqliteDirectory]:
    opened = SqliteDirectory(path, stale_after=HOUR)
    yield opened
    opened.close()


def report(writer: SqliteDirectoryStore, minutes: int) -> None:
    at = NOW + timedelta(minutes=minutes)
    with writer.transaction() as run:
        run.save_report(SyncReport(at, 1.0, False, True, COUNT, ()))


def older_in_place(path: Path) -> None:
    path.write_bytes(path.with_name("older.db").read_bytes())


def older_renamed(path: Path) -> None:
    shutil.copy(path.with_name("older.db"), path.with_name("copy"))
    path.with_name("copy").replace(path)


def older_and_cut(path: Path) -> None:
    older_renamed(path)
    os.truncate(path, 8192)


def cut_index_of_log(path: Path) -> None:
    os.truncate(path.with_name("directory.db-shm"), 0)


def cut_everything(path: Path) -> None:
    for name in ("", "-wal", "-shm"):
        part = path.with_name(f"directory.db{name}")
        if part.exists():
            os.truncate(part, 0)


def index_of_log_replaced(path: Path) -> None:
    part = path.with_name("directory.db-shm")
    part.with_name("copy").write_bytes(bytes(32768))
    part.with_name("copy").replace(part)


def unlink_all(path: Path) -> None:
    for part in path.parent.glob("directory.db*"):
        part.unlink()


HARMS: dict[Callable[[Path], object], bool] = {
    lambda path: os.truncate(path, 0): True,
    lambda path: os.truncate(path, 5 * 4096): True,
    lambda path: path.write_bytes(b"no database at all" * 9000): True,
    older_in_place: True,
    older_renamed: True,
    older_and_cut: True,
    cut_everything: True,
    unlink_all: True,
    Path.unlink: True,
    cut_index_of_log: False,  # made anew from the log: nothing is missing
    index_of_log_replaced: False,
}


@pytest.mark.skipif(sys.platform == "win32", reason="there an open file cannot be cut")
@pytest.mark.parametrize("refreshed", [0, 1])
@pytest.mark.parametrize("harm", HARMS)
def test_no_harm_to_the_file_ends_the_process(
    path: Path, harm: Callable[[Path], None], refreshed: int
) -> None:
    command = (sys.executable, "-c", _LOOKS, str(path), str(74950000000 + FIRST), str(COUNT))
    with subprocess.Popen(  # noqa: S603 - our own words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        printed = []
        for step in (0, refreshed, 1):
            process.stdin.write(f"{step}\n")
            process.stdin.flush()
            printed.append(process.stdout.readline().strip().split(" ", 2))
            if len(printed) == 1:
                harm(path)
        process.stdin.close()
        assert process.stdout.readline() == "over\n"
    assert process.returncode == 0
    assert printed[0] == [str(len(range(0, COUNT, 7))), "0"]
    assert (len(printed[2]) == 3) == HARMS[harm], printed
    # Callers are answered, or sent to the default because of an error; nobody is unknown.
    assert all(int(found) + int(failed) == int(printed[0][0]) for found, failed, *_ in printed)


@pytest.mark.parametrize("swap", [older_in_place, older_renamed])
def test_an_older_file_answers_until_a_run_makes_it_newer(
    path: Path, reader: SqliteDirectory, swap: Callable[[Path], None]
) -> None:
    assert names_at(reader, N1) == ["Новое имя"]
    swap(path)

    reader.refresh()

    assert names_at(reader, N1) == ["ООО «Ромашка 100»"]
    assert "older" in reader.needs_sync()
    writer = SqliteDirectoryStore(path)
    report(writer, 2)
    writer.close()
    reader.refresh()
    assert reader.needs_sync() == ""


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500])
def test_a_file_of_no_use_in_its_place_leaves_the_open_one_answering(
    path: Path, reader: SqliteDirectory, content: bytes
) -> None:
    path.with_name("copy").write_bytes(content)
    path.with_name("copy").replace(path)

    reader.refresh()

    assert names_at(reader, N1) == ["Новое имя"]
    assert "answered from the file of before" in reader.needs_sync()
    writer = SqliteDirectoryStore(path)
    put(writer, partner(FIRST, N1, name="Заново"))
    report(writer, 3)
    writer.close()
    assert names_at(reader, N1) == ["Заново"]
    assert reader.needs_sync() == ""


def test_a_file_that_is_gone_is_made_anew(path: Path, reader: SqliteDirectory) -> None:
    path.unlink()
    reader.refresh()
    assert names_at(reader, N1) == ["Новое имя"]
    assert "is gone" in reader.needs_sync()

    writer = SqliteDirectoryStore(path)
    assert writer.report() is None
    put(writer, partner(FIRST, N1, name="Заново"))
    report(writer, 3)
    writer.close()

    assert names_at(reader, N1) == ["Заново"]
    assert reader.needs_sync() == ""


def test_a_file_cut_to_nothing_is_a_first_run(path: Path, reader: SqliteDirectory) -> None:
    os.truncate(path, 0)
    reader.refresh()
    with pytest.raises(StoreError, match="empty"):
        reader.look_up(N1)

    writer = SqliteDirectoryStore(path)
    assert writer.report() is None
    put(writer, partner(FIRST, N1, name="Заново"))
    report(writer, 3)
    writer.close()

    assert names_at(reader, N1) == ["Заново"]
    assert reader.needs_sync() == ""
    assert list(path.parent.glob("*.damaged")) == []


def test_damage_that_only_a_caller_meets_is_a_reason_to_sync(
    path: Path, reader: SqliteDirectory
) -> None:
    writer = SqliteDirectoryStore(path)
    with writer.transaction() as run:
        run._file.execute("UPDATE phone SET card = x'c1' WHERE number = ?", (N1,))  # noqa: SLF001
    writer.close()
    reader.refresh()
    assert reader.needs_sync() == ""

    with pytest.raises(StoreError):
        reader.look_up(N1)

    assert "damaged" in reader.needs_sync()


def test_a_clock_that_was_set_back_makes_no_file_older(path: Path, reader: SqliteDirectory) -> None:
    for minute in (-600, -599, -598):
        writer = SqliteDirectoryStore(path)
        report(writer, minute)
        writer.close()
        assert reader.refresh()
        assert reader.needs_sync() == ""


def test_an_ordinary_run_is_no_reason_to_sync(path: Path, reader: SqliteDirectory) -> None:
    for minute in range(2, 5):
        writer = SqliteDirectoryStore(path)
        report(writer, minute)
        writer.close()
        assert reader.refresh()
        assert not reader.refresh()
        assert reader.needs_sync() == ""
