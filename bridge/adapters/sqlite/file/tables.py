"""TinyDB's tables on SQLite: a document is a row (id, JSON), and a write costs what it changes.

Whatever TinyDB promises of a table holds. Its storages rewrite the whole file on each write: 34 ms
at 10 000 documents, and 70 of 200 kills left it unreadable; these tables do not. The differences:
documents come in the order of their ids, values are JSON's, there is no query cache, an id is not
given twice by one table, and a failed write leaves nothing behind.
"""

from collections.abc import Callable, ItemsView, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import msgspec
from tinydb import TinyDB
from tinydb.queries import QueryLike
from tinydb.storages import Storage
from tinydb.table import Document, Table

from bridge.adapters.sqlite.file.document_rows import DOCUMENT_COLUMNS, DocumentRows
from bridge.adapters.sqlite.file.sqlite_file import (
    FORMAT_VERSION,
    PAGE_SIZE,
    SqliteFile,
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode

Body = MutableMapping[str, Any]


class SqliteStorage(Storage):
    """The file behind the tables; TinyDB's whole-file `read` and `write` work, but are not used."""

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout_s: float = 5.0,
        any_thread: bool = False,
        page_size: int = PAGE_SIZE,
        oldest_format: int = FORMAT_VERSION,
    ):
        self.file = SqliteFile(
            path,
            busy_timeout_s=busy_timeout_s,
            any_thread=any_thread,
            page_size=page_size,
            oldest_format=oldest_format,
        )

    def tables(self) -> set[str]:
        """Return the names of the tables of documents."""
        found = self.file.read(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE ?",
            (f"%{DOCUMENT_COLUMNS[:-1]}%",),  # a table may have columns of its own besides
        )
        return {name for (name,) in found}

    def read(self) -> dict[str, dict[str, Any]]:
        """Read every table."""
        return {name: dict(SavedDocuments(self.file, name).items()) for name in self.tables()}

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Replace every table."""
        with self.file.transaction():
            for name in self.tables():
                DocumentRows(self.file, name).drop()
            for name, documents in data.items():
                rows = DocumentRows(self.file, name)
                rows.create()
                rows.upsert((int(i), _encode(body).decode()) for i, body in documents.items())

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class SavedDocuments(Mapping[str, Body]):
    """A table as TinyDB's reading methods expect it: by text id, decoded when it is read."""

    def __init__(self, file: SqliteFile, name: str):
        self._rows = DocumentRows(file, name)

    def __getitem__(self, doc_id: str) -> Body:
        text = self._rows.get(int(doc_id))
        if text is None:
            raise KeyError(doc_id)
        return _decode(text)

    def __iter__(self) -> Iterator[str]:
        return (str(doc_id) for doc_id, _ in self._rows.all())

    def __len__(self) -> int:
        return self._rows.count()

    def items(self) -> ItemsView[str, Body]:
        """Return ids and documents by one query: a snapshot, whatever is written meanwhile."""
        return _LazyItems(self._rows.all())


class _LazyItems(ItemsView[str, Body]):
    def __init__(self, rows: list[tuple[int, str]]):
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[str, Body]]:
        for doc_id, text in self._rows:
            yield str(doc_id), _decode(text)


class DocumentChanges(MutableMapping[int, Body]):
    """A table as TinyDB's writing methods expect it; `save` writes only what changed."""

    def __init__(self, file: SqliteFile, name: str):
        self._rows = DocumentRows(file, name)
        self._texts: dict[int, str | None] = {}  # as saved; None: not there
        self._bodies: dict[int, Body] = {}
        self._removed: set[int] = set()
        self._cleared = False

    def __getitem__(self, doc_id: int) -> Body:
        if doc_id not in self._bodies:
            text = self._saved(doc_id)
            if text is None:
                raise KeyError(doc_id)
            self._bodies[doc_id] = _decode(text)
        return self._bodies[doc_id]

    def __setitem__(self, doc_id: int, body: Body) -> None:
        self._texts[doc_id] = None
        self._bodies[doc_id] = body

    def __delitem__(self, doc_id: int) -> None:
        if doc_id not in self:
            raise KeyError(doc_id)
        self._bodies.pop(doc_id, None)
        self._removed.add(doc_id)

    def __contains__(self, doc_id: object) -> bool:
        return isinstance(doc_id, int) and (
            doc_id in self._bodies or self._saved(doc_id) is not None
        )

    def __iter__(self) -> Iterator[int]:
        if not self._cleared:
            saved: dict[int, str | None] = dict(self._rows.all())
            self._texts = {**dict.fromkeys(self._bodies), **saved}
        return iter([doc_id for doc_id in self._texts if doc_id in self])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def clear(self) -> None:
        """Delete all documents."""
        self._cleared = True
        self._texts.clear()
        self._bodies.clear()

    def save(self) -> None:
        """Write what differs from what was read."""
        self._rows.create()
        if self._cleared:
            self._rows.delete_all()
        self._rows.delete(self._removed - self._bodies.keys())
        texts = {doc_id: _encode(body).decode() for doc_id, body in self._bodies.items()}
        self._rows.upsert(
            (doc_id, text) for doc_id, text in texts.items() if self._texts.get(doc_id) != text
        )

    def _saved(self, doc_id: int) -> str | None:
        if self._cleared or doc_id in self._removed:
            return None
        if doc_id not in self._texts:
            self._texts[doc_id] = self._rows.get(doc_id)
        return self._texts[doc_id]


class SqliteTable(Table):
    """A TinyDB table whose documents are rows of SQLite.

    By id a read or a write costs that document; by condition it scans the table once and writes
    only the documents that became different. *cache_size* is ignored: there is no query cache.
    """

    _next_id: int | None  # type: ignore[assignment]  # TinyDB infers None alone

    def __init__(
        self,
        storage: SqliteStorage,
        name: str,
        cache_size: int = 0,  # noqa: ARG002 - TinyDB's signature
        persist_empty: bool = False,
    ):
        self.rows = DocumentRows(storage.file, name)
        super().__init__(storage, name, cache_size=0)
        if persist_empty:
            self.rows.create()

    def insert(self, document: Mapping[str, Any]) -> int:
        """Insert a document and return its id."""
        with self._file.transaction():
            return super().insert(document)

    def upsert(self, document: Mapping[str, Any], cond: QueryLike | None = None) -> list[int]:
        """Update the documents that match or insert this one, in one transaction."""
        with self._file.transaction():
            return super().upsert(document, cond)

    def get(  # type: ignore[override]  # TinyDB spells one method in eight overloads
        self,
        cond: QueryLike | None = None,
        doc_id: int | None = None,
        doc_ids: list[int] | None = None,
    ) -> Document | list[Document] | None:
        """Return one document by id or condition, or those of *doc_ids* that exist."""
        if doc_id is not None or doc_ids is None:
            return super().get(cond, cast("int", doc_id))
        found = ((one_id, self.rows.get(one_id)) for one_id in sorted(set(doc_ids)))
        return [Document(_decode(text), one_id) for one_id, text in found if text is not None]

    @property
    def _file(self) -> SqliteFile:
        return cast("SqliteStorage", self._storage).file

    def _read_table(self) -> SavedDocuments:  # type: ignore[override]  # a mapping will do
        return SavedDocuments(self._file, self.name)

    def _update_table(self, updater: Callable[[Any], None]) -> None:
        with self._file.transaction():
            changes = DocumentChanges(self._file, self.name)
            updater(changes)
            changes.save()

    def _get_next_id(self) -> int:
        given = max(self.rows.highest_id() + 1, self._next_id or 1)
        self._next_id = given + 1
        return given


class SqliteDb(TinyDB):
    """A TinyDB whose file is SQLite's: `SqliteDb(path).table("calls").insert({...})`.

    Used by the thread that opened it, unless *any_thread*: then by others too, one at a time. Other
    processes may have it open. Raises StoreError for a file that is not ours.
    """

    table_class = SqliteTable  # type: ignore[assignment]  # TinyDB infers its own class alone
    default_storage_class = SqliteStorage  # type: ignore[assignment]

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout_s: float = 5.0,
        any_thread: bool = False,
        page_size: int = PAGE_SIZE,
        oldest_format: int = FORMAT_VERSION,
    ):
        super().__init__(
            path,
            busy_timeout_s=busy_timeout_s,
            any_thread=any_thread,
            page_size=page_size,
            oldest_format=oldest_format,
        )

    @property
    def file(self) -> SqliteFile:
        """Return the file, for queries that TinyDB cannot express."""
        return cast("SqliteStorage", self._storage).file

    def table(self, name: str, **kwargs: Any) -> SqliteTable:
        """Return the table *name*; it is created by its first write."""
        return cast("SqliteTable", super().table(name, **kwargs))

    def transaction(self) -> AbstractContextManager[None]:
        """Run all writes inside in one transaction: durable at its end, rolled back on failure."""
        return self.file.transaction()

    def tables(self) -> set[str]:
        """Return the names of the tables."""
        return cast("SqliteStorage", self._storage).tables()

    def drop_table(self, name: str) -> None:
        """Drop a table and its documents."""
        self._tables.pop(name, None)
        DocumentRows(self.file, name).drop()

    def drop_tables(self) -> None:
        """Drop every table."""
        with self.transaction():
            for name in self.tables():
                self.drop_table(name)
        self._tables.clear()
