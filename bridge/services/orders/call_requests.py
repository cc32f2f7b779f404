"""Requests: calls that managers order from inside UT, by writing a document with the mark.

look ─► documents of the last minutes ─► not ordered before? ─► telephone and number ─► order

Each document is an order once for ever: what became of it is written into that very document, with
our mark, and one without the mark is rung for at its own date only.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.circuit_breakers import LOOKUP_RULES, OPEN_UNTIL_REPAIRED, CircuitBreaker
from bridge.domain.delivery.call_requests import MAX_REQUEST_AGE, MAX_REQUEST_AHEAD, resolve_request
from bridge.domain.delivery.document_drafts import CallRequest
from bridge.domain.delivery.texts import Language, format_text
from bridge.domain.directory.entities import Manager, Ref
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.errors import OneCError, OneCNotPublished, OneCUnauthorized, StoreError
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.onec import OneCCallRequests
from bridge.ports.orders import PartnerPhones
from bridge.ports.stores.directory import CallerDirectory

_log = logging.getLogger(__name__)


class _Originating(Protocol):
    """Places the call that a document asks for; see `services.originate`."""

    async def order_from_document(
        self, document: Ref, extension: str, number: str, *, by: str, refusal: str = ""
    ) -> PhoneCall | None:
        """Order it once for ever."""
        ...


class CallRequestPoller:
    """Looks for documents whose subject holds *mark*; a 1C that fails is left alone for a while."""

    def __init__(
        self,
        *,
        call_requests: OneCCallRequests,
        originator: _Originating,
        directory: CallerDirectory,
        partner_phones: PartnerPhones,
        phones: PhoneRules,
        mark: str,
        lang: Language,
        clock: Clock,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._requests = call_requests
        self._originating = originator
        self._directory = directory
        self._phone_book = partner_phones
        self._phones = phones
        self._mark = mark
        self._lang: Language = lang
        self._clock = clock
        self._monotonic = monotonic
        self._breaker = CircuitBreaker(LOOKUP_RULES)
        self._failing = False
        self._seen: dict[Ref, datetime] = {}

    async def poll(self) -> int:
        """Look once and order what is new; give how many calls were ordered.

        Raises:
            StoreError: an order could not be kept, and was not sent; the next look tries again.
        """
        if not self._breaker.allows(self._monotonic()):
            return 0
        now = self._clock()
        since = now - MAX_REQUEST_AGE
        try:
            found = await self._requests.find_call_requests(since, self._mark)
        except OneCError as error:
            self._note_failure(error)
            return 0
        self._note_answer()
        self._seen = {ref: at for ref, at in self._seen.items() if at >= since}
        latest = now + MAX_REQUEST_AHEAD
        new = [r for r in found if r.document not in self._seen and r.at <= latest]
        # A telephone that rings long must not hold up the others.
        ordered = await asyncio.gather(
            *(self._order(request) for request in new), return_exceptions=True
        )
        for failure in ordered:
            if isinstance(failure, BaseException):
                raise failure
        return ordered.count(True)

    async def _order(self, request: CallRequest) -> bool:
        user = self._user(request.user)
        plan = resolve_request(request, user, self._phones_of(request), self._phones)
        words = ""
        if plan.problem is not None:
            words = format_text(self._lang, f"order.{plan.problem}", name=plan.name)
        call = await self._originating.order_from_document(
            request.document, plan.extension, plan.number, by=plan.name, refusal=words
        )
        self._seen[request.document] = max(request.at, self._clock())
        return call is not None

    def _user(self, ref: Ref | None) -> Manager | None:
        return next((m for m in self._directory.managers().values() if m.ref == ref), None)

    def _phones_of(self, request: CallRequest) -> Sequence[PhoneNumber]:
        if request.contact is None:
            return ()
        try:
            phones = self._phone_book.phones_of(request.contact.ref)
        except StoreError as error:
            _log.warning("phones_not_read", extra={"reason": str(error)})
            return ()
        return [phone.number for phone in phones or ()]

    def _note_failure(self, error: OneCError) -> None:
        person = isinstance(error, OneCUnauthorized | OneCNotPublished)
        self._breaker = self._breaker.after_failure(
            self._monotonic(), pause=OPEN_UNTIL_REPAIRED if person else None
        )
        if not self._failing:
            _log.warning("call_requests_failed", extra={"reason": str(error)})
        self._failing = True

    def _note_answer(self) -> None:
        self._breaker = self._breaker.after_success()
        if self._failing:
            _log.info("call_requests_back")
        self._failing = False
