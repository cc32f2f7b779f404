"""One sync run's transaction on the directory file: objects, indexes, totals and report.

Empty tables are filled in bulk (`load`). Over tables that hold something an object is written only
where its document differs; a full run over them deletes what it did not bring, and compares every
card with the index, so that a full pull of an unchanged base writes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import msgspec
from tinydb.table import Document

from bridge.adapters.sqlite.directory.documents import (
    CHECKPOINT_TABLE,
    KINDS,
    REPORT_ID,
    TOTALS_ID,
)
from bridge.adapters.sqlite.directory.index.changes import IndexChanges
from bridge.adapters.sqlite.directory.index.phone_index import PhoneIndex
from bridge.adapters.sqlite.directory.load import BulkLoad
from bridge.adapters.sqlite.directory.object_tables import ObjectTables
from bridge.adapters.sqlite.file.tables import SqliteDb
from bridge.domain.directory.entities import EntityKind, Manager, Ref
from bridge.domain.directory.routing_facts import FactCounts
from bridge.ports.onec import DirectoryObject
from bridge.ports.stores.directory import SyncReport

#: Objects compared and written at once.
_BATCH: Final = 5_000


class SqliteDirectoryTransaction:
    """`DirectoryTransaction` on SQLite. What is not reindexed when it ends is reindexed then."""

    def __init__(self, db: SqliteDb):
        self._db = db
        self._file = db.file
        self._phones = PhoneIndex(db.file)
        self._changes = IndexChanges()
        totals = db.table(CHECKPOINT_TABLE).get(doc_id=TOTALS_ID)
        self._numbers = int(totals["numbers"]) if isinstance(totals, dict) else 0
        last_manager = int(totals["last_manager"]) if isinstance(totals, dict) else 0
        facts = totals.get("facts") if isinstance(totals, dict) else None
        self._tables = ObjectTables(db.file, last_manager, Counter(facts))
        #: Fills tables that are empty.
        self._load: BulkLoad | None = None
        #: Of a full run over filled tables: by kind, one byte for each row id that was held before,
        #: 1 where the run brought it.
        self._brought: dict[EntityKind, bytearray] = {}
        if self._is_empty():
            self._load = BulkLoad(db.file, self._tables)
        elif facts is None:  # written by a release that did not count them
            self._tables.recount_facts()
        self._saved_facts = facts
        self._is_index_new = False

    def put(self, kind: EntityKind, objects: Iterable[DirectoryObject]) -> None:
        """Insert or replace by reference; of an object that comes twice the last is kept."""
        if self._load is not None:
            if self._load.accepts(kind):
                self._load.put(kind, objects)
                self._is_index_new = True
                return
            self._load.finish_kind(kind)
        rest = iter(objects)
        while batch := list(islice(rest, _BATCH)):
            self._put_batch(kind, {one.ref: one for one in batch})

    def remove(self, kind: EntityKind, refs: Iterable[Ref]) -> None:
        """Delete objects that 1C no longer lists."""
        self._finish_kind(kind)
        for ref in refs:
            held = self._tables.find(kind, ref)
            if held is not None:
                self._delete(kind, *held)

    def managers(self) -> Sequence[Manager]:
        """Return all managers as this transaction leaves them; they are few."""
        self._finish_kind(EntityKind.MANAGER)
        found = (one for _, one in self._tables.read_all(EntityKind.MANAGER))
        return [one for one in found if isinstance(one, Manager)]

    def clear(self) -> None:
        """Begin a full run: what it does not bring is deleted, what it brings unchanged stays."""
        for kind in KINDS:
            self._finish_kind(kind)
        self.close()
        self._changes = IndexChanges()
        self._load = None
        if self._is_empty():
            self._load = BulkLoad(self._file, self._tables)
        else:
            self._brought = {kind: bytearray(self._tables.highest_id(kind) + 1) for kind in KINDS}
        self._is_index_new = True

    def reindex(self) -> int:
        """Recompute the cards that the changes concern; return the number of all numbers held."""
        if self._is_index_new:
            self._numbers = self._reindex_all()
        elif self._changes:
            self._numbers = self._phones.update(self._changes, self._numbers)
        elif self._tables.fact_counts == self._saved_facts:
            return self._numbers
        self._is_index_new = False
        self._changes = IndexChanges()
        self._save_totals()
        return self._numbers

    def routing_facts(self) -> FactCounts:
        """Return the counts of what calls are routed by, as this transaction leaves them.

        An object that was put twice into empty tables counts twice before `reindex`.
        """
        for kind in KINDS:
            self._delete_not_brought(kind)
        return dict(self._tables.fact_counts)

    def count_rows(self, kind: EntityKind) -> int:
        """Count rows of *kind* as this transaction leaves them."""
        self._finish_kind(kind)
        return self._tables.count(kind)

    def unread_phones(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        """Count phone fields from which no number was read, with up to ten examples."""
        self._finish_kind(kind)
        return self._tables.count_unread_phones(kind)

    def save_report(self, report: SyncReport) -> None:
        """Save the run's report as the checkpoint."""
        if self._load is not None:
            self._load.wait()
        body = msgspec.to_builtins(report)
        self._db.table(CHECKPOINT_TABLE).upsert(Document(body, doc_id=REPORT_ID))

    def close(self) -> None:
        """End the worker thread of a bulk load; what it has not done yet stays undone."""
        if self._load is not None:
            self._load.close()

    def _put_batch(self, kind: EntityKind, batch: dict[Ref, DirectoryObject]) -> None:
        brought = self._brought.get(kind, bytearray())
        for doc_id in self._tables.put_batch(kind, batch, self._changes):
            if doc_id < len(brought):
                brought[doc_id] = 1

    def _reindex_all(self) -> int:
        if self._load is None:
            for kind in KINDS:
                self._delete_not_brought(kind)
            return self._phones.write_differences(self._phones.build_cards())
        if self._changes:
            self._load.discard_cards()
        numbers = self._load.finish()
        return self._phones.rebuild() if numbers is None else numbers

    def _finish_kind(self, kind: EntityKind) -> None:
        """Bring the table of *kind* to what this transaction leaves, before it is read."""
        if self._load is not None:
            self._load.finish_kind(kind)
        self._delete_not_brought(kind)

    def _delete_not_brought(self, kind: EntityKind) -> None:
        brought = self._brought.pop(kind, None)
        if brought is not None:
            for doc_id in self._tables.ids_below(kind, len(brought)):
                if not brought[doc_id]:
                    self._delete(kind, doc_id, self._tables.get(kind, doc_id))

    def _delete(self, kind: EntityKind, doc_id: int, held: DirectoryObject) -> None:
        self._changes.add(kind, held, None)
        self._tables.delete(kind, doc_id, held)

    def _save_totals(self) -> None:
        self._saved_facts = dict(self._tables.fact_counts)
        totals = {
            "numbers": self._numbers,
            "last_manager": self._tables.last_manager_id,
            "facts": self._saved_facts,
        }
        self._db.table(CHECKPOINT_TABLE).upsert(Document(totals, doc_id=TOTALS_ID))

    def _is_empty(self) -> bool:
        return not any(map(self._tables.highest_id, KINDS))
