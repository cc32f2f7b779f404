"""Group commit: everything that waits for the disk shares one durable transaction.

One thread owns the writing connection. While it commits, other jobs queue up; what it finds then is
the next transaction. Ten waiting calls cost one fsync, and the event loop waits for none of it.
What one turn of the loop submits is handed over together: waking the thread for each job would
make both sides wait for the interpreter's lock more than for the disk.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.errors import StoreError

_log = logging.getLogger(__name__)

J = TypeVar("J")
R = TypeVar("R")

#: About so many jobs make one transaction at most: the first of them must not wait too long.
_MAX_JOBS = 1_000

_Waiting = tuple[J, asyncio.Future[R]]


class GroupWriter(Generic[J, R]):
    """Writes jobs in the order they came, several in one transaction.

    *open_file* opens the connection in the writer's own thread, again after every failure.
    *write* does a batch of jobs in one durable transaction and returns one result for each; a
    result that is a StoreError is raised to that job's owner alone. *when_idle* is called after
    each batch that left the queue empty. After an error of the kinds *retry_after* a batch is done
    a second time, for opening the file again may have mended it; *discard* gives up a connection
    that failed.
    """

    def __init__(
        self,
        open_file: Callable[[], SqliteFile],
        write: Callable[[SqliteFile, Sequence[J]], Sequence[R | StoreError]],
        when_idle: Callable[[SqliteFile], None] = lambda _: None,
        *,
        retry_after: tuple[type[StoreError], ...] = (),
        discard: Callable[[SqliteFile, Exception], None] = lambda file, _: file.close(),
    ):
        self._open = open_file
        self._write = write
        self._when_idle = when_idle
        self._retry_after = retry_after
        self._discard = discard
        self._queue: queue.SimpleQueue[list[_Waiting[J, R]] | None] = queue.SimpleQueue()
        #: What this turn of the loop submitted so far, and the loop whose turn it is.
        self._gathered: list[_Waiting[J, R]] = []
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    async def submit(self, job: J) -> R:
        """Return the result of *job* once it is durable; raises StoreError where it is not."""
        if self._closed:
            raise StoreError("ledger.db", "it is closed already")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        if self._gathering is not loop:
            self._hand_over()
            self._gathering = loop
            loop.call_soon(self._hand_over)
        self._gathered.append((job, future))
        return await future

    async def close(self) -> None:
        """Write what waits, then close the file."""
        self._closed = True
        self._hand_over()
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        gathered, self._gathered, self._gathering = self._gathered, [], None
        if gathered:
            self._queue.put(gathered)

    def _run(self) -> None:
        file: SqliteFile | None = None
        closing = False
        while not closing:
            batch, closing = self._take()
            jobs = [job for job, _ in batch]
            try:
                try:
                    file = file or self._open()
                    results = self._write(file, jobs)
                except self._retry_after as error:
                    if file is not None:
                        broken, file = file, None
                        self._discard(broken, error)
                    file = self._open()
                    results = self._write(file, jobs)
            except Exception as error:  # noqa: BLE001 - the thread lives on, the callers get the error
                _resolve_all([(future, _as_store_error(error)) for _, future in batch])
                if file is not None:
                    self._discard(file, error)
                    file = None
            else:
                waiting = (future for _, future in batch)
                _resolve_all(list(zip(waiting, results, strict=True)))
                if self._queue.empty():
                    file = self._after_idle_work(file)
        if file is not None:
            file.close()

    def _after_idle_work(self, file: SqliteFile) -> SqliteFile | None:
        """Call `when_idle`; return None where it failed and the file has to be opened again."""
        try:
            self._when_idle(file)
        except StoreError as error:
            # No job waits for it: the next write meets the error and raises it.
            self._discard(file, error)
            return None
        return file

    def _take(self) -> tuple[list[_Waiting[J, R]], bool]:
        """Wait for jobs and take all that are queued; True where these are the last."""
        batch: list[_Waiting[J, R]] = []
        waiting = self._queue.get()
        while waiting is not None:
            batch += waiting
            if len(batch) >= _MAX_JOBS:
                return batch, False
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


def _resolve_all(results: Sequence[tuple[asyncio.Future[R], R | StoreError]]) -> None:
    """Resolve futures by one call into each of their loops; only tests have several."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[R], R | StoreError]]] = {}
    for future, value in results:
        loops.setdefault(future.get_loop(), []).append((future, value))
    for loop, theirs in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, theirs)


def _resolve(results: Sequence[tuple[asyncio.Future[R], R | StoreError]]) -> None:
    for future, value in results:
        if future.done():
            continue  # its owner was cancelled; the write stands all the same
        if isinstance(value, StoreError):
            future.set_exception(value)
        else:
            future.set_result(value)


def _as_store_error(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return type(error)(error.path, error.reason)  # each future raises an error of its own
    _log.error("write_failed", exc_info=error)
    return StoreError("ledger.db", f"the write failed: {type(error).__name__}")
