"""A full pull of a large company against downloading and parsing the same answers alone."""

from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from tests.benchmarks import children
from tests.benchmarks.scoreboard import Scoreboard, rounds, spread

pytestmark = pytest.mark.benchmark

PARTNERS = 200_000
REPEATS = 3
GOAL = 0.5


def test_a_full_pull_against_a_bare_download(board: Scoreboard, tmp_path: Path) -> None:
    floors: list[float] = []
    pulls: list[dict[str, Any]] = []
    seconds: list[float] = []

    with children.child("serve_pages", partners=PARTNERS) as publication:
        port = publication.line()["port"]
        for repeat in rounds(REPEATS):
            _recorded(port)
            pulled = children.run("run_pull", port=port, path=str(tmp_path / f"{repeat}.db"))
            assert pulled["partners"] >= PARTNERS
            assert pulled["numbers"] == 2 * PARTNERS
            urls = _recorded(port)
            floor = children.run("run_pull", port=port, urls=urls)
            assert floor["rows"] >= 2 * PARTNERS  # the listing and the bodies
            pulls.append(pulled)
            seconds.append(pulled["seconds"])
            floors.append(floor["seconds"])

    ratio = median(f / s for f, s in zip(floors, seconds, strict=True))
    board.score(
        f"full pull of {PARTNERS:,} partners, 4 contact rows each",
        floor=f"httpx + orjson.loads {spread(floors, '{:.2f}')} s",
        subject=f"{spread(seconds, '{:.2f}')} s",
        ratio=ratio,
        goal=f"≥ {GOAL:g} of the floor's speed",
        reached=ratio >= GOAL,
    )
    best = min(pulls, key=lambda p: abs(p["seconds"] - median(seconds)))
    stages = ", ".join(f"{name} {spent:.2f}" for name, spent in best["stages"].items())
    board.note(
        f"pull: {best['mib']:.0f} MiB of JSON, {PARTNERS / median(seconds):,.0f} partners/s, "
        f"peak {best['peak_mib']:.0f} MiB; stages in s: {stages}"
    )


def _recorded(port: int) -> list[str]:
    """Take the addresses asked since the last time."""
    urls: list[str] = httpx.get(f"http://127.0.0.1:{port}/_recorded", trust_env=False).json()
    return urls
