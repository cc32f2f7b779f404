"""The service as a process of its own, under a wall clock that somebody sets.

Needs libfaketime (Debian's package of that name); left out where it is not installed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bridge.adapters.sqlite.sync_runs import SqliteSyncRuns
from bridge.errors import StoreError
from tests.stories.processes import ServiceFolder, free_port, open_service_folder, wait_until_alive

_LIBRARIES = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"),
)
_FAKETIME = next((path for path in _LIBRARIES if path.exists()), None)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(_FAKETIME is None, reason="libfaketime is not installed"),
]

_PATIENCE_S = 120.0
_MOST_MIB = 600
_ROUTE = "http://127.0.0.1:{port}/sipuni/route"


class Machine:
    """A service under a wall clock that is set by `sets`."""

    def __init__(self, site: ServiceFolder) -> None:
        self.site = site
        self.log = site.folder / "serve.log"
        self._offset = site.folder / "offset"
        self._runs = SqliteSyncRuns(site.folder / "data" / "runs.db")
        self._calls = 0

    def sets(self, offset: str) -> None:
        """Set the wall clock so far off."""
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.replace(self._offset)

    @asynccontextmanager
    async def serves(self) -> AsyncIterator[None]:
        environment = {
            **self.site.environment(
                SYNC_INTERVAL_S="1", DEFAULT_EXTENSION="205", LOG_FORMAT="json"
            ),
            "LD_PRELOAD": str(_FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with self.log.open("ab") as log:
            process = await self.site.start_with(environment, log, "serve")
            self.pid = process.pid
            try:
                await wait_until_alive(self.site.port, process)
                yield
                assert process.returncode is None
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()

    async def syncs(self, count: int) -> None:
        """Wait until so many more syncs have ended well."""

        async def well() -> int:
            try:
                runs = await self._runs.runs(limit=2_000)
            except StoreError:
                return 0  # the first run is just making its table
            return sum(run.report is not None for run in runs)

        target, deadline = await well() + count, time.monotonic() + _PATIENCE_S
        while await well() < target:
            assert time.monotonic() < deadline, "no sync"
            await asyncio.sleep(0.2)  # between looks at another process only

    async def wait_for_log(self, text: str) -> None:
        """Wait until the log has *text*."""
        deadline = time.monotonic() + _PATIENCE_S
        while text not in self.log.read_text():
            assert time.monotonic() < deadline, text
            await asyncio.sleep(0.2)  # between looks at another process only

    async def answers(self) -> None:
        """Call once; the caller has an answer."""
        self._calls += 1
        asked = {"fromnum": f"7999000{self._calls:04d}", "tonum": "74950000001", "time": ""}
        async with httpx.AsyncClient(trust_env=False, auth=("pbx", "composed-pass")) as http:
            answer = await http.get(_ROUTE.format(port=self.site.port), params=asked, timeout=20)
        assert answer.json() == {"choice": 1, "extension": "205"}

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as http:
            ready = await http.get(f"http://127.0.0.1:{self.site.port}/readyz")
        return ready.is_success

    def mib(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) // 1024


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("+3h", "+0"),  # a machine without NTP at its boot, its clock in local time
        ("-7300d", "+0"),  # a dead battery
    ],
)
async def test_the_service_goes_on_behind_a_step_of_the_clock(
    tmp_path: Path, before: str, after: str
) -> None:
    async with open_service_folder(tmp_path, partners=20) as site:
        site.gate.opened.set()
        site.port = free_port()
        machine = Machine(site)
        machine.sets(before)
        async with machine.serves():
            await machine.syncs(1)
            await machine.answers()

            machine.sets(after)

            await machine.wait_for_log("clock_off")
            await machine.answers()
            await machine.syncs(2)
            await machine.answers()
            assert await machine.is_ready()
            assert machine.mib() < _MOST_MIB


async def test_a_restart_behind_a_step_goes_on_too(tmp_path: Path) -> None:
    async with open_service_folder(tmp_path, partners=20) as site:
        site.gate.opened.set()
        site.port = free_port()
        machine = Machine(site)
        machine.sets("+3h")
        async with machine.serves():
            await machine.syncs(1)
            await machine.answers()
        machine.sets("+0")
        async with machine.serves():
            await machine.syncs(2)
            await machine.answers()
            assert await machine.is_ready()
