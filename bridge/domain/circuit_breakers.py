"""Circuit breakers towards 1C: open, nothing is sent; then one trial at a time, until one succeeds.

    closed ──failures──► open ──the pause ends──► one trial ──it succeeds──► closed
                           ▲                          │
                           └────────it fails──────────┘

`CircuitBreaker` counts failures in a row: it stands before delivery, before questions about callers
and before the look for call requests, each with rules of its own. `StageCircuitBreaker` stands
before one stage of delivery: a missing right, or a handler in 1C that fails for everybody, would
otherwise cost 1C one request for each entry. Entries that it stops are paused in the outbox (`pause_entry`).
Moments are seconds of a clock that only grows.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Self

#: The pause before one entry tries again, seconds: doubling, so that a right given is used soon.
FIRST_PAUSE_S: Final = 5.0

MAX_PAUSE_S: Final = 60.0

#: So many entries in a row refused in the same words are no longer each one's own matter; nor are
#: so many in any words.
SAME_WORDS: Final = 3

ANY_WORDS: Final = 10

_OWN: Final = re.compile(r"«[^»]*»|\"[^\"]*\"|'[^']*'|[0-9a-f-]*[0-9][0-9a-f-]*", re.IGNORECASE)

_MAX_DOUBLINGS: Final = 10

#: So many failures in a row, late answers among them, and 1C is left alone.
FAILURES_TO_OPEN = 3

#: How long it is left alone; then one question tries whether it is back.
OPEN_FOR = timedelta(seconds=30)

#: The same where a person must act in 1C first (rights, publication): one question at a time is
#: enough to see that he did.
OPEN_UNTIL_REPAIRED = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class StageCircuitBreaker:
    """What the latest refusals of one stage say; moments are seconds of a clock that only grows.

    *tries* is the key of the entry that tries whether 1C takes the stage again. *released*: an
    entry for the try was looked for since the pause ended. *refused* are the latest refusals in a
    row, each the key of its entry and what is not its own of 1C's words. *looked* counts the tries
    that entries were looked for; *not_for_all* are words that stopped a stage though others passed.
    """

    reason: str = ""
    open_until: float | None = None
    pause_s: float = FIRST_PAUSE_S
    trial_key: str = ""
    trial_requested: bool = False
    refusals: tuple[tuple[str, str], ...] = ()
    trial_count: int = 0
    individual_reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the stage is stopped, be it that one entry tries it just now."""
        return self.open_until is not None

    def allows(self, key: str, now: float) -> bool:
        """Return whether the entry *key* may be sent at *now*."""
        if self.open_until is None or self.trial_key == key:
            return True
        return not self.trial_key and now >= self.open_until

    def with_trial(self, key: str) -> Self:
        """Return the breaker while *key* is sent."""
        return replace(self, trial_key=key) if self.is_open else self

    def needs_trial_entry(self, now: float) -> bool:
        """Return whether an entry must be looked for that tries the stage again."""
        return (
            self.open_until is not None
            and not self.trial_key
            and not self.trial_requested
            and now >= self.open_until
        )

    def after_trial_requested(self) -> Self:
        """Return the breaker when an entry was looked for that tries the stage."""
        return replace(self, trial_requested=True, trial_count=self.trial_count + 1)

    def after_success(self) -> Self:
        """Return the breaker when 1C took the stage of an entry."""
        words = _common(self.reason) if self.is_open else self.individual_reason
        return type(self)(individual_reason=words)

    def after_common_refusal(self, words: str, now: float) -> Self:
        """Return the breaker behind a refusal that is the same for all."""
        pause = min(self.pause_s * 2, MAX_PAUSE_S) if self.is_open else FIRST_PAUSE_S
        return replace(
            self,
            reason=words,
            open_until=now + pause,
            pause_s=pause,
            trial_key="",
            trial_requested=False,
            refusals=(),
        )

    def after_refusal(self, key: str, words: str, now: float) -> Self:
        """Return the breaker behind a refusal of one entry, which may be the same for others."""
        if self.is_open:
            return self.after_common_refusal(words, now)
        refused = (*self.refusals, (key, _common(words)))[-ANY_WORDS:]
        same = {other for other, said in refused if said == _common(words)}
        counted = replace(self, refusals=refused)
        enough = ANY_WORDS if _common(words) == self.individual_reason else SAME_WORDS
        common = len(same) >= enough or len({other for other, _ in refused}) >= ANY_WORDS
        return counted.after_common_refusal(words, now) if common else counted

    def after_attempt(self, key: str) -> Self:
        """Return the breaker when *key* is not sent any more, whatever came of it."""
        return replace(self, trial_key="", trial_requested=False) if self.trial_key == key else self


def _common(words: str) -> str:
    """Return what of *words* does not name one entry: without numbers, references and quotes."""
    return " ".join(_OWN.sub("", words.casefold()).split())


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """How many failures in a row open a breaker, and how long: doubling from failure to failure."""

    failures_to_open: int
    first_pause: timedelta
    max_pause: timedelta

    def pause_after(self, failures: int) -> timedelta:
        """Return the pause after so many failures in a row."""
        beyond = min(max(failures - self.failures_to_open, 0), _MAX_DOUBLINGS)
        return min(self.first_pause * (1 << beyond), self.max_pause)


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Counts failures in a row; *open_until* is set once they are too many, until a success."""

    rules: BreakerRules
    failures: int = 0
    open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the other side is known to fail, also while a trial is under way."""
        return self.open_until is not None

    def allows(self, now: float) -> bool:
        """Return whether a request may go through now."""
        return self.open_until is None or now >= self.open_until

    def with_trial(self, now: float) -> Self:
        """Return the breaker after a request was let through: at the end of a pause only one is."""
        if self.open_until is None:
            return self
        pause = self.rules.pause_after(self.failures)
        return replace(self, open_until=now + pause.total_seconds())

    def after_failure(self, now: float, *, pause: timedelta | None = None) -> Self:
        """Return the breaker after a failure; *pause* opens it at once, for so long."""
        failures = self.failures + 1
        if pause is None and failures < self.rules.failures_to_open and not self.is_open:
            return replace(self, failures=failures)
        pause = pause or self.rules.pause_after(failures)
        return replace(self, failures=failures, open_until=now + pause.total_seconds())

    def after_success(self) -> Self:
        """Return the breaker closed, with nothing counted."""
        return type(self)(self.rules)


#: When questions to 1C that somebody waits for are given up for a while.
LOOKUP_RULES: Final = BreakerRules(FAILURES_TO_OPEN, OPEN_FOR, OPEN_FOR)
