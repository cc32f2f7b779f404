"""Work that repeats inside the service: at once when kicked, else after a pause; never overlapping.

APScheduler keeps the timetable (`scheduler.py`); a loop is for what must also start the moment
something happened, and must be let finish when the house stops.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bridge.errors import BridgeError

_log = logging.getLogger(__name__)


class Loop:
    """Runs *work* every *every*, and whenever it is kicked."""

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], every: timedelta) -> None:
        self._name = name
        self._work = work
        self._every = every.total_seconds()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def run_soon(self) -> None:
        """Have the work done now; cheap enough for the ringing path."""
        self._wanted.set()

    def start(self) -> None:
        """Start; the first time at once."""
        self._wanted.set()
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self, patience: timedelta) -> None:
        """Stop; the work under way gets *patience* to finish."""
        self._stopping = True
        self._wanted.set()
        if self._task is None:
            return
        await asyncio.wait((self._task,), timeout=patience.total_seconds())
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        broken = ""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), self._every)
            self._wanted.clear()
            if self._stopping:
                return
            try:
                await self._work()
            except BridgeError as error:  # 1C, a disk: it is said in a sentence, and tried again
                if broken != repr(error):
                    _log.error("loop_failed", extra={"loop": self._name, "reason": str(error)})
                broken = repr(error)
            except Exception as error:  # noqa: BLE001 - logged with its traceback
                # The last line of defence: a loop that died silently would never work again.
                if broken != repr(error):
                    _log.exception("loop_failed", extra={"loop": self._name})
                broken = repr(error)
            else:
                if broken:
                    _log.info("loop_back", extra={"loop": self._name})
                broken = ""
