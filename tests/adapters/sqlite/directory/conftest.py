"""A directory file with its writer and a reader."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from tests.adapters.sqlite.directory.objects import (
    HOUR,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.db"


@pytest.fixture
def writer(path: Path) -> Iterator[SqliteDirectoryStore]:
    opened = SqliteDirectoryStore(path)
    yield opened
    opened.close()


@pytest.fixture
def reader(writer: SqliteDirectoryStore, path: Path) -> Iterator[SqliteDirectory]:
    assert writer.report() is None
    opened = SqliteDirectory(path, stale_after=HOUR)
    yield opened
    opened.close()
