"""runs.db: the last sync runs, written by the sync process and read by the service.

A run that was refused changes nothing in the directory, so its record stands beside it. Nothing
depends on this file: a damaged one is set aside, and another begun.
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

# ruff: noqa: S608 - the table is a constant of ours.

_log = logging.getLogger(__name__)

_RUNS: Final = "runs"

#: A day of runs one minute apart, and some more.
_MAX_RUNS: Final = 2_000

_encode = msgspec.json.Encoder().encode
_run = msgspec.json.Decoder(SyncRun).decode


class SqliteSyncRuns:
    """`SyncRunList` and `StoredFile` on SQLite; the sync process adds runs."""

    name = "runs.db"

    def __init__(self, path: Path):
        self._path = path

    def add(self, run: SyncRun) -> None:
        """Add *run*, without examples of unread phones and daily facts, and delete the oldest."""
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
                f"DELETE FROM {_RUNS} WHERE id <= (SELECT max(id) FROM {_RUNS}) - ?", (_MAX_RUNS,)
            )

    async def runs(self, limit: int = 100, since: datetime | None = None) -> Sequence[SyncRun]:
        """Return runs, newest first."""
        return await asyncio.to_thread(self._read_or_begin_anew, limit, since)

    async def examine(self) -> StoreError | None:
        """Return why the runs cannot be read; a damaged file is set aside."""
        try:
            await asyncio.to_thread(self._read_or_begin_anew, 1, None)
        except StoreError as error:
            return error
        return None

    def take_losses(self) -> Sequence[str]:
        """Return nothing: a lost history of runs needs no alarm."""
        return ()

    def _read_or_begin_anew(self, limit: int, since: datetime | None) -> list[SyncRun]:
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
                # A wall clock that was wrong for a while leaves earlier moments between later ones.
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
