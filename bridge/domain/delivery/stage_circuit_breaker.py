"""Circuit breakers of delivery, one a stage: a refusal that is the same for all stops it for all.

    closed ──refused for want of rights, or in the same words again and again──► open
      ▲                                                                            │ the pause ends
      └──────────────accepted────────── one entry at a time tries ◄────────────────┘

A missing right or a handler that fails for everybody would otherwise cost 1C one request an entry.
Nothing here keeps entries: the stopped ones are held in the ledger (`outbox.held`).
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

#: The pause before one entry tries again, seconds: doubling, so that a right given is used soon.
FIRST_PAUSE_S: Final = 5.0
MAX_PAUSE_S: Final = 60.0

#: So many entries in a row refused in the same words are no longer each one's own matter; nor are
#: so many in any words.
SAME_WORDS: Final = 3
ANY_WORDS: Final = 10

_OWN: Final = re.compile(r"«[^»]*»|\"[^\"]*\"|'[^']*'|[0-9a-f-]*[0-9][0-9a-f-]*", re.IGNORECASE)


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
