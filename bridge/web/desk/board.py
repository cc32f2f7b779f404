"""The board: the calls that desks show now, by the telephones they concern.

It keeps states, not events. A desk that comes, or comes back, asks what changed behind the number
it saw last; one that another life of the process gave gets everything that stands. So no break
loses a ring, and a slow desk sees the last state instead of a queue of old ones.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from bridge.domain.calls import PhoneCall
from bridge.domain.desk import is_kept, telephones
from bridge.domain.phone import PhoneNumber
from bridge.domain.whole_numbers import read_whole
from bridge.ports import CallChanged, CallRecorded, Clock, Event

_SWEEP_EVERY = timedelta(minutes=1)


class Posted(NamedTuple):
    """A call as it stands on the board, with the number of its last change."""

    call: PhoneCall
    change: int
    at: datetime


class News(NamedTuple):
    """What changed for one telephone, the oldest change first; *whole*: it is all that stands."""

    id: str
    posted: Sequence[Posted]
    whole: bool


class Listener:
    """One desk that waits for news."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Tell that there may be news."""
        self._woken.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news at most so long; False when there was none."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Board:
    """Calls by telephone, and who waits for news of them. Called on the event loop's thread only.

    *epoch* names this life of the process.
    """

    def __init__(self, epoch: str, clock: Clock) -> None:
        self._epoch = epoch
        self._clock = clock
        self._count = 0
        self._posted: dict[str, Posted] = {}
        self._of: dict[str, set[str]] = {}
        self._listeners: dict[str, set[Listener]] = {}
        self._sweep_at = clock() + _SWEEP_EVERY
        self.closed = False

    def publish(self, event: Event) -> None:
        """Take note of *event*, if it is about a call."""
        if isinstance(event, CallRecorded | CallChanged):
            self.post(event.call)

    def recall(self, calls: Iterable[PhoneCall]) -> None:
        """Take up the calls of before a restart, the oldest first."""
        now = self._clock()
        for call in calls:
            last = max([call.received_at, *(event.at for event in call.heard)])
            if is_kept(call, last, now):
                self.post(call)

    def post(self, call: PhoneCall) -> None:
        """Show *call* as it is now to everybody whom it concerns."""
        concerned = telephones(call)
        if not concerned:
            return
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        self._count += 1
        self._posted[call.key] = Posted(call, self._count, now)
        for extension in concerned:
            self._of.setdefault(extension, set()).add(call.key)
            self.nudge(extension)

    def clock_stepped(self, step: timedelta) -> None:
        """Date what is shown anew, behind a *step* of the wall clock: nothing of it is older."""
        self._sweep_at += step
        for key, posted in self._posted.items():
            self._posted[key] = posted._replace(at=posted.at + step)

    def touch(self, number: PhoneNumber) -> None:
        """Show the calls of *number* anew: what is known of it has changed."""
        for posted in tuple(self._posted.values()):
            if posted.call.caller.number == number:
                self.post(posted.call)

    def call(self, key: str, extension: str) -> Posted | None:
        """Give a call that *extension*'s desk shows."""
        return self._posted.get(key) if key in self._of.get(extension, ()) else None

    def news(self, extension: str, after: str) -> News:
        """Give what changed for *extension* behind the id *after*, or everything that stands."""
        now = self._clock()
        seen = self._seen(after)
        found = [
            posted
            for key in self._of.get(extension, ())
            if (posted := self._posted[key]).change > (seen or 0)
            and is_kept(posted.call, posted.at, now)
        ]
        found.sort(key=lambda posted: posted.change)
        return News(f"{self._epoch}-{self._count}", found, whole=seen is None)

    def id_of(self, posted: Posted) -> str:
        """Give the id of a call's last change."""
        return f"{self._epoch}-{posted.change}"

    def nudge(self, extension: str) -> None:
        """Wake the desks of *extension*."""
        for listener in self._listeners.get(extension, ()):
            listener.wake()

    @contextmanager
    def listen(self, extension: str) -> Iterator[Listener]:
        """Wait for news of *extension* while the block lasts."""
        listener = Listener()
        self._listeners.setdefault(extension, set()).add(listener)
        try:
            yield listener
        finally:
            others = self._listeners[extension]
            others.discard(listener)
            if not others:
                del self._listeners[extension]

    def listening(self, extension: str | None = None) -> int:
        """Count the desks that listen: of *extension*, or all."""
        if extension is not None:
            return len(self._listeners.get(extension, ()))
        return sum(len(some) for some in self._listeners.values())

    def close(self) -> None:
        """End all streams; for a server that must not hang at its stop."""
        self.closed = True
        for extension in self._listeners:
            self.nudge(extension)

    def _seen(self, after: str) -> int | None:
        epoch, _, number = after.rpartition("-")
        return read_whole(number, self._count) if epoch == self._epoch else None

    def _sweep(self, now: datetime) -> None:
        """Take down what no desk shows any more."""
        self._sweep_at = now + _SWEEP_EVERY
        for key, posted in tuple(self._posted.items()):
            if is_kept(posted.call, posted.at, now):
                continue
            del self._posted[key]
            for extension in telephones(posted.call):
                keys = self._of.get(extension, set())
                keys.discard(key)
                if not keys:
                    self._of.pop(extension, None)
