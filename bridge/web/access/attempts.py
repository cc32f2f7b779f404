"""How often somebody may guess: a few wrong passwords, then a pause that grows."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.ports import Clock

#: So many mistakes are a person's; each further one doubles the pause.
_FREE = 5
_FIRST_PAUSE = timedelta(seconds=15)
_LONGEST_PAUSE = timedelta(minutes=15)

#: A mistake this old is forgiven.
_FORGIVEN_AFTER = timedelta(minutes=30)

#: Guessers remembered at once; above it the one not seen for longest is forgotten.
_MOST = 10_000


@dataclass(slots=True)
class _Guesser:
    mistakes: int
    last_at: datetime


class Attempts:
    """Remembers wrong guesses by who made them: an address, a name. Lost on restart, as it may."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guessers: OrderedDict[str, _Guesser] = OrderedDict()

    def wait(self, *who: str) -> timedelta:
        """Tell how long each of *who* has to wait before the next guess; zero: not at all."""
        now = self._clock()
        return max((self._pause(one, now) for one in who), default=timedelta(0))

    def wrong(self, *who: str) -> None:
        """Count a wrong guess against each of *who*."""
        now = self._clock()
        for one in who:
            guesser = self._guessers.pop(one, None)
            if guesser is None or now - guesser.last_at > _FORGIVEN_AFTER:
                guesser = _Guesser(0, now)
            guesser.mistakes += 1
            guesser.last_at = now
            self._guessers[one] = guesser
        while len(self._guessers) > _MOST:
            self._guessers.popitem(last=False)

    def right(self, *who: str) -> None:
        """Forgive each of *who*: he knew it."""
        for one in who:
            self._guessers.pop(one, None)

    def _pause(self, one: str, now: datetime) -> timedelta:
        guesser = self._guessers.get(one)
        if guesser is None or guesser.mistakes < _FREE:
            return timedelta(0)
        longer = 1 << min(guesser.mistakes - _FREE, 10)
        pause = min(_FIRST_PAUSE * longer, _LONGEST_PAUSE)
        return max(guesser.last_at + pause - now, timedelta(0))
