"""The jobs on APScheduler: sync, delivery, taking up a new directory, housekeeping.

The sync runs as a process of its own, started by Popen in a thread: uvloop's spawn stalls the
loop by 14-18 ms (facts/performance.md §5), and a sync of a million rows must stall nobody.
"""

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bridge.errors import BridgeError
from bridge.loops import Loop
from bridge.ports import Clock, Events
from bridge.services.sync_log import SyncLog
from bridge.services.sync_outcome import SyncEnd, SyncReporting, read_sync_end

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timetable:
    """How often things happen. *sync_duty*: the largest share of time a sync may take.

    *stop_patience*: how long a stop waits for a delivery under way; what is not finished then is
    looked for in 1C next time.
    """

    sync_interval: timedelta
    sync_duty: float
    delivery: timedelta = timedelta(seconds=1)
    refresh: timedelta = timedelta(seconds=1)
    stop_patience: timedelta = timedelta(seconds=5)


class Scheduler:
    """Runs the jobs between `start` and `stop`; a kick makes the delivery look at once."""

    def __init__(
        self,
        *,
        timetable: Timetable,
        sync_command: Sequence[str],
        drain: Callable[[], Awaitable[int]],
        refresh: Callable[[], None],
        events: Events,
        clock: Clock,
        loops: Sequence[Loop] = (),
    ) -> None:
        self._timetable = timetable
        self._sync_command = tuple(sync_command)
        self._refresh = refresh
        self._reporting = SyncReporting(events)
        self._sync_log = SyncLog()
        self._clock = clock
        self._jobs = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._loops = (Loop("deliver", drain, timetable.delivery), *loops)
        self._syncing: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._sync_idle = asyncio.Event()
        self._sync_idle.set()
        self._sync_again = False
        self._accept_shrink = False
        self._refresh_broken = False

    def start(self) -> None:
        """Start the jobs; the first sync at once."""
        for loop in self._loops:
            loop.start()
        every = self._timetable
        self._jobs.add_job(
            self._refresh_quietly, "interval", seconds=every.refresh.total_seconds(), id="refresh"
        )
        self._add_sync()
        self._jobs.start()

    def kick(self) -> None:
        """Have the delivery look now; cheap enough for the ringing path."""
        self._loops[0].kick()

    def sync_now(self, *, accept_shrink: bool = False) -> None:
        """Start a sync run as soon as the present one, if any, is over.

        *accept_shrink*: a person said that 1C is right; counts for that one run.
        """
        self._accept_shrink = self._accept_shrink or accept_shrink
        self._add_sync()

    async def stop(self) -> None:
        """Stop the jobs; a delivery under way gets a moment, a sync is ended (it loses nothing)."""
        self._stopping = True
        if self._jobs.running:
            self._jobs.pause()
        await self._end_sync()
        if self._jobs.running:
            self._jobs.shutdown(wait=False)
        # All at once: the delivery may need the whole patience, the others would wait behind it.
        patience = self._timetable.stop_patience
        await asyncio.gather(*(loop.stop(patience) for loop in self._loops))

    async def _refresh_quietly(self) -> None:
        try:
            self._refresh()
        except BridgeError as error:
            if not self._refresh_broken:
                _log.error("refresh_failed", extra={"reason": str(error)})
            self._refresh_broken = True
        else:
            self._refresh_broken = False

    def _add_sync(self, at: datetime | None = None) -> None:
        # Two instances, as the second only leaves word for the first; APScheduler would drop it.
        when = {} if at is None else {"run_date": at}
        self._jobs.add_job(
            self._sync, "date", id="sync", replace_existing=True, max_instances=2, **when
        )

    async def _sync(self) -> None:
        if not self._sync_idle.is_set():
            self._sync_again = True
            return
        self._sync_idle.clear()
        started = self._clock()
        try:
            while not self._stopping:
                self._sync_again = False
                started = self._clock()
                end = await asyncio.to_thread(self._run_sync)
                if not self._stopping:
                    self._reporting.take(end)
                if not self._sync_again:
                    break
        finally:
            self._sync_idle.set()
            if not self._stopping:
                now = self._clock()
                usual = pause_after(now - started, self._timetable)
                self._add_sync(now + self._reporting.pause(usual))

    def _run_sync(self) -> SyncEnd:
        """Run one sync process to its end (in a thread); return how it ended."""
        accepted, self._accept_shrink = self._accept_shrink, False
        command = (*self._sync_command, "--accept-shrink") if accepted else self._sync_command
        with subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # its lines are logged here, in the form of the service
        ) as process:
            self._syncing = process
            if self._stopping:  # `stop` came before there was a process to end
                process.terminate()
            with ThreadPoolExecutor(1, "sync-log") as beside:
                rest = beside.submit(self._sync_log.relay, process.stderr or ())
                out = b"" if process.stdout is None else process.stdout.read()
            process.wait()
            self._syncing = None
        return read_sync_end(process.returncode, out.decode("utf-8", "replace"), rest.result())

    async def _end_sync(self) -> None:
        for end in (subprocess.Popen.terminate, subprocess.Popen.kill):
            if self._syncing is not None:
                end(self._syncing)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._sync_idle.wait(), self._timetable.stop_patience.total_seconds()
                )
                return


def pause_after(took: timedelta, timetable: Timetable) -> timedelta:
    """Give the pause after a sync that *took* so long: longer where it would exceed its duty."""
    return max(timetable.sync_interval, took * (1 / timetable.sync_duty - 1))


def sync_command() -> tuple[str, ...]:
    """Give the command line of one background sync run in this very environment."""
    return (sys.executable, "-m", "bridge", "sync", "--json", "--background")
