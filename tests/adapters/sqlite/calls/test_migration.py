"""A ledger of an earlier release is opened and read whole; one of a later release is refused."""

import json
import shutil
import sqlite3
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.adapters.sqlite.calls.migration import upgrade_document
from bridge.adapters.sqlite.calls.recovery.rescue_file import RESCUE_FILE_NAME, RescueFile
from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.adapters.sqlite.file.sqlite_file import FORMAT_VERSION
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.delivery.missed_calls import MissedCall
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import StoreError

pytestmark = pytest.mark.anyio

DUMP = Path(__file__).parents[4] / "fixtures" / "stored" / "ledger-format1.sql"

#: Whom the dump's calls name by the row number 40, and by reference as their target.
MANAGER = "6db48aca-f623-0c1c-932d-6b321c10fd42"
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

#: Keys of format 1 whose values stand in the dump, and where they stand now.
CALL_KEYS = {
    "asked_time": "pbx_time_text",
    "blank": "is_test_request",
    "asked": "has_question",
    "people": "known_targets",
    "heard": "applied_events",
    "life": "state",
    "reminders": "desired_reminders",
}
ENTRY_KEYS = {
    "doubtful": "needs_verification",
    "settled_at": "delivered_at",
    "subject": "subject_written",
    "told": "written_text",
    "telling": "maybe_written_texts",
    "considered": "considered_written",
    "held": "paused",
}
#: Fields that documents of format 1 do not have: each has a default.
LATER_FIELDS = {"considered_maybe_sent_at"}
MISSED_CALL_KEYS = {
    "calls": "call_keys",
    "holder": "reminder_call",
    "last_at": "last_missed_at",
    "merging": "separate_reminder_calls",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file that an earlier release left."""
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as file:
        file.executescript(DUMP.read_text("utf-8"))
    file.close()
    return path


def documents(path: Path, table: str) -> list[dict[str, Any]]:
    with sqlite3.connect(path) as file:
        found = [json.loads(text) for (text,) in file.execute(f"SELECT doc FROM {table}")]  # noqa: S608
    file.close()
    return found


def values(document: object) -> object:
    """Return what is in a document, whatever its keys are called."""
    if isinstance(document, dict):
        return [values(part) for part in document.values()]
    return [values(part) for part in document] if isinstance(document, list) else document


def with_manager_references(call: dict[str, Any]) -> dict[str, Any]:
    """Return *call* with a reference where format 1 had the number of a manager's row."""
    for candidate in call["decision"]["candidates"]:
        for step in candidate[3]:
            step[2] = step[2] if step[2] is None else MANAGER
    return call


def forget_targets(path: Path) -> None:
    """Let the calls be as those that went to the default: they name no manager but by a row."""
    with sqlite3.connect(path) as file:
        file.execute("UPDATE calls SET doc = json_set(doc, '$.decision.rule', 'default')")
        file.execute("UPDATE calls SET doc = json_set(doc, '$.decision.targets', json('[]'))")
    file.close()


def write_directory(path: Path, *, ref: str = MANAGER, version: int = 1) -> Path:
    """Write a directory whose manager of row 40 is *ref*."""
    with sqlite3.connect(path.with_name("directory.db")) as file:
        file.execute("PRAGMA application_id = 826499698")
        file.execute(f"PRAGMA user_version = {version}")
        file.execute("CREATE TABLE managers (id INTEGER PRIMARY KEY, doc TEXT NOT NULL)")
        file.execute("INSERT INTO managers VALUES (40, json_object('ref', ?))", (ref,))
    file.close()
    return path.with_name("directory.db")


def managers_of(call: PhoneCall) -> list[str | None]:
    return [step.manager for owner in call.decision.candidates for step in owner.chain]


async def upgraded_managers(path: Path) -> list[str | None]:
    """Upgrade the ledger; return the managers of its calls' owners."""
    ledger = SqliteLedger.open(path, lambda: NOW)
    found = [one for call in await ledger.calls() for one in managers_of(call)]
    assert ledger.take_losses() == []
    await ledger.close()
    return found


def written(stored: PhoneCall | OutboxEntry | MissedCall) -> dict[str, Any]:
    return dict(json.loads(msgspec.json.encode(stored)))


async def test_every_value_of_an_earlier_ledger_is_read_under_its_new_name(path: Path) -> None:
    old = {table: documents(path, table) for table in ("calls", "outbox", "debts")}

    ledger = SqliteLedger.open(path, lambda: NOW)

    pairs = sorted(await ledger.entries(), key=lambda pair: pair[1].received_at)
    old_calls = sorted(old["calls"], key=lambda call: call["received_at"])
    old_entries = {entry["key"]: entry for entry in old["outbox"]}
    assert [written(call)["key"] for _, call in pairs] == [call["key"] for call in old_calls]
    for (entry, call), old_call in zip(pairs, old_calls, strict=True):
        for before, after in CALL_KEYS.items():
            assert values(written(call)[after]) == values(old_call[before]), after
        assert values(written(call)) == values(with_manager_references(old_call))
        for before, after in ENTRY_KEYS.items():
            assert values(written(entry)[after]) == values(old_entries[call.key][before]), after
        now = written(entry)
        assert [now.pop(name) for name in LATER_FIELDS] == [None]
        assert values(now) == values(old_entries[call.key])
    (missed,) = await ledger.open_missed_calls()
    for before, after in MISSED_CALL_KEYS.items():
        assert written(missed)[after] == old["debts"][0][before], after
    assert ledger.number_memory(PhoneNumber(79035550123)).chosen_owner == Ref(
        "00000001-1c1c-41c1-a1c1-000000000001"
    )
    assert ledger.take_losses() == []
    await ledger.close()


@pytest.mark.parametrize("version", [1, FORMAT_VERSION])
async def test_a_row_number_of_a_manager_becomes_the_reference_that_the_directory_has(
    path: Path, version: int
) -> None:
    forget_targets(path)
    before = write_directory(path, version=version).read_bytes()

    assert await upgraded_managers(path) == [MANAGER, MANAGER]
    assert path.with_name("directory.db").read_bytes() == before


async def test_without_a_directory_the_manager_who_was_rung_is_known_all_the_same(
    path: Path,
) -> None:
    assert await upgraded_managers(path) == [MANAGER, MANAGER]


async def test_a_call_knows_its_manager_better_than_a_directory_made_anew(path: Path) -> None:
    write_directory(path, ref="another")

    assert await upgraded_managers(path) == [MANAGER, MANAGER]


async def test_without_either_only_that_there_was_a_manager_is_kept(path: Path) -> None:
    forget_targets(path)

    assert await upgraded_managers(path) == ["unlisted", "unlisted"]


@pytest.mark.parametrize(
    "content", [b"", b"no database, but long enough to be read as one" * 20, b"SQLite format 3\0"]
)
async def test_an_unreadable_directory_does_not_hinder_the_upgrade(
    path: Path, content: bytes
) -> None:
    forget_targets(path)
    path.with_name("directory.db").write_bytes(content)

    assert await upgraded_managers(path) == ["unlisted", "unlisted"]


async def test_a_directory_of_a_later_release_does_not_hinder_the_upgrade(path: Path) -> None:
    forget_targets(path)
    write_directory(path, version=FORMAT_VERSION + 1)

    assert await upgraded_managers(path) == ["unlisted", "unlisted"]


def test_the_manager_above_an_unreachable_one_is_not_taken_for_that_one(path: Path) -> None:
    call = documents(path, "calls")[0]
    call["decision"]["rule"] = "parent_manager"
    call["decision"]["candidates"][0][3] = [["p", "P", 39], ["q", "Q", 40], ["r", "R", -1]]

    cases: list[tuple[dict[int, Ref], list[str]]] = [
        ({}, ["unlisted", "unlisted", "unlisted"]),
        ({40: Ref(MANAGER)}, ["unlisted", MANAGER, "unlisted"]),
    ]
    for managers, expected in cases:
        upgraded = json.loads(upgrade_document("calls", json.dumps(call), managers))
        chain = upgraded["decision"]["candidates"][0][3]
        assert [step[2] for step in chain] == expected


async def test_the_upgrade_is_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    count = sum(len(documents(path, table)) for table in ("calls", "outbox", "debts"))
    with caplog.at_level("INFO"):
        await SqliteLedger.open(path, lambda: NOW).close()
        await SqliteLedger.open(path, lambda: NOW).close()

    (line,) = [r for r in caplog.records if r.message == "store_upgraded"]
    told = {k: vars(line)[k] for k in ("path", "from_format", "to_format", "documents")}
    assert told == {
        "path": str(path),
        "from_format": 1,
        "to_format": FORMAT_VERSION,
        "documents": count,
    }


def test_the_dump_has_something_under_every_old_key(path: Path) -> None:
    for table, names in (("calls", CALL_KEYS), ("outbox", ENTRY_KEYS), ("debts", MISSED_CALL_KEYS)):
        for key in names:
            if key not in {"blank", "asked"}:  # true or false: their defaults would not be noticed
                assert any(document[key] for document in documents(path, table)), key
    calls = documents(path, "calls")
    parts = [call[key] for call in calls for key in ("order",) if call[key]]
    assert all(order["by"] for order in parts)
    assert any(one["unless_gone"] for call in calls for one in call["reminders"] or ())


async def test_an_upgraded_ledger_is_found_in_todays_format_and_stays_as_it_is(path: Path) -> None:
    await SqliteLedger.open(path, lambda: NOW).close()
    first = {table: documents(path, table) for table in ("calls", "outbox", "debts", "events")}
    await SqliteLedger.open(path, lambda: NOW).close()

    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
    file.close()
    assert first == {table: documents(path, table) for table in first}
    for table, kind in (("calls", PhoneCall), ("outbox", OutboxEntry), ("debts", MissedCall)):
        names = [field.name for field in fields(kind) if field.name not in LATER_FIELDS]
        assert all(list(document) == names for document in first[table])


async def test_a_guest_leaves_an_earlier_ledger_to_its_owner(path: Path) -> None:
    before = path.read_bytes()  # noqa: ASYNC240 - small

    with pytest.raises(StoreError, match=r"format 1.*the next start of the service"):
        SqliteLedger.open(path, lambda: NOW, as_guest=True)

    assert path.read_bytes() == before  # noqa: ASYNC240 - small


async def test_a_ledger_of_a_later_release_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    file.close()

    ledger = SqliteLedger.open(path, lambda: NOW)
    trouble = await ledger.examine()

    assert trouble is not None
    assert f"the file has format {FORMAT_VERSION + 1}" in trouble.reason
    assert "upgrades it" not in trouble.reason
    assert documents(path, "calls")[0]["heard"] is not None
    await ledger.close()


async def test_a_damaged_ledger_of_an_earlier_release_is_salvaged(path: Path) -> None:
    forget_targets(path)
    write_directory(path)
    with sqlite3.connect(path) as file:
        file.execute("UPDATE calls SET doc = '{\"torn\":' WHERE id = 1")
    file.close()

    ledger = SqliteLedger.open(path, lambda: NOW)

    assert [managers_of(call) for call in await ledger.calls()] == [[MANAGER]]
    assert len(await ledger.calls()) == len(documents(path, "calls")) == 1
    assert ["was damaged" in loss for loss in ledger.take_losses()] == [True]
    await ledger.close()


async def test_calls_rescued_by_an_earlier_release_are_read(path: Path, tmp_path: Path) -> None:
    forget_targets(path)
    write_directory(path)
    lines = [
        json.dumps({"call": call, "entry": entry})
        for call, entry in zip(documents(path, "calls"), documents(path, "outbox"), strict=True)
    ]
    shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
    (tmp_path / RESCUE_FILE_NAME).write_text("\n".join(lines) + "\n", "utf-8")
    file = RescueFile(tmp_path, temporary=tmp_path / "elsewhere")

    saved = await file.saved_calls()
    await file.add(*saved[0])

    assert [call.applied_events != () for call, _ in saved] == [
        bool(call["heard"]) for call in documents(path, "calls")
    ]
    assert [managers_of(call) for call, _ in saved] == [[MANAGER], [MANAGER]]
    assert all(entry is not None and entry.subject_written for _, entry in saved)
    assert (await file.saved_calls())[-1] == saved[0]


def test_an_upgraded_document_is_not_changed_again(path: Path) -> None:
    for table in ("calls", "outbox", "debts", "talks", "events"):
        for document in documents(path, table):
            once = upgrade_document(table, json.dumps(document), {})
            assert upgrade_document(table, once, {}) == once


def test_an_entry_of_a_later_field_keeps_it() -> None:
    assert json.loads(upgrade_document("outbox", '{"held":true,"new":1}', {})) == {
        "paused": True,
        "new": 1,
    }


def test_asdict_of_a_stored_class_has_the_keys_of_its_document(path: Path) -> None:
    upgraded = json.loads(upgrade_document("debts", json.dumps(documents(path, "debts")[0]), {}))
    assert set(asdict(msgspec.convert(upgraded, MissedCall))) == set(upgraded)
