"""What is wrong in the data pulled from 1C: read from the directory's file, off the event loop."""

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
    decode_object,
    owner_of_row_id,
)
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS
from bridge.domain.directory.entities import EntityKind, Ref
from bridge.domain.reporting.data_quality import (
    DataQualityIssue,
    DataQualityIssueKind,
    DataQualityIssues,
    count_unread_calls,
)
from bridge.errors import StoreDamaged

# ruff: noqa: S608 - tables and expressions are constants of this house.

_PARTNERS: Final = TABLES[EntityKind.PARTNER]
_UNMANAGED: Final = (
    "json_extract(doc, '$.manager') IS NULL AND json_extract(doc, '$.deletion_mark') IS NULL "
    "AND json_extract(doc, '$.predefined') IS NULL"
)
_cost = attrgetter("call_count")

_Question = Callable[[SqliteFile], DataQualityIssues]


class SqliteDataQuality:
    """Looks through the directory at *path*; nothing is wrong where there is none yet."""

    def __init__(self, path: Path):
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="data-doctor")

    async def unmanaged_partners(self, costs: Mapping[Ref, int], limit: int) -> DataQualityIssues:
        """List partners for whom 1C names no main manager, those of *costs* first."""
        return await self._do(
            DataQualityIssueKind.NO_MANAGER, lambda file: _unmanaged(file, costs, limit)
        )

    async def unreadable_phones(
        self, unknown_tails: Mapping[str, int], limit: int
    ) -> DataQualityIssues:
        """List owners with phone fields in which no number was found."""
        return await self._do(
            DataQualityIssueKind.UNREADABLE, lambda file: _unreadable(file, unknown_tails, limit)
        )

    async def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    async def _do(self, kind: DataQualityIssueKind, question: _Question) -> DataQualityIssues:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._ask, kind, question)

    def _ask(self, kind: DataQualityIssueKind, question: _Question) -> DataQualityIssues:
        if not self._path.exists():
            return DataQualityIssues(kind, 0, 0)
        # Opened anew each time: the file may have been thrown away and pulled again.
        file = SqliteFile(self._path, read_only=True)
        try:
            return question(file)
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
        partner = decode_object(EntityKind.PARTNER, text)
        code = getattr(partner, "code", "")
        flaw = DataQualityIssue(
            DataQualityIssueKind.NO_MANAGER,
            partner.name,
            code,
            costs.get(partner.ref, 0),
            partner.ref,
        )
        found.setdefault(partner.ref, flaw)
    flaws = list(found.values())[:limit]
    return DataQualityIssues(
        DataQualityIssueKind.NO_MANAGER, total, sum(flaw.call_count for flaw in flaws), flaws
    )


def _unreadable(file: SqliteFile, tails: Mapping[str, int], limit: int) -> DataQualityIssues:
    ((total,),) = file.read("SELECT coalesce(sum(fields), 0) FROM unread")
    rows = (
        (count_unread_calls(example, tails), owner, example)
        for owner, example in file.stream("SELECT owner, example FROM unread")
    )
    costly = heapq.nlargest(limit, rows)
    flaws: list[DataQualityIssue] = []
    for calls, owner, example in costly:
        kind, row = owner_of_row_id(owner)
        ((text,),) = file.read(f"SELECT doc FROM {TABLES[kind]} WHERE id = ?", (row,))
        noun = decode_object(kind, text)
        flaws.append(
            DataQualityIssue(DataQualityIssueKind.UNREADABLE, noun.name, example, calls, noun.ref)
        )
    flaws.sort(key=_cost, reverse=True)
    return DataQualityIssues(
        DataQualityIssueKind.UNREADABLE, total, sum(flaw.call_count for flaw in flaws), flaws
    )
