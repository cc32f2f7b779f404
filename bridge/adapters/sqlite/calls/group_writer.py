"""Group commit: everything that waits for the disk shares one durable transaction.

One thread owns the writing connection. While it commits, others queue up behind it; what it finds
then is the next transaction. Ten waiting calls cost one fsync, and none of it stands in the event
loop's way. What one turn of the loop submits is handed over together: waking the thread for each
job would make both sides wait for the interpreter's lock more than for the disk.
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

#: About so many writes make one transaction at most; the first of them must not wait for ever.
_MOST = 1_000

_Waiting = tuple[J, asyncio.Future[R]]


class GroupWriter(Generic[J, R]):
    """Writes jobs in the order they came, several in one transaction.

    *open_file* opens the connection in the writer's own thread, again after every failure.
    *write* does a batch of jobs in one durable transaction and gives one outcome for each; an
    outcome that is a StoreError is raised to that job's owner alone. *rest* is what the file wants
    done when nobody waits: behind each batch that left the queue empty. After a failure of the
    kinds *mends* a batch is done a second time, for opening the file anew may have mended it;
    *let_go* closes a file that failed.
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
        self._rest = when_idle
        self._mends = retry_after
        self._let_go = discard
        self._queue: queue.SimpleQueue[list[_Waiting[J, R]] | None] = queue.SimpleQueue()
        #: What this turn of the loop submitted so far, and whose turn it is.
        self._gathered: list[_Waiting[J, R]] = []
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    async def submit(self, job: J) -> R:
        """Return the outcome of *job* once it is durable; raises StoreError when it is not."""
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
        """Write what waits, then let go of the file."""
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
                    outcomes = self._write(file, jobs)
                except self._mends as error:
                    if file is not None:
                        broken, file = file, None
                        self._let_go(broken, error)
                    file = self._open()
                    outcomes = self._write(file, jobs)
            except Exception as error:  # noqa: BLE001 - the thread lives on, the callers are told
                _tell([(future, _as_store_error(error)) for _, future in batch])
                if file is not None:
                    self._let_go(file, error)
                    file = None
            else:
                waiting = (future for _, future in batch)
                _tell(list(zip(waiting, outcomes, strict=True)))
                if self._queue.empty():
                    file = self._rested(file)
        if file is not None:
            file.close()

    def _rested(self, file: SqliteFile) -> SqliteFile | None:
        """Do what the file wants; None where it cannot, and has to be opened anew."""
        try:
            self._rest(file)
        except StoreError as error:
            # Nobody waits for it: whoever writes next meets the trouble, and says it.
            self._let_go(file, error)
            return None
        return file

    def _take(self) -> tuple[list[_Waiting[J, R]], bool]:
        """Wait for jobs and take all that came with them; True when the last have come."""
        batch: list[_Waiting[J, R]] = []
        waiting = self._queue.get()
        while waiting is not None:
            batch += waiting
            if len(batch) >= _MOST:
                return batch, False
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


def _tell(outcomes: Sequence[tuple[asyncio.Future[R], R | StoreError]]) -> None:
    """Wake the waiting with one call into each of their loops; there is one but in tests."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[R], R | StoreError]]] = {}
    for future, outcome in outcomes:
        loops.setdefault(future.get_loop(), []).append((future, outcome))
    for loop, theirs in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, theirs)


def _resolve(outcomes: Sequence[tuple[asyncio.Future[R], R | StoreError]]) -> None:
    for future, outcome in outcomes:
        if future.done():
            continue  # its owner was cancelled; the write stands all the same
        if isinstance(outcome, StoreError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _as_store_error(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return type(error)(error.path, error.reason)  # each waiter raises one of his own
    _log.error("write_failed", exc_info=error)
    return StoreError("ledger.db", f"the write failed: {type(error).__name__}")
