"""Data quality issues of the directory, read from its file, off the event loop."""

import asyncio
import heapq
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path
from typing import Final

from bridge.adapters.sqlite.directory.documents import (
    REF_EXPRESSION,
    TABLES,
    decode_object_of_any_format,
    owner_of_row_id,
)
from bridge.adapters.sqlite.file.sqlite_file import OLDEST_FORMAT, SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS
from bridge.domain.directory.entities import EntityKind, Ref
from bridge.domain.reporting.data_quality import (
    DataQualityIssue,
    DataQualityIssueKind,
    DataQualityIssues,
    count_unread_calls,
)
from bridge.errors import StoreDamaged

# ruff: noqa: S608 - tables and expressions are constants of ours.

_PARTNERS: Final = TABLES[EntityKind.PARTNER]
#: `marked` is the deletion mark of a file that the sync process has not upgraded yet.
_UNMANAGED: Final = (
    "json_extract(doc, '$.manager') IS NULL AND json_extract(doc, '$.deletion_mark') IS NULL "
    "AND json_extract(doc, '$.marked') IS NULL AND json_extract(doc, '$.predefined') IS NULL"
)
_cost = attrgetter("call_count")

_Query = Callable[[SqliteFile], DataQualityIssues]


class SqliteDataQuality:
    """Finds issues in the directory at *path*; there are none where there is no file yet."""

    def __init__(self, path: Path):
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="data-quality")

    async def unmanaged_partners(self, costs: Mapping[Ref, int], limit: int) -> DataQualityIssues:
        """Return partners for whom 1C names no main manager, those of *costs* first."""
        return await self._run(
            DataQualityIssueKind.NO_MANAGER, lambda file: _unmanaged(file, costs, limit)
        )

    async def unreadable_phones(
        self, unknown_tails: Mapping[str, int], limit: int
    ) -> DataQualityIssues:
        """Return owners with phone fields in which no number was found."""
        return await self._run(
            DataQualityIssueKind.UNREADABLE, lambda file: _unreadable(file, unknown_tails, limit)
        )

    async def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    async def _run(self, kind: DataQualityIssueKind, query: _Query) -> DataQualityIssues:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._query_file, kind, query)

    def _query_file(self, kind: DataQualityIssueKind, query: _Query) -> DataQualityIssues:
        if not self._path.exists():
            return DataQualityIssues(kind, 0, 0)
        # Opened anew each time: the file may have been deleted and pulled again.
        file = SqliteFile(self._path, read_only=True, oldest_format=OLDEST_FORMAT)
        try:
            return query(file)
        except DECODE_ERRORS as error:
            raise StoreDamaged(str(self._path), f"a document is damaged: {error}") from error
        finally:
            file.close()


def _unmanaged(file: SqliteFile, costs: Mapping[Ref, int], limit: int) -> DataQualityIssues:
    ((total,),) = file.read(f"SELECT count(*) FROM {_PARTNERS} WHERE {_UNMANAGED}")
    found: dict[Ref, DataQualityIssue] = {}
    costly = sorted(costs, key=lambda ref: -costs[ref])[:limit]
    rows = [
        row
        for ref in costly
        for row in file.read(
            f"SELECT doc FROM {_PARTNERS} WHERE {REF_EXPRESSION} = ? AND {_UNMANAGED}", (ref,)
        )
    ]
    rows += file.read(f"SELECT doc FROM {_PARTNERS} WHERE {_UNMANAGED} LIMIT ?", (limit,))
    for (text,) in rows:
        partner = decode_object_of_any_format(EntityKind.PARTNER, text)
        code = getattr(partner, "code", "")
        issue = DataQualityIssue(
            DataQualityIssueKind.NO_MANAGER,
            partner.name,
            code,
            costs.get(partner.ref, 0),
            partner.ref,
        )
        found.setdefault(partner.ref, issue)
    issues = list(found.values())[:limit]
    return DataQualityIssues(
        DataQualityIssueKind.NO_MANAGER, total, sum(issue.call_count for issue in issues), issues
    )


def _unreadable(file: SqliteFile, tails: Mapping[str, int], limit: int) -> DataQualityIssues:
    ((total,),) = file.read("SELECT coalesce(sum(fields), 0) FROM unread")
    rows = (
        (count_unread_calls(example, tails), owner_row, example)
        for owner_row, example in file.stream("SELECT owner, example FROM unread")
    )
    costly = heapq.nlargest(limit, rows)
    issues: list[DataQualityIssue] = []
    for calls, owner_row, example in costly:
        kind, row = owner_of_row_id(owner_row)
        ((text,),) = file.read(f"SELECT doc FROM {TABLES[kind]} WHERE id = ?", (row,))
        owner = decode_object_of_any_format(kind, text)
        issues.append(
            DataQualityIssue(DataQualityIssueKind.UNREADABLE, owner.name, example, calls, owner.ref)
        )
    issues.sort(key=_cost, reverse=True)
    return DataQualityIssues(
        DataQualityIssueKind.UNREADABLE, total, sum(issue.call_count for issue in issues), issues
    )
