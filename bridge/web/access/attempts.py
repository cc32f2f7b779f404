"""Limits guesses at secrets: a few wrong ones cost nothing, then each check waits its turn.

One counter for each secret and network, so that knowing one secret makes no guess at another free.
No client is locked out: past the free guesses of a network its checks come one after another, some
seconds apart, and the right secret passes in its turn. More at once than can wait
are turned away unchecked. A right secret takes back its own count and no other: a client that
asks all day long with the right one must not open the way to guesses from beside it.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

#: So many mistakes a person makes.
_FREE: Final = 5

#: Seconds between two checks of a network past them; doubled by each ten further mistakes.
_FIRST_PACE: Final = 1.0
_LONGEST_PACE: Final = 5.0

#: No check waits longer; one that would have to is turned away.
_LONGEST_WAIT: Final = 6.0

#: A network that made no mistake for so long starts anew.
_EXPIRES_AFTER: Final = 1800.0

#: Counters kept at once; above it the one not touched for longest is dropped.
_MOST: Final = 10_000


class GuessKey(NamedTuple):
    """What is counted together: guesses at *secret* from *network*; empty: from everywhere."""

    secret: str
    network: str
    free_failures: int = _FREE


class TooManyAttempts(Exception):
    """This guess is not checked; *seconds* later it may be."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = math.ceil(seconds)


@dataclass(slots=True)
class _Counter:
    mistakes: int = 0
    last_at: float = 0.0
    #: When the next check past the free ones may be made.
    next_at: float = 0.0


class Attempt:
    """The leave to check one guess; it counts as wrong until `mark_right` is called."""

    def __init__(
        self,
        counters: tuple[_Counter, ...],
        *,
        no_failures: bool,
        should_log: bool,
        retry_after_s: float,
    ) -> None:
        self._counters = counters
        #: Seconds until the next one may be checked; 0 while guesses are free.
        self.retry_after_s = math.ceil(retry_after_s)
        #: Whether no mistake of the same network and secret was known.
        self.no_failures = no_failures
        #: Whether a refusal should be logged: the first ones, then ever fewer.
        self.should_log = should_log

    def mark_right(self) -> None:
        """Take the count back: the secret was right."""
        for counter in self._counters:
            counter.mistakes = max(counter.mistakes - 1, 0)
        self._counters = ()


class AttemptLimiter:
    """Counts guesses, in memory. *monotonic* gives seconds; *sleep* waits so many of them."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._now = monotonic
        self._sleep = sleep
        self._counters: OrderedDict[GuessKey, _Counter] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counters)

    async def begin(self, *guesses: GuessKey) -> Attempt:
        """Count *guesses* as wrong and wait until they may be checked.

        Raises:
            TooManyAttempts: too many wait already; nothing was counted.
        """
        now = self._now()
        counters = tuple(self._counter(guess, now) for guess in guesses)
        paced = [c for g, c in zip(guesses, counters, strict=True) if c.mistakes >= g.free_failures]
        start = max([now, *(counter.next_at for counter in paced)])
        if start - now > _LONGEST_WAIT:
            raise TooManyAttempts(start - now)
        clean = not any(counter.mistakes for counter in counters)
        pause = 0.0
        for guess, counter in zip(guesses, counters, strict=True):
            if counter.mistakes >= guess.free_failures:
                counter.next_at = start + _pace(counter.mistakes - guess.free_failures)
                pause = max(pause, counter.next_at - start)
            counter.mistakes += 1
            counter.last_at = now
        if start > now:
            await self._sleep(start - now)
        most = max(counter.mistakes for counter in counters)
        return Attempt(
            counters, no_failures=clean, should_log=_is_worth_noting(most), retry_after_s=pause
        )

    def count_failure(self, guess: GuessKey) -> tuple[int, bool]:
        """Count a guess that was checked already; return the mistakes, and whether to log it."""
        now = self._now()
        counter = self._counter(guess, now)
        counter.mistakes += 1
        counter.last_at = now
        return counter.mistakes, _is_worth_noting(counter.mistakes)

    def _counter(self, guess: GuessKey, now: float) -> _Counter:
        counter = self._counters.pop(guess, None)
        if counter is None or now - counter.last_at > _EXPIRES_AFTER:
            counter = _Counter()
        self._counters[guess] = counter
        while len(self._counters) > _MOST:
            self._counters.popitem(last=False)
        return counter


def _pace(over: int) -> float:
    return min(_FIRST_PACE * 2.0 ** min(over // 10, 8), _LONGEST_PACE)


def _is_worth_noting(mistakes: int) -> bool:
    """Return whether the log gets this one: many guesses must not become as many lines."""
    return mistakes <= _FREE or mistakes & (mistakes - 1) == 0
