"""The jobs on APScheduler: sync, delivery, taking up a new directory, housekeeping.

The sync runs as a process of its own, started by Popen in a thread: uvloop's spawn stalls the
loop by 14-18 ms (facts/performance.md §5), and a sync of a million rows must stall nobody.
"""

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bridge.errors import BridgeError
from bridge.ports import Clock, Events, OneCMood

_log = logging.getLogger(__name__)

#: How long a stop waits for a delivery under way; what is not finished is looked for next time.
_STOP_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Timetable:
    """How often things happen. *sync_duty*: the largest share of time a sync may take."""

    sync_interval: timedelta
    sync_duty: float
    delivery: timedelta = timedelta(seconds=1)
    refresh: timedelta = timedelta(seconds=1)


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
    ) -> None:
        self._timetable = timetable
        self._sync_command = tuple(sync_command)
        self._drain = drain
        self._refresh = refresh
        self._events = events
        self._clock = clock
        self._jobs = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._wanted = asyncio.Event()
        self._deliverer: asyncio.Task[None] | None = None
        self._syncing: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._sync_failed = ""

    def start(self) -> None:
        """Start the jobs; the first sync at once."""
        self._deliverer = asyncio.create_task(self._deliver(), name="deliver")
        every = self._timetable
        self._jobs.add_job(
            self._wanted.set, "interval", seconds=every.delivery.total_seconds(), id="deliver"
        )
        self._jobs.add_job(
            self._refresh_quietly, "interval", seconds=every.refresh.total_seconds(), id="refresh"
        )
        self._jobs.add_job(self._sync, id="sync")
        self._jobs.start()

    def kick(self) -> None:
        """Have the delivery look now; cheap enough for the ringing path."""
        self._wanted.set()

    def sync_now(self) -> None:
        """Start a sync run as soon as the present one, if any, is over."""
        self._jobs.add_job(self._sync, id="sync", replace_existing=True)

    async def stop(self) -> None:
        """Stop the jobs; a delivery under way gets a moment, a sync is ended (it loses nothing)."""
        self._stopping = True
        self._jobs.shutdown(wait=False)
        if self._syncing is not None:
            self._syncing.terminate()
        if self._deliverer is not None:
            self._wanted.set()
            await asyncio.wait((self._deliverer,), timeout=_STOP_PATIENCE_S)
            self._deliverer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._deliverer

    async def _deliver(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._stopping:
                return
            try:
                await self._drain()
            except BridgeError:
                _log.exception("delivery_failed")

    async def _refresh_quietly(self) -> None:
        self._refresh()

    async def _sync(self) -> None:
        started = self._clock()
        try:
            code, said = await asyncio.to_thread(self._run_sync)
            self._tell(code, said)
        finally:
            if not self._stopping:
                self._jobs.add_job(
                    self._sync,
                    "date",
                    run_date=self._clock() + self._pause(started),
                    id="sync",
                    replace_existing=True,
                )

    def _pause(self, started: datetime) -> timedelta:
        took = self._clock() - started
        return max(self._timetable.sync_interval, took * (1 / self._timetable.sync_duty - 1))

    def _run_sync(self) -> tuple[int, str]:
        """Run one sync process to its end (in a thread); give its exit code and its words."""
        with subprocess.Popen(  # noqa: S603 - our own command, no shell
            self._sync_command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as process:
            self._syncing = process
            out, _ = process.communicate()
            self._syncing = None
        return process.returncode, out.decode("utf-8", "replace")

    def _tell(self, code: int, said: str) -> None:
        """Log and publish on the edge: when syncing starts to fail, and when it works again."""
        if code < 0 and self._stopping:
            return
        failure = "" if code == 0 else _error_in(said) or f"sync ended with code {code}"
        if failure and failure != self._sync_failed:
            _log.error("sync_failed", extra={"code": code, "reason": failure})
            self._events.publish(OneCMood(False, failure))
        elif not failure and self._sync_failed:
            _log.info("sync_back")
            self._events.publish(OneCMood(True, "sync with 1C works again"))
        self._sync_failed = failure


def _error_in(said: str) -> str:
    try:
        document = json.loads(said)
    except ValueError:
        return said.strip()[-300:]
    return str(document.get("error", "")) if isinstance(document, dict) else ""


def sync_command() -> tuple[str, ...]:
    """Give the command line of one background sync run in this very environment."""
    return (sys.executable, "-m", "bridge", "sync", "--json", "--background")
