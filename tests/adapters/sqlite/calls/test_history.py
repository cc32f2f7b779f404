"""Calls as pages look for them: filters, names in any letter case, pages that lose nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.sqlite.calls.history import SqliteCallHistory
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import CallState, Disposition
from bridge.domain.routing.decision import Rule, Target
from bridge.ports.stores.calls import CallFilter, CallSearch
from tests.support import builders as b

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


def made(
    n: int, caller: str = "+79035550123", state: CallState | None = None, **more: Any
) -> PhoneCall:
    at = b.NOON + n * MINUTE
    asked = b.question(caller, asked_time=str(n), arrived_at=at, received_at=at)
    return replace(b.call(asked), state=state or CallState(), **more)


def other(n: int) -> PhoneCall:
    """Make a call of «Ёлка "Плюс"» to Борис, missed."""
    owner = b.candidate(b.partner('ООО Ёлка "Плюс"', manager="Борис Орлов"))
    decided = b.decision(
        owner, target=Target("301", b.ref("Борис Орлов"), "Борис Орлов"), rule=Rule.PARTNER_MANAGER
    )
    at = b.NOON + n * MINUTE
    asked = b.question("+74957654321", asked_time=str(n), arrived_at=at, received_at=at)
    missed = CallState(
        Disposition.MISSED, rung_extensions=("301", "302"), wait_time=timedelta(seconds=25)
    )
    return replace(b.call(asked, decided), state=missed)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    opened = SqliteLedger.open(tmp_path / "ledger.db", lambda: b.NOON)
    yield opened
    await opened.close()


@pytest.fixture
async def history(tmp_path: Path, ledger: SqliteLedger) -> AsyncIterator[SqliteCallHistory]:
    answered = CallState(
        Disposition.ANSWERED, talked_extensions=("205",), wait_time=timedelta(seconds=7)
    )
    for call in (
        made(0, state=answered),
        other(1),
        made(2, direction=Direction.OUTBOUND, placed_by="400"),
        made(3, is_test_request=True),
    ):
        await ledger.record_call(call, None)
    opened = SqliteCallHistory(tmp_path / "ledger.db")
    yield opened
    await opened.close()


async def found(history: SqliteCallHistory, search: CallSearch) -> list[str]:
    calls, more = await history.find(search, limit=10)
    assert not more
    return [call.pbx_time_text for call in calls]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (CallSearch(), ["3", "2", "1", "0"]),
        (CallSearch(CallFilter(direction=Direction.OUTBOUND)), ["2"]),
        (CallSearch(CallFilter(dispositions=(Disposition.MISSED,))), ["1"]),
        (CallSearch(CallFilter(extension="302")), ["1"]),
        (CallSearch(CallFilter(extension="400")), ["2"]),
        (CallSearch(CallFilter(number=b.NUMBER)), ["3", "2", "0"]),
        (CallSearch(CallFilter(since=b.NOON + MINUTE, until=b.NOON + 3 * MINUTE)), ["2", "1"]),
        (CallSearch(digits="765432"), ["1"]),
        (CallSearch(name="ёлка"), ["1"]),
        (CallSearch(name="ЁЛКА"), ["1"]),
        (CallSearch(name='"плюс"'), ["1"]),
        (CallSearch(name="елка"), ["1"]),
        (CallSearch(name="еЛкА"), ["1"]),
        (CallSearch(name="*"), []),
        (CallSearch(name="орлов борис"), ["1"]),
        (CallSearch(name="петрова"), ["3", "2", "0"]),
        (CallSearch(name="нет такого"), []),
        (CallSearch(name="'; DROP TABLE calls; --"), []),
    ],
)
async def test_what_is_asked_for_is_found(
    history: SqliteCallHistory, search: CallSearch, expected: list[str]
) -> None:
    assert await found(history, search) == expected


async def test_pages_follow_each_other_though_calls_came_in_one_moment(
    history: SqliteCallHistory, ledger: SqliteLedger
) -> None:
    for n in range(7):
        same = b.question("+74950000000", asked_time=f"same {n}", received_at=b.NOON)
        await ledger.record_call(b.call(same, b.decision()), None)
    seen: list[str] = []
    after = ""
    while True:
        calls, after = await history.find(CallSearch(), limit=3, after=after)
        seen += [call.key for call in calls]
        if not after:
            break

    assert len(seen) == len(set(seen)) == 11


async def test_an_unknown_cursor_begins_anew(history: SqliteCallHistory) -> None:
    calls, _ = await history.find(CallSearch(), limit=1, after="x'; --")

    assert len(calls) == 1


async def test_figures_leave_out_the_cabinet_s_tests(history: SqliteCallHistory) -> None:
    facts = await history.facts(b.NOON, b.NOON + 10 * MINUTE)

    assert [fact.disposition for fact in facts] == [
        Disposition.ANSWERED,
        Disposition.MISSED,
        Disposition.RINGING,
    ]
    assert [fact.wait_time for fact in facts] == [timedelta(seconds=7), timedelta(seconds=25), None]
    assert facts[1].rule is Rule.PARTNER_MANAGER


async def test_every_call_since_a_moment_is_shown_in_order(history: SqliteCallHistory) -> None:
    seen: list[str] = []
    await history.each(b.NOON + MINUTE, lambda call: seen.append(call.pbx_time_text))

    assert seen == ["1", "2", "3"]
