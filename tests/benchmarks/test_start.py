"""How long the service takes to be ready over a large directory against a small one."""

import time
from pathlib import Path
from statistics import median

import httpx
import pytest

from tests.benchmarks import children
from tests.benchmarks.scoreboard import Scoreboard, rounds, spread

pytestmark = pytest.mark.benchmark

PARTNERS = {"small": 200, "large": 200_000}
NUMBERS_EACH = 5
REPEATS = 5
GOAL = 1.2
_PATIENCE_S = 30.0
_LOOK_S = 0.005


def test_a_large_directory_does_not_delay_the_start(board: Scoreboard, tmp_path: Path) -> None:
    for size, partners in PARTNERS.items():
        (tmp_path / size).mkdir()
        built = children.run(
            "build_directory",
            path=str(tmp_path / size / "directory.db"),
            partners=partners,
            each=NUMBERS_EACH,
        )
        assert built["numbers"] == partners * NUMBERS_EACH
    seconds: dict[str, list[float]] = {size: [] for size in PARTNERS}

    for repeat in rounds(REPEATS + 1):
        for size, times in seconds.items():
            took = _start(tmp_path / size)
            if repeat:  # the first warms up
                times.append(took)

    ratio = median(b / s for s, b in zip(seconds["small"], seconds["large"], strict=True))
    small, large = (partners * NUMBERS_EACH for partners in PARTNERS.values())
    board.score(
        f"start to ready, {large:,} numbers",
        floor=f"{small:,} numbers {spread(seconds['small'], '{:.2f}')} s",
        subject=f"{spread(seconds['large'], '{:.2f}')} s",
        ratio=ratio,
        goal=f"≤ {GOAL:g} × the small start",
        reached=ratio <= GOAL,
    )


def _start(data_dir: Path) -> float:
    """Start the service, imports and all; give the seconds until it says that it is ready."""
    started = time.perf_counter()
    with children.child("serve_hook", data_dir=str(data_dir)) as service:
        address = f"http://127.0.0.1:{service.line()['port']}/readyz"
        with httpx.Client(trust_env=False) as client:
            while client.get(address).status_code != httpx.codes.OK:
                assert time.perf_counter() - started < _PATIENCE_S, "never ready"
                time.sleep(_LOOK_S)
        return time.perf_counter() - started
