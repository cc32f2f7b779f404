"""The circuit breakers of delivery's stages, and the entries that were held because of them."""

import logging
from datetime import datetime
from typing import Final

from bridge.domain.delivery.outbox import DeliveryStage
from bridge.domain.delivery.stage_circuit_breaker import StageCircuitBreaker
from bridge.ports.clock import Monotonic
from bridge.ports.stores.outbox import OutboxQueue

_log = logging.getLogger(__name__)

#: Entries released at once: a transaction of thousands would keep callers' records waiting.
_PORTION: Final = 200

_CLOSED: Final = StageCircuitBreaker()


class StageBreakers:
    """Stops a stage that 1C refuses to all, lets one entry try it, and releases the others."""

    def __init__(self, ledger: OutboxQueue, monotonic: Monotonic) -> None:
        self._ledger = ledger
        self._monotonic = monotonic
        self._breakers: dict[DeliveryStage, StageCircuitBreaker] = {}
        #: What may still have held entries though it is not stopped; None is all stages.
        self._releasing: set[DeliveryStage | None] = {None}

    def reason(self, stage: DeliveryStage) -> str:
        """Return 1C's words because of which *stage* is stopped."""
        return self._of(stage).reason

    def admit(self, stage: DeliveryStage, key: str) -> bool:
        """Return whether the entry *key* may be sent; where so, `ended` must follow."""
        breaker = self._of(stage)
        if not breaker.allows(key, self._monotonic()):
            return False
        self._breakers[stage] = breaker.with_trial(key)
        return True

    def attempt_ended(self, stage: DeliveryStage, key: str) -> None:
        """Note that *key* is not sent any more, whatever came of it."""
        self._breakers[stage] = self._of(stage).after_attempt(key)

    def record_success(self, stage: DeliveryStage) -> None:
        """Close the breaker: 1C takes this stage."""
        if self._of(stage).is_open:
            _log.info("stage_accepted_again", extra={"stage": stage.value})
            self._releasing.add(stage)
        self._breakers[stage] = self._of(stage).after_success()

    def open(self, stage: DeliveryStage, words: str) -> None:
        """Stop *stage*: what 1C said is the same for all."""
        self._put(stage, self._of(stage).after_common_refusal(words, self._monotonic()))

    def record_refusal(self, stage: DeliveryStage, key: str, words: str) -> bool:
        """Note the refusal of one entry; return whether it is, by now, the same for all."""
        now = self._monotonic()
        self._put(stage, self._of(stage).after_refusal(key, words, now))
        return self._of(stage).is_open

    async def resume_entries(self, now: datetime) -> None:
        """Make held entries due: those of stages that 1C takes again, and one for each try."""
        for stage in tuple(self._releasing):
            if await self._ledger.resume_entries(now, stage, _PORTION) < _PORTION:
                self._releasing.discard(stage)
        seconds = self._monotonic()
        for stage, breaker in tuple(self._breakers.items()):
            if breaker.needs_trial_entry(seconds):
                # By turns the freshest call and the one held longest: neither a flaw of its own in
                # the one nor in the other keeps all waiting.
                freshest = breaker.trial_count % 2 == 0
                await self._ledger.resume_entries(now, stage, 1, freshest=freshest)
                self._breakers[stage] = breaker.after_trial_requested()

    def _of(self, stage: DeliveryStage) -> StageCircuitBreaker:
        return self._breakers.get(stage, _CLOSED)

    def _put(self, stage: DeliveryStage, breaker: StageCircuitBreaker) -> None:
        if breaker.is_open and not self._of(stage).is_open:
            words = {"stage": stage.value, "reason": breaker.reason}
            _log.warning("stage_stopped", extra=words)
            self._releasing.discard(stage)
        self._breakers[stage] = breaker
