"""The index is cut, swapped or deleted under a running service: it is made anew at once."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bridge.adapters.sqlite.file.writer_lock import WriterLock
from bridge.lab.demo.callers import choose_callers
from tests.stories.processes import ServiceFolder, open_service_folder, wait_until
from tests.stories.test_damage import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServiceFolder]:
    async with open_service_folder(tmp_path) as opened:
        yield opened


def cut(index: Path) -> None:
    os.truncate(index, 0)


def older_and_cut(index: Path) -> None:
    shutil.copy(index.with_name("older.db"), index.with_name("copy"))
    index.with_name("copy").replace(index)
    os.truncate(index, 8192)


def older(index: Path) -> None:
    shutil.copy(index.with_name("older.db"), index.with_name("copy"))
    index.with_name("copy").replace(index)


def index_of_log_cut(index: Path) -> None:
    os.truncate(index.with_name("directory.db-shm"), 0)
    os.truncate(index, 8192)


@pytest.mark.parametrize("harm", [cut, older, older_and_cut, index_of_log_cut, Path.unlink])
async def test_a_service_has_its_index_anew_before_the_next_interval(
    site: ServiceFolder, harm: Callable[[Path], None]
) -> None:
    await site.sync()
    index = site.folder / "data" / "directory.db"
    shutil.copy(index, index.with_name("older.db"))
    await site.sync()
    caller = choose_callers(site.lab.infobase).contact
    asked = len(site.lab.request_log)

    async with serving(site, SYNC_INTERVAL_S="86400", DEFAULT_EXTENSION="100") as service:
        await service.becomes_ready()
        await wait_until(lambda: len(site.lab.request_log) > asked, "the first sync has begun")
        await _until_synced(site)
        before = await service.answer(caller.sent_number)
        harm(index)
        answered = await service.answer(caller.sent_number, did="74950000002")
        await wait_until(
            lambda: bool(service.reported("index_restored")), "the index is well again"
        )
        after = await service.answer(caller.sent_number, did="74950000003")
        reports = service.reported("index_needs_sync")

    assert before == after == caller.extension
    assert answered in {caller.extension, "100"}
    assert len(reports) == 1
    assert "directory.db" in reports[0]["reason"]


async def _until_synced(site: ServiceFolder) -> None:
    """Wait until the first background sync is over: its lock can be had."""
    lock = WriterLock(site.folder / "data" / "directory.lock")

    def over() -> bool:
        free = lock.acquire()
        lock.release()
        return free

    await wait_until(over, "the first sync is over")
