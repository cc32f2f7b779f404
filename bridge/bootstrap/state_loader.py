"""What the service remembers of before its start, read when the ledger can be read."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.domain.clock import TOLERANCE
from bridge.domain.reporting.desk import MAX_TALK_TIME
from bridge.errors import StoreError
from bridge.ports.clock import Clock
from bridge.services.answering.record import CallRecorder
from bridge.services.calls.call_store import CallStore

if TYPE_CHECKING:
    from bridge.bootstrap.call_handling import PbxConnection
    from bridge.web.desk_state.state import DeskState

_log = logging.getLogger(__name__)

#: A file that was replaced, or can be written again, is noticed within this.
CHECK_STORES_EVERY: Final = timedelta(seconds=1)


class StateLoader:
    """Calls and debts in memory: taken up from the ledger, and written back to one that lost them.

    *last_seen* is given the moment at which the service was last known to run, before anything is
    taken up. A start in trouble goes without; what it missed is taken up as soon as the ledger is
    well.
    """

    def __init__(
        self,
        *,
        ledger: SqliteLedger,
        book: CallStore,
        recording: CallRecorder,
        desk: "DeskState",
        clock: Clock,
        last_seen: Callable[[datetime | None], None],
    ) -> None:
        self._ledger = ledger
        self._book = book
        self._recording = recording
        self._desk = desk
        self._clock = clock
        self._last_seen = last_seen
        self._is_taken_up = False

    async def load(self, answers: Callable[[], Awaitable[None]]) -> None:
        """Take up calls, debts and *answers* of before; a ledger in trouble stops no start."""
        try:
            # First of all, whether the clock of the life before was ours.
            self._last_seen(await self._ledger.last_seen())
            await self._recording.record_rescued()
            await answers()
            await self._take_up()
        except StoreError as error:
            self._book.reload_before_next_change()
            _log.error("started_without_ledger", extra={"reason": str(error)})

    async def restore(self, lost: bool) -> None:
        """Bring memory and ledger level: called whenever the ledger can be written."""
        if lost and self._is_taken_up:
            await self._book.restore_ledger()
            await self._ledger.rewrite_choices()
        await self._recording.retry_now()
        await self._recording.record_rescued()
        if not self._is_taken_up:
            await self._take_up()

    async def _take_up(self) -> None:
        await self._book.reload()
        now = self._clock()
        calls = await self._ledger.calls_since(now - MAX_TALK_TIME, now + TOLERANCE)
        self._desk.load(calls, await self._ledger.open_missed_calls())
        self._is_taken_up = True


async def open_pbx_connection(line: "PbxConnection") -> None:
    """Open the line to the PBX; what was left in doubt of orders waits for the ledger."""
    try:
        await line.open()
    except StoreError as error:
        _log.error("orders_not_recovered", extra={"reason": str(error)})
