"""The routing hook, its record durable, against a constant FastAPI endpoint."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest
import uvloop

from bridge.adapters.sqlite.calls.store import SqliteLedger
from tests.benchmarks import children
from tests.benchmarks.callers import plain_request, routing_questions
from tests.benchmarks.company import number_of
from tests.benchmarks.load import NextRequest, Run, closed_loop, new_connections
from tests.benchmarks.scoreboard import Scoreboard, rounds, spread

pytestmark = pytest.mark.benchmark

PARTNERS = 20_000
NUMBERS_EACH = 5
CONNECTIONS = 32
SECONDS = 2.0
REPEATS = 5
GOAL = 0.8

#: How each side is asked: keep-alive at full load, one waiting caller, one connection a question.
LOADS = ("32 keep-alive", "1 keep-alive", "new connection each, 2 lanes")


def test_the_hook_keeps_up_with_a_constant_endpoint(board: Scoreboard, tmp_path: Path) -> None:
    children.run(
        "build_directory",
        path=str(tmp_path / "directory.db"),
        partners=PARTNERS,
        each=NUMBERS_EACH,
    )
    runs: dict[tuple[str, str], list[Run]] = {}
    answered = 0

    with (
        children.child("serve_const") as const,
        children.child("serve_hook", data_dir=str(tmp_path)) as hook,
    ):
        ports = {"const": const.line()["port"], "hook": hook.line()["port"]}
        first = 0
        for _ in rounds(REPEATS + 1):  # the first warms up
            for load in LOADS:
                for side, port in ports.items():
                    keep = not load.startswith("new")
                    request = (
                        plain_request("/const", keep_alive=keep)
                        if side == "const"
                        else routing_questions(number_of, keep_alive=keep, first=first)
                    )
                    run = uvloop.run(_load(load, port, request))
                    assert run.refused == 0
                    runs.setdefault((load, side), []).append(run)
                    if side == "hook":
                        answered += run.answered
                        first += run.answered + CONNECTIONS

    recorded, entries = asyncio.run(_count(tmp_path / "ledger.db"))
    assert recorded == entries == answered
    for load in LOADS:
        floor, subject = runs[load, "const"][1:], runs[load, "hook"][1:]
        ratio = median(s.rate / f.rate for s, f in zip(subject, floor, strict=True))
        main = load == LOADS[0]
        board.score(
            f"hook, durable record, {load}",
            floor=_summary(floor),
            subject=_summary(subject),
            ratio=ratio,
            goal=f"≥ {GOAL:g} of a constant endpoint" if main else "",
            reached=ratio >= GOAL if main else None,
        )
    board.note(f"hook: {answered:,} questions answered, {recorded:,} calls in the ledger")


async def _load(load: str, port: int, request: NextRequest) -> Run:
    if load == LOADS[0]:
        return await closed_loop(port, request, CONNECTIONS, SECONDS)
    if load == LOADS[1]:
        return await closed_loop(port, request, 1, SECONDS / 2)
    return await new_connections(port, request, 2, SECONDS / 2)


def _summary(runs: list[Run]) -> str:
    rate = spread([run.rate for run in runs], "{:.0f}")
    p50 = median(run.ms(0.5) for run in runs)
    p99 = median(run.ms(0.99) for run in runs)
    return f"{rate} req/s, p50 {p50:.2f}, p99 {p99:.2f} ms"


async def _count(path: Path) -> tuple[int, int]:
    ledger = SqliteLedger.open(path, lambda: datetime.now(UTC), as_guest=True)
    counts = await ledger.count_entries()
    calls = await ledger.calls_since(datetime.now(UTC) - timedelta(days=1))
    await ledger.close()
    entries = counts.due + counts.sending + counts.dead + counts.delivered
    return len({call.key for call in calls}), entries
