"""1C as the delivery writes it: the phone call, its subject record, its reminder.

Every method is one attempt. What a look cannot read is reported as unavailable: a page in front
of 1C says nothing about whether a document is there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.drafts import (
    found_document,
    how_to_reach,
    phone_call_body,
    reminder_body,
    subject_body,
    wall_time,
)
from bridge.adapters.onec.odata import (
    ODataClient,
    guid,
    json_reader,
    listing_query,
    moment,
    text,
)
from bridge.adapters.onec.schema import Page, PhoneCallRow, ReminderRow, SubjectRow
from bridge.domain.directory import Ref
from bridge.domain.writeback import PhoneCallDraft, ReminderDraft, marker
from bridge.errors import OneCNonsense, OneCUnavailable
from bridge.ports import FoundDocument

#: How far a document's date may be from the draft's: nothing of ours moves it, people may.
_WINDOW: Final = timedelta(minutes=2)

_CALLS: Final = json_reader(msgspec.json.Decoder(Page[PhoneCallRow]))
_SUBJECTS: Final = json_reader(msgspec.json.Decoder(Page[SubjectRow]))
_REMINDERS: Final = json_reader(msgspec.json.Decoder(Page[ReminderRow]))
_WRITTEN: Final = json_reader(msgspec.json.Decoder(dict[str, msgspec.Raw]))
_CREATED: Final = json_reader(msgspec.json.Decoder(schema.ListingRow))

R = TypeVar("R")


class ODataJournal:
    """A `OneCJournal` over one publication; *zone* is that of the 1C server's wall clock."""

    def __init__(self, client: ODataClient, zone: ZoneInfo) -> None:
        self._client = client
        self._zone = zone

    async def find_phone_calls(self, draft: PhoneCallDraft) -> Sequence[FoundDocument]:
        """Look for documents with the draft's marker, the oldest first, marked ones included."""
        # Unlimited strings cannot be compared in 1C's queries, so the marker is looked for here,
        # among the calls of this number at this time; the number is indexed in 1C.
        local = datetime.fromisoformat(wall_time(draft.at, self._zone))
        first, last = ((local + step).isoformat() for step in (-_WINDOW, _WINDOW))
        rows = await self._look(
            schema.PHONE_CALLS,
            schema.PHONE_CALL_COLUMNS,
            f"{schema.PHONE_CALL_DATE} ge {moment(first)}"
            f" and {schema.PHONE_CALL_DATE} le {moment(last)}"
            f" and {schema.PHONE_CALL_REACH} eq {text(how_to_reach(draft))}",
            _CALLS,
        )
        mark = marker(draft.key)
        found = [found_document(r, draft, self._zone) for r in rows if mark in (r.comment or "")]
        return sorted(found, key=lambda document: (document.number, document.ref))

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        """Create the document; the reference is 1C's own, whatever was proposed."""
        body = phone_call_body(draft, self._zone)
        created = await self._client.write("POST", schema.PHONE_CALLS, body, _CREATED)
        return Ref(created.ref.lower())

    async def mark_phone_call(self, document: Ref) -> None:
        """Set the deletion mark on a document that doubles another."""
        path = f"{schema.PHONE_CALLS}({guid(document)})"
        await self._client.write("PATCH", path, schema.MarkBody(), _WRITTEN)

    async def create_subject(self, document: Ref) -> None:
        """Create the record without which the call is missing from the partner's list."""
        await self._client.write("POST", schema.SUBJECTS, subject_body(document), _WRITTEN)

    async def create_reminder(self, draft: ReminderDraft) -> None:
        """Create the reminder; a repeat meets OneCAlreadyExists."""
        body = reminder_body(draft, self._zone)
        await self._client.write("POST", schema.REMINDERS, body, _WRITTEN)

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        """Tell whether exactly this reminder is in 1C."""
        at = wall_time(draft.at, self._zone)
        rows = await self._look(
            schema.REMINDERS,
            schema.REMINDER_COLUMNS,
            f"{schema.REMINDER_USER} eq {guid(draft.user)}"
            f" and {schema.REMINDER_TIME} eq {moment(at)}"
            f" and {schema.REMINDER_SOURCE} eq {_as_call(draft.document)}",
            _REMINDERS,
        )
        wanted = (draft.user, at, draft.document)
        return any(
            ((row.user or "").lower(), row.at, (row.source or "").lower()) == wanted for row in rows
        )

    async def has_subject(self, document: Ref) -> bool:
        """Tell whether the call's subject record is in 1C."""
        rows = await self._look(
            schema.SUBJECTS,
            schema.SUBJECT_COLUMNS,
            f"{schema.SUBJECT_CALL} eq {_as_call(document)}",
            _SUBJECTS,
        )
        return any((row.call or "").lower() == document for row in rows)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _look(
        self,
        entity_set: str,
        columns: tuple[schema.Column, ...],
        condition: str,
        reader: Callable[[bytes], Page[R]],
    ) -> list[R]:
        query = listing_query(",".join(c.path for c in columns), filter=condition)
        try:
            page = await self._client.read(entity_set, query, reader)
        except OneCNonsense as error:
            raise OneCUnavailable(error.where, error.detail) from error
        return page.value


def _as_call(document: Ref) -> str:
    """Write a call's reference for a composite field, where a bare guid finds nothing at all."""
    return f"cast({guid(document)},'{schema.PHONE_CALLS}')"
