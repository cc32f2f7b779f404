"""Bring a ledger of format 1 to today's format: the keys of its documents have other names now.

Format 1 was written until the names of the stored fields were replaced by those of today. A
document is upgraded where it stands; one that is upgraded already comes out unchanged, so that
documents of both formats may be read from one place (the rescue file, a damaged ledger).

A call of format 1 named the managers of its owners by their row numbers in the directory.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION, OLDEST_FORMAT, SqliteFile
from bridge.domain.directory.entities import Ref
from bridge.domain.routing.decision import Rule
from bridge.errors import StoreError

# ruff: noqa: S608 - the tables are constants of this module.

_Json = dict[str, Any]

ManagersByRow = Mapping[int, Ref]

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

#: Stands for a manager whose row number leads nowhere today: only that 1C named one is kept.
_SOME_MANAGER: Final = "unlisted"

#: The rules by which the first owner's own manager was rung.
_OWN_MANAGER_RULES: Final = frozenset(
    {Rule.CONTACT_MANAGER, Rule.PARTNER_MANAGER, Rule.COUNTERPARTY_MANAGER}
)

_DIRECTORY_NAME: Final = "directory.db"

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def read_managers_by_row(folder: Path) -> ManagersByRow:
    """Return the managers of the directory in *folder* by row number; none where it is unreadable.

    A row number is never given to another manager, unless the directory is deleted and made anew.
    """
    path = folder / _DIRECTORY_NAME
    if not path.exists():
        return {}
    try:
        file = SqliteFile(path, read_only=True, oldest_format=OLDEST_FORMAT)
        try:
            return dict(file.read("SELECT id, json_extract(doc, '$.ref') FROM managers"))
        finally:
            file.close()
    except StoreError:
        return {}


def upgrade_call(call: _Json, managers: ManagersByRow) -> _Json:
    """Return the document of a call with today's keys; *managers* are those of the directory."""
    upgraded = _renamed(call, _CALL)
    for key, names in _CALL_PARTS.items():
        part = upgraded.get(key)  # earlier releases left out what they did not know
        if isinstance(part, list):
            upgraded[key] = [_renamed(one, names) for one in part]
        elif part is not None:
            upgraded[key] = _renamed(part, names)
    decision = _object(upgraded["decision"])
    managers = {**managers, **_rung_manager(decision)}
    for candidate in decision.get("candidates", ()):
        # [kind, ref, name, chain, …]; a step of the chain is [partner, name, manager].
        for step in candidate[3]:
            if isinstance(step[2], int):
                step[2] = managers.get(step[2], _SOME_MANAGER)
    return upgraded


def _rung_manager(decision: _Json) -> dict[int, Ref]:
    """Return the manager who was rung by row number, where *decision* shows whose row it is."""
    if decision.get("rule") not in _OWN_MANAGER_RULES:
        return {}
    # [extension, manager, name], and the chain of the owner that the caller was taken for.
    targets, candidates = decision.get("targets"), decision.get("candidates")
    if not targets or not candidates or not candidates[0][3]:
        return {}
    ref, row = targets[0][1], candidates[0][3][0][2]
    return {row: ref} if isinstance(row, int) and ref is not None else {}


def upgrade_entry(entry: _Json) -> _Json:
    """Return the document of an outbox entry with today's keys."""
    return _renamed(entry, _ENTRY)


def upgrade_missed_call(missed_call: _Json) -> _Json:
    """Return the document of a missed call with today's keys."""
    return _renamed(missed_call, _MISSED_CALL)


_UPGRADES: Final[Mapping[str, Callable[[_Json, ManagersByRow], _Json]]] = {
    "calls": upgrade_call,
    "outbox": lambda entry, _: upgrade_entry(entry),
    "debts": lambda missed_call, _: upgrade_missed_call(missed_call),
}


def upgrade_document(table: str, text: str, managers: ManagersByRow) -> str:
    """Return the text of a document of *table* with today's keys.

    Raises:
        msgspec.MsgspecError, KeyError, TypeError: it is no such document.
    """
    upgrade = _UPGRADES.get(table)
    return text if upgrade is None else _encode(upgrade(_decode(text), managers)).decode()


def migrate_ledger(file: SqliteFile) -> int:
    """Rewrite the documents of a ledger of format 1; for its owner, inside a transaction.

    Return their number.
    """
    managers = read_managers_by_row(file.path.parent)
    documents = 0
    for table in _UPGRADES:
        # Read whole before it is written: a cursor must not meet its own table's writes.
        rows = file.read(f"SELECT id, doc FROM {table}")
        documents += len(rows)
        file.execute_many(
            f"UPDATE {table} SET doc = ? WHERE id = ?",
            ((upgrade_document(table, text, managers), row) for row, text in rows),
        )
    file.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    return documents


def _object(value: object) -> _Json:
    if not isinstance(value, dict):
        raise TypeError("a damaged document: an object is expected")
    return value


def _renamed(document: object, names: Mapping[str, str]) -> _Json:
    document = _object(document)
    return {names.get(key, key): value for key, value in document.items()}
