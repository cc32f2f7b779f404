"""Ask: a caller whom the index does not know is looked for in 1C itself, while he rings.

said a moment ago? ─► that answer
      │ no
      └─► 1C may be asked? ─► one question a number ─► in time? ─► its answer
                │ no                                      │ no
                └─► the default, at once                  └─► the default; the answer to the
                                                              question serves his next call

Nothing here raises, and nothing waits longer than the caller may.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

from bridge.domain.circuit_breakers import LOOKUP_RULES, OPEN_UNTIL_REPAIRED, CircuitBreaker
from bridge.domain.clock import age_by_wall
from bridge.domain.directory.caller_card import build_caller_card
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import EvidenceStep, Finding, LiveLookupResult
from bridge.domain.routing.live_lookup import is_still_valid
from bridge.errors import BridgeError, OneCNotPublished, OneCUnauthorized
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.onec import FoundOwners, OneCLookup
from bridge.ports.stores.directory import CallerDirectory

_log = logging.getLogger(__name__)

#: Of the time a caller may wait so much is kept for his record and the way back.
RECORD_RESERVE = timedelta(milliseconds=150)

#: Callers whose answers are remembered; the oldest go first.
_MOST_REMEMBERED = 2_000

#: Questions under way or waiting at once; a storm of unknown callers must not become one on 1C.
_MOST_ASKED = 8

#: A question that was with 1C for this share of a caller's patience is late: clocks are not exact.
_NEARLY = 0.95


@dataclass(frozen=True, slots=True)
class _Said:
    """What 1C said of a number, and when, in seconds of a clock that only grows."""

    owners: FoundOwners
    at: float


@dataclass(slots=True, eq=False)
class _Question:
    """A question under way, and how it ended: with *owners*, or with a *failure*.

    *began* is when it went to 1C: before that it waits for others of ours, which says nothing of
    1C. *waiting* are the callers who wait for it; *late*: it was with 1C longer than one may wait.
    """

    task: asyncio.Task[None] = field(init=False)
    began: float | None = None
    waiting: int = 0
    late: bool = False
    owners: FoundOwners | None = None
    failure: str = ""


class LiveLookup:
    """Looks for callers in 1C, and remembers for a while what it said: an overlay of the index.

    A caller is kept waiting at most *patience*, which must be more than nothing. *at_once*: so many
    questions are with 1C at a time; the others wait here, and not in its answering time.
    """

    def __init__(
        self,
        *,
        lookup: OneCLookup,
        directory: CallerDirectory,
        clock: Clock,
        patience: timedelta,
        concurrency: int = _MOST_ASKED,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._lookup = lookup
        self._directory = directory
        self._clock = clock
        self._monotonic = monotonic
        self._patience = patience.total_seconds()
        self._at_once = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._breaker = CircuitBreaker(LOOKUP_RULES)
        self._said: dict[PhoneNumber, _Said] = {}
        self._questions: dict[PhoneNumber, _Question] = {}

    def is_crowded(self) -> bool:
        """Return whether callers wait here whose questions have not gone to 1C yet."""
        return any(q.waiting and q.began is None for q in self._questions.values())

    async def look_up(self, number: PhoneNumber) -> LiveLookupResult:
        """Tell whose *number* is by 1C's own word, as far as that is to be had in time."""
        now = self._monotonic()
        if (owners := self._remembered(number, now)) is not None:
            return self._told(number, owners)
        question = self._questions.get(number)
        if question is None:
            if not self._may_begin(now):
                return LiveLookupResult(EvidenceStep(Finding.ONEC_NOT_ASKED))
            self._breaker = self._breaker.with_trial(now)
            question = self._begin(number)
        elif question.late and self._breaker.is_open:
            # Who waits for a question that others gave up, while 1C fails, waits in vain.
            return LiveLookupResult(EvidenceStep(Finding.ONEC_LATE))
        question.waiting += 1
        try:
            await asyncio.wait((question.task,), timeout=self._patience)
        finally:
            question.waiting -= 1
        return self._outcome(number, question)

    def _outcome(self, number: PhoneNumber, question: _Question) -> LiveLookupResult:
        """Tell what a caller is told who has waited for *question* as long as he may."""
        if question.owners is not None:
            return self._told(number, question.owners)
        if question.failure:
            return LiveLookupResult(EvidenceStep(Finding.ONEC_FAILED, detail=question.failure))
        if question.task.done() or question.began is None:
            return LiveLookupResult(EvidenceStep(Finding.ONEC_NOT_ASKED))
        if _seconds() - question.began >= self._patience * _NEARLY:
            self._is_late(question)
        return LiveLookupResult(EvidenceStep(Finding.ONEC_LATE))

    async def aclose(self) -> None:
        """Drop the questions that are under way, and let go of the connections."""
        tasks = [question.task for question in self._questions.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._lookup.aclose()

    def _begin(self, number: PhoneNumber) -> _Question:
        question = self._questions[number] = _Question()
        question.task = asyncio.create_task(self._find(number, question), name="ask 1C")
        return question

    def _may_begin(self, now: float) -> bool:
        """Tell whether one more question would be with 1C while its caller waits."""
        late = sum(question.late for question in self._questions.values())
        room = len(self._questions) < _MOST_ASKED and late < self._at_once
        return room and self._breaker.allows(now)

    def _is_late(self, question: _Question) -> None:
        if not question.late and not question.task.done():
            question.late = True
            self._note_failure("1C does not answer while a caller waits")

    async def _find(self, number: PhoneNumber, question: _Question) -> None:
        """Wait for the others before it, then ask."""
        try:
            async with self._slots:
                if self._is_worth_asking(question):
                    await self._send(number, question)
        finally:
            del self._questions[number]

    def _is_worth_asking(self, question: _Question) -> bool:
        """Tell whether *question*, whose turn it is, is not in the way of one that is waited for.

        One that went out before 1C was known to fail, and waited here, need not try it either.
        """
        if question.waiting:
            return True
        return not self._breaker.is_open and not self.is_crowded()

    async def _send(self, number: PhoneNumber, question: _Question) -> None:
        """Ask, also when nobody waits any more: the answer serves the next call."""
        question.began = _seconds()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._patience, self._is_late, question)
        try:
            question.owners = self._remember(number, await self._lookup.find_owners(number))
        except BridgeError as error:
            question.failure = str(error)
            if not question.late:
                person = isinstance(error, OneCNotPublished | OneCUnauthorized)
                self._note_failure(str(error), needs_person=person)
        except Exception as error:  # noqa: BLE001 - logged with its traceback
            # The last line of defence: a caller must not pay for our mistake.
            _log.exception("live_lookup_broken")
            question.failure = type(error).__name__
            if not question.late:
                self._note_failure("the question to 1C broke")
        else:
            if not question.late:
                self._note_answer()
        finally:
            timer.cancel()

    # ------------------------------------------------------------ what 1C said
    def _told(self, number: PhoneNumber, said: FoundOwners) -> LiveLookupResult:
        # Made anew each time: managers stand in a card by their rows in today's directory.
        card = build_caller_card(number, said.owners, said.parent_partners)
        return LiveLookupResult(
            EvidenceStep(Finding.ONEC_UNKNOWN if card is None else Finding.ONEC_FOUND), card
        )

    def _remembered(self, number: PhoneNumber, now: float) -> FoundOwners | None:
        said = self._said.get(number)
        if said is None:
            return None
        wall, age = self._clock(), timedelta(seconds=now - said.at)
        proof = age_by_wall(self._directory.age(wall).proven_at, wall)
        proven_since = proof is not None and proof < age
        if is_still_valid(bool(said.owners.owners), age, proven_since=proven_since):
            return said.owners
        del self._said[number]
        return None

    def _remember(self, number: PhoneNumber, found: FoundOwners) -> FoundOwners:
        if build_caller_card(number, found.owners, found.parent_partners) is None:
            found = FoundOwners()  # those whom a number does not lead to are not worth keeping
        self._said.pop(number, None)
        while len(self._said) >= _MOST_REMEMBERED:
            del self._said[next(iter(self._said))]
        self._said[number] = _Said(found, self._monotonic())
        return found

    # ------------------------------------------------------------ whether it may be asked
    def _note_failure(self, reason: str, *, needs_person: bool = False) -> None:
        """Count a failure; log on the edge, when 1C is not asked any more."""
        was_resting = self._breaker.is_open
        self._breaker = self._breaker.after_failure(
            self._monotonic(), pause=OPEN_UNTIL_REPAIRED if needs_person else None
        )
        if self._breaker.is_open and not was_resting:
            _log.warning("live_lookup_rests", extra={"reason": reason})

    def _note_answer(self) -> None:
        if self._breaker.is_open:
            _log.info("live_lookup_back")
        self._breaker = self._breaker.after_success()


def _seconds() -> float:
    return asyncio.get_running_loop().time()
