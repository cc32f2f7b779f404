"""Calls that managers order from inside UT: they write an outgoing phone call document.

Asked every few seconds, so the question is as narrow as 1C can take it: by date, which is indexed.
The mark is looked for here: 1C compares texts as its database does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import (
    ODataClient,
    date_literal,
    lenient_json_decoder,
    listing_query,
)
from bridge.adapters.onec.schema import CallRequestRow, RowPage
from bridge.adapters.onec.writing.drafts import earliest_wall_time, read_call_request
from bridge.domain.delivery.call_requests import asks_for_call
from bridge.domain.delivery.document_drafts import CallRequest
from bridge.domain.delivery.documents import MARKER_START

_REQUESTS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[CallRequestRow]))


class ODataCallRequests:
    """An `OneCRequests` over one publication; *zone* is that of the 1C server's wall clock."""

    def __init__(self, client: ODataClient, zone: ZoneInfo) -> None:
        self._client = client
        self._zone = zone

    async def find_call_requests(self, since: datetime, mark: str) -> Sequence[CallRequest]:
        """Give outgoing phone call documents dated since *since* with *mark* in their subject.

        The oldest first. An empty mark is in no subject.
        """
        if not mark.strip():
            return ()
        query = listing_query(
            ",".join(column.path for column in schema.CALL_REQUEST_COLUMNS),
            filter=f"{schema.PHONE_CALL_DATE} ge {date_literal(earliest_wall_time(since, self._zone))}"
            f" and {schema.PHONE_CALL_INCOMING} eq false"
            f" and {schema.PHONE_CALL_DELETION_MARK} eq false",
        )
        page = await self._client.read(schema.PHONE_CALLS, query, _REQUESTS)
        ordered = [
            read_call_request(row, since, self._zone)
            for row in page.value
            if asks_for_call(row.subject or "", mark) and MARKER_START not in (row.comment or "")
        ]
        return sorted(ordered, key=lambda request: (request.at, request.document))

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()
