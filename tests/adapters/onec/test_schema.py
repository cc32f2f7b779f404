"""Rows and the columns selected for them belong together: what is not asked for is not read."""

from collections.abc import Iterable

import msgspec
import pytest

from bridge.adapters.onec import schema


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (schema.PhoneCallRow, schema.PHONE_CALL_COLUMNS),
        (schema.WrittenPhoneCallRow, schema.WRITTEN_CALL_COLUMNS),
        (schema.CallRequestRow, schema.CALL_REQUEST_COLUMNS),
        (schema.SubjectRow, schema.SUBJECT_COLUMNS),
        (schema.ReminderRow, schema.WRITTEN_REMINDER_COLUMNS),
    ],
)
def test_every_field_of_a_row_is_selected(
    row: type[msgspec.Struct], columns: Iterable[schema.Column]
) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(row)}

    assert fields <= {column.path for column in columns}
