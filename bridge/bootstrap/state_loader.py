"""What the service holds in memory from before its start, loaded when the ledger is readable."""

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
    """Loads calls and missed calls into memory, and writes them back to a ledger that lost them.

    *last_seen* gets the moment at which the service was last known to run, before anything is
    loaded. A start without a ledger goes on; what is missing is loaded as soon as it is readable.
    """

    def __init__(
        self,
        *,
        ledger: SqliteLedger,
        call_store: CallStore,
        recording: CallRecorder,
        desk: "DeskState",
        clock: Clock,
        last_seen: Callable[[datetime | None], None],
    ) -> None:
        self._ledger = ledger
        self._call_store = call_store
        self._recording = recording
        self._desk = desk
        self._clock = clock
        self._last_seen = last_seen
        self._is_loaded = False

    async def load(self, answers: Callable[[], Awaitable[None]]) -> None:
        """Load calls, missed calls and *answers*; an unreadable ledger stops no start."""
        try:
            # First of all, whether the clock agrees with that of the last run.
            self._last_seen(await self._ledger.last_seen())
            await self._recording.record_rescued()
            await answers()
            await self._load()
        except StoreError as error:
            self._call_store.reload_before_next_change()
            _log.error("started_without_ledger", extra={"reason": str(error)})

    async def restore(self, lost: bool) -> None:
        """Bring memory and ledger to the same state: called whenever the ledger can be written."""
        if lost and self._is_loaded:
            await self._call_store.restore_ledger()
            await self._ledger.rewrite_choices()
        await self._recording.retry_now()
        await self._recording.record_rescued()
        if not self._is_loaded:
            await self._load()

    async def _load(self) -> None:
        await self._call_store.reload()
        now = self._clock()
        calls = await self._ledger.calls_since(now - MAX_TALK_TIME, now + TOLERANCE)
        self._desk.load(calls, await self._ledger.open_missed_calls())
        self._is_loaded = True


async def open_pbx_connection(connection: "PbxConnection") -> None:
    """Open the connection to the PBX; orders left in doubt wait for the ledger."""
    try:
        await connection.open()
    except StoreError as error:
        _log.error("orders_not_recovered", extra={"reason": str(error)})
