"""What a caller feels of a full sync that runs beside the service, at the lowest priority."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
import uvloop

from tests.benchmarks import children
from tests.benchmarks.callers import routing_questions
from tests.benchmarks.company import number_of
from tests.benchmarks.load import Run, open_loop
from tests.benchmarks.scoreboard import Scoreboard, percentile, rounds

pytestmark = pytest.mark.benchmark

PARTNERS = 100_000
RATE = 200.0
IDLE_S = 4.0
REPEATS = 3
GOAL = 2.0


@pytest.mark.parametrize("first", [False, True], ids=["full", "first"])
def test_callers_do_not_feel_a_sync(board: Scoreboard, tmp_path: Path, *, first: bool) -> None:
    """Over a filled directory; and into a new file, as the first sync or one after a deletion."""
    path = tmp_path / "directory.db"
    idle: list[Run] = []
    busy: list[Run] = []
    asked = 0

    with children.child("serve_pages", partners=PARTNERS) as publication:
        port = publication.line()["port"]
        children.run("run_pull", port=port, path=str(path))
        with children.child("serve_hook", data_dir=str(tmp_path)) as hook:
            hook_port = hook.line()["port"]
            time.sleep(2.0)  # the service's own first sync meets nobody, and ends
            uvloop.run(open_loop(hook_port, routing_questions(number_of), RATE, _for(1.0)))
            for _ in rounds(REPEATS):
                asked += 50_000
                questions = routing_questions(number_of, first=asked)
                idle.append(uvloop.run(open_loop(hook_port, questions, RATE, _for(IDLE_S))))
                target = tmp_path / f"new{asked}" / "directory.db" if first else path
                target.parent.mkdir(exist_ok=True)
                with children.child("run_pull", port=port, path=str(target), aside=True) as sync:
                    run = open_loop(hook_port, questions, RATE, lambda _: sync.running())
                    busy.append(uvloop.run(run))
                    assert sync.line()["partners"] >= PARTNERS

    assert not any(run.refused for run in idle + busy)
    ratio = median(b.ms(0.99) / i.ms(0.99) for b, i in zip(busy, idle, strict=True))
    slow = 10 * median(run.ms(0.5) for run in idle)
    every = [latency for run in busy for latency in run.latencies]
    share = sum(latency > slow for latency in every) / len(every)
    how = "for the first time" if first else "all of them anew"
    board.score(
        f"hook at {RATE:.0f} calls/s while {PARTNERS:,} partners are synced beside it, {how}",
        floor=f"idle {_summary(idle)}",
        subject=_summary(busy),
        ratio=ratio,
        goal=f"p99 ≤ {GOAL:g} × idle",
        reached=ratio <= GOAL,
    )
    board.note(
        f"sync beside, {how}: {len(every):,} questions in {sum(r.seconds for r in busy):.0f} s, "
        f"{share:.2%} of them over 10 × the idle median ({slow:.1f} ms), "
        f"p99.9 {percentile(every, 0.999):.1f} ms"
    )


def _for(seconds: float) -> Callable[[float], bool]:
    return lambda so_far: so_far < seconds


def _summary(runs: list[Run]) -> str:
    p50, p99 = (median(run.ms(share) for run in runs) for share in (0.5, 0.99))
    return f"p50 {p50:.2f}, p99 {p99:.2f}, max {max(max(r.latencies) for r in runs):.1f} ms"
