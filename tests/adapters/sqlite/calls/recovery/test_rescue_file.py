"""Calls that the ledger did not take: kept privately, somewhere, whole; and read back."""

import stat
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bridge.adapters.sqlite.calls.recovery.rescue_file import RescueFile
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from tests.support import builders as b

pytestmark = pytest.mark.anyio


def call(key: str) -> PhoneCall:
    return replace(b.call(), key=key)


def entry(key: str) -> OutboxEntry:
    return OutboxEntry(key, created_at=b.NOON, due_at=b.NOON)


async def test_what_is_kept_is_read_back_and_forgotten_once_it_is_recorded(tmp_path: Path) -> None:
    rescue = RescueFile(tmp_path, temporary=tmp_path / "tmp")

    await rescue.add(call("a"), entry("a"))
    await rescue.add(call("b"), None)

    assert await rescue.saved_calls() == [(call("a"), entry("a")), (call("b"), None)]
    await rescue.add(call("c"), None)
    await rescue.delete_first(2)
    assert await rescue.saved_calls() == [(call("c"), None)]
    await rescue.delete_first(1)
    assert rescue.existing_paths() == []


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    rescue = RescueFile(tmp_path)

    await rescue.add(call("a"), None)

    (place,) = rescue.existing_paths()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


async def test_where_the_data_folder_takes_nothing_another_place_does(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("a file where the folder is needed")
    rescue = RescueFile(folder, temporary=tmp_path / "tmp")

    await rescue.add(call("a"), None)

    (place,) = rescue.existing_paths()
    assert place.is_relative_to(tmp_path / "tmp")
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    again = RescueFile(folder, temporary=tmp_path / "tmp")
    assert await again.saved_calls() == [(call("a"), None)]


async def test_a_folder_that_others_may_write_to_is_none_of_ours(tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "data"
    folder.write_text("a file where the folder is needed")
    rescue = RescueFile(folder, temporary=tmp_path / "tmp", write_to_stderr=said.append)
    shared = rescue.paths[1].parent
    shared.mkdir(parents=True)
    shared.chmod(0o777)

    await rescue.add(call("a"), None)

    assert rescue.existing_paths() == []
    assert len(said) == 1


async def test_where_no_place_takes_it_all_of_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    nowhere = tmp_path / "file"
    nowhere.write_text("a file where a folder is needed")
    rescue = RescueFile(nowhere, temporary=nowhere, write_to_stderr=said.append)

    await rescue.add(call("a"), entry("a"))

    (line,) = said
    assert msgspec.json.decode(line)["call"]["caller"]["raw"] == b.call().caller.raw


async def test_a_line_that_cannot_be_read_is_kept_for_a_person_and_hides_no_other(
    tmp_path: Path,
) -> None:
    rescue = RescueFile(tmp_path, temporary=tmp_path / "tmp")
    await rescue.add(call("a"), None)
    place = tmp_path / "rescue.jsonl"
    place.write_bytes(b'{"call": \xff torn\n' + place.read_bytes())

    assert await rescue.saved_calls() == [(call("a"), None)]

    assert (tmp_path / "rescue.jsonl.damaged").read_bytes() == b'{"call": \xff torn\n'
