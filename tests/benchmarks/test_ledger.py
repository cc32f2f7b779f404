"""One durable record against the least a disk can do, and what waiting together brings."""

import asyncio
import itertools
import os
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median

import pytest
import uvloop

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.domain.calls.call import PhoneCall, call_from_question
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.phone.callers import read_caller
from bridge.domain.phone.phone import PhoneRules
from bridge.domain.routing.decision import RouteDecision, RouteQuestion, Rule, Target
from tests.benchmarks.company import number_of
from tests.benchmarks.scoreboard import Scoreboard, percentile, rounds, spread

pytestmark = pytest.mark.benchmark

RECORDS = 400
REPEATS = 5
WAITING = (1, 8, 32, 64)
TOGETHER = 3_000
GOAL = 2.0
GOAL_OF_EIGHT = 4.0


def test_a_durable_record_costs_little_more_than_a_bare_append(
    board: Scoreboard, tmp_path: Path
) -> None:
    calls = _calls()
    floor: list[float] = []
    subject: list[float] = []
    tails: list[float] = []

    async def measure() -> None:
        ledger = SqliteLedger.open(tmp_path / "ledger.db", lambda: datetime.now(UTC))
        for _ in rounds(REPEATS):
            floor.append(median(_appends(tmp_path / "appended")))
            times = [await _record(ledger, call) for call in islice(calls, RECORDS)]
            subject.append(median(times))
            tails.append(percentile(times, 0.99))
        await ledger.close()

    uvloop.run(measure())  # as the service does

    ratio = median(s / f for s, f in zip(subject, floor, strict=True))
    board.score(
        "one durable record (call + debt), nobody else waits",
        floor=f"append + fdatasync {spread(floor, '{:.3f}')} ms",
        subject=f"{spread(subject, '{:.3f}')} ms, p99 {median(tails):.2f}",
        ratio=ratio,
        goal=f"≤ {GOAL:g} × floor",
        reached=ratio <= GOAL,
    )


def test_callers_that_wait_together_share_a_commit(board: Scoreboard, tmp_path: Path) -> None:
    calls = _calls()
    rates: dict[int, list[float]] = {waiting: [] for waiting in WAITING}

    async def measure() -> None:
        ledger = SqliteLedger.open(tmp_path / "ledger.db", lambda: datetime.now(UTC))
        for _ in rounds(3):
            for waiting in WAITING:
                each = TOGETHER // 4 if waiting == 1 else TOGETHER // waiting

                async def writer(theirs: list[PhoneCall]) -> None:
                    for call in theirs:
                        await _record(ledger, call)

                lanes = [list(islice(calls, each)) for _ in range(waiting)]
                started = time.perf_counter()
                await asyncio.gather(*map(writer, lanes))
                rates[waiting].append(each * waiting / (time.perf_counter() - started))
        await ledger.close()

    uvloop.run(measure())  # as the service does

    for waiting in WAITING[1:]:
        pairs = zip(rates[waiting], rates[WAITING[0]], strict=True)
        ratio = median(many / one for many, one in pairs)
        eight = waiting == 8
        board.score(
            f"durable records, {waiting} callers waiting",
            floor=f"one caller {spread(rates[1], '{:.0f}')} /s",
            subject=f"{spread(rates[waiting], '{:.0f}')} /s",
            ratio=ratio,
            goal=f"≥ {GOAL_OF_EIGHT:g} × one" if eight else "",
            reached=ratio >= GOAL_OF_EIGHT if eight else None,
        )


def _calls() -> "itertools.chain[PhoneCall]":
    rules = PhoneRules()
    decision = RouteDecision(Rule.DEFAULT, fallback=Target("205"))

    def one(count: int) -> PhoneCall:
        caller = read_caller(str(number_of(count)), rules)
        question = RouteQuestion("sipuni", caller, "74951234567", datetime.now(UTC))
        return call_from_question(question, decision)

    return itertools.chain.from_iterable([map(one, itertools.count())])


async def _record(ledger: SqliteLedger, call: PhoneCall) -> float:
    entry = OutboxEntry(call.key, created_at=call.received_at, due_at=call.received_at)
    started = time.perf_counter()
    recorded = await ledger.record_call(call, entry)
    spent = time.perf_counter() - started
    assert recorded.key == call.key
    return spent * 1e3


def _appends(path: Path) -> list[float]:
    """Time appends of as many bytes as a call and its entry take, each synced."""
    record = b"x" * 900
    times = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sync = getattr(os, "fdatasync", os.fsync)
    for _ in range(RECORDS):
        started = time.perf_counter()
        os.write(file, record)
        sync(file)
        times.append((time.perf_counter() - started) * 1e3)
    os.close(file)
    return times
