"""How far behind 1C the answers are, what a look at an unchanged 1C costs, and how much memory."""

import time
from pathlib import Path
from statistics import median

import httpx
import pytest

from tests.benchmarks import children
from tests.benchmarks.callers import HOOK_PASSWORD, HOOK_USER
from tests.benchmarks.scoreboard import Scoreboard, percentile, rounds, spread
from tests.benchmarks.serve_lab import MANAGERS, NUMBER

pytestmark = pytest.mark.benchmark

#: The lag, end to end.
INTERVAL_S = 5
MOVES = 15
COMPANY = 5_000
_LOOK_S = 0.02
_PATIENCE_S = 60.0
_GOLDEN = 0.618

#: An unchanged 1C.
PARTNERS = 200_000
REPEATS = 5
COST_GOAL = 1.5

#: A million numbers, two for each partner.
LARGE = 500_000
MEMORY_GOAL_MIB = 1024


class Watch:
    """Moves a partner in 1C and asks the service until it says so."""

    def __init__(self, published: dict[str, object], onec: int, bridge: int) -> None:
        self._published = published
        self._lab = httpx.Client(base_url=f"http://127.0.0.1:{onec}/_lab", trust_env=False)
        self._bridge = httpx.Client(
            base_url=f"http://127.0.0.1:{bridge}", auth=(HOOK_USER, HOOK_PASSWORD), trust_env=False
        )
        self._asked = int(time.time())

    def answer(self) -> object:
        """Ask where the partner's call goes now; every question is another call."""
        self._asked += 1
        asked = {"fromnum": str(NUMBER), "tonum": "74950000001", "time": str(self._asked)}
        return self._bridge.get("/sipuni/route", params=asked).json()["extension"]

    def until(self, extension: str) -> float:
        """Wait for the answer to be *extension*; give the seconds it took."""
        started = time.perf_counter()
        while (seen := self.answer()) != extension:
            if time.perf_counter() - started > _PATIENCE_S:
                raise TimeoutError(f"still {seen}, not {extension}")
            time.sleep(_LOOK_S)
        return time.perf_counter() - started

    def move(self, extension: str) -> None:
        """Give the partner to the manager with *extension*."""
        users: dict[str, str] = self._published["users"]  # type: ignore[assignment]
        change = {"partner_ref": self._published["partner"], "user_ref": users[extension]}
        self._lab.post("/world/move-manager", json=change).raise_for_status()

    def close(self) -> None:
        self._lab.close()
        self._bridge.close()


def test_a_manager_moved_in_1c_is_answered_within_seconds(
    board: Scoreboard, tmp_path: Path
) -> None:
    with children.child("serve_lab", partners=COMPANY) as onec:
        lab = onec.line()
        port = onec.line()["port"]
        environment = {
            **lab["environment"],
            "BRIDGE_ONEC_URL": f"http://127.0.0.1:{port}{lab['publication']}",
            "BRIDGE_HOOK_USER": HOOK_USER,
            "BRIDGE_HOOK_PASSWORD": HOOK_PASSWORD,
            "BRIDGE_DATA_DIR": str(tmp_path),
            "BRIDGE_SYNC_INTERVAL_S": str(INTERVAL_S),
        }
        with children.child("serve_bridge", environment=environment) as bridge:
            watch = Watch(lab, port, bridge.line()["port"])
            watch.until(MANAGERS[0])
            lags: list[float] = []
            for move in range(MOVES):
                # At another moment of the pause each time, as people do.
                time.sleep(move * _GOLDEN % 1 * INTERVAL_S)
                extension = MANAGERS[(move + 1) % len(MANAGERS)]
                watch.move(extension)
                lags.append(watch.until(extension))
            watch.close()

    p50, p95 = percentile(lags, 0.5), percentile(lags, 0.95)
    board.score(
        f"lag: a manager moved in 1C, sync every {INTERVAL_S} s, {COMPANY:,} partners",
        floor=f"half the interval {INTERVAL_S / 2:g} s",
        subject=f"p50 {p50:.2f}, p95 {p95:.2f}, worst {max(lags):.2f} s",
        ratio=p50 / (INTERVAL_S / 2),
        goal=f"p95 ≤ {INTERVAL_S} + 5 s",
        reached=p95 <= INTERVAL_S + 5,
    )


def test_a_look_at_an_unchanged_1c_costs_little_more_than_its_listing(
    board: Scoreboard, tmp_path: Path
) -> None:
    path = str(tmp_path / "directory.db")
    costs: list[float] = []
    floors: list[float] = []
    with children.child("serve_pages", partners=PARTNERS) as publication:
        port = publication.line()["port"]
        children.run("run_pull", port=port, path=path)
        for _ in rounds(REPEATS):
            _recorded(port)
            looked = children.run("run_pull", port=port, path=path, full=False)
            assert not looked["changed"]
            urls = _recorded(port)
            floors.append(children.run("run_pull", port=port, urls=urls)["seconds"])
            costs.append(looked["seconds"])

    ratio = median(c / f for c, f in zip(costs, floors, strict=True))
    board.score(
        f"unchanged run, {PARTNERS:,} partners, {len(urls)} requests",
        floor=f"httpx + orjson.loads of the same answers {spread(floors, '{:.3f}')} s",
        subject=f"{spread(costs, '{:.3f}')} s",
        ratio=ratio,
        goal=f"≤ {COST_GOAL:g} of the floor's time",
        reached=ratio <= COST_GOAL,
    )


def test_a_first_sync_of_a_million_numbers_stays_within_its_memory(
    board: Scoreboard, tmp_path: Path
) -> None:
    path = str(tmp_path / "directory.db")
    with children.child("serve_pages", partners=LARGE) as publication:
        port = publication.line()["port"]
        first = children.run("run_pull", port=port, path=path)
        later = children.run("run_pull", port=port, path=path, full=False)

    assert first["numbers"] == 2 * LARGE
    peak = first["peak_mib"]
    board.score(
        f"memory of a first sync, {2 * LARGE:,} numbers",
        floor=f"goal {MEMORY_GOAL_MIB} MiB",
        subject=f"peak {peak:.0f} MiB, {first['seconds']:.0f} s",
        ratio=peak / MEMORY_GOAL_MIB,
        goal="≤ 1 GiB",
        reached=peak <= MEMORY_GOAL_MIB,
    )
    board.note(
        f"sync of {2 * LARGE:,} numbers: an unchanged run peaks at {later['peak_mib']:.0f} MiB "
        f"and takes {later['seconds']:.2f} s; the file has {first['file_mib']:.0f} MiB"
    )


def _recorded(port: int) -> list[str]:
    """Take the addresses asked since the last time."""
    urls: list[str] = httpx.get(f"http://127.0.0.1:{port}/_recorded", trust_env=False).json()
    return urls
