"""The audit list and personal links on the disk."""

import stat
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.adapters.embedded.audit_store import AuditStore
from bridge.adapters.embedded.own_secret import own_secret
from bridge.errors import StoreError
from bridge.ports import AuditAct, AuditRecord
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
async def store(tmp_path: Path, time: Time) -> AsyncIterator[AuditStore]:
    opened = AuditStore(tmp_path / "audit.db", time, keep=timedelta(days=30))
    yield opened
    await opened.close()


def record(
    act: AuditAct = AuditAct.REVEALED, at: datetime = NOON, subject: str = ""
) -> AuditRecord:
    return AuditRecord(at, act, "manager", "Анна Петрова", "203.0.113.7", subject, "+7903*****23")


async def test_records_come_back_newest_first_and_page_by_page(store: AuditStore):
    for n in range(5):
        await store.note(record(subject=str(n)))

    first = await store.records(limit=2)
    rest = await store.records(limit=9, before=first[-1][0])

    assert [kept.subject for _, kept in (*first, *rest)] == ["4", "3", "2", "1", "0"]
    assert first[0][1] == record(subject="4")


async def test_one_act_is_picked_out(store: AuditStore):
    await store.note(record(AuditAct.DROPPED))
    await store.note(record(AuditAct.SIGNED_IN))

    found = await store.records(act=AuditAct.DROPPED)

    assert [kept.act for _, kept in found] == [AuditAct.DROPPED]


async def test_what_is_too_old_is_forgotten_and_nothing_else(store: AuditStore, time: Time):
    await store.note(record(at=NOON, subject="old"))
    time.now = NOON + timedelta(days=20)
    await store.note(record(at=time.now, subject="young"))
    time.now = NOON + timedelta(days=31)
    await store.note(record(at=time.now, subject="new"))

    assert [kept.subject for _, kept in await store.records()] == ["new", "young"]


async def test_a_revoked_link_counts_at_once_whoever_revoked_it(
    store: AuditStore, tmp_path: Path, time: Time
):
    assert store.generation(ANNA) == 0
    terminal = AuditStore(tmp_path / "audit.db", time, keep=timedelta(days=30))

    assert await terminal.revoke(ANNA) == 1
    assert store.generation(ANNA) == 1
    assert await store.revoke(ANNA) == 2
    assert terminal.generation(ANNA) == 2
    assert store.generation(BORIS) == 0
    await terminal.close()


def test_the_house_s_secret_is_made_once_and_is_nobody_else_s_to_read(tmp_path: Path):
    path = tmp_path / "data" / "secret.key"

    first = own_secret(path)

    assert own_secret(path) == first
    assert len(first) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [kept.name for kept in path.parent.iterdir()] == ["secret.key"]


def test_a_secret_cut_short_is_refused_not_used(tmp_path: Path):
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")

    with pytest.raises(StoreError, match="delete the file"):
        own_secret(path)
