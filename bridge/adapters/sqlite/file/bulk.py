"""Writing many rows at once: batches that SQLite splits itself, in a thread of their own.

A row that Python binds by itself costs three times what SQLite needs to write it, and the
interpreter's lock is taken and released for each. So the values of many rows are passed as one
bytes object and a list of positions, in one statement, and Python goes on meanwhile.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from typing import Final

import msgspec

_encode = msgspec.json.Encoder().encode

#: A position is offset and length in one number; SQLite's values end at a gigabyte, 30 bits.
_BITS: Final = 32
_MASK: Final = (1 << _BITS) - 1

#: SQL: where a value begins in the bytes `?1`, and its length, as `json_each(?2)` gives positions.
VALUE_OFFSET: Final = f"(value >> {_BITS})"
VALUE_LENGTH: Final = f"(value & {_MASK})"

#: SQL: the value itself.
VALUE: Final = f"substr(?1, {VALUE_OFFSET}, {VALUE_LENGTH})"


def join_values(values: Sequence[bytes]) -> tuple[bytes, str]:
    """Return *values* joined, and their positions as a JSON array."""
    lengths = [len(value) for value in values]
    offsets = accumulate(lengths, initial=1)
    positions = [at << _BITS | length for at, length in zip(offsets, lengths, strict=False)]
    return b"".join(values), _encode(positions).decode()


#: Jobs running or waiting: enough for the thread never to be idle, few to be kept in memory.
_MAX_JOBS = 6


class WorkerThread:
    """A thread for one owner: one job at a time, in the order given.

    So a connection that the thread uses and, while it is idle, its owner is never used by two at
    once. What a job raises is raised by a later `submit`, or by `wait`.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._jobs: deque[Future[None]] = deque()

    def submit(self, job: Callable[[], None]) -> None:
        """Queue *job*; return at once unless many are waiting already."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        while len(self._jobs) >= _MAX_JOBS or (self._jobs and self._jobs[0].done()):
            self._finish_first()
        self._jobs.append(self._executor.submit(job))

    def wait(self) -> None:
        """Return when all jobs are done."""
        while self._jobs:
            self._finish_first()

    def close(self) -> None:
        """Drop the jobs that have not begun and end the thread; failures are ignored."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None
        self._jobs.clear()

    def _finish_first(self) -> None:
        self._jobs.popleft().result()
