"""The circuit breakers of delivery's stages, and the entries that were held because of them."""

import logging
from datetime import datetime
from typing import Final

from bridge.domain.outbox import Stage
from bridge.domain.stage_breaker import StageBreaker
from bridge.ports import Ledger, Monotonic

_log = logging.getLogger(__name__)

#: Entries released at once: a transaction of thousands would keep callers' records waiting.
_PORTION: Final = 200

_CLOSED: Final = StageBreaker()


class StageBreakers:
    """Stops a stage that 1C refuses to all, lets one entry try it, and releases the others."""

    def __init__(self, ledger: Ledger, monotonic: Monotonic) -> None:
        self._ledger = ledger
        self._monotonic = monotonic
        self._breakers: dict[Stage, StageBreaker] = {}
        #: What may still have held entries though it is not stopped; None is all stages.
        self._releasing: set[Stage | None] = {None}

    def words(self, stage: Stage) -> str:
        """Return 1C's words because of which *stage* is stopped."""
        return self._of(stage).words

    def admit(self, stage: Stage, key: str) -> bool:
        """Return whether the entry *key* may be sent; where so, `ended` must follow."""
        breaker = self._of(stage)
        if not breaker.admits(key, self._monotonic()):
            return False
        self._breakers[stage] = breaker.admitted(key)
        return True

    def ended(self, stage: Stage, key: str) -> None:
        """Note that *key* is not sent any more, whatever came of it."""
        self._breakers[stage] = self._of(stage).after_attempt(key)

    def accepted(self, stage: Stage) -> None:
        """Close the breaker: 1C takes this stage."""
        if self._of(stage).is_open:
            _log.info("stage_accepted_again", extra={"stage": stage.value})
            self._releasing.add(stage)
        self._breakers[stage] = self._of(stage).accepted()

    def refuse_all(self, stage: Stage, words: str) -> None:
        """Stop *stage*: what 1C said is the same for all."""
        self._put(stage, self._of(stage).opened(words, self._monotonic()))

    def refuses_all(self, stage: Stage, key: str, words: str) -> bool:
        """Note the refusal of one entry; return whether it is, by now, the same for all."""
        now = self._monotonic()
        self._put(stage, self._of(stage).after_refusal(key, words, now))
        return self._of(stage).is_open

    async def release(self, now: datetime) -> None:
        """Make held entries due: those of stages that 1C takes again, and one for each try."""
        for stage in tuple(self._releasing):
            if await self._ledger.release(now, stage, _PORTION) < _PORTION:
                self._releasing.discard(stage)
        seconds = self._monotonic()
        for stage, breaker in tuple(self._breakers.items()):
            if breaker.wants_entry(seconds):
                # By turns the freshest call and the one held longest: neither a flaw of its own in
                # the one nor in the other keeps all waiting.
                freshest = breaker.looked % 2 == 0
                await self._ledger.release(now, stage, 1, freshest=freshest)
                self._breakers[stage] = breaker.looked_for()

    def _of(self, stage: Stage) -> StageBreaker:
        return self._breakers.get(stage, _CLOSED)

    def _put(self, stage: Stage, breaker: StageBreaker) -> None:
        if breaker.is_open and not self._of(stage).is_open:
            words = {"stage": stage.value, "reason": breaker.words}
            _log.warning("stage_stopped", extra=words)
            self._releasing.discard(stage)
        self._breakers[stage] = breaker
