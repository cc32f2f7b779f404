"""The last sync runs, in a small file that the sync process writes and the service reads.

A run that was refused changes nothing in the directory, so its history stands beside it. Nothing
depends on it: a damaged file is set aside, and another begun.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from bridge.adapters.sqlite.file.set_aside import set_aside
from bridge.adapters.sqlite.file.sqlite_file import OLDEST_FORMAT, SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.errors import StoreDamaged, StoreError
from bridge.ports.stores.sync_runs import SyncRun

# ruff: noqa: S608 - the table is a constant of this house.

_log = logging.getLogger(__name__)

_RUNS: Final = "runs"

#: A day of runs a minute apart, and some.
_KEPT: Final = 2_000

_encode = msgspec.json.Encoder().encode
_run = msgspec.json.Decoder(SyncRun).decode


class SqliteSyncRuns:
    """`SyncRuns` on SQLite, `StoredFile`, and where a run is added."""

    name = "runs.db"

    def __init__(self, path: Path):
        self._path = path

    def add(self, run: SyncRun) -> None:
        """Keep *run*, and forget the oldest; examples of unread phones are nobody's history."""
        if run.report is not None:
            run = replace(run, report=replace(run.report, unread_examples=(), days=()))
        try:
            self._add(run)
        except StoreDamaged as error:
            self._begin_anew(error)
            self._add(run)

    def _add(self, run: SyncRun) -> None:
        with SqliteDb(self._path, oldest_format=OLDEST_FORMAT) as db, db.transaction():
            db.table(_RUNS, persist_empty=True)
            file = db.file
            file.execute(f"INSERT INTO {_RUNS} (doc) VALUES (?)", (_encode(run).decode(),))
            file.execute(
                f"DELETE FROM {_RUNS} WHERE id <= (SELECT max(id) FROM {_RUNS}) - ?", (_KEPT,)
            )

    async def runs(self, limit: int = 100, since: datetime | None = None) -> Sequence[SyncRun]:
        """List runs, newest first."""
        return await asyncio.to_thread(self._read_sound, limit, since)

    async def examine(self) -> StoreError | None:
        """Return what keeps the runs from being read; a damaged file is set aside."""
        try:
            await asyncio.to_thread(self._read_sound, 1, None)
        except StoreError as error:
            return error
        return None

    def take_losses(self) -> Sequence[str]:
        """Return nothing: the history of runs is nobody's loss, and its kept file says enough."""
        return ()

    def _read_sound(self, limit: int, since: datetime | None) -> list[SyncRun]:
        try:
            return self._read(limit, since)
        except StoreDamaged as error:
            self._begin_anew(error)
            return []

    def _read(self, limit: int, since: datetime | None) -> list[SyncRun]:
        if not self._path.exists():
            return []
        file = SqliteFile(self._path, read_only=True, oldest_format=OLDEST_FORMAT)
        found: list[SyncRun] = []
        try:
            for (text,) in file.stream(f"SELECT doc FROM {_RUNS} ORDER BY id DESC"):
                run = _run(text)
                if len(found) == limit:
                    break
                # A wall clock that was wrong for a while leaves older moments between the others.
                if since is None or run.started_at >= since:
                    found.append(run)
        except DECODE_ERRORS as error:
            raise StoreDamaged(str(self._path), f"a document is damaged: {error}") from error
        finally:
            file.close()
        return found

    def _begin_anew(self, damage: StoreDamaged) -> None:
        aside = set_aside(self._path, latest_only=True)
        extra = {"path": damage.path, "reason": damage.reason, "kept": str(aside)}
        _log.warning("runs_damaged", extra=extra)
