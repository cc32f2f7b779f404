"""How the sync in the background shares the processors with those who answer callers."""

import os
from collections.abc import Callable
from contextlib import suppress

from bridge.domain.directory import EntityKind
from bridge.services.pull import Progress

#: Bodies of one kind that make a run a long one.
_MANY = 2_000


def make_way() -> None:
    """Take a tenth of a busy processor: a look at what moved in 1C, a second of work.

    No less, for the whole machine may be busy with something else, 1C perhaps: in the idle class
    a manager moved in 1C was in force after 45 s there, where it took 9 s.
    """
    if hasattr(os, "nice"):
        os.nice(10)


def step_aside() -> None:
    """Run with the lowest priority, for a long run: callers do not feel it.

    On Linux in the idle class besides: beside a full sync of 30 000 partners the p99 of answers
    was 1.3 × idle (median of 3), with nice alone 1.8.
    """
    if hasattr(os, "nice"):
        os.nice(19)
    if hasattr(os, "sched_setscheduler"):
        with suppress(OSError):  # a container may forbid it; nice remains
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Courteous:
    """A progress that makes way at once, and steps aside where the run turns out to be long."""

    def __init__(
        self,
        progress: Progress,
        *,
        make_way: Callable[[], None] = make_way,
        step_aside: Callable[[], None] = step_aside,
    ) -> None:
        self._progress = progress
        self._step_aside = step_aside
        self._aside = False
        make_way()

    def listing(self, kind: EntityKind) -> None:
        """Pass it on."""
        self._progress.listing(kind)

    def fetching(self, kind: EntityKind, total: int) -> None:
        """Step aside where many bodies will come."""
        if total > _MANY and not self._aside:
            self._aside = True
            self._step_aside()
        self._progress.fetching(kind, total)

    def fetched(self, kind: EntityKind, count: int) -> None:
        """Pass it on."""
        self._progress.fetched(kind, count)

    def indexing(self) -> None:
        """Pass it on."""
        self._progress.indexing()
