"""Documents of the directory one by one, with what hangs on each: its name and its unread fields.

Which numbers lead to it is the phone index's business.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from bridge.adapters.sqlite.directory.documents import (
    KINDS,
    REF_EXPRESSION,
    TABLES,
    decode_object,
    encode_objects,
    owner_row_id,
    read_objects,
    unread_phone_fields,
)
from bridge.adapters.sqlite.directory.index.name_index import NameIndex
from bridge.adapters.sqlite.file.document_rows import DocumentRows
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.directory.entities import EntityKind, Ref
from bridge.domain.directory.routing_facts import count_facts
from bridge.ports.onec import DirectoryObject

# ruff: noqa: S608 - tables and expressions are constants of this house.

_EXAMPLES = 10


class ObjectTables:
    """The four tables of nouns, inside the writer's transaction.

    *last_manager* is the highest row that a manager ever had: a manager's row is never given to
    another one, not even after the run forgot everything. So a reader that remembers managers by
    row may be one run behind the cards, but is never wrong about them.

    *facts* are the counts of what calls are routed by, kept in step with every document: counting
    them anew means reading everything.
    """

    def __init__(self, file: SqliteFile, last_manager: int, facts: Counter[str]):
        self._file = file
        self._names = NameIndex(file)
        self._tables = {kind: DocumentRows(file, TABLES[kind]) for kind in KINDS}
        self.last_manager_id = last_manager
        self.fact_counts = facts

    def count_facts(self, nouns: Iterable[DirectoryObject]) -> None:
        """Count the facts of documents that were written in bulk, and not there before."""
        self.fact_counts.update(count_facts(nouns))

    def recount_facts(self) -> None:
        """Read all documents and count their facts."""
        self.fact_counts = Counter()
        for kind in KINDS:
            self.count_facts(noun for _, noun in read_objects(self._file, kind))

    def find(self, kind: EntityKind, ref: Ref) -> tuple[int, DirectoryObject] | None:
        """Find a document and its id."""
        rows = self._file.read(
            f"SELECT id, doc FROM {TABLES[kind]} WHERE {REF_EXPRESSION} = ?", (ref,)
        )
        return (rows[0][0], decode_object(kind, rows[0][1])) if rows else None

    def put(self, kind: EntityKind, noun: DirectoryObject) -> tuple[int, DirectoryObject | None]:
        """Insert or replace by reference; give the id, and what was there before."""
        held = self.find(kind, noun.ref)
        doc_id, old = held or (self.reserve_ids(kind, 1), None)
        self._tables[kind].upsert([(doc_id, encode_objects(kind, (noun,))[0].decode())])
        self.fact_counts.update(count_facts((noun,)))
        if old is not None:
            self.fact_counts.subtract(count_facts((old,)))
        row = owner_row_id(kind, doc_id)
        if old is None or old.name != noun.name:
            self._names.remove([] if old is None else [(row, old.name)])
            self._names.add([(row, noun.name)])
        if old is None or unread_phone_fields(old) != unread_phone_fields(noun):
            self._note_unread(row, noun)
        return doc_id, old

    def delete(self, kind: EntityKind, doc_id: int, noun: DirectoryObject) -> None:
        """Delete the document that *noun* is."""
        self.fact_counts.subtract(count_facts((noun,)))
        row = owner_row_id(kind, doc_id)
        self._names.remove([(row, noun.name)])
        self._note_unread(row, None)
        self._tables[kind].delete([doc_id])

    def reserve_ids(self, kind: EntityKind, count: int) -> int:
        """Give the first of *count* ids that nobody has."""
        if kind is not EntityKind.MANAGER:
            return self._tables[kind].highest_id() + 1
        first = self.last_manager_id + 1
        self.last_manager_id += count
        return first

    def count(self, kind: EntityKind) -> int:
        """Count the documents of a kind."""
        return self._tables[kind].count()

    def highest_id(self, kind: EntityKind) -> int:
        """Give the highest id of a kind; 0 when there is none."""
        return self._tables[kind].highest_id()

    def read_all(self, kind: EntityKind) -> Iterator[tuple[int, DirectoryObject]]:
        """Give all documents of a kind, read at once; for kinds that are few."""
        return ((doc_id, decode_object(kind, text)) for doc_id, text in self._tables[kind].all())

    def count_unread_phones(self, kind: EntityKind) -> tuple[int, tuple[str, ...]]:
        """Count phone fields from which no number was read, with up to ten examples."""
        mine = "FROM unread WHERE owner % ? = ?"
        place = (len(KINDS), KINDS.index(kind))
        ((count,),) = self._file.read(f"SELECT sum(fields) {mine}", place)
        examples = self._file.read(f"SELECT example {mine} LIMIT {_EXAMPLES}", place)
        return count or 0, tuple(example for (example,) in examples)

    def _note_unread(self, row: int, noun: DirectoryObject | None) -> None:
        unread = () if noun is None else unread_phone_fields(noun)
        self._file.execute("DELETE FROM unread WHERE owner = ?", (row,))
        if unread:
            self._file.execute("INSERT INTO unread VALUES (?, ?, ?)", (row, len(unread), unread[0]))
