"""The event hub: what happens in the service, sent to all subscribers in this process.

Nothing waits for a subscriber: each has a bounded queue, a slow one loses the oldest events and
gets a gap instead. The last events are kept, so that a page that reconnects misses nothing.
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
    """One subscriber's queue: an async iterator that ends when the hub closes.

    Cancelling a wait for the next event loses nothing.
    """

    def __init__(
        self, kinds: tuple[type[Event], ...], queue_size: int, backlog: Iterable[NumberedEvent]
    ) -> None:
        self._kinds = kinds
        self._queue_size = queue_size
        self._queue: deque[NumberedEvent] = deque(backlog)
        self._lost_after: str | None = None
        self._closed = False
        self._has_news = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> NumberedEvent:
        while True:
            if self._lost_after is not None:
                lost_id, self._lost_after = self._lost_after, None
                return NumberedEvent(lost_id, None)
            if self._queue:
                return self._queue.popleft()
            if self._closed:
                raise StopAsyncIteration
            self._has_news.clear()
            await self._has_news.wait()

    def offer(self, numbered: NumberedEvent) -> None:
        """Queue *numbered*, if it is of a kind that is subscribed to."""
        if not isinstance(numbered.event, self._kinds):
            return
        if len(self._queue) >= self._queue_size:
            self._lost_after = self._queue.popleft().id
        self._queue.append(numbered)
        self._has_news.set()

    def close(self) -> None:
        """End the iteration after the events that are queued."""
        self._closed = True
        self._has_news.set()


class EventHub:
    """Fans events out. Called on the event loop's thread only.

    Ids are `<epoch>-<number>`, and *epoch* differs with every start of the process: a subscriber
    that comes back with an id of another one gets a gap.
    """

    def __init__(self, epoch: str, *, history_size: int = 500, queue_size: int = 200) -> None:
        self._epoch = epoch
        self._queue_size = queue_size
        self._history: deque[NumberedEvent] = deque(maxlen=history_size)
        self._count = 0
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @property
    def latest(self) -> str:
        """Return the id of the last event; a page that is up to date subscribes from it."""
        return f"{self._epoch}-{self._count}"

    @property
    def listener_count(self) -> int:
        """Return how many subscriptions are open."""
        return len(self._subscriptions)

    def publish(self, event: Event) -> None:
        """Send *event* to all subscribers; never waits."""
        self._count += 1
        numbered = NumberedEvent(self.latest, event)
        self._history.append(numbered)
        for subscription in self._subscriptions:
            subscription.offer(numbered)

    @asynccontextmanager
    async def subscribe(
        self, kinds: Collection[type[Event]], after: str = ""
    ) -> AsyncIterator[Subscription]:
        """Subscribe to *kinds* from now on, or from the event behind the id *after*.

        Where the kept events do not reach back that far a gap comes first.
        """
        subscribed = tuple(kinds)
        subscription = Subscription(subscribed, self._queue_size, self._missed(after, subscribed))
        if self._closed:
            subscription.close()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End all subscriptions, and those yet to come, so that the server can stop."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def _missed(self, after: str, kinds: tuple[type[Event], ...]) -> list[NumberedEvent]:
        if not after:
            return []
        epoch, _, number = after.rpartition("-")
        seen = read_whole_number(number, self._count) if epoch == self._epoch else None
        if seen is None:
            return [NumberedEvent(self.latest, None)]
        missed = self._count - seen
        kept = list(self._history)[-missed:] if missed else []
        matching = [numbered for numbered in kept if isinstance(numbered.event, kinds)]
        if missed > len(kept):
            return [NumberedEvent(after, None), *matching]
        return matching
