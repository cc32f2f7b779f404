"""The jobs run, report edges once, and stop with nothing left behind."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.ports.events import OneCAvailability
from bridge.scheduler import PauseTrigger, Scheduler, Timetable, sync_command, sync_pause_after
from tests.support.fakes.ledger import RecordedEvents

pytestmark = pytest.mark.anyio

HOURLY = timedelta(hours=1)
PATIENCE_S = 20

#: A sync process: takes the next line of its script as (code, output), marks the pipe, ends.
#: A mark on the pipe shows whether it was asked to accept a shrunken listing.
_ACTOR = """
import json, os, sys, time
script, pipe, *options = sys.argv[1:]
with open(pipe, "wb", buffering=0) as marks:
    marks.write(b"!" if options == ["--accept-shrink"] else b".")
    with open(script, "r+") as lines:
        first, _, rest = lines.read().partition("\\n")
        lines.seek(0); lines.truncate(); lines.write(rest)
    code, _, text = (first or "0 {}").partition(" ")
    if code == "hangs":
        time.sleep(600)
    sys.stdout.write(text)
    if '"log"' in text:
        sys.stderr.write(json.loads(text)["log"].replace("~", "\\n") + "\\n")
sys.exit(int(code))
"""


class ScriptedScheduler:
    """A scheduler whose syncs are played from a script."""

    def __init__(self, folder: Path, script: list[str]) -> None:
        self.script, self.pipe = folder / "script", folder / "pipe"
        self.script.write_text("\n".join(script))
        os.mkfifo(self.pipe)
        self.events = RecordedEvents()
        self.drained = asyncio.Queue[None]()
        self.refreshed = asyncio.Queue[None]()
        self.delivers: Callable[[], Awaitable[object]] = self._nothing
        self.takes_up: Callable[[], None] = lambda: None
        self._output: asyncio.StreamReader | None = None
        self.program: tuple[str, ...] | None = None

    def command(self) -> tuple[str, ...]:
        return self.program or (
            sys.executable,
            "-I",
            "-S",
            "-c",
            _ACTOR,
            str(self.script),
            str(self.pipe),
        )

    @asynccontextmanager
    async def scheduler(
        self,
        interval: timedelta = HOURLY,
        delivery: timedelta = HOURLY,
        refresh: timedelta = HOURLY,
        stop_patience: timedelta = timedelta(seconds=PATIENCE_S),
    ) -> AsyncIterator[Scheduler]:
        """Run a scheduler; give up on it at the end."""
        async with AsyncExitStack() as stack:
            reader = asyncio.StreamReader()
            pipe = os.fdopen(os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK), "rb", 0)
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            stack.callback(transport.close)
            # Keeps the pipe open between two syncs, or the reader would see its end.
            keeper = os.open(self.pipe, os.O_WRONLY)
            stack.callback(os.close, keeper)
            self._output = reader
            scheduler = Scheduler(
                timetable=Timetable(interval, 1.0, delivery, refresh, stop_patience),
                sync_command=self.command(),
                deliver=self._drain,
                refresh=self._refresh,
                events=self.events,
                clock=lambda: datetime.now(UTC),
            )
            stack.push_async_callback(scheduler.stop)
            scheduler.start()
            yield scheduler

    async def syncs(self, count: int) -> bytes:
        """Wait until *count* more syncs have begun; give their marks."""
        assert self._output is not None
        return await asyncio.wait_for(self._output.readexactly(count), PATIENCE_S)

    def availabilities(self) -> list[tuple[bool, str]]:
        return [
            (availability.available, availability.message)
            for availability in self.events.of(OneCAvailability)
        ]

    async def _drain(self) -> int:
        self.drained.put_nowait(None)
        await self.delivers()
        return 0

    async def _nothing(self) -> None:
        pass

    def _refresh(self) -> None:
        self.refreshed.put_nowait(None)
        self.takes_up()


def fails(message: str, code: int = 4, **more: str) -> str:
    return f"{code} {json.dumps({'ok': False, 'code': code, 'error': message, **more})}"


async def soon(queue: asyncio.Queue[None]) -> None:
    await asyncio.wait_for(queue.get(), PATIENCE_S)


# ---------------------------------------------------------------- sync
async def test_a_failing_sync_is_reported_once_and_so_is_its_return(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge")
    scripted = ScriptedScheduler(
        tmp_path, [fails("timed out after 60.01 s"), fails("timed out after 60.02 s")]
    )

    async with scripted.scheduler(interval=timedelta(milliseconds=1)):
        await scripted.syncs(5)

    assert scripted.availabilities() == [
        (False, "timed out after 60.01 s"),
        (True, "sync with 1C works"),
    ]
    logged = [record.message for record in caplog.records]
    assert logged == ["sync_failed", "sync_back"]


async def test_what_a_sync_writes_to_its_log_is_logged_here_and_no_bare_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    line = json.dumps({"event": "entity_set_lost", "level": "warning", "kind": "contact"})
    script = [fails("wrong password", 5, log=f"{line}~wrong password; look at the user")] * 2
    scripted = ScriptedScheduler(tmp_path, script)

    async with scripted.scheduler() as scheduler:
        await scripted.events.wait_for(
            OneCAvailability, lambda availability: not availability.available
        )
        scheduler.sync_now()
        await scripted.syncs(2)
        scheduler.sync_now()
        await scripted.events.wait_for(
            OneCAvailability, lambda availability: availability.available
        )

    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("WARNING", "entity_set_lost"),
        ("ERROR", "sync_failed"),
    ]
    assert capfd.readouterr().err == ""


async def test_another_trouble_is_reported_again(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [fails("unreachable"), fails("wrong password", 5)])

    async with scripted.scheduler(interval=timedelta(milliseconds=1)):
        await scripted.syncs(4)

    assert [message for up, message in scripted.availabilities() if not up] == [
        "unreachable",
        "wrong password",
    ]


@pytest.mark.parametrize(
    ("spoken", "name", "message"),
    [
        ("2 not JSON at all", "sync_failed", "not JSON at all"),
        ("2 []", "sync_failed", "[]"),
        ("2 {}", "sync_failed", "{}"),
        ("9 ", "sync_failed", "sync ended with code 9"),
        (fails("1C lists 2 of 9", 3), "sync_refused", "1C lists 2 of 9"),
        (fails("0 of 9", 3, alarm="extensions_lost"), "extensions_lost", "0 of 9"),
        (fails("0 of 9", 3, alarm="of another release"), "sync_refused", "0 of 9"),
    ],
)
async def test_a_sync_that_is_refused_or_fails_is_an_alarm_and_leaves_1c_s_availability(
    tmp_path: Path, spoken: str, name: str, message: str
) -> None:
    scripted = ScriptedScheduler(tmp_path, [spoken])

    async with scripted.scheduler() as scheduler:
        await scripted.events.wait_for(Alarm, lambda alarm: not alarm.clear)
        scheduler.sync_now()
        await scripted.events.wait_for(Alarm, lambda alarm: alarm.clear)

    alarm, over = scripted.events.of(Alarm)
    assert (alarm.name, alarm.message, over.name) == (name, message, name)
    assert not [message for up, message in scripted.availabilities() if not up]  # 1C did nothing


async def test_a_sync_that_cannot_be_started_is_an_alarm_and_tried_again(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [])
    scripted.program = (str(tmp_path / "no-such-program"),)
    async with scripted.scheduler():
        await scripted.events.wait_for(Alarm, lambda alarm: alarm.name == "sync_failed")

    (alarm,) = scripted.events.of(Alarm)
    assert "cannot be started" in alarm.message


async def test_a_sync_that_is_wished_for_starts_at_once(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [fails("away")])

    async with scripted.scheduler() as scheduler:
        await scripted.events.wait_for(
            OneCAvailability, lambda availability: not availability.available
        )
        scheduler.sync_now()
        await scripted.events.wait_for(
            OneCAvailability, lambda availability: availability.available
        )


async def test_a_request_during_a_sync_is_granted_after_it(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [fails("away")])

    async with scripted.scheduler() as scheduler:
        await scripted.syncs(1)
        for _ in range(3):
            scheduler.sync_now()
        await scripted.syncs(1)
        await scripted.events.wait_for(
            OneCAvailability, lambda availability: availability.available
        )


@pytest.mark.parametrize(
    ("took", "duty", "seconds"),
    [(0, 0.25, 60), (20, 0.25, 60), (21, 0.25, 63), (300, 0.25, 900), (300, 1.0, 60)],
)
def test_the_pause_is_stretched_so_that_1c_has_rest(took: int, duty: float, seconds: int) -> None:
    timetable = Timetable(timedelta(seconds=60), duty)

    assert sync_pause_after(timedelta(seconds=took), timetable) == timedelta(seconds=seconds)


def test_a_background_sync_is_the_command_everybody_has() -> None:
    assert sync_command()[1:] == ("-m", "bridge", "sync", "--json", "--background")


# ---------------------------------------------------------------- delivery
async def test_a_requested_delivery_runs_at_once(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [])

    async with scripted.scheduler() as scheduler:
        scheduler.deliver_soon()
        await soon(scripted.drained)
        scheduler.deliver_soon()
        await soon(scripted.drained)


async def test_delivery_looks_by_itself_too(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [])

    async with scripted.scheduler(delivery=timedelta(milliseconds=1)):
        await soon(scripted.drained)
        await soon(scripted.drained)


@pytest.mark.parametrize("error", [StoreError("ledger.db", "disk full"), RuntimeError("a bug")])
async def test_a_delivery_that_breaks_is_reported_once_and_goes_on(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    scripted = ScriptedScheduler(tmp_path, [])

    async def breaks() -> None:
        raise error

    scripted.delivers = breaks
    async with scripted.scheduler() as scheduler:
        for _ in range(3):
            scheduler.deliver_soon()
            await soon(scripted.drained)

    logged = [record.message for record in caplog.records if record.name == "bridge.loops"]
    assert logged == ["loop_failed"]


# ---------------------------------------------------------------- refresh
async def test_a_directory_that_cannot_be_read_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripted = ScriptedScheduler(tmp_path, [])

    def breaks() -> None:
        raise StoreError("directory.db", "disk I/O error")

    scripted.takes_up = breaks
    async with scripted.scheduler(refresh=timedelta(milliseconds=1)):
        for _ in range(3):
            await soon(scripted.refreshed)

    assert [record.message for record in caplog.records] == ["refresh_failed"]


# ---------------------------------------------------------------- stop
async def test_a_stop_ends_a_running_sync(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scripted = ScriptedScheduler(tmp_path, ["hangs"])

    async with scripted.scheduler() as scheduler:
        await scripted.syncs(1)
        await asyncio.wait_for(scheduler.stop(), PATIENCE_S)

    assert not scripted.availabilities()
    assert not caplog.records


async def test_a_stop_before_the_sync_has_begun_ends_it_too(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, ["hangs"])

    async with scripted.scheduler() as scheduler:
        await asyncio.wait_for(scheduler.stop(), PATIENCE_S)

    assert not scripted.availabilities()


async def test_a_stop_waits_for_the_delivery_under_way(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [])
    logged: list[str] = []

    async def delivers() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        logged.append("delivered")

    scripted.delivers = delivers
    async with scripted.scheduler() as scheduler:
        scheduler.deliver_soon()
        await soon(scripted.drained)
        await scheduler.stop()

    assert logged == ["delivered"]


async def test_a_delivery_that_hangs_is_given_up_at_a_stop(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [])
    logged: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            logged.append("given up")
            raise

    scripted.delivers = hangs
    async with scripted.scheduler(stop_patience=timedelta(0)) as scheduler:
        scheduler.deliver_soon()
        await soon(scripted.drained)
        await asyncio.wait_for(scheduler.stop(), PATIENCE_S)

    assert logged == ["given up"]


async def test_an_accepted_shrink_counts_for_one_run(tmp_path: Path) -> None:
    scripted = ScriptedScheduler(tmp_path, [])
    async with scripted.scheduler() as scheduler:
        marks = await scripted.syncs(1)
        scheduler.sync_now(accept_shrink=True)
        marks += await scripted.syncs(1)
        scheduler.sync_now()
        marks += await scripted.syncs(1)

    assert marks == b".!."


# ---------------------------------------------------------------- the wall clock
def test_a_job_has_one_next_moment_however_far_the_clock_jumped() -> None:
    every = PauseTrigger(timedelta(seconds=1))
    before = datetime(2006, 3, 4, tzinfo=UTC)
    now = datetime(2026, 3, 4, tzinfo=UTC)

    assert every.get_next_fire_time(None, now) == now
    assert every.get_next_fire_time(before, now) == now + timedelta(seconds=1)


@pytest.mark.parametrize("days", [-3, -0.125, 365, 7300])
async def test_jobs_go_on_behind_a_step_of_the_wall_clock(tmp_path: Path, days: float) -> None:
    scripted, step = ScriptedScheduler(tmp_path, []), timedelta(days=days)

    async with scripted.scheduler(
        interval=timedelta(milliseconds=20), refresh=timedelta(milliseconds=10)
    ) as scheduler:
        await scripted.syncs(1)
        await soon(scripted.refreshed)
        with time_machine.travel(datetime.now(UTC) + step, tick=True):
            scheduler.clock_stepped(step)
            while not scripted.refreshed.empty():
                scripted.refreshed.get_nowait()
            await soon(scripted.refreshed)
            await soon(scripted.refreshed)
            await scripted.syncs(2)
