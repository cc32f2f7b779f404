"""The calls that desks show now, by the extensions they concern.

It keeps states, not events. A desk that comes, or comes back, asks what changed behind the number
it saw last; one that another life of the process gave gets everything that stands. So no break
loses a ring, and a slow desk sees the last state instead of a queue of old ones.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from bridge.domain.calls.call import PhoneCall
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.reporting.desk import involved_extensions, is_shown_on_desk
from bridge.domain.whole_numbers import read_whole_number
from bridge.ports.clock import Clock
from bridge.ports.events import CallChanged, CallRecorded, Event

_SWEEP_EVERY = timedelta(minutes=1)


class CallUpdate(NamedTuple):
    """A call as desks show it, with the sequence number of its last change."""

    call: PhoneCall
    sequence: int
    shown_at: datetime


class CallUpdates(NamedTuple):
    """What changed for one telephone, oldest first; *is_complete*: these are all its calls."""

    last_id: str
    updates: Sequence[CallUpdate]
    is_complete: bool


class DeskListener:
    """One desk that waits for news."""

    def __init__(self) -> None:
        self._notified = asyncio.Event()

    def notify(self) -> None:
        """Announce that there may be updates."""
        self._notified.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news at most so long; False when there was none."""
        try:
            async with asyncio.timeout(seconds):
                await self._notified.wait()
        except TimeoutError:
            return False
        self._notified.clear()
        return True


class DeskCalls:
    """Calls by telephone, and who waits for news of them. Called on the event loop's thread only.

    *epoch* names this run of the process.
    """

    def __init__(self, epoch: str, clock: Clock) -> None:
        self._epoch = epoch
        self._clock = clock
        self._count = 0
        self._updates: dict[str, CallUpdate] = {}
        self._of_extension: dict[str, set[str]] = {}
        self._listeners: dict[str, set[DeskListener]] = {}
        self._sweep_at = clock() + _SWEEP_EVERY
        self.closed = False

    def publish(self, event: Event) -> None:
        """Show the call of *event*, if it is about one."""
        if isinstance(event, CallRecorded | CallChanged):
            self.show(event.call)

    def load(self, calls: Iterable[PhoneCall]) -> None:
        """Load the calls of before a restart, the oldest first."""
        now = self._clock()
        for call in calls:
            last = max([call.received_at, *(event.at for event in call.applied_events)])
            if is_shown_on_desk(call, last, now):
                self.show(call)

    def show(self, call: PhoneCall) -> None:
        """Show *call* as it is now on all desks that it concerns."""
        concerned = involved_extensions(call)
        if not concerned:
            return
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        self._count += 1
        self._updates[call.key] = CallUpdate(call, self._count, now)
        for extension in concerned:
            self._of_extension.setdefault(extension, set()).add(call.key)
            self.notify(extension)

    def shift_clock(self, step: timedelta) -> None:
        """Date what is shown anew, behind a *step* of the wall clock: nothing of it is older."""
        self._sweep_at += step
        for key, update in self._updates.items():
            self._updates[key] = update._replace(shown_at=update.shown_at + step)

    def refresh_number(self, number: PhoneNumber) -> None:
        """Show the calls of *number* anew: what is known of it has changed."""
        for update in tuple(self._updates.values()):
            if update.call.caller.number == number:
                self.show(update.call)

    def find_call(self, key: str, extension: str) -> CallUpdate | None:
        """Return a call that *extension*'s desk shows."""
        return self._updates.get(key) if key in self._of_extension.get(extension, ()) else None

    def updates_since(self, extension: str, after: str) -> CallUpdates:
        """Return what changed for *extension* behind the id *after*, or everything that stands."""
        now = self._clock()
        seen = self._seen_sequence(after)
        found = [
            update
            for key in self._of_extension.get(extension, ())
            if (update := self._updates[key]).sequence > (seen or 0)
            and is_shown_on_desk(update.call, update.shown_at, now)
        ]
        found.sort(key=lambda update: update.sequence)
        return CallUpdates(f"{self._epoch}-{self._count}", found, is_complete=seen is None)

    def update_id(self, update: CallUpdate) -> str:
        """Return the id of a call's last change."""
        return f"{self._epoch}-{update.sequence}"

    def notify(self, extension: str) -> None:
        """Notify the desks of *extension*."""
        for listener in self._listeners.get(extension, ()):
            listener.notify()

    @contextmanager
    def listen(self, extension: str) -> Iterator[DeskListener]:
        """Wait for news of *extension* while the block lasts."""
        listener = DeskListener()
        self._listeners.setdefault(extension, set()).add(listener)
        try:
            yield listener
        finally:
            others = self._listeners[extension]
            others.discard(listener)
            if not others:
                del self._listeners[extension]

    def count_listeners(self, extension: str | None = None) -> int:
        """Count the desks that listen: of *extension*, or all."""
        if extension is not None:
            return len(self._listeners.get(extension, ()))
        return sum(len(some) for some in self._listeners.values())

    def close(self) -> None:
        """End all streams; for a server that must not hang at its stop."""
        self.closed = True
        for extension in self._listeners:
            self.notify(extension)

    def _seen_sequence(self, after: str) -> int | None:
        epoch, _, number = after.rpartition("-")
        return read_whole_number(number, self._count) if epoch == self._epoch else None

    def _sweep(self, now: datetime) -> None:
        """Remove what no desk shows any more."""
        self._sweep_at = now + _SWEEP_EVERY
        for key, update in tuple(self._updates.items()):
            if is_shown_on_desk(update.call, update.shown_at, now):
                continue
            del self._updates[key]
            for extension in involved_extensions(update.call):
                keys = self._of_extension.get(extension, set())
                keys.discard(key)
                if not keys:
                    self._of_extension.pop(extension, None)
