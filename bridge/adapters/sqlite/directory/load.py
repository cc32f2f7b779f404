"""Filling tables that are empty, as the first pull does.

Rows go first, in batches and in a worker thread; indexes are created over whole tables, and caller
cards are made of the objects as they come (`index.streamed_cards`) instead of reading them back.
"""

import sqlite3
from collections.abc import Iterable
from functools import partial
from itertools import islice

from bridge.adapters.sqlite.directory.documents import (
    KINDS,
    REF_EXPRESSION,
    TABLES,
    create_indexes,
    drop_indexes,
    encode_objects,
    insert_documents,
    insert_unread_phones,
    owner_row_id,
)
from bridge.adapters.sqlite.directory.index.name_index import NameIndex, fold_names
from bridge.adapters.sqlite.directory.index.phone_index import PhoneIndex
from bridge.adapters.sqlite.directory.index.streamed_cards import StreamedCards
from bridge.adapters.sqlite.directory.object_tables import ObjectTables
from bridge.adapters.sqlite.file.bulk import WorkerThread
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.domain.directory.entities import EntityKind
from bridge.errors import StoreError
from bridge.ports.onec import DirectoryObject

# ruff: noqa: S608 - tables and expressions are constants of ours.

_BATCH = 5_000

#: Names in one statement: after each the full-text index writes all it has gathered.
_NAMES_AT_ONCE = 50_000


class BulkLoad:
    """The empty tables of a run.

    Rows may still be waiting to be written when `put` returns: call `wait` before using the file.
    """

    def __init__(self, file: SqliteFile, tables: ObjectTables):
        self._file = file
        self._tables = tables
        self._names = NameIndex(file)
        self._phones = PhoneIndex(file)
        self._worker = WorkerThread()
        self._empty = set(KINDS)
        #: The kinds that are being filled, with the id given last.
        self._filling: dict[EntityKind, int] = {}
        #: Folded names that are not yet written.
        self._names_to_write: dict[EntityKind, list[str]] = {}
        self._cards = StreamedCards(self._phones, self.finish_kind)
        self._has_duplicates = False

    def accepts(self, kind: EntityKind) -> bool:
        """Return whether the table of *kind* is empty, or still being filled."""
        return kind in self._empty or kind in self._filling

    def put(self, kind: EntityKind, objects: Iterable[DirectoryObject]) -> None:
        """Insert objects; of one that comes twice the last is kept in the end."""
        if kind in self._empty:
            self._empty.remove(kind)
            self._filling[kind] = self._tables.last_manager_id if kind is EntityKind.MANAGER else 0
            self._worker.submit(partial(drop_indexes, self._file, kind))
        self._cards.begin_kind(kind)
        rest = iter(objects)
        while batch := list(islice(rest, _BATCH)):
            self._put(kind, batch)
        if kind is EntityKind.MANAGER:
            self._tables.last_manager_id = self._filling[kind]

    def finish_kind(self, kind: EntityKind) -> None:
        """End the filling of *kind*, if it is being filled, and wait."""
        self._index(kind)
        self._worker.wait()

    def wait(self) -> None:
        """Return when all rows are written; the file may be used until the next `put`."""
        self._worker.wait()

    def finish(self) -> int | None:
        """End all filling and write the cards.

        Return the number of phone numbers; None where cards must be made of the documents instead.
        """
        cards = self._cards.finish()
        for kind in tuple(self._filling):
            self._index(kind)
        # The worker creates the indexes while the numbers are sorted here.
        numbers = None if cards is None else self._phones.replace_all(cards, self._worker)
        self._worker.wait()
        if self._has_duplicates:
            self._tables.recount_facts()
            return None
        return numbers

    def discard_cards(self) -> None:
        """Make no cards of the objects put: something else changed that the cards depend on."""
        self._cards.discard()

    def close(self) -> None:
        """End the worker thread, whatever it still had to do."""
        self._worker.close()

    def _put(self, kind: EntityKind, batch: list[DirectoryObject]) -> None:
        first = self._filling[kind] + 1
        self._filling[kind] += len(batch)
        self._tables.count_facts(batch)
        docs = encode_objects(kind, batch)
        self._worker.submit(partial(insert_documents, self._file, kind, first, docs))
        names = self._names_to_write.setdefault(kind, [])
        names += fold_names(one.name for one in batch)
        if len(names) >= _NAMES_AT_ONCE:
            self._add_names(kind)
        self._worker.submit(partial(insert_unread_phones, self._file, kind, first, batch))
        if kind is EntityKind.MANAGER:
            self._cards.add_managers((one.ref, at) for at, one in enumerate(batch, first))
        else:
            self._cards.add_owners(batch)

    def _add_names(self, kind: EntityKind) -> None:
        names = self._names_to_write.pop(kind, [])
        first = owner_row_id(kind, self._filling[kind] + 1 - len(names))
        self._worker.submit(partial(self._names.add_many, first, len(KINDS), names))

    def _index(self, kind: EntityKind) -> None:
        if kind in self._filling:
            self._add_names(kind)
            del self._filling[kind]
            self._worker.submit(partial(self._create_indexes, kind))

    def _create_indexes(self, kind: EntityKind) -> None:
        try:
            create_indexes(self._file, kind)
        except StoreError as error:
            if not isinstance(error.__cause__, sqlite3.IntegrityError):
                raise
            self._has_duplicates = True
            self._keep_last(kind)
            create_indexes(self._file, kind)

    def _keep_last(self, kind: EntityKind) -> None:
        # The names of deleted rows stay in the index: its results are verified anyway.
        table = TABLES[kind]
        self._file.execute(
            f"DELETE FROM {table} WHERE id NOT IN "
            f"(SELECT max(id) FROM {table} GROUP BY {REF_EXPRESSION})"
        )
        self._file.execute(
            f"DELETE FROM unread WHERE owner % ? = ? AND owner / ? NOT IN (SELECT id FROM {table})",
            (len(KINDS), KINDS.index(kind), len(KINDS)),
        )
