"""The register of user reminders: a record pops up a card in 1C until its user dismisses it.

Dismissing deletes the record, postponing moves when it is due, and its key stays
(facts/ut11-metadata.md §5).
"""

from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient, lenient_json_decoder
from bridge.adapters.onec.schema import Column, ReminderRow, RowPage
from bridge.adapters.onec.writing.drafts import (
    read_written_reminder,
    reminder_body,
    reminder_text_body,
    wall_time,
)
from bridge.adapters.onec.writing.record_keys import RecordKey, reminder_key
from bridge.adapters.onec.writing.records import ODataRecords, text_of
from bridge.domain.delivery.document_drafts import ReminderDraft, WrittenReminder
from bridge.errors import OneCObjectMissing

_REMINDERS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ReminderRow]))
_WRITTEN: Final = lenient_json_decoder(msgspec.json.Decoder(dict[str, msgspec.Raw]))


class ODataReminders:
    """The reminders of an `OneCJournal`; *zone* is that of the 1C server's wall clock."""

    def __init__(self, client: ODataClient, zone: ZoneInfo) -> None:
        self._client = client
        self._zone = zone
        self._records = ODataRecords(client)

    async def create_reminder(self, draft: ReminderDraft) -> None:
        """Create the reminder; a repeat meets OneCAlreadyExists."""
        body = reminder_body(draft, self._zone)
        await self._client.write("POST", schema.REMINDERS, body, _WRITTEN)

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        """Tell whether exactly this reminder is in 1C."""
        return await self._find(draft, schema.REMINDER_COLUMNS) is not None

    async def read_reminder(self, draft: ReminderDraft) -> WrittenReminder | None:
        """Read the reminder of the draft's key; None when its user dismissed it."""
        row = await self._find(draft, schema.WRITTEN_REMINDER_COLUMNS)
        return None if row is None else read_written_reminder(row, draft, self._zone)

    async def change_reminder(self, draft: ReminderDraft) -> bool:
        """Give the reminder of the draft's key its text; when it is due stays as it is.

        False when it is gone: its user dismissed it.
        """
        place = self._place(draft)
        try:
            answer = await self._records.update(place, reminder_text_body(draft), must_exist=True)
            if text_of(answer, schema.REMINDER_DUE_TIME) == schema.EMPTY_DATE:
                # Dismissed between the look and the change, which made it anew: never due.
                await self._records.delete(place)
                return False
        except OneCObjectMissing:
            return False
        return True

    async def delete_reminder(self, draft: ReminderDraft) -> bool:
        """Delete the reminder of the draft's key; False when it was gone already."""
        try:
            await self._records.delete(self._place(draft))
        except OneCObjectMissing:
            return False
        return True

    async def _find(self, draft: ReminderDraft, columns: tuple[Column, ...]) -> ReminderRow | None:
        place = self._place(draft)
        rows = await self._records.find_rows(schema.REMINDERS, columns, place.condition, _REMINDERS)
        wanted = tuple(part.value for part in place.parts)
        for row in rows:
            if ((row.user or "").lower(), row.at, (row.source or "").lower()) == wanted:
                return row
        return None

    def _place(self, draft: ReminderDraft) -> RecordKey:
        return reminder_key(draft.user, wall_time(draft.at, self._zone), draft.document)
