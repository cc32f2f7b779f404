"""1C as the delivery writes it: the phone call, its subject record, its reminder.

Every method is one attempt. Answers to reads that cannot be read are OneCUnavailable: a page in
front of 1C does not show whether a document is there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder
from bridge.adapters.onec.protocol.query import date_literal, text_literal
from bridge.adapters.onec.protocol.wall_clock import wall_time
from bridge.adapters.onec.schema import PhoneCallRow, RowPage, SubjectRow, WrittenPhoneCallRow
from bridge.adapters.onec.writing.drafts import (
    phone_call_body,
    phone_call_change_body,
    read_found_document,
    read_written_phone_call,
    search_text,
    subject_body,
)
from bridge.adapters.onec.writing.record_keys import phone_call_key, subject_key
from bridge.adapters.onec.writing.reminders import ODataReminders
from bridge.domain.delivery.document_drafts import (
    PhoneCallChange,
    PhoneCallDraft,
    WrittenPhoneCall,
)
from bridge.domain.delivery.documents import document_marker
from bridge.domain.directory.entities import Ref
from bridge.ports.onec import FoundDocument

#: How far a document's date may be from the draft's: the bridge never changes it, users may.
_DATE_TOLERANCE: Final = timedelta(minutes=2)

_FOUND_CALLS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[PhoneCallRow]))
_WRITTEN_CALLS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[WrittenPhoneCallRow]))
_SUBJECTS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[SubjectRow]))
_WRITTEN: Final = lenient_json_decoder(msgspec.json.Decoder(dict[str, msgspec.Raw]))
_CREATED: Final = lenient_json_decoder(msgspec.json.Decoder(schema.ListingRow))


class ODataJournal(ODataReminders):
    """A `OneCJournal` over one publication; times are in the zone of the 1C server's wall clock."""

    async def find_phone_calls(self, draft: PhoneCallDraft) -> Sequence[FoundDocument]:
        """Return documents with the draft's marker, oldest first; deletion-marked ones too."""
        # Unlimited strings cannot be compared in 1C's queries, so the marker is searched for here,
        # among the calls of this number at this time; the number is indexed in 1C.
        local = datetime.fromisoformat(wall_time(draft.at, self._zone))
        first, last = (
            (local + tolerance).isoformat() for tolerance in (-_DATE_TOLERANCE, _DATE_TOLERANCE)
        )
        rows = await self._records.find_rows(
            schema.PHONE_CALLS,
            schema.PHONE_CALL_COLUMNS,
            f"{schema.PHONE_CALL_DATE} ge {date_literal(first)}"
            f" and {schema.PHONE_CALL_DATE} le {date_literal(last)}"
            f" and {schema.PHONE_CALL_HOW_TO_REACH} eq {text_literal(search_text(draft))}",
            _FOUND_CALLS,
        )
        marker = document_marker(draft.key)
        found = [
            read_found_document(r, draft, self._zone) for r in rows if marker in (r.comment or "")
        ]
        return sorted(found, key=lambda document: (document.number, document.ref))

    async def create_phone_call(self, draft: PhoneCallDraft) -> Ref:
        """Create the document; return 1C's own reference, whatever was proposed."""
        body = phone_call_body(draft, self._zone)
        created = await self._client.write("POST", schema.PHONE_CALLS, body, _CREATED)
        return Ref(created.ref.lower())

    async def set_deletion_mark(self, document: Ref) -> None:
        """Set the deletion mark on a document that doubles another."""
        await self._records.update(phone_call_key(document), schema.DeletionMarkBody())

    async def read_phone_call(self, document: Ref) -> WrittenPhoneCall | None:
        """Return a document as it is now; None when it was deleted."""
        # Not by its key: a 404 may be a page of the web server, an empty page of rows is 1C's own.
        rows = await self._records.find_rows(
            schema.PHONE_CALLS,
            schema.WRITTEN_CALL_COLUMNS,
            phone_call_key(document).condition,
            _WRITTEN_CALLS,
        )
        found = (read_written_phone_call(row) for row in rows if row.ref.lower() == document)
        return next(found, None)

    async def change_phone_call(self, document: Ref, change: PhoneCallChange) -> None:
        """Change fields of a document; repeating it does no harm."""
        if change:
            body = phone_call_change_body(change)
            await self._records.update(
                phone_call_key(document), body, version=change.seen_version or ""
            )

    async def create_subject(self, document: Ref) -> None:
        """Create the record without which the call is missing from the partner's list."""
        await self._client.write("POST", schema.SUBJECTS, subject_body(document), _WRITTEN)

    async def has_subject(self, document: Ref) -> bool:
        """Return whether the call's subject record is in 1C."""
        condition = subject_key(document).condition
        rows = await self._records.find_rows(
            schema.SUBJECTS, schema.SUBJECT_COLUMNS, condition, _SUBJECTS
        )
        return any((row.call or "").lower() == document for row in rows)

    async def set_considered(self, document: Ref, *, considered: bool) -> None:
        """Set Рассмотрено in the call's subject record; repeating it does no harm."""
        body = schema.ConsideredBody(considered=considered)
        await self._records.update(subject_key(document), body, must_exist=True)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
