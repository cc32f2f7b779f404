"""The jobs on APScheduler: sync, delivery, taking up a new directory, housekeeping.

The sync runs as a process of its own, started by Popen in a thread: uvloop's spawn stalls the
loop by 14-18 ms, and a sync of a million rows must delay no caller.
"""

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from bridge.errors import BridgeError
from bridge.loops import Loop
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.events import EventPublisher
from bridge.services.sync.process_log import SyncProcessLog
from bridge.services.sync.process_result import (
    SyncProcessResult,
    SyncResultReporter,
    read_process_result,
)

#: The exit code that a shell gives for a command that it cannot run.
_NOT_STARTED = 126

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timetable:
    """How often things happen. *sync_duty*: the largest share of time a sync may take.

    *stop_patience*: how long a stop waits for a delivery under way; what is not finished then is
    searched for in 1C next time.
    """

    sync_interval: timedelta
    sync_duty: float
    delivery: timedelta = timedelta(seconds=1)
    refresh: timedelta = timedelta(seconds=1)
    stop_patience: timedelta = timedelta(seconds=5)


class PauseTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires every *pause*, once for all that was missed.

    APScheduler's own interval lists every missed moment before it drops all but the last: a clock
    that jumps ahead by years makes that list larger than the memory.
    """

    def __init__(self, pause: timedelta) -> None:
        self._pause = pause

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the one next moment, which is always ahead of *now*."""
        return now if previous is None else now + self._pause


class Scheduler:
    """Runs the jobs between `start` and `stop`; `deliver_soon` starts a delivery at once."""

    def __init__(
        self,
        *,
        timetable: Timetable,
        sync_command: Sequence[str],
        deliver: Callable[[], Awaitable[int]],
        refresh: Callable[[], None],
        events: EventPublisher,
        clock: Clock,
        loops: Sequence[Loop] = (),
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._timetable = timetable
        self._sync_command = tuple(sync_command)
        self._refresh = refresh
        self._reporting = SyncResultReporter(events)
        self._sync_log = SyncProcessLog()
        self._clock = clock
        self._monotonic = monotonic
        self._jobs = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._loops = (Loop("deliver", deliver, timetable.delivery), *loops)
        self._syncing: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._sync_idle = asyncio.Event()
        self._sync_idle.set()
        self._sync_due = 0.0  # in the seconds of `monotonic`
        self._sync_again = False
        self._accept_shrink = False
        self._refresh_broken = False

    def start(self) -> None:
        """Start the jobs; the first sync at once."""
        for loop in self._loops:
            loop.start()
        every = self._timetable
        self._jobs.add_job(self._refresh_quietly, PauseTrigger(every.refresh), id="refresh")
        self._add_sync()
        self._jobs.start()

    def deliver_soon(self) -> None:
        """Run the delivery as soon as possible; cheap enough for the path of a routing answer."""
        self._loops[0].run_soon()

    def sync_now(self, *, accept_shrink: bool = False) -> None:
        """Start a sync run as soon as the present one, if any, is over.

        *accept_shrink*: a person confirmed that 1C is right; counts for that one run.
        """
        self._accept_shrink = self._accept_shrink or accept_shrink
        self._add_sync()

    def clock_stepped(self, step: timedelta) -> None:
        """Compute the jobs' times anew: APScheduler compares them with the wall clock."""
        del step
        if self._stopping or not self._jobs.running:
            return
        now = self._clock()
        left = {"refresh": self._timetable.refresh, "sync": self._sync_left()}
        for job in self._jobs.get_jobs():
            job.modify(next_run_time=now + left[job.id])

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

    def _sync_left(self) -> timedelta:
        return timedelta(seconds=max(0.0, self._sync_due - self._monotonic()))

    def _add_sync(self, pause: timedelta | None = None) -> None:
        self._sync_due = self._monotonic() + (0.0 if pause is None else pause.total_seconds())
        # Two instances, as the second only leaves word for the first; APScheduler would drop it.
        when = {} if pause is None else {"run_date": self._clock() + pause}
        self._jobs.add_job(
            self._sync, "date", id="sync", replace_existing=True, max_instances=2, **when
        )

    async def _sync(self) -> None:
        if not self._sync_idle.is_set():
            self._sync_again = True
            return
        self._sync_idle.clear()
        started = self._monotonic()
        try:
            while not self._stopping:
                self._sync_again = False
                started = self._monotonic()
                end = await asyncio.to_thread(self._run_sync)
                if not self._stopping:
                    self._reporting.report(end)
                if not self._sync_again:
                    break
        finally:
            self._sync_idle.set()
            if not self._stopping:
                took = timedelta(seconds=self._monotonic() - started)
                self._add_sync(
                    self._reporting.pause_before_next(sync_pause_after(took, self._timetable))
                )

    def _run_sync(self) -> SyncProcessResult:
        """Run one sync process to its end (in a thread); return how it ended."""
        accepted, self._accept_shrink = self._accept_shrink, False
        command = (*self._sync_command, "--accept-shrink") if accepted else self._sync_command
        try:
            return self._run(command)
        except OSError as error:  # no memory, no process, no file left for it
            message = f"the sync process cannot be started: {error.strerror or error}"
            return read_process_result(_NOT_STARTED, json.dumps({"error": message}))

    def _run(self, command: Sequence[str]) -> SyncProcessResult:
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
        return read_process_result(
            process.returncode, out.decode("utf-8", "replace"), rest.result()
        )

    async def _end_sync(self) -> None:
        for end in (subprocess.Popen.terminate, subprocess.Popen.kill):
            if self._syncing is not None:
                end(self._syncing)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._sync_idle.wait(), self._timetable.stop_patience.total_seconds()
                )
                return


def sync_pause_after(took: timedelta, timetable: Timetable) -> timedelta:
    """Return the pause after a sync that *took* so long: longer where it would exceed its duty."""
    return max(timetable.sync_interval, took * (1 / timetable.sync_duty - 1))


def sync_command() -> tuple[str, ...]:
    """Return the command line of one background sync run in this very environment."""
    return (sys.executable, "-m", "bridge", "sync", "--json", "--background")
