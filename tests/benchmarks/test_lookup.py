"""Look-up in a million numbers against the bare SELECT it cannot beat."""

import random
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.domain.phone.phone import PhoneNumber
from tests.benchmarks import children
from tests.benchmarks.company import number_of
from tests.benchmarks.scoreboard import Scoreboard, rounds, spread

pytestmark = pytest.mark.benchmark

PARTNERS = 200_000
NUMBERS_EACH = 5
LOOK_UPS = 100_000
REPEATS = 5
GOAL_US = 8.0


def test_a_look_up_in_a_million_numbers(board: Scoreboard, tmp_path: Path) -> None:
    path = tmp_path / "directory.db"
    built = children.run("build_directory", path=str(path), partners=PARTNERS, each=NUMBERS_EACH)
    count = PARTNERS * NUMBERS_EACH
    assert built["numbers"] == count
    chance = random.Random(1)  # noqa: S311 - which numbers are asked
    hits = [number_of(chance.randrange(count)) for _ in range(LOOK_UPS)]
    misses = [number_of(count + chance.randrange(count)) for _ in range(LOOK_UPS)]
    reader = SqliteDirectory(path, stale_after=timedelta(hours=1))
    bare = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    bare.execute("PRAGMA mmap_size = 1073741824")
    times: dict[str, list[float]] = {"floor": [], "hit": [], "floor miss": [], "miss": []}

    for _ in rounds(REPEATS):
        times["floor"].append(_select(bare, hits, found=True))
        times["hit"].append(_look_up(reader, hits, found=True))
        times["floor miss"].append(_select(bare, misses, found=False))
        times["miss"].append(_look_up(reader, misses, found=False))

    bare.close()
    reader.close()
    for what, floor in (("hit", "floor"), ("miss", "floor miss")):
        board.score(
            f"look-up with decoded card, {count:,} numbers, {what}",
            floor=f"bare SELECT {spread(times[floor], '{:.1f}')} µs",
            subject=f"{spread(times[what], '{:.1f}')} µs",
            ratio=median(times[what]) / median(times[floor]),
            goal=f"≤ {GOAL_US:g} µs",
            reached=median(times[what]) <= GOAL_US,
        )
    board.note(
        f"directory of {count:,} numbers of {PARTNERS:,} partners: built in "
        f"{built['seconds']:.1f} s, {built['bytes'] / count:.0f} bytes a number on disk "
        f"(documents, cards, name index), peak {built['peak_mib']:.0f} MiB "
        f"(of it {built['before_mib']:.0f} the interpreter)"
    )


def _select(bare: sqlite3.Connection, numbers: list[PhoneNumber], *, found: bool) -> float:
    execute = bare.execute
    seen = 0
    started = time.perf_counter()
    for number in numbers:
        row = execute("SELECT card FROM phone WHERE number = ?", (number,)).fetchone()
        if row is not None:
            seen += 1
    spent = time.perf_counter() - started
    assert seen == len(numbers) * found
    return spent / len(numbers) * 1e6


def _look_up(reader: SqliteDirectory, numbers: list[PhoneNumber], *, found: bool) -> float:
    look_up = reader.look_up
    seen = 0
    started = time.perf_counter()
    for number in numbers:
        if look_up(number) is not None:
            seen += 1
    spent = time.perf_counter() - started
    assert seen == len(numbers) * found
    return spent / len(numbers) * 1e6
