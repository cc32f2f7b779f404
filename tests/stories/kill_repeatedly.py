"""The bridge killed over and over under load, while 1C loses replies and commits late.

    python -m tests.stories.kill_repeatedly --kills 300 --seed 1

Callers are answered and their calls' events acknowledged until the service is killed, at any
moment of its run, the start included; every third time its sync process dies with it. At the end
whatever was acknowledged is counted in the ledger and in 1C.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from bridge import bootstrap
from bridge.adapters.onec.writing.journal import ODataJournal
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.bootstrap.shared import build_odata_client, onec_zone
from bridge.domain.calls.state import Disposition
from bridge.services.delivery.deliver import Delivery
from tests.stories.processes import ServiceFolder, free_port, open_service_folder, wait_until_alive
from tests.support.fakes.ledger import RecordedEvents

_EXTENSION = "205"
_LINE = "74950000001"
_CALLERS = 4
_KILLED_AT_START = 0.1
_SYNC_KILLED_TOO = 0.35
#: 1C's faults of a run: what happens, how often. None: 1C is well.
_FAULTS = (
    None,
    None,
    "lost_reply",
    "bad_gateway",
    "late_commit",
    "down",
    "hung_reply",
    "data_lock",
)


@dataclass
class Acknowledged:
    """What the service reported: callers answered, and the ids of calls whose end it took."""

    answered: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    events: int = 0
    lives: int = 0


@dataclass(frozen=True)
class KillReport:
    """What was found at the end; `faults` names everything that must not be."""

    kills: int
    answered: int
    events: int
    documents: int
    faults: tuple[str, ...]


class CallLoad:
    """Callers who call one after another, as long as somebody answers."""

    def __init__(self, site: ServiceFolder, seen: Acknowledged) -> None:
        self._site = site
        self._seen = seen
        self._number = 79990000000

    async def until_killed(self) -> None:
        """Call until nobody answers."""
        async with httpx.AsyncClient(trust_env=False, auth=("pbx", "composed-pass")) as http:
            await asyncio.gather(*(self._caller(http) for _ in range(_CALLERS)))

    async def _caller(self, http: httpx.AsyncClient) -> None:
        with contextlib.suppress(httpx.TransportError):
            while True:
                self._number += 1
                await self._call(http, str(self._number))

    async def _call(self, http: httpx.AsyncClient, number: str) -> None:
        hook, now = f"http://127.0.0.1:{self._site.port}/sipuni", int(time.time())
        asked = {"fromnum": number, "tonum": _LINE, "time": str(now), "label": ""}
        answer = await http.get(f"{hook}/route", params=asked)
        assert answer.json() == {"choice": 1, "extension": _EXTENSION}, answer.text
        self._seen.answered.append(number)
        call = f"{now}.{number[-6:]}"
        begun = {
            "call_id": call,
            "src_type": "1",
            "dst_type": "1",
            "src_num": number,
            "dst_num": _LINE,
            "timestamp": str(now),
        }
        talked = {
            **begun,
            "dst_type": "2",
            "dst_num": f"012345{_EXTENSION}",
            "short_dst_num": _EXTENSION,
            "status": "ANSWER",
            "call_start_timestamp": str(now),
            "call_answer_timestamp": str(now),
            "last_called": _EXTENSION,
        }
        for fields in ({**begun, "event": "1"}, {**talked, "event": "2"}):
            taken = await http.get(f"{hook}/events", params=fields)
            if taken.status_code != httpx.codes.OK:
                return  # not acknowledged: the PBX would send it again
            self._seen.events += 1
        self._seen.ended.append(call)


async def kill_repeatedly(folder: Path, kills: int, seed: int) -> KillReport:
    """Return what stands in ledger and 1C after *kills* deaths and one quiet run."""
    chance = random.Random(seed)  # noqa: S311 - a seed makes a run repeatable
    seen = Acknowledged()
    async with open_service_folder(folder, partners=20) as site:
        load = CallLoad(site, seen)
        for _ in range(kills):
            site.lab.faults.clear()
            fault = chance.choice(_FAULTS)
            if fault is not None:
                site.lab.faults.add(fault, method="POST", times=chance.randint(1, 6))
            seen.lives += 1
            site.port = free_port()  # in a long run somebody else may take one between two lives
            await _one_run(site, load, chance)
        site.lab.faults.clear()
        site.lab.commit_late_writes()
        await _quiet_run(site)
        faults = await _count(site, seen)
        return KillReport(
            kills, len(seen.answered), seen.events, len(site.lab.phone_calls()), tuple(faults)
        )


async def _one_run(site: ServiceFolder, load: CallLoad, chance: random.Random) -> None:
    environment = site.environment(DEFAULT_EXTENSION=_EXTENSION, SYNC_INTERVAL_S="1")
    with (site.folder / "serve.log").open("ab") as log:
        process = await site.start_with(environment, log, "serve", apart=True)
    if chance.random() < _KILLED_AT_START:
        await asyncio.wait((asyncio.create_task(process.wait()),), timeout=chance.uniform(0, 1.5))
        await _kill(process, chance)
        return
    try:
        await wait_until_alive(site.port, process)
    except AssertionError as error:
        result = (site.folder / "serve.log").read_text("utf-8", "replace")
        raise AssertionError(result[-2_000:]) from error
    calling = asyncio.create_task(load.until_killed())
    await asyncio.wait((calling,), timeout=chance.uniform(0.05, 1.5))
    await _kill(process, chance)
    await calling


async def _kill(process: asyncio.subprocess.Process, chance: random.Random) -> None:
    assert process.returncode is None, f"it ended by itself with {process.returncode}"
    with_sync = chance.random() < _SYNC_KILLED_TOO
    (os.killpg if with_sync else os.kill)(process.pid, signal.SIGKILL)
    await process.wait()


async def _quiet_run(site: ServiceFolder) -> None:
    """Let the service run until every kept event is applied to its call."""
    process = await site.start("serve", readable=False, SYNC_INTERVAL_S="3600")
    await wait_until_alive(site.port, process)
    process.send_signal(signal.SIGTERM)
    await process.wait()


async def _count(site: ServiceFolder, seen: Acknowledged) -> list[str]:
    clock = _Later()
    ledger = SqliteLedger.open(site.folder / "data" / "ledger.db", clock=clock)
    try:
        if await ledger.unapplied_events(1):
            return ["events that no call was told of"]
        await _deliver_all(site, ledger, clock)
        calls = await ledger.calls(limit=1_000_000)
        pending = [entry for entry, _ in await ledger.entries(limit=1_000_000) if entry.is_pending]
    finally:
        await ledger.close()
    faults = [f"still pending: {entry.key} {entry.last_error}" for entry in pending]
    callers = Counter(call.caller.raw for call in calls)
    faults += [f"answered and not in the ledger: {n}" for n in seen.answered if not callers[n]]
    faults += [f"one call is {n} in the ledger: {c}" for c, n in callers.items() if n > 1]
    # At most the calls that were under way at a kill were recorded without an answer.
    if len(callers) > len(set(seen.answered)) + seen.lives * _CALLERS:
        faults.append(f"calls that nobody asked for: {len(callers)} of {len(seen.answered)}")
    by_ref = {call.state.call_ref: call for call in calls if call.state.call_ref}
    for ref in seen.ended:
        call = by_ref.get(ref)
        if call is None or call.state.disposition is not Disposition.ANSWERED:
            faults.append(f"acknowledged and forgotten: the end of {ref}")
    documents = [row for row in site.lab.phone_calls() if not row["DeletionMark"]]
    markers = Counter(str(row["Комментарий"]) for row in documents)
    faults += [f"{n} documents of {marker}" for marker, n in markers.items() if n > 1]
    expected = {f"[bridge:{call.key}]" for call in calls if call.needs_document}
    faults += [f"no document of {key}" for key in expected if not any(key in m for m in markers)]
    return faults


async def _deliver_all(site: ServiceFolder, ledger: SqliteLedger, clock: "_Later") -> None:
    """Deliver as if the quiet before a second try, and before the last look, were over."""
    settings = site.settings()
    client = build_odata_client(settings)
    zone = onec_zone(settings)
    delivery = Delivery(
        ledger=ledger,
        journal=ODataJournal(client, zone),
        events=RecordedEvents(),
        clock=clock,
        lang="ru",
        zone=zone,
        monotonic=clock.seconds,
    )
    try:
        for _ in range(12):
            await delivery.drain()
            clock.passes(timedelta(minutes=15))
    finally:
        await client.aclose()


class _Later:
    """A clock that the test sets on."""

    def __init__(self) -> None:
        self._now = bootstrap.now()

    def __call__(self) -> datetime:
        return self._now

    def seconds(self) -> float:
        return self._now.timestamp()

    def passes(self, time: timedelta) -> None:
        self._now += time


def main() -> int:
    """Run it from the command line; 0 where nothing was lost or doubled."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=300)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdict = asyncio.run(kill_repeatedly(Path(folder), asked.kills, asked.seed))
    print(verdict)  # noqa: T201 - a script
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
