"""The event hub: what happened in the house, told to everybody who listens in this process.

Nothing waits for a listener: each has a bounded queue, a slow one loses the oldest events and is
told so. The last events stay in a ring, so that a page that reconnects misses nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from bridge.domain.whole_numbers import read_whole_number
from bridge.ports.events import Event


class NumberedEvent(NamedTuple):
    """One event with its id; *event* None is a gap: events before the next one were lost."""

    id: str
    event: Event | None


class Subscription:
    """One listener's queue: an async iterator that ends when the hub closes.

    Cancelling a wait for the next event loses nothing.
    """

    def __init__(
        self, kinds: tuple[type[Event], ...], depth: int, backlog: Iterable[NumberedEvent]
    ) -> None:
        self._kinds = kinds
        self._depth = depth
        self._queue: deque[NumberedEvent] = deque(backlog)
        self._lost: str | None = None
        self._closed = False
        self._woken = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> NumberedEvent:
        while True:
            if self._lost is not None:
                lost, self._lost = self._lost, None
                return NumberedEvent(lost, None)
            if self._queue:
                return self._queue.popleft()
            if self._closed:
                raise StopAsyncIteration
            self._woken.clear()
            await self._woken.wait()

    def offer(self, told: NumberedEvent) -> None:
        """Put *told* into the queue, if this listener wants its kind."""
        if not isinstance(told.event, self._kinds):
            return
        if len(self._queue) >= self._depth:
            self._lost = self._queue.popleft().id
        self._queue.append(told)
        self._woken.set()

    def close(self) -> None:
        """Let the listener take what waits, then end."""
        self._closed = True
        self._woken.set()


class EventHub:
    """Fans events out. Called on the event loop's thread only.

    Ids are `<epoch>-<number>`: one that another *epoch*, another life of the process, gave is known
    as such, and whoever comes back with it is told of a gap.
    """

    def __init__(self, epoch: str, *, history_size: int = 500, queue_size: int = 200) -> None:
        self._epoch = epoch
        self._depth = queue_size
        self._ring: deque[NumberedEvent] = deque(maxlen=history_size)
        self._count = 0
        self._listeners: set[Subscription] = set()
        self._closed = False

    @property
    def latest(self) -> str:
        """Id of the last event; where a page that shows everything so far may go on from."""
        return f"{self._epoch}-{self._count}"

    @property
    def listener_count(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def publish(self, event: Event) -> None:
        """Tell everybody who listens."""
        self._count += 1
        told = NumberedEvent(self.latest, event)
        self._ring.append(told)
        for listener in self._listeners:
            listener.offer(told)

    @asynccontextmanager
    async def subscribe(
        self, kinds: Collection[type[Event]], after: str = ""
    ) -> AsyncIterator[Subscription]:
        """Listen to *kinds* from now on, or from the event behind the id *after*.

        When the ring does not reach back that far a gap comes first.
        """
        wanted = tuple(kinds)
        listener = Subscription(wanted, self._depth, self._missed(after, wanted))
        if self._closed:
            listener.close()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End all streams, and those yet to begin; for a server that must not hang at its stop."""
        self._closed = True
        for listener in self._listeners:
            listener.close()

    def _missed(self, after: str, kinds: tuple[type[Event], ...]) -> list[NumberedEvent]:
        if not after:
            return []
        epoch, _, number = after.rpartition("-")
        seen = read_whole_number(number, self._count) if epoch == self._epoch else None
        if seen is None:
            return [NumberedEvent(self.latest, None)]
        missed = self._count - seen
        kept = list(self._ring)[-missed:] if missed else []
        wanted = [told for told in kept if isinstance(told.event, kinds)]
        if missed > len(kept):
            return [NumberedEvent(after, None), *wanted]
        return wanted
