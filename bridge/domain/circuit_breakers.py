"""Circuit breakers towards 1C: open, nothing is sent; then one trial at a time, until one succeeds.

    closed ──failures──► open ──the pause ends──► one trial ──it succeeds──► closed
                           ▲                          │
                           └────────it fails──────────┘

`CircuitBreaker` counts failures in a row: it stands before delivery, before questions about callers
and before the look for call requests, each with rules of its own. `StageCircuitBreaker` stands
before one stage of delivery: a missing right, or code in 1C that fails for all entries, would
otherwise cost 1C one request for each entry. Its entries are paused in the outbox (`pause_entry`).
Moments are seconds of a clock that only grows.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Self

#: The pause before a trial, in seconds: doubling, so that a right that was given is used soon.
FIRST_PAUSE_S: Final = 5.0

MAX_PAUSE_S: Final = 60.0

#: So many entries refused in a row for the same reason open the breaker; so do so many for any.
SAME_REASON: Final = 3

ANY_REASON: Final = 10

_OWN_PARTS: Final = re.compile(
    r"«[^»]*»|\"[^\"]*\"|'[^']*'|[0-9a-f-]*[0-9][0-9a-f-]*", re.IGNORECASE
)

_MAX_DOUBLINGS: Final = 10

#: So many failures in a row, late answers among them, open the breaker of look-ups.
FAILURES_TO_OPEN = 3

#: How long it stays open; then one question is the trial.
OPEN_FOR = timedelta(seconds=30)

#: The same where a person must act in 1C first (rights, publication): one question at a time is
#: enough to see that it was done.
OPEN_UNTIL_REPAIRED = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class StageCircuitBreaker:
    """Counts refusals of one stage that are alike; *reason* is what 1C answered last.

    *trial_key* is the key of the entry that is the trial; *trial_requested*: an entry for the trial
    was asked for since the pause ended; *trial_count* counts those requests. *refusals* are the
    latest ones in a row, each the key of its entry and the part of 1C's answer that is common to
    entries. *individual_reason* is a reason that opened the breaker though other entries passed.
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
        """Return whether the stage is stopped, also while a trial is under way."""
        return self.open_until is not None

    def allows(self, key: str, now: float) -> bool:
        """Return whether the entry *key* may be sent at *now*."""
        if self.open_until is None or self.trial_key == key:
            return True
        return not self.trial_key and now >= self.open_until

    def with_trial(self, key: str) -> Self:
        """Return the breaker while the entry *key* is sent."""
        return replace(self, trial_key=key) if self.is_open else self

    def needs_trial_entry(self, now: float) -> bool:
        """Return whether an entry has to be resumed as the trial."""
        return (
            self.open_until is not None
            and not self.trial_key
            and not self.trial_requested
            and now >= self.open_until
        )

    @property
    def trial_place(self) -> float:
        """Return which paused entry is the next trial: 0 is the freshest call, 1 the oldest one.

        The freshest by turns with one elsewhere: the oldest, the middle, the quarters and so on.
        Neighbours often have one fault, and those behind them must not wait until all are tried.
        """
        turn, is_elsewhere = divmod(self.trial_count, 2)
        if not is_elsewhere:
            return 0.0
        place, part = 0.0, 0.5
        while turn:  # the binary digits of *turn*, mirrored behind the point
            turn, digit = divmod(turn, 2)
            place += digit * part
            part /= 2
        return place or 1.0

    def after_trial_requested(self) -> Self:
        """Return the breaker after an entry was asked for as the trial."""
        return replace(self, trial_requested=True, trial_count=self.trial_count + 1)

    def after_success(self) -> Self:
        """Return the breaker after 1C accepted the stage of an entry."""
        reason = _common_part(self.reason) if self.is_open else self.individual_reason
        return type(self)(individual_reason=reason)

    def after_common_refusal(self, reason: str, now: float) -> Self:
        """Return the breaker after a refusal that is the same for all entries."""
        pause = min(self.pause_s * 2, MAX_PAUSE_S) if self.is_open else FIRST_PAUSE_S
        return replace(
            self,
            reason=reason,
            open_until=now + pause,
            pause_s=pause,
            trial_key="",
            trial_requested=False,
            refusals=(),
        )

    def after_refusal(self, key: str, reason: str, now: float) -> Self:
        """Return the breaker after a refusal of one entry, which may be the same for others."""
        if self.is_open:
            return self.after_common_refusal(reason, now)
        part = _common_part(reason)
        refusals = (*self.refusals, (key, part))[-ANY_REASON:]
        same = {other for other, other_part in refusals if other_part == part}
        counted = replace(self, refusals=refusals)
        enough = ANY_REASON if part == self.individual_reason else SAME_REASON
        common = len(same) >= enough or len({other for other, _ in refusals}) >= ANY_REASON
        return counted.after_common_refusal(reason, now) if common else counted

    def after_attempt(self, key: str) -> Self:
        """Return the breaker when the entry *key* is not sent any more, whatever the outcome."""
        return replace(self, trial_key="", trial_requested=False) if self.trial_key == key else self


def _common_part(reason: str) -> str:
    """Return *reason* without what names one entry: numbers, references and quotes."""
    return " ".join(_OWN_PARTS.sub("", reason.casefold()).split())


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


#: For questions to 1C about callers, and for the look for call requests.
LOOKUP_RULES: Final = BreakerRules(FAILURES_TO_OPEN, OPEN_FOR, OPEN_FOR)
