"""The circuit breakers of delivery's stages, and the entries that are paused because of them."""

import logging
from datetime import datetime
from typing import Final

from bridge.domain.circuit_breakers import StageCircuitBreaker
from bridge.domain.delivery.entry import DeliveryStage
from bridge.ports.clock import Monotonic
from bridge.ports.stores.outbox import OutboxQueue

_log = logging.getLogger(__name__)

#: Entries resumed in one transaction: one of thousands would keep callers' records waiting.
_RESUMED_AT_ONCE: Final = 200

_CLOSED: Final = StageCircuitBreaker()


class StageBreakers:
    """Stops a stage that 1C refuses for all entries, tries it with one, and resumes the others."""

    def __init__(self, outbox: OutboxQueue, monotonic: Monotonic) -> None:
        self._outbox = outbox
        self._monotonic = monotonic
        self._breakers: dict[DeliveryStage, StageCircuitBreaker] = {}
        #: Stages that are not stopped but may still have paused entries; None means all stages.
        self._resuming: set[DeliveryStage | None] = {None}

    def reason(self, stage: DeliveryStage) -> str:
        """Return 1C's text because of which *stage* is stopped."""
        return self._of(stage).reason

    def admit(self, stage: DeliveryStage, key: str) -> bool:
        """Return whether the entry *key* may be sent; where so, `attempt_ended` must follow."""
        breaker = self._of(stage)
        if not breaker.allows(key, self._monotonic()):
            return False
        self._breakers[stage] = breaker.with_trial(key)
        return True

    def attempt_ended(self, stage: DeliveryStage, key: str) -> None:
        """Record that *key* is not being sent any more, with whatever result."""
        self._breakers[stage] = self._of(stage).after_attempt(key)

    def record_success(self, stage: DeliveryStage) -> None:
        """Close the breaker of *stage*: 1C accepts it."""
        if self._of(stage).is_open:
            _log.info("stage_accepted_again", extra={"stage": stage.value})
            self._resuming.add(stage)
        self._breakers[stage] = self._of(stage).after_success()

    def open(self, stage: DeliveryStage, reason: str) -> None:
        """Stop *stage*: what 1C answered holds for all entries."""
        self._put(stage, self._of(stage).after_common_refusal(reason, self._monotonic()))

    def record_refusal(self, stage: DeliveryStage, key: str, reason: str) -> bool:
        """Record that one entry was refused; return whether *stage* is stopped for all by now."""
        now = self._monotonic()
        self._put(stage, self._of(stage).after_refusal(key, reason, now))
        return self._of(stage).is_open

    async def resume_entries(self, now: datetime) -> None:
        """Make paused entries due: those of stages that 1C accepts again, and one for each trial.

        Raises:
            StoreError: the outbox cannot be written.
        """
        for stage in tuple(self._resuming):
            if await self._outbox.resume_entries(now, stage, _RESUMED_AT_ONCE) < _RESUMED_AT_ONCE:
                self._resuming.discard(stage)
        seconds = self._monotonic()
        for stage, breaker in tuple(self._breakers.items()):
            if breaker.needs_trial_entry(seconds):
                await self._outbox.resume_trial(now, stage, breaker.trial_place)
                self._breakers[stage] = breaker.after_trial_requested()

    def _of(self, stage: DeliveryStage) -> StageCircuitBreaker:
        return self._breakers.get(stage, _CLOSED)

    def _put(self, stage: DeliveryStage, breaker: StageCircuitBreaker) -> None:
        if breaker.is_open and not self._of(stage).is_open:
            extra = {"stage": stage.value, "reason": breaker.reason}
            _log.warning("stage_stopped", extra=extra)
            self._resuming.discard(stage)
        self._breakers[stage] = breaker
