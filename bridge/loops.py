"""Work that repeats inside the service: after a pause, or soon when asked; never overlapping.

APScheduler keeps the timetable (`scheduler.py`); a loop is for what must also start the moment
something happened, and must be allowed to finish when the service stops.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bridge.errors import BridgeError

_log = logging.getLogger(__name__)


class Loop:
    """Runs *work* every *every*, and soon after each `run_soon`."""

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], every: timedelta) -> None:
        self._name = name
        self._work = work
        self._every = every.total_seconds()
        self._requested = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def run_soon(self) -> None:
        """Run the work as soon as possible; cheap enough for the path of a routing answer."""
        self._requested.set()

    def start(self) -> None:
        """Start; the first time at once."""
        self._requested.set()
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self, patience: timedelta) -> None:
        """Stop; the work under way gets *patience* to finish."""
        self._stopping = True
        self._requested.set()
        if self._task is None:
            return
        await asyncio.wait((self._task,), timeout=patience.total_seconds())
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        last_error = ""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._requested.wait(), self._every)
            self._requested.clear()
            if self._stopping:
                return
            try:
                await self._work()
            except BridgeError as error:  # 1C, a disk: logged as one sentence, and tried again
                if last_error != repr(error):
                    _log.error("loop_failed", extra={"loop": self._name, "reason": str(error)})
                last_error = repr(error)
            except Exception as error:  # noqa: BLE001 - logged with its traceback
                # A loop that ended silently would never work again.
                if last_error != repr(error):
                    _log.exception("loop_failed", extra={"loop": self._name})
                last_error = repr(error)
            else:
                if last_error:
                    _log.info("loop_back", extra={"loop": self._name})
                last_error = ""
