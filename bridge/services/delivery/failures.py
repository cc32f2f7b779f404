"""What becomes of an outbox entry whose request to 1C failed, and of the requests after it."""

import logging

from bridge.domain.delivery import outbox
from bridge.domain.delivery.entry import DeliveryRules, DeliveryStage, OutboxEntry
from bridge.errors import (
    OneCError,
    OneCInvalidResponse,
    OneCNotPublished,
    OneCOutcomeUnknown,
    OneCRejected,
    OneCUnauthorized,
    OneCVersionConflict,
)
from bridge.ports.clock import Clock
from bridge.services.delivery.circuit_breaker import REFUSED_PAUSE, OneCCircuitBreaker
from bridge.services.delivery.stage_breakers import StageBreakers

_log = logging.getLogger(__name__)


class DeliveryFailures:
    """Turns the errors of one attempt into the entry's next state; opens the circuit breakers."""

    def __init__(
        self,
        breaker: OneCCircuitBreaker,
        stages: StageBreakers,
        clock: Clock,
        rules: DeliveryRules,
    ) -> None:
        self._breaker = breaker
        self._stages = stages
        self._clock = clock
        self._rules = rules

    def after_error(self, sending: OutboxEntry, error: OneCError) -> tuple[OutboxEntry, bool]:
        """Return the entry after *error*, and whether that is progress: it is out of the way."""
        if isinstance(error, OneCVersionConflict):  # a user of 1C changed it first; 1C is up
            now, reason = self._clock(), str(error)
            return outbox.wait_for_quiet(sending, now, self._rules, reason=reason), False
        if isinstance(error, OneCOutcomeUnknown | OneCInvalidResponse):
            # A response that is not 1C's own does not show what 1C did.
            return self._retry_later(sending, error, maybe_sent=True), False
        if isinstance(error, OneCUnauthorized | OneCNotPublished):
            return self._after_access_refused(sending, error), False
        if isinstance(error, OneCRejected):
            self._breaker.record_answer()
            return self._after_rejection(sending, str(error), error), True
        return self._retry_later(sending, error, maybe_sent=False), False

    def after_bug(self, sending: OutboxEntry, error: Exception) -> OutboxEntry:
        """Return the entry after a fault of our own: whether 1C has the write is not known."""
        reason = f"the bridge failed on this call: {type(error).__name__}: {error}"
        doubted = outbox.retry_later(
            sending, self._clock(), self._rules, reason=sending.last_error, maybe_sent=True
        )
        return self._after_rejection(doubted, reason, None)

    def _retry_later(
        self, sending: OutboxEntry, error: OneCError, *, maybe_sent: bool
    ) -> OutboxEntry:
        self._breaker.record_failure(error)
        now, reason = self._clock(), str(error)
        if maybe_sent:
            return outbox.retry_later(sending, now, self._rules, reason=reason, maybe_sent=True)
        return outbox.retry_after_outage(sending, now, self._rules, reason=reason)

    def _after_access_refused(
        self, sending: OutboxEntry, error: OneCUnauthorized | OneCNotPublished
    ) -> OutboxEntry:
        self._breaker.raise_alarm(sending.stage, error)
        if sending.stage is not DeliveryStage.DOCUMENT:
            # 1C accepts documents but not this register: other calls need not wait for it.
            self._stages.open(sending.stage, str(error))
            return outbox.pause_entry(sending, self._clock(), reason=str(error))
        self._breaker.record_failure(error, REFUSED_PAUSE)
        return outbox.retry_after_outage(sending, self._clock(), self._rules, reason=str(error))

    def _after_rejection(
        self, sending: OutboxEntry, reason: str, error: OneCRejected | None
    ) -> OutboxEntry:
        """Return a rejected entry: dead, or paused where 1C rejects all entries the same way."""
        if not self._stages.record_refusal(sending.stage, sending.key, reason):
            _log.warning("outbox_dead", extra={"call": sending.key, "reason": reason})
            return outbox.mark_dead(sending, reason=reason)
        common = error or OneCInvalidResponse(sending.stage.value, reason)
        self._breaker.raise_alarm(sending.stage, common)
        return outbox.pause_entry(sending, self._clock(), reason=reason)
