"""Call requests: calls that managers order from inside UT, by a document that carries the mark.

poll ─► documents of the last minutes ─► not ordered before? ─► extension and number ─► order

Each document is ordered once and never again: its outcome is written into that very document, with
our marker, and a document without the marker is ordered at its own date only.
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
from bridge.edges import Edge
from bridge.errors import OneCError, OneCNotPublished, OneCUnauthorized, StoreError
from bridge.ports.clock import Clock, Monotonic
from bridge.ports.onec import OneCCallRequests
from bridge.ports.orders import PartnerPhones
from bridge.ports.stores.directory import CallerDirectory

_log = logging.getLogger(__name__)


class _DocumentOrders(Protocol):
    """Places the call that a document asks for; implemented by `CallOriginator`."""

    async def order_from_document(
        self, document: Ref, extension: str, number: str, *, by: str, refusal: str = ""
    ) -> PhoneCall | None:
        """Order the call; None where it was ordered before, however long ago."""
        ...


class CallRequestPoller:
    """Looks for documents whose subject contains *mark*; while 1C fails it is asked rarely."""

    def __init__(
        self,
        *,
        call_requests: OneCCallRequests,
        originator: _DocumentOrders,
        directory: CallerDirectory,
        partner_phones: PartnerPhones,
        phones: PhoneRules,
        mark: str,
        lang: Language,
        clock: Clock,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._call_requests = call_requests
        self._originator = originator
        self._directory = directory
        self._partner_phones = partner_phones
        self._phones = phones
        self._mark = mark
        self._lang: Language = lang
        self._clock = clock
        self._monotonic = monotonic
        self._breaker = CircuitBreaker(LOOKUP_RULES)
        self._fails = Edge()
        #: The documents that were ordered, with the moment until which they are found again.
        self._ordered: dict[Ref, datetime] = {}

    async def poll(self) -> int:
        """Poll once and order what is new; return how many calls were ordered.

        Raises:
            StoreError: an order could not be recorded, and was not sent; the next poll tries again.
        """
        if not self._breaker.allows(self._monotonic()):
            return 0
        now = self._clock()
        since = now - MAX_REQUEST_AGE
        try:
            found = await self._call_requests.find_call_requests(since, self._mark)
        except OneCError as error:
            self._record_failure(error)
            return 0
        self._record_answer()
        self._ordered = {ref: at for ref, at in self._ordered.items() if at >= since}
        latest = now + MAX_REQUEST_AHEAD
        new = [r for r in found if r.document not in self._ordered and r.at <= latest]
        # A telephone that rings long must not delay the others.
        results = await asyncio.gather(
            *(self._order(request) for request in new), return_exceptions=True
        )
        for returned in results:
            if isinstance(returned, BaseException):
                raise returned
        return results.count(True)

    async def _order(self, request: CallRequest) -> bool:
        user = self._user(request.user)
        requested = resolve_request(request, user, self._phones_of(request), self._phones)
        refusal = ""
        if requested.problem is not None:
            refusal = format_text(self._lang, f"order.{requested.problem}", name=requested.name)
        call = await self._originator.order_from_document(
            request.document,
            requested.extension,
            requested.number,
            by=requested.name,
            refusal=refusal,
        )
        self._ordered[request.document] = max(request.at, self._clock())
        return call is not None

    def _user(self, ref: Ref | None) -> Manager | None:
        return None if ref is None else self._directory.managers().get(ref)

    def _phones_of(self, request: CallRequest) -> Sequence[PhoneNumber]:
        if request.contact is None:
            return ()
        try:
            phones = self._partner_phones.phones_of(request.contact.ref)
        except StoreError as error:
            _log.warning("phones_not_read", extra={"reason": str(error)})
            return ()
        return [phone.number for phone in phones or ()]

    def _record_failure(self, error: OneCError) -> None:
        needs_repair = isinstance(error, OneCUnauthorized | OneCNotPublished)
        self._breaker = self._breaker.after_failure(
            self._monotonic(), pause=OPEN_UNTIL_REPAIRED if needs_repair else None
        )
        if self._fails.begins():
            _log.warning("call_requests_failed", extra={"reason": str(error)})

    def _record_answer(self) -> None:
        self._breaker = self._breaker.after_success()
        if self._fails.ends():
            _log.info("call_requests_back")
