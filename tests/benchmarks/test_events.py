"""Events of the PBX: as many as a large cabinet sends, each durable, and soon on a page."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest
import uvloop

from bridge.adapters.sqlite.calls.store import SqliteLedger
from tests.benchmarks import children
from tests.benchmarks.callers import ADMIN_PASSWORD, plain_request, pushed_event
from tests.benchmarks.load import Run, closed_loop, open_loop
from tests.benchmarks.scoreboard import Scoreboard, percentile

pytestmark = pytest.mark.benchmark

RATE = 200.0
SECONDS = 60.0
#: Of each call: it comes, a telephone rings, somebody answers, it is over.
CODES = ("1", "1", "3", "2")
PUSHES = 200
GOAL = 3.0


def test_events_come_as_fast_as_a_large_cabinet_sends_them(
    board: Scoreboard, tmp_path: Path
) -> None:
    children.run("build_directory", path=str(tmp_path / "directory.db"), partners=1_000, each=2)
    with (
        children.child("serve_const") as const,
        children.child("serve_hook", data_dir=str(tmp_path)) as hook,
    ):
        port, floor_port = hook.line()["port"], const.line()["port"]
        run = uvloop.run(_storm(port))
        floor, latencies = uvloop.run(_pushes(port, floor_port))
    sent = run.answered + PUSHES

    kept, applied, calls, alike = asyncio.run(_count(tmp_path / "ledger.db"))

    assert run.refused == 0
    assert kept == applied == sent
    assert calls == alike
    board.note(
        f"events: {run.answered:,} at {run.rate:.0f} /s, each durable and told to its call; "
        f"acknowledged p50 {run.ms(0.5):.2f}, p99 {run.ms(0.99):.2f} ms; "
        f"{calls:,} calls, none lost or doubled"
    )
    ratio = median(latencies) / floor
    board.score(
        "event → the page hears of its call (SSE), p50",
        floor=f"constant request {floor:.2f} ms",
        subject=f"p50 {median(latencies):.2f}, p95 {percentile(latencies, 0.95):.2f} ms",
        ratio=ratio,
        goal=f"≤ {GOAL:g} ×",
        reached=ratio <= GOAL,
    )


async def _storm(port: int) -> Run:
    began = int(time.time())
    numbers = iter(range(10**9))

    def request() -> bytes:
        at = next(numbers)
        return pushed_event(CODES[at % 4], f"{began}.{at // 4}", began, at // 4, leg=str(at % 4))

    return await open_loop(port, request, RATE, lambda passed: passed < SECONDS)


async def _pushes(port: int, floor_port: int) -> tuple[float, list[float]]:
    """Return the p50 of a constant request, and how long each event took to a listening page."""
    floor = await closed_loop(floor_port, plain_request("/const"), 1, 1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(plain_request("/api/v1/stream?kind=call_changed", proof=ADMIN_PASSWORD)())
    await reader.readuntil(b"retry:")
    pushes_r, pushes_w = await asyncio.open_connection("127.0.0.1", port)
    latencies: list[float] = []
    began = int(time.time())
    for at in range(PUSHES):
        sent = time.perf_counter()
        pushes_w.write(pushed_event("1", f"{began}.9{at:05}", began, 500_000 + at))
        while True:
            line = await reader.readline()
            if line.startswith(b"data: ") and json.loads(line[6:]).get("key"):
                break
        latencies.append((time.perf_counter() - sent) * 1e3)
        await pushes_r.readuntil(b"true}")
    for end in (writer, pushes_w):
        end.close()
        await end.wait_closed()
    return floor.ms(0.5), latencies


async def _count(path: Path) -> tuple[int, int, int, int]:
    """Return the events kept, those applied, the calls, and the PBX's ids among them."""
    ledger = SqliteLedger.open(path, lambda: datetime.now(UTC), as_guest=True)
    calls = await ledger.calls_since(datetime.now(UTC) - timedelta(days=1))
    applied = sum([len(await ledger.events_of_call(call.key)) for call in calls])
    left = len(await ledger.unapplied_events(10**6))
    await ledger.close()
    return applied + left, applied, len(calls), len({call.state.call_ref for call in calls})
