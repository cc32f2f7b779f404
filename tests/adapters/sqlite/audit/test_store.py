"""The audit list and personal links on the disk."""

import sqlite3
import stat
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.audit.store import SqliteAudit
from bridge.adapters.sqlite.service_secret import load_or_create_secret
from bridge.errors import StoreDamaged, StoreError
from bridge.ports.audit import AuditAct, AuditRecord
from tests.support.builders import NOON, ref

pytestmark = pytest.mark.anyio

ANNA, BORIS = ref("Анна"), ref("Борис")


class Time:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def store(tmp_path: Path, time: Time) -> AsyncIterator[SqliteAudit]:
    opened = SqliteAudit(tmp_path / "audit.db", time, keep=timedelta(days=30))
    yield opened
    await opened.close()


def record(
    act: AuditAct = AuditAct.NUMBER_REVEALED, at: datetime = NOON, subject: str = ""
) -> AuditRecord:
    return AuditRecord(at, act, "manager", "Анна Петрова", "203.0.113.7", subject, "+7903*****23")


async def test_records_come_back_newest_first_and_page_by_page(store: SqliteAudit) -> None:
    for n in range(5):
        await store.append(record(subject=str(n)))

    first = await store.records(limit=2)
    rest = await store.records(limit=9, before=first[-1][0])

    assert [kept.subject for _, kept in (*first, *rest)] == ["4", "3", "2", "1", "0"]
    assert first[0][1] == record(subject="4")


async def test_one_act_is_picked_out(store: SqliteAudit) -> None:
    await store.append(record(AuditAct.ENTRY_DROPPED))
    await store.append(record(AuditAct.SIGNED_IN))

    found = await store.records(act=AuditAct.ENTRY_DROPPED)

    assert [kept.act for _, kept in found] == [AuditAct.ENTRY_DROPPED]


async def test_what_is_too_old_is_deleted_and_nothing_else(store: SqliteAudit) -> None:
    await store.append(record(at=NOON, subject="old"))
    await store.append(record(at=NOON + timedelta(days=20), subject="young"))
    await store.append(record(at=NOON + timedelta(days=31), subject="new"))
    days = [(NOON + timedelta(days=day)).date() for day in range(32)]

    assert await store.delete_old(days[:31]) == 0
    assert await store.delete_old(days) == 1
    assert [kept.subject for _, kept in await store.records()] == ["new", "young"]


async def test_a_revoked_link_counts_at_once_whoever_revoked_it(
    store: SqliteAudit, tmp_path: Path, time: Time
) -> None:
    first, boris = store.generation(ANNA), store.generation(BORIS)
    terminal = SqliteAudit(tmp_path / "audit.db", time, keep=timedelta(days=30))

    second = await terminal.revoke(ANNA)
    assert store.generation(ANNA) == second
    third = await store.revoke(ANNA)
    assert terminal.generation(ANNA) == third
    assert store.generation(BORIS) == boris
    assert len({first, second, third}) == 3
    await terminal.close()


async def test_a_new_file_takes_no_link_that_was_made_before_it(tmp_path: Path, time: Time) -> None:
    path = tmp_path / "audit.db"
    made = set[int]()
    for days in range(3):
        time.now = NOON + timedelta(days=days)
        opened = SqliteAudit(path, time, keep=timedelta(days=30))
        assert opened.generation(ANNA) not in made
        made |= {opened.generation(ANNA), await opened.revoke(ANNA), await opened.revoke(BORIS)}
        await opened.close()
        path.unlink()


async def test_a_file_of_before_keeps_its_links(store: SqliteAudit, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "audit.db") as older:
        older.execute("DELETE FROM desk_keys")
    older.close()

    assert store.generation(ANNA) == 0
    assert await store.revoke(ANNA) == 1
    assert (store.generation(ANNA), store.generation(BORIS)) == (1, 0)


@pytest.mark.parametrize("table", ["audit", "desk_keys", "a document"])
async def test_damage_shows_at_opening(tmp_path: Path, time: Time, table: str) -> None:
    path = tmp_path / "audit.db"
    store = SqliteAudit(path, time, keep=timedelta(days=30))
    await store.append(record())
    await store.revoke(ANNA)
    await store.close()
    whole = path.read_bytes()
    if table == "a document":
        spoilt = whole.replace(b'"generation":', b'"generation"!')
    else:
        with sqlite3.connect(path) as file:
            ((root,),) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        file.close()
        spoilt = whole[: (root - 1) * 4096] + b"\xa5" * 4096 + whole[root * 4096 :]
    assert spoilt != whole
    path.write_bytes(spoilt)

    with pytest.raises(StoreDamaged, match=r"audit\.db"):
        SqliteAudit(path, time, keep=timedelta(days=30))

    assert path.read_bytes() == spoilt


def test_the_service_secret_is_created_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"

    first = load_or_create_secret(path)

    assert load_or_create_secret(path) == first
    assert len(first) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [kept.name for kept in path.parent.iterdir()] == ["secret.key"]


def test_a_secret_cut_short_is_refused_not_used(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")

    with pytest.raises(StoreError, match="delete the file"):
        load_or_create_secret(path)
