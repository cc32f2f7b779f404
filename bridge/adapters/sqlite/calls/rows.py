"""The rows of the ledger: documents as JSON, and the columns that queries use.

A call and its outbox entry share one row id, so an entry needs no index of its own. What is
searched for stands beside the document in a column: an index on a column is written in a third of
the time of one on an expression over JSON. Moments that SQL compares are microseconds since 1970,
because ISO texts do not sort where some have fractions of a second and some have none.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Ref
from bridge.ports.pbx import RawEvent
from bridge.ports.stores.number_memory import Talk

#: Of a new ledger: a record changes eight pages, and half of the usual size is a fifth faster.
LEDGER_PAGE_SIZE: Final = 2048

TABLES: Final = ("calls", "outbox", "events", "choices", "debts", "talks", "days")

#: Those that every ledger has, also one of an earlier release.
FIRST_TABLES: Final = frozenset({"calls", "outbox", "events"})

#: The columns beside the documents: name and type.
COLUMNS: Final = {
    "calls": (
        ("key", "TEXT"),
        ("at", "INTEGER"),
        ("number", "INTEGER"),
        ("ref", "TEXT"),  # the PBX's id
        ("client", "TEXT"),
    ),
    "outbox": (("state", "TEXT"), ("due", "INTEGER")),
    "events": (("call", "TEXT"), ("at", "INTEGER")),
    "days": (("day", "INTEGER"),),
    "debts": (("key", "TEXT"), ("client", "TEXT"), ("closed", "INTEGER")),
}

CALL_KEY = "calls.key"
CALL_RECEIVED_AT = "calls.at"
CALL_NUMBER = "calls.number"
CALL_REF = "calls.ref"
CALL_CLIENT = "calls.client"
ENTRY_STATE = "outbox.state"
ENTRY_DUE_AT = "outbox.due"
#: SQL: named in every query that the partial index shall answer.
ENTRY_IS_PENDING = f"{ENTRY_STATE} <> 'settled'"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _DayRow(msgspec.Struct, gc=False):
    at: datetime


class _ChoiceRow(msgspec.Struct, gc=False):
    owner: Ref
    at: datetime


_encode = msgspec.json.Encoder().encode
_day_row = msgspec.json.Decoder(_DayRow).decode
_choice_row = msgspec.json.Decoder(_ChoiceRow).decode
_call = msgspec.json.Decoder(PhoneCall).decode
_entry = msgspec.json.Decoder(OutboxEntry).decode
_event = msgspec.json.Decoder(RawEvent).decode
_missed_call = msgspec.json.Decoder(MissedCall).decode
_talk = msgspec.json.Decoder(Talk).decode

#: Document, key, received_at, number, ref, client.
CallRow = tuple[str, str, int, int | None, str, str]

#: Document, state, due_at.
EntryRow = tuple[str, str, int]


def to_micros(moment: datetime) -> int:
    """Return a moment as the columns compare it: microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def call_row(call: PhoneCall) -> CallRow:
    """Return the row of a call: its document, then its columns."""
    return (
        _encode(call).decode(),
        call.key,
        to_micros(call.received_at),
        call.caller.number,
        call.state.call_ref,
        call.client_key,
    )


def decode_call(text: str) -> PhoneCall:
    """Decode the document of a call; raises msgspec.MsgspecError."""
    return _call(text)


def entry_row(entry: OutboxEntry) -> EntryRow:
    """Return the row of an entry: its document, then its columns."""
    return _encode(entry).decode(), entry.state.value, to_micros(entry.due_at)


def decode_entry(text: str) -> OutboxEntry:
    """Decode the document of an entry; raises msgspec.MsgspecError."""
    return _entry(text)


def encode_event(event: RawEvent) -> str:
    """Return the document of an event."""
    return _encode(event).decode()


def decode_event(text: str) -> RawEvent:
    """Decode the document of an event."""
    return _event(text)


def missed_call_row(missed_call: MissedCall) -> tuple[str, str, str, int | None]:
    """Return the row of a missed call: its document, then its columns."""
    closed = None if missed_call.closed_at is None else to_micros(missed_call.closed_at)
    return _encode(missed_call).decode(), missed_call.key, missed_call.client, closed


def decode_missed_call(text: str) -> MissedCall:
    """Decode the document of a missed call."""
    return _missed_call(text)


def encode_talk(talk: Talk) -> str:
    """Return the document of the last talk with a number; its row id is the number."""
    return _encode(talk).decode()


def decode_talk(text: str) -> Talk:
    """Decode the document of the last talk with a number."""
    return _talk(text)


def encode_choice(owner: Ref, at: datetime) -> str:
    """Return the document of an operator's choice; its row id is the number."""
    return _encode(_ChoiceRow(owner, at)).decode()


def decode_choice(text: str) -> Ref:
    """Return the owner that an operator chose."""
    return _choice_row(text).owner


def day_row(moment: datetime) -> tuple[str, int]:
    """Return the row of a recorded day: its document, then its column, days since 1970."""
    return _encode(_DayRow(moment)).decode(), (moment - _EPOCH).days


def decode_day(text: str) -> datetime:
    """Return the last recorded moment of a day."""
    return _day_row(text).at


def day_of_column(number: int) -> date:
    """Return the day of a column: days since 1970."""
    return (_EPOCH + timedelta(days=number)).date()
