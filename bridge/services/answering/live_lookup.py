"""Look up a caller whom the index does not know in 1C itself, while the telephone rings.

answered a moment ago? ─► that answer
      │ no
      └─► may 1C be asked? ─► one request per number ─► in time? ─► its answer
                │ no                                      │ no
                └─► the default, at once                  └─► the default; the answer to the
                                                              request serves the next call

Nothing here raises, and nothing waits longer than the caller may.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bridge.domain.circuit_breakers import LOOKUP_RULES, OPEN_UNTIL_REPAIRED, CircuitBreaker
from bridge.domain.clock import age_by_wall
from bridge.domain.directory.caller_card import CallerCard, build_caller_card
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import EvidenceStep, Finding, LiveLookupResult
from bridge.domain.routing.live_lookup import is_still_valid
from bridge.errors import BridgeError, OneCNotPublished, OneCUnauthorized
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.onec import FoundOwners, OneCLookup
from bridge.ports.stores.directory import CallerDirectory

_log = logging.getLogger(__name__)

#: So much of the time that a caller may wait is kept for the record and the way back.
RECORD_RESERVE: Final = timedelta(milliseconds=150)

#: Numbers whose answers are kept; the oldest go first.
_MAX_ANSWERS: Final = 2_000

#: Requests with 1C or waiting at once: many unknown callers must not become many requests to 1C.
_MAX_REQUESTS: Final = 8

#: A request that was with 1C for this share of a caller's patience is late: clocks are not exact.
_LATE_SHARE: Final = 0.95


@dataclass(frozen=True, slots=True)
class _Answer:
    """What 1C answered about a number, and when, in seconds of a clock that only grows.

    *card* is None where 1C has no owner of the number.
    """

    card: CallerCard | None
    at: float


@dataclass(slots=True, eq=False)
class _LookupRequest:
    """A request and how it ended: with an *answer*, or with a *failure*.

    *sent_at* is when it went to 1C: before that it waits for others of ours, which proves nothing
    about 1C. *waiting* counts the callers who wait for it; *is_late*: 1C had it longer than one may
    wait.
    """

    task: asyncio.Task[None] = field(init=False)
    sent_at: float | None = None
    waiting: int = 0
    is_late: bool = False
    answer: _Answer | None = None
    failure: str = ""


class LiveLookup:
    """Looks callers up in 1C and keeps the answers for a while, beside the index.

    A caller is kept waiting at most *patience*, which must be positive. At most *concurrency*
    requests are with 1C at a time; the others wait here, and not in its answering time.
    """

    def __init__(
        self,
        *,
        lookup: OneCLookup,
        directory: CallerDirectory,
        clock: Clock,
        patience: timedelta,
        concurrency: int = _MAX_REQUESTS,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._lookup = lookup
        self._directory = directory
        self._clock = clock
        self._monotonic = monotonic
        self._patience_s = patience.total_seconds()
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._breaker = CircuitBreaker(LOOKUP_RULES)
        self._answers: dict[PhoneNumber, _Answer] = {}
        self._requests: dict[PhoneNumber, _LookupRequest] = {}

    def is_crowded(self) -> bool:
        """Return whether callers wait here whose requests have not gone to 1C yet."""
        return any(r.waiting and r.sent_at is None for r in self._requests.values())

    async def look_up(self, number: PhoneNumber) -> LiveLookupResult:
        """Return the owners of *number* according to 1C, as far as they are known in time."""
        now = self._monotonic()
        if (answer := self._kept_answer(number, now)) is not None:
            return _result_of(answer)
        request = self._requests.get(number)
        if request is None:
            if not self._may_ask(now):
                return LiveLookupResult(EvidenceStep(Finding.ONEC_NOT_ASKED))
            self._breaker = self._breaker.with_trial(now)
            request = self._start(number)
        elif request.is_late and self._breaker.is_open:
            # While 1C fails, a request that others gave up is not waited for.
            return LiveLookupResult(EvidenceStep(Finding.ONEC_LATE))
        request.waiting += 1
        try:
            await asyncio.wait((request.task,), timeout=self._patience_s)
        finally:
            request.waiting -= 1
        return self._result_in_time(request)

    def _result_in_time(self, request: _LookupRequest) -> LiveLookupResult:
        """Return the result for a caller who waited for *request* as long as a caller may."""
        if request.answer is not None:
            return _result_of(request.answer)
        if request.failure:
            return LiveLookupResult(EvidenceStep(Finding.ONEC_FAILED, detail=request.failure))
        if request.task.done() or request.sent_at is None:
            return LiveLookupResult(EvidenceStep(Finding.ONEC_NOT_ASKED))
        if _loop_seconds() - request.sent_at >= self._patience_s * _LATE_SHARE:
            self._mark_late(request)
        return LiveLookupResult(EvidenceStep(Finding.ONEC_LATE))

    async def aclose(self) -> None:
        """Cancel the requests and close the connections."""
        tasks = [request.task for request in self._requests.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._lookup.aclose()

    def _start(self, number: PhoneNumber) -> _LookupRequest:
        request = self._requests[number] = _LookupRequest()
        request.task = asyncio.create_task(self._run(number, request), name="ask 1C")
        return request

    def _may_ask(self, now: float) -> bool:
        """Return whether one more request would be with 1C while its caller waits."""
        late = sum(request.is_late for request in self._requests.values())
        has_slot = len(self._requests) < _MAX_REQUESTS and late < self._concurrency
        return has_slot and self._breaker.allows(now)

    def _mark_late(self, request: _LookupRequest) -> None:
        if not request.is_late and not request.task.done():
            request.is_late = True
            self._record_failure("1C does not answer while a caller waits")

    async def _run(self, number: PhoneNumber, request: _LookupRequest) -> None:
        """Wait for a slot, then ask."""
        try:
            async with self._slots:
                if self._is_worth_sending(request):
                    await self._send(number, request)
        finally:
            del self._requests[number]

    def _is_worth_sending(self, request: _LookupRequest) -> bool:
        """Return whether *request*, whose turn it is, delays none that a caller waits for.

        One that waited here since before 1C was known to fail need not be sent either.
        """
        if request.waiting:
            return True
        return not self._breaker.is_open and not self.is_crowded()

    async def _send(self, number: PhoneNumber, request: _LookupRequest) -> None:
        """Ask 1C, also where no caller waits any more: the answer serves the next call."""
        request.sent_at = _loop_seconds()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._patience_s, self._mark_late, request)
        try:
            request.answer = self._keep(number, await self._lookup.find_owners(number))
        except BridgeError as error:
            request.failure = str(error)
            if not request.is_late:
                needs_repair = isinstance(error, OneCNotPublished | OneCUnauthorized)
                self._record_failure(str(error), needs_repair=needs_repair)
        except Exception as error:  # noqa: BLE001 - logged with its traceback
            # A fault of ours must not cost the caller an answer.
            _log.exception("live_lookup_broken")
            request.failure = type(error).__name__
            if not request.is_late:
                self._record_failure("the question to 1C broke")
        else:
            if not request.is_late:
                self._record_answer()
        finally:
            timer.cancel()

    # ------------------------------------------------------------ kept answers
    def _kept_answer(self, number: PhoneNumber, now: float) -> _Answer | None:
        answer = self._answers.get(number)
        if answer is None:
            return None
        wall, age = self._clock(), timedelta(seconds=now - answer.at)
        proof_age = age_by_wall(self._directory.age(wall).proven_at, wall)
        proven_since = proof_age is not None and proof_age < age
        if is_still_valid(answer.card is not None, age, proven_since=proven_since):
            return answer
        del self._answers[number]
        return None

    def _keep(self, number: PhoneNumber, found: FoundOwners) -> _Answer:
        card = build_caller_card(number, found.owners, found.parent_partners)
        self._answers.pop(number, None)
        while len(self._answers) >= _MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        answer = self._answers[number] = _Answer(card, self._monotonic())
        return answer

    # ------------------------------------------------------------ the circuit breaker
    def _record_failure(self, reason: str, *, needs_repair: bool = False) -> None:
        """Count a failure; log where the breaker opens.

        *needs_repair*: an administrator has to act in 1C first.
        """
        was_open = self._breaker.is_open
        self._breaker = self._breaker.after_failure(
            self._monotonic(), pause=OPEN_UNTIL_REPAIRED if needs_repair else None
        )
        if self._breaker.is_open and not was_open:
            _log.warning("live_lookup_rests", extra={"reason": reason})

    def _record_answer(self) -> None:
        if self._breaker.is_open:
            _log.info("live_lookup_back")
        self._breaker = self._breaker.after_success()


def _result_of(answer: _Answer) -> LiveLookupResult:
    finding = Finding.ONEC_UNKNOWN if answer.card is None else Finding.ONEC_FOUND
    return LiveLookupResult(EvidenceStep(finding), answer.card)


def _loop_seconds() -> float:
    return asyncio.get_running_loop().time()
