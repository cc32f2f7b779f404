"""Bring a ledger of format 1 to today's format: the keys of its documents have other names now.

Format 1 was written until the names of the stored fields were replaced by those of today. A
document is upgraded where it stands; one that is upgraded already comes out unchanged, so that
documents of both formats may be read from one place (the rescue file, a damaged ledger).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION, SqliteFile

# ruff: noqa: S608 - the tables are constants of this module.

_Json = dict[str, Any]

_CALL: Final = {
    "asked_time": "pbx_time_text",
    "blank": "is_test_request",
    "asked": "has_question",
    "people": "known_targets",
    "heard": "applied_events",
    "life": "state",
    "reminders": "desired_reminders",
}
_CALL_STATE: Final = {
    "rung": "rung_extensions",
    "talked": "talked_extensions",
    "wait": "wait_time",
    "talk": "talk_time",
    "unread_end": "is_outcome_unread",
    "lost_in_transfer": "is_lost_in_transfer",
}
_EVENT: Final = {
    "talk": "talk_time",
    "rung": "rung_extensions",
    "transfer_from": "transferred_by",
    "trust": "direction_source",
}
_ORDER: Final = {"words": "reason", "by": "ordered_by"}
_REMINDER: Final = {"unless_gone": "unless_dismissed_by"}
_CALL_PARTS: Final = {
    "applied_events": _EVENT,
    "state": _CALL_STATE,
    "order": _ORDER,
    "desired_reminders": _REMINDER,
}
_ENTRY: Final = {
    "doubtful": "needs_verification",
    "settled_at": "delivered_at",
    "subject": "subject_written",
    "told": "written_text",
    "telling": "maybe_written_texts",
    "considered": "considered_written",
    "held": "paused",
}
_MISSED_CALL: Final = {
    "calls": "call_keys",
    "holder": "reminder_call",
    "last_at": "last_missed_at",
    "merging": "separate_reminder_calls",
}

#: Stands for a manager whom format 1 named by a row number of the directory of that time: only that
#: 1C named a manager is kept.
_SOME_MANAGER: Final = "unlisted"

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def upgrade_call(call: _Json) -> _Json:
    """Return the document of a call with today's keys."""
    upgraded = _renamed(call, _CALL)
    for key, names in _CALL_PARTS.items():
        part = upgraded.get(key)  # earlier releases left out what they did not know
        if isinstance(part, list):
            upgraded[key] = [_renamed(one, names) for one in part]
        elif part is not None:
            upgraded[key] = _renamed(part, names)
    for candidate in _object(upgraded["decision"]).get("candidates", ()):
        # [kind, ref, name, chain, …]; a step of the chain is [partner, name, manager].
        for step in candidate[3]:
            if isinstance(step[2], int):
                step[2] = _SOME_MANAGER
    return upgraded


def upgrade_entry(entry: _Json) -> _Json:
    """Return the document of an outbox entry with today's keys."""
    return _renamed(entry, _ENTRY)


def upgrade_missed_call(missed_call: _Json) -> _Json:
    """Return the document of a missed call with today's keys."""
    return _renamed(missed_call, _MISSED_CALL)


_UPGRADES: Final[Mapping[str, Callable[[_Json], _Json]]] = {
    "calls": upgrade_call,
    "outbox": upgrade_entry,
    "debts": upgrade_missed_call,
}


def upgrade_document(table: str, text: str) -> str:
    """Return the text of a document of *table* with today's keys.

    Raises:
        msgspec.MsgspecError, KeyError, TypeError: it is no such document.
    """
    upgrade = _UPGRADES.get(table)
    return text if upgrade is None else _encode(upgrade(_decode(text))).decode()


def migrate_ledger(file: SqliteFile) -> None:
    """Rewrite the documents of a ledger of format 1; for its owner, inside a transaction."""
    for table in _UPGRADES:
        # Read whole before it is written: a cursor must not meet its own table's writes.
        rows = file.read(f"SELECT id, doc FROM {table}")
        file.execute_many(
            f"UPDATE {table} SET doc = ? WHERE id = ?",
            ((upgrade_document(table, text), row) for row, text in rows),
        )
    file.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def _object(value: object) -> _Json:
    if not isinstance(value, dict):
        raise TypeError("a damaged document: an object is expected")
    return value


def _renamed(document: object, names: Mapping[str, str]) -> _Json:
    document = _object(document)
    return {names.get(key, key): value for key, value in document.items()}
