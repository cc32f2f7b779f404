"""What the service remembers of before its start, read when the ledger can be read."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from bridge.adapters.embedded.ledger_store import LedgerStore
from bridge.domain.clock import TOLERANCE
from bridge.domain.desk import LONGEST_TALK
from bridge.errors import StoreError
from bridge.ports import Clock
from bridge.services.call_book import CallBook
from bridge.services.record import Recording

if TYPE_CHECKING:
    from bridge.bootstrap.calls import PbxLine
    from bridge.web.desk.parts import DeskParts

_log = logging.getLogger(__name__)

#: A file that was replaced, or can be written again, is noticed within this.
STORES_EVERY: Final = timedelta(seconds=1)


class ServiceMemory:
    """Calls and debts in memory: taken up from the ledger, and written back to one that lost them.

    *last_seen* is given the moment at which the service was last known to run, before anything is
    taken up. A start in trouble goes without; what it missed is taken up as soon as the ledger is
    well.
    """

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        book: CallBook,
        recording: Recording,
        desk: "DeskParts",
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

    async def take_up(self, answers: Callable[[], Awaitable[None]]) -> None:
        """Take up calls, debts and *answers* of before; a ledger in trouble stops no start."""
        try:
            # First of all, whether the clock of the life before was ours.
            self._last_seen(await self._ledger.last_seen())
            await self._recording.take_rescued()
            await answers()
            await self._take_up()
        except StoreError as error:
            self._book.distrust()
            _log.error("started_without_ledger", extra={"reason": str(error)})

    async def restore(self, lost: bool) -> None:
        """Bring memory and ledger level: called whenever the ledger can be written."""
        if lost and self._is_taken_up:
            await self._book.write_again()
            await self._ledger.write_choices()
        await self._recording.try_again()
        await self._recording.take_rescued()
        if not self._is_taken_up:
            await self._take_up()

    async def _take_up(self) -> None:
        await self._book.take_up()
        now = self._clock()
        calls = await self._ledger.calls_since(now - LONGEST_TALK, now + TOLERANCE)
        self._desk.recall(calls, await self._ledger.open_debts())
        self._is_taken_up = True


async def open_quietly(line: "PbxLine") -> None:
    """Open the line to the PBX; what was left in doubt of orders waits for the ledger."""
    try:
        await line.open()
    except StoreError as error:
        _log.error("orders_not_recovered", extra={"reason": str(error)})
