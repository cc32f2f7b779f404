"""The limit on requests in flight at one 1C, shared by all clients of a process.

More urgent requests go first, and slots may be reserved for callers: a caller never waits for a
delivery that takes seconds.
"""

import asyncio
from collections import deque
from enum import IntEnum


class Urgency(IntEnum):
    """Who waits for the answer; lower values go first."""

    CALLER = 0
    INTERACTIVE = 1
    DELIVERY = 2


class RequestSlots:
    """*size* requests at once; *reserved* of them for `Urgency.CALLER` alone."""

    def __init__(self, size: int, *, reserved: int = 0) -> None:
        self._size = max(1, size)
        self._reserved = min(reserved, self._size - 1)
        self._waiting: dict[Urgency, deque[asyncio.Future[None]]] = {u: deque() for u in Urgency}
        self.in_flight = 0

    def for_client(self, urgency: Urgency) -> "ClientSlots":
        """Return these slots as a client of *urgency* takes them."""
        return ClientSlots(self, urgency)

    async def acquire(self, urgency: Urgency) -> None:
        """Take a slot; wait for it where none is free."""
        if self._is_free_for(urgency) and not any(self._waiting[u] for u in self._before(urgency)):
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[urgency].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the slot was given while this request was cancelled
            elif turn in self._waiting[urgency]:
                self._waiting[urgency].remove(turn)
            raise

    def release(self) -> None:
        """Return a slot; the most urgent waiting request takes it."""
        self.in_flight -= 1
        for urgency in Urgency:
            waiting = self._waiting[urgency]
            while waiting and self._is_free_for(urgency):
                turn = waiting.popleft()
                if not turn.done():
                    self.in_flight += 1
                    turn.set_result(None)

    def _is_free_for(self, urgency: Urgency) -> bool:
        reserved = 0 if urgency is Urgency.CALLER else self._reserved
        return self.in_flight < self._size - reserved

    @staticmethod
    def _before(urgency: Urgency) -> list[Urgency]:
        return [one for one in Urgency if one <= urgency]


class ClientSlots:
    """The slots of one client; a context manager that many requests may be in at once."""

    def __init__(self, slots: RequestSlots, urgency: Urgency) -> None:
        self._slots = slots
        self._urgency = urgency

    async def __aenter__(self) -> None:
        await self._slots.acquire(self._urgency)

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()
