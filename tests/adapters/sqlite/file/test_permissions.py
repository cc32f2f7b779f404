"""Our files are readable to their owner alone, and nobody else's file is touched."""

import os
import stat
from pathlib import Path

import pytest

from bridge.adapters.sqlite.file.integrity import missing_files, unusable_files, why_not_writable
from bridge.adapters.sqlite.file.permissions import accessible_to_others, restrict_to_owner
from bridge.domain.reporting.check_results import CheckVerdict
from bridge.errors import StoreError
from bridge.services.diagnosis.files import examine_files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")

_OURS = ("ledger.db", "ledger.db-wal", "ledger.lock", "audit.db.damaged", "rescue.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    for name in _OURS:
        (data / name).touch()
        (data / name).chmod(0o644)
    return data


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_files_and_settings_are_made_private(folder: Path) -> None:
    settings = folder.parent / ".env"
    settings.touch()
    settings.chmod(0o640)
    before = accessible_to_others(folder, settings)

    restrict_to_owner(folder, settings)

    assert len(before) == len(_OURS) + 2
    assert accessible_to_others(folder, settings) == []
    assert (mode(folder), mode(folder / "ledger.db"), mode(settings)) == (0o700, 0o600, 0o600)


def test_a_folder_that_others_use_as_well_keeps_its_rights_and_theirs(folder: Path) -> None:
    theirs = folder / "accounts.xls"
    theirs.touch()
    theirs.chmod(0o644)

    restrict_to_owner(folder)

    assert (mode(folder), mode(theirs), mode(folder / "ledger.db")) == (0o755, 0o644, 0o600)


def test_what_is_no_folder_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("a file where the folder is needed")

    restrict_to_owner(file, tmp_path / ".env")

    assert accessible_to_others(file, tmp_path / ".env") == []


def test_check_names_what_is_gone_cut_short_open_or_waiting(folder: Path) -> None:
    for name in ("ledger.known", "audit.known"):
        (folder / name).touch()
    (folder / "secret.key").write_bytes(b"short")
    (folder / "metadata.json").mkdir()
    (folder / "ledger.db").write_bytes(b"something")

    findings = examine_files(
        missing=missing_files(folder),
        unusable=unusable_files(folder),
        open_to_others=[path.name for path in accessible_to_others(folder)],
        rescued=["rescue.jsonl"],
    )

    verdicts = {finding.message: finding.verdict for finding in findings}
    assert verdicts["audit.db is missing or empty, though this installation had one"] is (
        CheckVerdict.FAILURE
    )
    assert verdicts["secret.key cannot be used: is cut short"] is CheckVerdict.FAILURE
    assert any("metadata.json" in message for message in verdicts)
    assert any("ledger.db-wal" in message for message in verdicts)
    assert any("wait to be recorded" in message for message in verdicts)
    assert not any("ledger.db is missing" in message for message in verdicts)


def test_a_usable_folder_takes_something_and_keeps_nothing_of_it(folder: Path) -> None:
    before = sorted(folder.iterdir())

    assert why_not_writable(folder) == ""
    assert sorted(folder.iterdir()) == before


def test_an_error_of_a_store_names_the_file_and_not_where_it_stands() -> None:
    error = StoreError("/srv/bridge/data/ledger.db", "disk full")

    assert str(error) == "ledger.db: disk full"
    assert error.with_path == "/srv/bridge/data/ledger.db: disk full"
    assert StoreError("C:\\bridge\\data\\ledger.db", "disk full").file == "ledger.db"
