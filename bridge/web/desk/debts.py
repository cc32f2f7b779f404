"""The open debts as desks show them: read again after calls have moved, kept by telephone."""

import asyncio
import logging
from collections.abc import Sequence

from bridge.domain.phone import PhoneNumber
from bridge.errors import StoreError
from bridge.ports import CallRecorded, Event
from bridge.web.desk.board import Board
from bridge.web.desk.surface import Debt, Debts

_log = logging.getLogger(__name__)

#: Calls that move together are one look.
_REST_S = 0.2


class DebtBook:
    """Which clients wait to be called back, as of the last look; *debts* None: nobody keeps it."""

    def __init__(self, debts: Debts | None, board: Board) -> None:
        self._debts = debts
        self._board = board
        self._open: tuple[Debt, ...] = ()
        self._moved = asyncio.Event()
        self._broken = False

    def publish(self, event: Event) -> None:
        """Take note that calls have moved; `run` looks."""
        if self._debts is not None and isinstance(event, CallRecorded):
            self._moved.set()

    def of(self, extension: str) -> Sequence[Debt]:
        """Give the debts of a telephone, the oldest first."""
        return [debt for debt in self._open if debt.extension == extension]

    def of_number(self, number: PhoneNumber) -> Debt | None:
        """Give the debt to whom *number* called from, whoever has to call him back."""
        return next((debt for debt in self._open if debt.number == number), None)

    async def look(self) -> None:
        """Read the open debts, and wake the desks whose list is another now."""
        if self._debts is None:
            return
        try:
            found = tuple(await self._debts.open())
        except StoreError as error:
            if not self._broken:
                _log.warning("debts_unread", extra={"reason": str(error)})
            self._broken = True
            return
        self._broken = False
        before, self._open = self._open, found
        moved = [d for d in (*before, *found) if d not in before or d not in found]
        for extension in {debt.extension for debt in moved}:
            self._board.nudge(extension)
        for number in {debt.number for debt in moved}:
            self._board.touch(number)

    async def run(self) -> None:
        """Look whenever calls have moved, until cancelled."""
        await self.look()
        while True:
            await self._moved.wait()
            await asyncio.sleep(_REST_S)
            self._moved.clear()
            await self.look()
