"""The register of user reminders: 1C shows a card for a record until its user dismisses it.

Dismissing deletes the record; postponing changes its due time and keeps its key.
Source: docs/facts/ut11.md, 'Reminders'.
"""

from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from bridge.adapters.onec import schema
from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.decoding import lenient_json_decoder
from bridge.adapters.onec.protocol.wall_clock import wall_time
from bridge.adapters.onec.schema import Column, ReminderRow, RowPage
from bridge.adapters.onec.writing.drafts import (
    read_written_reminder,
    reminder_body,
    reminder_text_body,
)
from bridge.adapters.onec.writing.record_keys import RecordKey, reminder_key
from bridge.adapters.onec.writing.records import ODataRecords, text_of
from bridge.domain.delivery.document_drafts import ReminderDraft, WrittenReminder
from bridge.errors import OneCObjectMissing

_REMINDERS: Final = lenient_json_decoder(msgspec.json.Decoder(RowPage[ReminderRow]))
_WRITTEN: Final = lenient_json_decoder(msgspec.json.Decoder(dict[str, msgspec.Raw]))


class ODataReminders:
    """Reminders in 1C; *zone* is that of the 1C server's wall clock."""

    def __init__(self, client: ODataClient, zone: ZoneInfo) -> None:
        self._client = client
        self._zone = zone
        self._records = ODataRecords(client)

    async def create_reminder(self, draft: ReminderDraft) -> None:
        """Create the reminder; a repeat meets OneCAlreadyExists."""
        body = reminder_body(draft, self._zone)
        await self._client.write("POST", schema.REMINDERS, body, _WRITTEN)

    async def has_reminder(self, draft: ReminderDraft) -> bool:
        """Return whether exactly this reminder is in 1C."""
        return await self._find(draft, schema.REMINDER_COLUMNS) is not None

    async def read_reminder(self, draft: ReminderDraft) -> WrittenReminder | None:
        """Return the reminder of the draft's key; None when its user dismissed it."""
        row = await self._find(draft, schema.WRITTEN_REMINDER_COLUMNS)
        return None if row is None else read_written_reminder(row, draft, self._zone)

    async def change_reminder(self, draft: ReminderDraft) -> bool:
        """Change the text of the reminder of the draft's key; its due time stays.

        Return False when its user dismissed it.
        """
        key = self._key_of(draft)
        try:
            answer = await self._records.update(key, reminder_text_body(draft), must_exist=True)
            if text_of(answer, schema.REMINDER_DUE_TIME) == schema.EMPTY_DATE:
                # Dismissed between the check and the change, which created it anew, never due.
                await self._records.delete(key)
                return False
        except OneCObjectMissing:
            return False
        return True

    async def delete_reminder(self, draft: ReminderDraft) -> bool:
        """Delete the reminder of the draft's key; return False when it was deleted already."""
        try:
            await self._records.delete(self._key_of(draft))
        except OneCObjectMissing:
            return False
        return True

    async def _find(self, draft: ReminderDraft, columns: tuple[Column, ...]) -> ReminderRow | None:
        key = self._key_of(draft)
        rows = await self._records.find_rows(schema.REMINDERS, columns, key.condition, _REMINDERS)
        key_values = tuple(part.value for part in key.parts)
        for row in rows:
            if ((row.user or "").lower(), row.at, (row.source or "").lower()) == key_values:
                return row
        return None

    def _key_of(self, draft: ReminderDraft) -> RecordKey:
        return reminder_key(draft.user, wall_time(draft.at, self._zone), draft.document)
