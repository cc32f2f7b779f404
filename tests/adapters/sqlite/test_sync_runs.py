"""The history of sync runs, and the latency log: what the console draws of them."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.latency import LatencyLog
from bridge.adapters.sqlite.sync_runs import SqliteSyncRuns
from bridge.errors import Loss, StoreError
from bridge.ports.stores.directory import SyncReport
from bridge.ports.stores.sync_runs import Shrink, SyncRun
from tests.support.builders import NOON

pytestmark = pytest.mark.anyio

REPORT = SyncReport(NOON, 1.5, False, True, 9, (), unread_examples=("звонить Пете",))


async def test_runs_come_back_newest_first_without_examples_of_phones(tmp_path: Path) -> None:
    history = SqliteSyncRuns(tmp_path / "runs.db")
    refused = SyncRun(
        NOON + timedelta(minutes=1),
        2.0,
        error="shrank",
        refused=Shrink("partner", 100, 3, (Loss("x", "x", 3, 0),)),
    )
    history.add(SyncRun(NOON, 1.5, REPORT))
    history.add(refused)

    first, second = await history.runs()

    assert first == refused
    assert second.report == replace(REPORT, unread_examples=())


async def test_before_the_first_run_there_is_none(tmp_path: Path) -> None:
    assert await SqliteSyncRuns(tmp_path / "runs.db").runs() == []


@pytest.mark.parametrize("begins", ["the service", "a sync"])
async def test_a_damaged_history_begins_anew_whoever_meets_it(tmp_path: Path, begins: str) -> None:
    path = tmp_path / "runs.db"
    history = SqliteSyncRuns(path)
    path.write_bytes(b"no database at all" * 500)
    run = SyncRun(NOON, 1.0)

    if begins == "the service":
        assert await history.runs() == []
    history.add(run)

    assert await history.runs() == [run]
    assert (tmp_path / "runs.db.damaged").read_bytes().startswith(b"no database")


async def test_a_history_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE theirs (n INTEGER)")
    theirs.close()

    with pytest.raises(StoreError, match="another program"):
        SqliteSyncRuns(path).add(SyncRun(NOON, 1.0))

    assert not (tmp_path / "runs.db.damaged").exists()


async def test_only_the_runs_asked_for_are_given(tmp_path: Path) -> None:
    history = SqliteSyncRuns(tmp_path / "runs.db")
    for n in range(5):
        history.add(SyncRun(NOON + timedelta(hours=n), 1.0))

    assert len(await history.runs(2)) == 2
    assert len(await history.runs(since=NOON + timedelta(hours=3))) == 2


def test_latency_is_counted_hour_by_hour_and_for_a_day() -> None:
    now = 1_000_000 * 3600.0
    log = LatencyLog(lambda: now)
    assert log.day() is None

    for seconds in [0.001] * 90 + [0.1] * 10:
        log.observe(seconds)
    now += 3600
    log.observe(0.01)

    first, second = log.hours()
    day = log.day()
    assert (first.answers, second.answers) == (100, 1)
    assert first.p50 == pytest.approx(0.001, rel=0.2)
    assert first.p95 == pytest.approx(0.1, rel=0.2)
    assert day is not None
    assert day.answers == 101


def test_hours_long_gone_are_deleted() -> None:
    now = 1_000_000 * 3600.0
    log = LatencyLog(lambda: now)
    log.observe(0.001)
    now += 60 * 3600
    log.observe(0.001)

    assert len(log.hours()) == 1
