"""The ledger on the disk: durable, shared with guests, and honest about a disk that fails."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tinydb import where

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.domain.delivery.entry import EntryState, OutboxEntry
from bridge.domain.delivery.outbox import retry_now
from bridge.domain.directory.entities import Ref
from bridge.domain.routing.decision import NumberMemory
from bridge.errors import StoreError
from bridge.ports.pbx import RawEvent
from tests.support import builders as b

pytestmark = pytest.mark.anyio

NOW = b.NOON
SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    opened = SqliteLedger.open(path, lambda: NOW)
    yield opened
    await opened.close()


@pytest.fixture
async def guest(ledger: SqliteLedger, path: Path) -> AsyncIterator[SqliteLedger]:
    """The command line beside the running service."""
    assert ledger is not None
    opened = SqliteLedger.open(path, lambda: NOW, as_guest=True)
    yield opened
    await opened.close()


def entry_of(key: str) -> OutboxEntry:
    return OutboxEntry(key, created_at=NOW, due_at=NOW)


async def record(ledger: SqliteLedger, *keys: str) -> None:
    for key in keys:
        await ledger.record_call(replace(b.call(), key=key), entry_of(key))


# ---------------------------------------------------------------- durable
async def test_everything_is_there_after_a_restart(path: Path) -> None:
    ledger = SqliteLedger.open(path, lambda: NOW)
    await record(ledger, "a")
    await ledger.record_event(RawEvent("sipuni", NOW, (("event", "1"),)))
    await ledger.save_choice(b.NUMBER, Ref("someone"))
    await ledger.close()

    again = SqliteLedger.open(path, lambda: NOW)

    assert await again.entry("a") == (entry_of("a"), replace(b.call(), key="a"))
    assert again.number_memory(b.NUMBER) == NumberMemory(chosen_owner=Ref("someone"))
    await again.close()
    with SqliteDb(path) as db:
        assert [dict(d) for d in db.table("events")] == [
            {
                "provider": "sipuni",
                "received_at": "2026-03-04T12:00:00Z",
                "fields": [["event", "1"]],
                "body": "",
                "content_type": "",
            }
        ]


async def test_an_administrator_reads_the_ledger_as_tinydb(
    ledger: SqliteLedger, path: Path
) -> None:
    await record(ledger, "a", "b")
    await ledger.save_entry(replace(entry_of("b"), state=EntryState.DEAD))

    with SqliteDb(path) as db:
        assert db.tables() == {"calls", "outbox", "events", "choices", "debts", "talks", "days"}
        (dead,) = db.table("outbox").search(where("state") == "dead")
        assert dead["key"] == "b"


async def test_many_that_wait_are_written_together_and_all_of_them(ledger: SqliteLedger) -> None:
    calls = [replace(b.call(), key=f"{n:04}") for n in range(500)]

    stored = await asyncio.gather(*(ledger.record_call(c, entry_of(c.key)) for c in calls))

    assert all(one is other for one, other in zip(stored, calls, strict=True))
    assert {c.key for c in await ledger.calls(limit=1000)} == {c.key for c in calls}
    assert (await ledger.count_entries()).due == len(calls)


async def test_the_log_is_emptied_into_the_file_when_no_write_waits(
    ledger: SqliteLedger, path: Path
) -> None:
    for n in range(500):
        await record(ledger, f"{n:04}")

    # As a copy of the file alone would be read: without its log.
    alone = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)
    ((count,),) = alone.execute("SELECT count(*) FROM calls").fetchall()
    alone.close()
    assert count >= 300


async def test_a_caller_who_did_not_wait_is_recorded_all_the_same(ledger: SqliteLedger) -> None:
    task = asyncio.create_task(ledger.record_call(replace(b.call(), key="a"), entry_of("a")))
    await asyncio.sleep(0)
    task.cancel()

    await record(ledger, "b")

    assert {e.key for e, _ in await ledger.entries()} == {"a", "b"}


async def test_what_waits_is_written_before_closing(path: Path) -> None:
    ledger = SqliteLedger.open(path, lambda: NOW)
    tasks = [
        asyncio.create_task(ledger.record_call(replace(b.call(), key=str(n)), None))
        for n in range(20)
    ]
    await asyncio.sleep(0)

    await ledger.close()

    assert len(await asyncio.gather(*tasks)) == 20
    with SqliteDb(path) as db:
        assert len(db.table("calls")) == 20


async def test_a_closed_ledger_takes_nothing_more(path: Path) -> None:
    ledger = SqliteLedger.open(path, lambda: NOW)
    await ledger.close()

    with pytest.raises(StoreError):
        await record(ledger, "a")


_WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.domain.delivery.outbox import OutboxEntry
from tests.support import builders as b

async def main():
    ledger = SqliteLedger.open(Path(sys.argv[1]), lambda: b.NOON)
    async def one(worker):
        n = 0
        while True:
            key = f"{sys.argv[2]}-{worker}-{n}"
            await ledger.record_call(replace(b.call(), key=key), OutboxEntry(key, b.NOON, b.NOON))
            sys.stdout.write(key + "\\n")
            sys.stdout.flush()
            n += 1
    await asyncio.gather(*(one(w) for w in range(4)))

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
async def test_an_acknowledged_call_survives_kill_9_with_its_entry(path: Path) -> None:
    acknowledged: set[str] = set()
    for round_ in range(3):
        writer = subprocess.Popen(  # noqa: S603, ASYNC220 - our own interpreter, nothing else runs
            [sys.executable, "-c", _WRITER, str(path), str(round_)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[4],
        )
        assert writer.stdout is not None
        for _ in range(10 + 13 * round_):
            acknowledged.add(writer.stdout.readline().strip())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read()
        writer.stdout.close()
        writer.wait()
        acknowledged.update(line for line in rest.splitlines(keepends=True) if "\n" in line)

    ledger = SqliteLedger.open(path, lambda: NOW)
    calls = {c.key for c in await ledger.calls(limit=100_000)}
    entries = {e.key for e, _ in await ledger.entries(limit=100_000)}
    await ledger.close()
    assert {key.strip() for key in acknowledged} <= calls
    assert entries == calls


# ---------------------------------------------------------------- order, moments
async def test_fresh_calls_come_newest_first_and_old_entries_by_when_they_fell_due(
    ledger: SqliteLedger,
) -> None:
    for key, age, due in (("old", 120, 30), ("older", 180, 60), ("new", 20, 20), ("newest", 5, 5)):
        at = NOW - age * SECOND
        entry = OutboxEntry(key, created_at=at, due_at=NOW - due * SECOND)
        await ledger.record_call(replace(b.call(), key=key, received_at=at), entry)

    assert [e.key for e, _ in await ledger.due_entries(NOW, 10)] == [
        "newest",
        "new",
        "older",
        "old",
    ]
    assert [e.key for e, _ in await ledger.due_entries(NOW, 1)] == ["newest"]


async def test_moments_within_one_second_are_in_order(ledger: SqliteLedger) -> None:
    tick = timedelta(microseconds=1)
    for n in (0, 1, 2):
        at = NOW + n * tick
        await ledger.record_call(replace(b.call(), key=f"k{n}", received_at=at), None)

    assert [c.key for c in await ledger.calls(before=NOW + 2 * tick)] == ["k1", "k0"]
    assert [c.key for c in await ledger.calls_since(NOW + tick)] == ["k1", "k2"]


# ---------------------------------------------------------------- guests
async def test_only_one_process_serves(ledger: SqliteLedger, path: Path) -> None:
    assert ledger is not None
    with pytest.raises(StoreError, match="another onec-bridge"):
        SqliteLedger.open(path, lambda: NOW)


async def test_a_guest_retries_and_drops_while_the_service_runs(
    ledger: SqliteLedger, guest: SqliteLedger
) -> None:
    await record(ledger, "dead", "hopeless")
    dead = replace(entry_of("dead"), state=EntryState.DEAD, attempts=9)
    await ledger.save_entry(dead)

    assert await guest.save_entry(retry_now(dead, NOW))
    assert await guest.drop_entry("hopeless")

    assert await ledger.due_entries(NOW, 5) == [(entry_of("dead"), replace(b.call(), key="dead"))]


async def test_a_guest_leaves_alone_what_is_being_sent(
    ledger: SqliteLedger, guest: SqliteLedger
) -> None:
    await record(ledger, "a")
    await ledger.save_entry(replace(entry_of("a"), state=EntryState.SENDING))

    with pytest.raises(StoreError, match="being sent"):
        await guest.save_entry(entry_of("a"))
    with pytest.raises(StoreError, match="only the process that delivers"):
        await guest.recover_after_crash()

    found = await ledger.entry("a")
    assert found is not None
    assert found[0].state is EntryState.SENDING


async def test_both_may_write_at_once(ledger: SqliteLedger, guest: SqliteLedger) -> None:
    await record(ledger, *"abcdefgh")

    await asyncio.gather(
        *(ledger.save_entry(replace(entry_of(k), attempts=1)) for k in "abcd"),
        *(guest.save_entry(replace(entry_of(k), attempts=1)) for k in "efgh"),
    )

    assert [e.attempts for e, _ in await guest.entries()] == [1] * 8


# ---------------------------------------------------------------- a disk that fails
async def test_a_refused_write_fails_and_the_next_one_is_tried_again(
    ledger: SqliteLedger, path: Path
) -> None:
    await record(ledger, "a")
    administrator = sqlite3.connect(path)
    administrator.execute(
        "CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    )
    administrator.commit()

    with pytest.raises(StoreError, match="disk is full"):
        await record(ledger, "b")
    administrator.execute("DROP TRIGGER full")
    administrator.commit()
    administrator.close()
    await record(ledger, "c")

    assert {c.key for c in await ledger.calls()} == {"a", "c"}
    assert {e.key for e, _ in await ledger.entries()} == {"a", "c"}


async def test_all_that_wait_for_a_refused_commit_get_its_error(
    ledger: SqliteLedger, path: Path
) -> None:
    administrator = sqlite3.connect(path)
    administrator.execute(
        "CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    )
    administrator.commit()
    administrator.close()

    outcomes = await asyncio.gather(
        *(ledger.record_call(replace(b.call(), key=str(n)), None) for n in range(10)),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} == {StoreError}
    assert len({id(outcome) for outcome in outcomes}) == 10


async def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE bookmarks (url TEXT)")
    theirs.commit()
    theirs.close()

    before = path.read_bytes()  # noqa: ASYNC240

    with pytest.raises(StoreError, match="another program"):
        SqliteLedger.open(path, lambda: NOW, as_guest=True)
    ledger = SqliteLedger.open(path, lambda: NOW)
    with pytest.raises(StoreError, match="another program"):
        await ledger.record_call(b.call(), None)
    await ledger.close()

    assert path.read_bytes() == before  # noqa: ASYNC240


async def test_a_damaged_document_is_a_store_error(ledger: SqliteLedger, path: Path) -> None:
    await record(ledger, "a")
    with SqliteDb(path) as db:
        db.table("calls").update({"caller": "torn"})

    with pytest.raises(StoreError, match="damaged"):
        await ledger.call("a")


async def test_a_ledger_of_the_first_form_is_brought_over(path: Path) -> None:
    """Its documents had the columns of today, with the call and the entry one level down."""
    one = b.call()
    with SqliteDb(path) as db, db.transaction():
        for name in ("calls", "outbox", "events", "choices"):
            db.table(name, persist_empty=True)
        rows = {
            "calls": {
                "key": one.key,
                "at": 1,
                "number": b.NUMBER,
                "call": one,
            },
            "outbox": {"state": "due", "due": 1, "entry": entry_of(one.key)},
            "events": {"provider": "sipuni", "received_at": NOW.isoformat(), "fields": []},
        }
        for name, row in rows.items():
            db.table(name).rows.upsert([(1, msgspec.json.encode(row).decode())])

    ledger = SqliteLedger.open(path, lambda: NOW)

    assert await ledger.due_entries(NOW, 5) == [(entry_of(one.key), one)]
    assert await ledger.unapplied_events(5) == []
    await ledger.close()


async def test_a_file_of_before_has_seen_the_days_of_its_calls(path: Path) -> None:
    before = SqliteLedger.open(path, clock=lambda: NOW)
    for key, days in (("a", 0), ("b", 1), ("c", 1), ("d", 5)):
        at = NOW + timedelta(days=days)
        await before.record_call(replace(b.call(), key=key, received_at=at), None)
    await before.close()
    with SqliteDb(path) as db:
        db.file.execute("DROP TABLE days")

    ledger = SqliteLedger.open(path, clock=lambda: NOW)

    assert await ledger.days_seen() == [(NOW + timedelta(days=day)).date() for day in (0, 1, 5)]
    assert await ledger.last_seen() == NOW + timedelta(days=5)
    await ledger.close()
