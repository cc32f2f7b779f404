"""Calls that managers order from inside UT: they write an outgoing phone call document.

Requested every few seconds, so the query is as narrow as it can be: by date, which is indexed in
1C. The mark is searched for here, because 1C compares texts as its database does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder, ref_or_none
from bridge.adapters.onec.protocol.query import date_literal, listing_query
from bridge.adapters.onec.protocol.wall_clock import earliest_wall_time, instant_or
from bridge.adapters.onec.schema import CallRequestRow, RowPage
from bridge.domain.delivery.call_requests import asks_for_call
from bridge.domain.delivery.document_drafts import CallRequest, ContactRef
from bridge.domain.delivery.documents import MARKER_START
from bridge.domain.directory.entities import Ref

_REQUESTS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[CallRequestRow]))

_CONTACT_KINDS: Final = {name: kind for kind, name in schema.CONTACT_TYPES.items()}


class ODataCallRequests:
    """An `OneCCallRequests` over one publication; *zone* is that of the 1C server's wall clock."""

    def __init__(self, client: ODataClient, zone: ZoneInfo) -> None:
        self._client = client
        self._zone = zone

    async def find_call_requests(self, since: datetime, mark: str) -> Sequence[CallRequest]:
        """Return outgoing phone call documents dated since *since* with *mark* in their subject.

        The oldest first. An empty mark is in no subject.
        """
        if not mark.strip():
            return ()
        first = date_literal(earliest_wall_time(since, self._zone))
        query = listing_query(
            ",".join(column.path for column in schema.CALL_REQUEST_COLUMNS),
            filter=f"{schema.PHONE_CALL_DATE} ge {first}"
            f" and {schema.PHONE_CALL_INCOMING} eq false"
            f" and {schema.PHONE_CALL_DELETION_MARK} eq false",
        )
        page = await self._client.read(schema.PHONE_CALLS, query, _REQUESTS)
        requests = [
            read_call_request(row, since, self._zone)
            for row in page.value
            if asks_for_call(row.subject or "", mark) and MARKER_START not in (row.comment or "")
        ]
        return sorted(requests, key=lambda request: (request.at, request.document))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def read_call_request(row: CallRequestRow, since: datetime, zone: ZoneInfo) -> CallRequest:
    """Return a document by which a manager orders a call; one without a date is dated *since*."""
    kind, contact = _CONTACT_KINDS.get(row.contact_type or ""), ref_or_none(row.contact)
    return CallRequest(
        document=Ref(row.ref.lower()),
        at=instant_or(row.at, zone, since),
        subject=row.subject or "",
        description=row.description or "",
        user=ref_or_none(row.responsible) or ref_or_none(row.author),
        how_to_reach=(row.how_to_reach or "").strip(),
        contact=None if kind is None or contact is None else ContactRef(kind, contact),
    )
