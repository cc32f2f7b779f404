"""Documents of the directory one by one, with what hangs on each: its name and its unread fields.

Which numbers lead to it is the phone index's business.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from bridge.adapters.sqlite.directory.documents import (
    KINDS,
    REF_EXPRESSION,
    TABLES,
    decode_object,
    encode_objects,
    insert_documents,
    insert_unread_phones,
    owner_row_id,
    read_objects,
    unread_phone_fields,
)
from bridge.adapters.sqlite.directory.index.changes import IndexChanges
from bridge.adapters.sqlite.directory.index.name_index import NameIndex, fold_names
from bridge.adapters.sqlite.file.document_rows import DocumentRows
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.directory.entities import EntityKind, Ref
from bridge.domain.directory.routing_facts import count_facts
from bridge.ports.onec import DirectoryObject

# ruff: noqa: S608 - tables and expressions are constants of ours.

_EXAMPLES: Final = 10

_encode = msgspec.json.Encoder().encode


class ObjectTables:
    """The four tables of directory objects, inside the writer's transaction.

    *last_manager_id* is the highest row id that a manager ever had: it is never given to another
    one, not even after a full run. So a reader that keeps managers by row id may be one run behind
    the cards, but never takes one manager for another.

    *fact_counts* count what calls are routed by, in step with every document: counting them anew
    means reading everything.
    """

    def __init__(self, file: SqliteFile, last_manager_id: int, fact_counts: Counter[str]):
        self._file = file
        self._names = NameIndex(file)
        self._tables = {kind: DocumentRows(file, TABLES[kind]) for kind in KINDS}
        self.last_manager_id = last_manager_id
        self.fact_counts = fact_counts

    def count_facts(self, objects: Iterable[DirectoryObject]) -> None:
        """Count the facts of objects that were inserted in bulk."""
        self.fact_counts.update(count_facts(objects))

    def recount_facts(self) -> None:
        """Read all documents and count their facts."""
        self.fact_counts = Counter()
        for kind in KINDS:
            self.count_facts(one for _, one in read_objects(self._file, kind))

    def find(self, kind: EntityKind, ref: Ref) -> tuple[int, DirectoryObject] | None:
        """Return the id and the object of *ref*; None where it is not held."""
        rows = self._file.read(
            f"SELECT id, doc FROM {TABLES[kind]} WHERE {REF_EXPRESSION} = ?", (ref,)
        )
        return (rows[0][0], decode_object(kind, rows[0][1])) if rows else None

    def get(self, kind: EntityKind, doc_id: int) -> DirectoryObject:
        """Return the object of an id that is held."""
        ((text,),) = self._file.read(f"SELECT doc FROM {TABLES[kind]} WHERE id = ?", (doc_id,))
        return decode_object(kind, text)

    def ids_below(self, kind: EntityKind, limit: int) -> list[int]:
        """Return the ids of a kind that are less than *limit*."""
        rows = self._file.read(f"SELECT id FROM {TABLES[kind]} WHERE id < ?", (limit,))
        return [doc_id for (doc_id,) in rows]

    def put_batch(
        self, kind: EntityKind, batch: Mapping[Ref, DirectoryObject], changes: IndexChanges
    ) -> list[int]:
        """Insert or replace objects by reference; return the ids of those that were held.

        Only documents that differ are written, and *changes* takes in what they change.
        """
        documents = dict(zip(batch, encode_objects(kind, batch.values()), strict=True))
        held = self._read_texts(kind, batch)
        for ref, (doc_id, text) in held.items():
            if text != documents[ref]:
                old, new = decode_object(kind, text), batch[ref]
                self._replace(kind, doc_id, old, new, documents[ref])
                changes.add(kind, old, new)
        added = [one for ref, one in batch.items() if ref not in held]
        if added:
            self._insert(kind, added, [documents[one.ref] for one in added])
            for one in added:
                changes.add(kind, None, one)
        return [doc_id for doc_id, _ in held.values()]

    def delete(self, kind: EntityKind, doc_id: int, held: DirectoryObject) -> None:
        """Delete the document of *held*, with its name and its unread phones."""
        self.fact_counts.subtract(count_facts((held,)))
        row = owner_row_id(kind, doc_id)
        self._names.remove([(row, held.name)])
        self._file.execute("DELETE FROM unread WHERE owner = ?", (row,))
        self._tables[kind].delete([doc_id])

    def reserve_ids(self, kind: EntityKind, count: int) -> int:
        """Return the first of *count* ids that were never given."""
        if kind is not EntityKind.MANAGER:
            return self._tables[kind].highest_id() + 1
        first = self.last_manager_id + 1
        self.last_manager_id += count
        return first

    def count(self, kind: EntityKind) -> int:
        """Return the number of documents of a kind."""
        return self._tables[kind].count()

    def highest_id(self, kind: EntityKind) -> int:
        """Return the highest id of a kind; 0 where there is none."""
        return self._tables[kind].highest_id()

    def read_all(self, kind: EntityKind) -> Iterator[tuple[int, DirectoryObject]]:
        """Yield all objects of a kind, read at once; for kinds that are few."""
        return ((doc_id, decode_object(kind, text)) for doc_id, text in self._tables[kind].all())

    def count_unread_phones(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        """Count phone fields from which no number was read, with up to ten examples."""
        of_kind = "FROM unread WHERE owner % ? = ?"
        values = (len(KINDS), KINDS.index(kind))
        ((count,),) = self._file.read(f"SELECT sum(fields) {of_kind}", values)
        examples = self._file.read(f"SELECT example {of_kind} LIMIT {_EXAMPLES}", values)
        return count or 0, tuple(example for (example,) in examples)

    def _read_texts(self, kind: EntityKind, refs: Iterable[Ref]) -> dict[Ref, tuple[int, bytes]]:
        rows = self._file.read(
            f"SELECT {REF_EXPRESSION}, id, CAST(doc AS BLOB) FROM {TABLES[kind]} "
            f"WHERE {REF_EXPRESSION} IN (SELECT value FROM json_each(?))",
            (_encode(list(refs)).decode(),),
        )
        return {ref: (doc_id, text) for ref, doc_id, text in rows}

    def _replace(
        self,
        kind: EntityKind,
        doc_id: int,
        old: DirectoryObject,
        new: DirectoryObject,
        document: bytes,
    ) -> None:
        self._tables[kind].upsert([(doc_id, document.decode())])
        self.fact_counts.update(count_facts((new,)))
        self.fact_counts.subtract(count_facts((old,)))
        row = owner_row_id(kind, doc_id)
        if old.name != new.name:
            self._names.remove([(row, old.name)])
            self._names.add([(row, new.name)])
        if unread_phone_fields(old) != unread_phone_fields(new):
            self._file.execute("DELETE FROM unread WHERE owner = ?", (row,))
            insert_unread_phones(self._file, kind, doc_id, (new,))

    def _insert(
        self, kind: EntityKind, objects: Sequence[DirectoryObject], documents: Sequence[bytes]
    ) -> None:
        first = self.reserve_ids(kind, len(objects))
        insert_documents(self._file, kind, first, documents)
        self.count_facts(objects)
        names = fold_names(one.name for one in objects)
        self._names.add_many(owner_row_id(kind, first), len(KINDS), names)
        insert_unread_phones(self._file, kind, first, objects)
