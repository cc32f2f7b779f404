"""Work that goes on in a thread beside: SQLite writes a batch without Python's lock.

One thread, one piece of work at a time, in the order given; so a connection that is used by it and,
while it rests, by its owner is never used by two at once.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

#: Pieces of work under way or waiting: enough for the thread never to be idle, few to be held.
_WAITING = 6


class Beside:
    """A thread for one owner. What a piece of work raises comes out of the next `do` or `wait`."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def do(self, work: Callable[[], None]) -> None:
        """Have *work* done soon; returns at once unless much is waiting already."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        while len(self._waiting) >= _WAITING or (self._waiting and self._waiting[0].done()):
            self._next()
        self._waiting.append(self._executor.submit(work))

    def wait(self) -> None:
        """Return when everything is done."""
        while self._waiting:
            self._next()

    def close(self) -> None:
        """Drop what has not begun, and let the thread end; what still fails is of no account."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None
        self._waiting.clear()

    def _next(self) -> None:
        self._waiting.popleft().result()
