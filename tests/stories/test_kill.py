"""A service killed in the middle of everything has every call it answered on disk."""

import asyncio
import contextlib
import signal
from pathlib import Path

import httpx
import pytest

from bridge import bootstrap
from bridge.adapters.embedded.ledger_store import LedgerStore
from tests.stories.processes import Site, free_port, open_site, wait_until_alive

pytestmark = pytest.mark.anyio

_KILLS = 3
_CALLERS = 4
_ANSWERED_BEFORE_A_KILL = 60


class Crowd:
    """Callers who call one after another, as long as somebody answers."""

    def __init__(self, port: int) -> None:
        self.answered: list[str] = []
        self.enough = asyncio.Event()
        self._url = f"http://127.0.0.1:{port}/sipuni/route"
        self._number = 79990000000
        self._wanted = 0

    def begin_anew(self) -> None:
        """Want so many answers more before the next kill."""
        self.enough.clear()
        self._wanted = len(self.answered) + _ANSWERED_BEFORE_A_KILL

    async def call_until_killed(self) -> None:
        """Call until nobody answers; sets `enough` when the service has worked for a while."""
        async with httpx.AsyncClient(trust_env=False, auth=("pbx", "composed-pass")) as http:
            await asyncio.gather(*(self._caller(http) for _ in range(_CALLERS)))

    async def _caller(self, http: httpx.AsyncClient) -> None:
        with contextlib.suppress(httpx.TransportError):
            while True:
                self._number += 1
                caller = str(self._number)
                asked = {"fromnum": caller, "tonum": "74950000001", "time": "", "label": ""}
                answer = await http.get(self._url, params=asked)
                assert answer.json() == {"choice": 1, "extension": "205"}
                self.answered.append(caller)
                if len(self.answered) >= self._wanted:
                    self.enough.set()


async def one_life(site: Site, crowd: Crowd) -> None:
    """Serve, be called, be killed."""
    process = await site.start(
        "serve", heard=False, DEFAULT_EXTENSION="205", SYNC_INTERVAL_S="3600"
    )
    await wait_until_alive(site.port, process)
    crowd.begin_anew()
    calling = asyncio.create_task(crowd.call_until_killed())
    async with asyncio.timeout(20):
        await crowd.enough.wait()
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(calling, process.wait())


async def test_every_answered_call_survives_three_kills(tmp_path: Path) -> None:
    async with open_site(tmp_path, partners=20) as site:
        site.port = free_port()
        crowd = Crowd(site.port)
        for _ in range(_KILLS):
            await one_life(site, crowd)

        path = site.folder / "data" / "ledger.db"
        ledger = LedgerStore.open(path, clock=bootstrap.now)
        try:
            kept = {call.caller.raw for call in await ledger.calls(limit=100_000)}
            owed = {call.caller.raw for _, call in await ledger.entries(limit=100_000)}
        finally:
            await ledger.close()
    assert len(crowd.answered) >= _KILLS * _ANSWERED_BEFORE_A_KILL
    assert set(crowd.answered) <= kept
    assert set(crowd.answered) <= owed
    # At most the calls that were under way at a kill were recorded without an answer.
    assert len(kept) <= len(crowd.answered) + _KILLS * _CALLERS
