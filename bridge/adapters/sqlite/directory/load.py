"""Filling tables that are empty, as the first pull and a full one do.

Rows go first, in batches and in a thread beside; indexes are made of whole tables, and the caller
cards of the nouns while they are at hand instead of reading all of them back.
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
    owner_row_id,
    unread_phone_fields,
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

# ruff: noqa: S608 - tables and expressions are constants of this house.

_BATCH = 5_000

#: Names in one statement: behind each the full-text index writes all it has gathered.
_NAMES = 50_000


class BulkLoad:
    """The empty tables of a run.

    Rows may still be on their way when `put` returns: whoever uses the file calls `wait` before.
    """

    def __init__(self, file: SqliteFile, rows: ObjectTables):
        self._file = file
        self._rows = rows
        self._names = NameIndex(file)
        self._phones = PhoneIndex(file)
        self._beside = WorkerThread()
        self._empty = set(KINDS)
        #: The kinds that are being filled, with the id given last.
        self._filling: dict[EntityKind, int] = {}
        #: Folded names that are not yet written.
        self._waiting: dict[EntityKind, list[str]] = {}
        self._cards = StreamedCards(self._phones, self.finish_kind)
        self._doubles = False

    def accepts(self, kind: EntityKind) -> bool:
        """Tell whether objects of *kind* may still be written without asking what was there."""
        return kind in self._empty or kind in self._filling

    def put(self, kind: EntityKind, nouns: Iterable[DirectoryObject]) -> None:
        """Add objects; of one that comes twice the last is kept in the end."""
        if kind in self._empty:
            self._empty.remove(kind)
            self._filling[kind] = self._rows.last_manager_id if kind is EntityKind.MANAGER else 0
            self._beside.submit(partial(drop_indexes, self._file, kind))
        self._cards.begin_kind(kind)
        rest = iter(nouns)
        while batch := list(islice(rest, _BATCH)):
            self._put(kind, batch)
        if kind is EntityKind.MANAGER:
            self._rows.last_manager_id = self._filling[kind]

    def finish_kind(self, kind: EntityKind) -> None:
        """End the filling of *kind*, if it was being filled, and wait."""
        self._index(kind)
        self._beside.wait()

    def finish_all_kinds(self) -> None:
        """Return at once: nothing was held that could be buried."""

    def wait(self) -> None:
        """Return when everything put is written; the file may be used until the next `put`."""
        self._beside.wait()

    def finish(self) -> int | None:
        """End all filling and write the cards.

        Gives the number of numbers; None where cards must be made of the documents instead.
        """
        cards = self._cards.finish()
        for kind in tuple(self._filling):
            self._index(kind)
        # The thread makes the indexes while the numbers are sorted here.
        numbers = None if cards is None else self._phones.replace_all(cards, self._beside)
        self._beside.wait()
        if self._doubles:
            self._rows.recount_facts()
            return None
        return numbers

    def discard_cards(self) -> None:
        """Make no cards of what was put: something else was changed that they depend on."""
        self._cards.discard()

    def close(self) -> None:
        """Let the thread end, whatever it still had to do."""
        self._beside.close()

    def _put(self, kind: EntityKind, batch: list[DirectoryObject]) -> None:
        first = self._filling[kind] + 1
        self._filling[kind] += len(batch)
        self._rows.count_facts(batch)
        docs = encode_objects(kind, batch)
        self._beside.submit(partial(insert_documents, self._file, kind, first, docs))
        names = self._waiting.setdefault(kind, [])
        names += fold_names(noun.name for noun in batch)
        if len(names) >= _NAMES:
            self._add_names(kind)
        unread = [
            (owner_row_id(kind, doc_id), len(fields), fields[0])
            for doc_id, noun in enumerate(batch, first)
            if (fields := unread_phone_fields(noun))
        ]
        if unread:
            self._beside.submit(partial(self._add_unread, unread))
        if kind is EntityKind.MANAGER:
            self._cards.add_managers((noun.ref, at) for at, noun in enumerate(batch, first))
        else:
            self._cards.add_owners(batch)

    def _add_names(self, kind: EntityKind) -> None:
        names = self._waiting.pop(kind, [])
        first = owner_row_id(kind, self._filling[kind] + 1 - len(names))
        self._beside.submit(partial(self._names.add_many, first, len(KINDS), names))

    def _add_unread(self, rows: list[tuple[int, int, str]]) -> None:
        self._file.execute_many("INSERT INTO unread VALUES (?, ?, ?)", rows)

    def _index(self, kind: EntityKind) -> None:
        if kind in self._filling:
            self._add_names(kind)
            del self._filling[kind]
            self._beside.submit(partial(self._create_indexes, kind))

    def _create_indexes(self, kind: EntityKind) -> None:
        try:
            create_indexes(self._file, kind)
        except StoreError as error:
            if not isinstance(error.__cause__, sqlite3.IntegrityError):
                raise
            self._doubles = True
            self._keep_last(kind)
            create_indexes(self._file, kind)

    def _keep_last(self, kind: EntityKind) -> None:
        # The names of those that go stay in the index: it is a guess by its nature.
        table = TABLES[kind]
        self._file.execute(
            f"DELETE FROM {table} WHERE id NOT IN (SELECT max(id) FROM {table} GROUP BY {REF_EXPRESSION})"
        )
        self._file.execute(
            f"DELETE FROM unread WHERE owner % ? = ? AND owner / ? NOT IN (SELECT id FROM {table})",
            (len(KINDS), KINDS.index(kind), len(KINDS)),
        )
