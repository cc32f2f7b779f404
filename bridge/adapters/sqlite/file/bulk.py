"""Writing much at once: rows in batches that SQLite takes apart itself, in a thread beside.

A row that Python gives by itself costs three times what SQLite needs to write it, and Python's lock
is taken and given back for each. So the values of many rows go over as one piece of bytes and a
list of places, in one statement, and Python goes on meanwhile.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from typing import Final

import msgspec

_encode = msgspec.json.Encoder().encode

#: A place is offset and length in one number; SQLite's values end at a gigabyte, 30 bits.
_BITS: Final = 32
_MASK: Final = (1 << _BITS) - 1

#: SQL: where a value begins in the bytes `?1`, and its length, as `json_each(?2)` gives places.
VALUE_OFFSET: Final = f"(value >> {_BITS})"
VALUE_LENGTH: Final = f"(value & {_MASK})"

#: SQL: the value itself.
VALUE: Final = f"substr(?1, {VALUE_OFFSET}, {VALUE_LENGTH})"


def join_values(values: Sequence[bytes]) -> tuple[bytes, str]:
    """Join *values*; give the bytes, and the places as a JSON array."""
    lengths = [len(value) for value in values]
    offsets = accumulate(lengths, initial=1)
    places = [at << _BITS | length for at, length in zip(offsets, lengths, strict=False)]
    return b"".join(values), _encode(places).decode()


#: Pieces of work under way or waiting: enough for the thread never to be idle, few to be held.
_WAITING = 6


class WorkerThread:
    """A thread for one owner: one piece of work at a time, in the order given.

    So a connection that is used by it and, while it rests, by its owner is never used by two at
    once. What a piece of work raises comes out of a later `do`, or of `wait`.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def submit(self, work: Callable[[], None]) -> None:
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
