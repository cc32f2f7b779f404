"""The ledger's file damaged, gone or replaced: noticed, set aside, and what it had is kept."""

import asyncio
import random
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.calls.recovery.file_watch import LedgerReplaced
from bridge.adapters.sqlite.calls.recovery.ledger_file import LedgerFile
from bridge.adapters.sqlite.calls.rows import call_row
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.calls.writes import RecordCall
from bridge.adapters.sqlite.file.set_aside import list_set_aside
from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.directory.entities import Ref
from bridge.errors import StoreError, StoreInUse
from bridge.ports.pbx import RawEvent
from tests.support import builders as b

# ruff: noqa: ASYNC240, S311 - files are small here, and what is chosen at random is bytes.

pytestmark = pytest.mark.anyio

NOW = b.NOON


def call(key: str) -> PhoneCall:
    return replace(b.call(), key=key)


def opened(path: Path) -> SqliteLedger:
    return SqliteLedger.open(path, lambda: NOW)


async def record(ledger: SqliteLedger, *keys: str) -> None:
    for key in keys:
        await ledger.record_call(call(key), OutboxEntry(key, created_at=NOW, due_at=NOW))


async def keys_in(ledger: SqliteLedger) -> set[str]:
    return {entry.key for entry, _ in await ledger.entries()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """A ledger with one call in it, open."""
    found = opened(path)
    await record(found, "before")
    yield found
    await found.close()


def unlink(path: Path) -> None:
    path.unlink()


def unlink_all(path: Path) -> None:
    for part in path.parent.glob("ledger.db*"):
        part.unlink()


def unlink_log(path: Path) -> None:
    path.with_name("ledger.db-wal").unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace_by_another(path: Path) -> None:
    other = path.with_name("other.db")
    with sqlite3.connect(other) as theirs:
        theirs.execute("CREATE TABLE bookmarks (url TEXT)")
    theirs.close()
    other.replace(path)


def replace_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


@pytest.mark.parametrize(
    "harm", [unlink, unlink_all, unlink_log, move_away, replace_by_another, replace_by_a_copy]
)
async def test_a_file_taken_away_while_it_is_open_is_put_back_with_all_that_was_in_it(
    ledger: SqliteLedger, path: Path, harm: Callable[[Path], None]
) -> None:
    harm(path)

    await record(ledger, "after")

    assert await keys_in(ledger) == {"before", "after"}
    beside = SqliteLedger.open(path, lambda: NOW, as_guest=True)
    assert await keys_in(beside) == {"before", "after"}
    await beside.close()


async def test_a_file_taken_away_is_put_back_without_a_write(
    ledger: SqliteLedger, path: Path
) -> None:
    unlink_all(path)

    assert await ledger.examine() is None

    assert path.exists()
    assert await keys_in(ledger) == {"before"}
    assert ["nothing is missing" in loss for loss in ledger.take_losses()] == [True]


@pytest.mark.parametrize("length", [0, 100, 3000])
async def test_a_file_cut_short_while_it_is_open_is_set_aside(
    ledger: SqliteLedger, path: Path, length: int
) -> None:
    for part in path.parent.glob("ledger.db*"):
        with part.open("r+b") as file:
            file.truncate(length)

    await record(ledger, "after")

    assert "after" in await keys_in(ledger)
    assert list_set_aside(path.parent)["ledger.db"]
    assert len(ledger.take_losses()) == 1


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "text", "zeros"])
async def test_a_known_ledger_that_is_gone_at_the_start_is_no_new_one(path: Path, how: str) -> None:
    first = opened(path)
    await record(first, *(str(n) for n in range(50)))
    await first.close()
    harm: dict[str, Callable[[], object]] = {
        "missing": path.unlink,
        "empty": lambda: path.write_bytes(b""),
        "cut": lambda: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "text": lambda: path.write_bytes(b"no database at all" * 500),
        "zeros": lambda: path.write_bytes(b"\0" * 30_000),
    }
    harm[how]()
    spoilt = path.read_bytes() if path.exists() else b""

    ledger = opened(path)
    (loss,) = ledger.take_losses()
    await record(ledger, "after")
    await ledger.close()

    (kept,) = list_set_aside(path.parent)["ledger.db"]
    if how in {"missing", "empty"}:
        assert (kept, "lost" in loss) == ("ledger.db.missing", True)
    else:
        assert (kept, kept in loss) == ("ledger.db.damaged", True)
        assert path.with_name(kept).read_bytes() == spoilt
    again = opened(path)
    assert again.take_losses() == []
    assert "after" in await keys_in(again)
    await again.close()


async def test_a_first_start_beside_a_directory_is_a_beginning(path: Path) -> None:
    path.with_name("directory.db").write_bytes(b"of a sync before the first start")

    ledger = opened(path)

    assert ledger.take_losses() == []
    await ledger.close()


async def test_an_installation_of_before_the_note_is_known_by_its_lock_and_audit_list(
    path: Path,
) -> None:
    for name in ("ledger.lock", "audit.db"):
        path.with_name(name).write_bytes(b"")

    ledger = opened(path)

    assert ["missing" in loss for loss in ledger.take_losses()] == [True]
    await ledger.close()


async def test_every_damage_keeps_a_file_of_its_own(path: Path) -> None:
    for _ in range(3):
        ledger = opened(path)
        await record(ledger, "a")
        await ledger.close()
        path.write_bytes(b"no database at all" * 500)
    await opened(path).close()

    assert list_set_aside(path.parent)["ledger.db"] == [
        "ledger.db.damaged",
        "ledger.db.damaged.2",
        "ledger.db.damaged.3",
    ]


def spoil(path: Path, table: str) -> None:
    """Overwrite the first page of *table*."""
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((root,),) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        ((size,),) = file.execute("PRAGMA page_size")
    file.close()
    with path.open("r+b") as raw:
        raw.seek((root - 1) * size)
        raw.write(b"\xa5" * size)


async def test_what_can_be_read_of_a_damaged_ledger_is_taken_over(path: Path) -> None:
    first = opened(path)
    await record(first, "owed", "sending", "delivered")
    (pair,) = [pair for pair in await first.entries() if pair[0].key == "sending"]
    await first.save_entry(replace(pair[0], state=EntryState.SENDING))
    await first.save_choice(b.NUMBER, Ref("an owner"))
    await first.close()
    spoil(path, "debts")

    ledger = opened(path)
    for _ in range(3):  # one of them reads all of the file, one mends it
        assert await ledger.examine() is None
    entries = {entry.key: entry for entry, _ in await ledger.entries()}

    assert entries.keys() == {"owed", "sending", "delivered"}
    assert entries["sending"].state is EntryState.DUE
    assert entries["sending"].maybe_sent_at == NOW
    assert ledger.number_memory(b.NUMBER).chosen_owner == Ref("an owner")
    assert await ledger.open_missed_calls() == []
    await ledger.close()


async def test_a_row_that_cannot_be_read_costs_itself_alone(path: Path) -> None:
    first = opened(path)
    await record(first, "sound", "torn", "sound too")
    await first.close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE calls SET doc = CAST(x'ff' AS TEXT) WHERE key = 'torn'")
    file.close()

    ledger = opened(path)
    with pytest.raises(StoreError):
        await ledger.entries()
    assert await ledger.examine() is None

    assert await keys_in(ledger) == {"sound", "sound too"}
    assert len(ledger.take_losses()) == 1
    await ledger.close()


async def test_a_mistaken_damage_report_sets_nothing_aside(
    ledger: SqliteLedger, path: Path
) -> None:
    ledger.suspect_damage("a reader met damage")

    assert await ledger.examine() is None

    assert list_set_aside(path.parent) == {}
    assert await keys_in(ledger) == {"before"}


async def test_a_second_service_does_not_start(ledger: SqliteLedger, path: Path) -> None:
    assert ledger.take_losses() == []
    with pytest.raises(StoreInUse):
        opened(path)


async def test_a_folder_that_cannot_be_written_stops_no_start_and_is_taken_up_when_it_can(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    folder.write_text("a file where the folder is needed")
    ledger = opened(folder / "ledger.db")
    with pytest.raises(StoreError):
        await ledger.record_event(RawEvent("sipuni", NOW, ()))
    assert await ledger.examine() is not None

    folder.unlink()
    assert await ledger.examine() is None

    await record(ledger, "after")
    assert await keys_in(ledger) == {"after"}
    await ledger.close()


async def test_flipped_bytes_raise_store_errors_only_and_end_in_a_ledger_that_works(
    tmp_path: Path,
) -> None:
    intact = tmp_path / "sound" / "ledger.db"
    intact.parent.mkdir()
    first = opened(intact)
    await record(first, *(f"key {n}" for n in range(40)))
    await first.close()
    whole = intact.read_bytes()
    chance = random.Random(7)
    for turn in range(24):
        path = tmp_path / f"turn{turn}" / "ledger.db"
        path.parent.mkdir()
        path.with_suffix(".known").touch()
        flipped = bytearray(whole)
        # The schema and its names stand in the first pages; SQLite quotes them when it complains.
        reach = 4096 if turn % 2 else len(flipped)
        for _ in range(chance.choice((1, 5, 50))):
            flipped[chance.randrange(100, reach)] = chance.randrange(256)
        path.write_bytes(flipped)

        ledger = opened(path)
        for _ in range(2):
            try:
                await ledger.entries()
                await ledger.calls_since(NOW - timedelta(days=1))
                await ledger.unapplied_events(10)
                await ledger.open_missed_calls()
                await ledger.count_entries()
            except StoreError:
                assert await ledger.examine() is None
        await record(ledger, "after")
        assert "after" in await keys_in(ledger)
        await ledger.close()


_GUEST = """
import sqlite3, sys
guest = sqlite3.connect(sys.argv[1])
if len(sys.argv) > 2:
    copy = sqlite3.connect(sys.argv[2])
    guest.backup(copy)
    copy.close()
print(guest.execute("SELECT count(*) FROM calls").fetchone()[0])
guest.close()
"""


async def guest(*arguments: object) -> int:
    """Open the ledger in another process, as a command or a backup does; give its calls."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _GUEST, *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return int(out)


async def test_guests_of_other_processes_change_nothing(ledger: SqliteLedger, path: Path) -> None:
    for turn in range(3):
        assert await guest(path, *([path.with_name("copy.db")] if turn == 1 else [])) == turn + 1
        assert await ledger.examine() is None
        await record(ledger, f"after {turn}")

    assert ledger.take_losses() == []
    assert list_set_aside(path.parent) == {}
    assert len(await keys_in(ledger)) == 4


async def test_what_is_put_back_is_read_whole_before_it_is_believed(
    ledger: SqliteLedger, path: Path
) -> None:
    await record(ledger, *(f"key {n}" for n in range(60)))
    await guest(path)  # brings the log into the file
    spoil(path, "debts")  # which neither opening the file nor recording a call reads
    path.rename(path.with_name("elsewhere.db"))

    for _ in range(2):
        with suppress(StoreError):
            await record(ledger, "after")
    assert await ledger.examine() is None

    (loss,) = ledger.take_losses()[-1:]
    assert "nothing is missing" not in loss
    assert "after" in await keys_in(ledger)


def test_a_file_deleted_just_before_its_log_is_emptied_is_put_back(path: Path) -> None:
    kept = LedgerFile(path, lambda: NOW, WriterLock(path.with_suffix(".lock")), lambda _: None)
    file = kept.open()
    kept.write(file, [RecordCall(call("before"), call_row(call("before")), None)])

    unlink_all(path)
    with pytest.raises(LedgerReplaced) as gone:
        kept.checkpoint(file)
    kept.discard(file, gone.value)
    again = kept.open()

    assert again.read("SELECT key FROM calls") == [("before",)]
    assert ["nothing is missing" in loss for loss in kept.take_losses()] == [True]
    again.close()
    kept.close()
