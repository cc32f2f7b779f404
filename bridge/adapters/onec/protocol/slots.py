"""The limit on requests in flight at one 1C, shared by all clients of a process.

Whoever is more urgent goes first, and a part may be kept for callers: nobody rings behind a
delivery that takes seconds.
"""

import asyncio
from collections import deque
from enum import IntEnum


class Urgency(IntEnum):
    """Who waits for the answer; the lower, the sooner."""

    CALLER = 0
    INTERACTIVE = 1
    DELIVERY = 2


class RequestSlots:
    """*size* requests at once; *reserved* of them are for callers alone."""

    def __init__(self, size: int, *, reserved: int = 0) -> None:
        self._size = max(1, size)
        self._reserved = min(reserved, self._size - 1)
        self._waiting: dict[Urgency, deque[asyncio.Future[None]]] = {u: deque() for u in Urgency}
        self.in_flight = 0

    def for_client(self, urgency: Urgency) -> "ClientSlots":
        """Return the same slots as one client takes them."""
        return ClientSlots(self, urgency)

    async def acquire(self, urgency: Urgency) -> None:
        """Wait for a slot."""
        if self._is_free_for(urgency) and not any(self._waiting[u] for u in self._before(urgency)):
            self.in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[urgency].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # it was given to us as we left
            elif turn in self._waiting[urgency]:
                self._waiting[urgency].remove(turn)
            raise

    def release(self) -> None:
        """Give a slot back, to whoever is most urgent."""
        self.in_flight -= 1
        for urgency in Urgency:
            waiting = self._waiting[urgency]
            while waiting and self._is_free_for(urgency):
                turn = waiting.popleft()
                if not turn.done():
                    self.in_flight += 1
                    turn.set_result(None)

    def _is_free_for(self, urgency: Urgency) -> bool:
        kept = 0 if urgency is Urgency.CALLER else self._reserved
        return self.in_flight < self._size - kept

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
