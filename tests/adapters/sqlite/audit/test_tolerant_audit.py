"""A broken audit list keeps nobody from signing in or mending; its records are not lost."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.sqlite.audit.store import SqliteAudit
from bridge.adapters.sqlite.audit.tolerant_audit import TolerantAudit
from bridge.adapters.sqlite.file.set_aside import list_set_aside
from bridge.adapters.sqlite.service_secret import ServiceSecret, load_or_create_secret
from bridge.domain.directory.entities import Ref
from bridge.errors import StoreError
from bridge.ports.audit import AuditAct, AuditRecord
from tests.support import builders as b

# ruff: noqa: ASYNC240 - files are small here.

pytestmark = pytest.mark.anyio

DAYS = timedelta(days=30)
ANNA = Ref("anna")


def record(act: AuditAct = AuditAct.SIGNED_IN, text: str = "") -> AuditRecord:
    return AuditRecord(b.NOON, act, "admin", words=text)


def audit(path: Path) -> TolerantAudit:
    return TolerantAudit(path, lambda: b.NOON, keep=DAYS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


async def test_what_the_file_does_not_take_is_logged_and_written_when_it_does(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir()
    broken = audit(path)

    with caplog.at_level(logging.WARNING):
        await broken.append(record(text="first"))
        await broken.append(record(AuditAct.ENTRY_DROPPED))
    waiting = [entry.act for _, entry in await broken.records()]
    trouble = await broken.examine()
    path.rmdir()

    assert await broken.examine() is None
    await broken.close()
    again = SqliteAudit(path, lambda: b.NOON, keep=DAYS)
    kept = [entry.act for _, entry in await again.records()]
    await again.close()
    assert trouble is not None
    assert waiting == kept == [AuditAct.ENTRY_DROPPED, AuditAct.SIGNED_IN]
    logged = [entry for entry in caplog.records if entry.message == "audit_record_waits"]
    assert "first" in json.dumps([vars(entry) for entry in logged], default=str)


@pytest.mark.parametrize("act", [AuditAct.NUMBER_REVEALED, AuditAct.CALLS_EXPORTED])
async def test_hidden_numbers_need_a_durable_record(path: Path, act: AuditAct) -> None:
    path.mkdir()
    broken = audit(path)

    with pytest.raises(StoreError):
        await broken.append(record(act))

    assert await broken.records() == []
    await broken.close()


async def test_links_of_before_open_nothing_while_the_list_cannot_be_read(path: Path) -> None:
    first = audit(path)
    before = first.generation(ANNA)
    await first.close()
    path.rename(path.with_name("kept"))
    path.mkdir()

    broken = TolerantAudit(path, lambda: b.NOON + timedelta(days=1), keep=DAYS)

    assert broken.generation(ANNA) != before
    await broken.close()


async def test_a_revocation_counts_at_once_and_lasts_when_the_file_takes_it(path: Path) -> None:
    path.mkdir()
    broken = audit(path)
    before = broken.generation(ANNA)

    revoked = await broken.revoke(ANNA)
    at_once = broken.generation(ANNA)
    path.rmdir()
    await broken.examine()

    assert before != revoked == at_once
    assert broken.generation(ANNA) != before
    await broken.close()


async def test_a_damaged_list_is_set_aside_beside_an_earlier_one(path: Path) -> None:
    path.with_name("audit.db.damaged").write_bytes(b"an earlier one")
    path.write_bytes(b"no database at all" * 500)

    mended = audit(path)

    assert await mended.examine() is None
    assert len(mended.take_losses()) == 1
    assert list_set_aside(path.parent)["audit.db"] == ["audit.db.damaged", "audit.db.damaged.2"]
    assert path.with_name("audit.db.damaged").read_bytes() == b"an earlier one"
    await mended.close()


async def test_a_list_that_is_gone_is_no_beginning(path: Path) -> None:
    await audit(path).close()
    path.unlink()

    again = audit(path)

    assert ["missing" in loss for loss in again.take_losses()] == [True]
    await again.close()


async def test_a_list_taken_away_while_it_is_open_is_made_again(path: Path) -> None:
    running = audit(path)
    await running.append(record())
    for part in path.parent.glob("audit.db*"):
        part.unlink()

    assert await running.examine() is None
    await running.append(record(AuditAct.ENTRY_RETRIED))

    assert path.exists()
    assert [entry.act for _, entry in await running.records()] == [AuditAct.ENTRY_RETRIED]
    await running.close()


async def test_a_secret_cut_short_is_set_aside_and_another_made(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"")

    secret = ServiceSecret(path)

    assert await secret.examine() is None
    assert path.read_bytes() == secret.value
    assert list_set_aside(tmp_path) == {"secret.key": ["secret.key.damaged"]}
    assert len(secret.take_losses()) == 1


async def test_a_secret_that_cannot_be_kept_serves_until_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("a file where the folder is needed")
    secret = ServiceSecret(folder / "secret.key")

    trouble = await secret.examine()
    folder.unlink()

    assert trouble is not None
    assert await secret.examine() is None
    assert load_or_create_secret(folder / "secret.key") == secret.value


async def test_a_list_replaced_while_it_is_open_is_reported(path: Path) -> None:
    running = audit(path)
    await running.append(record())
    path.unlink()
    other = SqliteAudit(path, lambda: b.NOON, keep=DAYS)
    await other.close()

    assert await running.examine() is None

    (loss,) = running.take_losses()
    assert "replaced while the service ran" in loss
    await running.close()
