"""The rows of one table of documents, as SQL: id INTEGER PRIMARY KEY, doc TEXT (JSON)."""

import re
from collections.abc import Iterable
from typing import Final, cast

from bridge.adapters.sqlite.file.sqlite_file import SqliteFile

DOCUMENT_COLUMNS: Final = "(id INTEGER PRIMARY KEY, doc TEXT NOT NULL)"
_NAME: Final = re.compile(r"(?!sqlite_)[a-z_][a-z0-9_]*")


class DocumentRows:
    """The rows of one table as SQL; the only place where a table's name is put into statements."""

    def __init__(self, file: SqliteFile, name: str):
        if not _NAME.fullmatch(name):  # to SQLite, Calls and calls are one table
            raise ValueError(f"a table's name is made of a-z, 0-9 and _: {name!r}")
        self._file = file
        self._name = name
        # ruff: noqa: S608 - the name was checked just now.
        self._select_one = f"SELECT doc FROM {name} WHERE id = ?"
        self._select_all = f"SELECT id, doc FROM {name} ORDER BY id"
        self._upsert = (
            f"INSERT INTO {name} (id, doc) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc"
        )
        self._delete = f"DELETE FROM {name} WHERE id = ?"

    @property
    def exists(self) -> bool:
        """Return whether the table is in the file: TinyDB creates it by the first write."""
        return bool(
            self._file.read(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (self._name,)
            )
        )

    def create(self) -> None:
        """Create the table where it is missing."""
        self._file.execute(f"CREATE TABLE IF NOT EXISTS {self._name} {DOCUMENT_COLUMNS}")

    def drop(self) -> None:
        """Drop the table where it exists."""
        self._file.execute(f"DROP TABLE IF EXISTS {self._name}")

    def get(self, doc_id: int) -> str | None:
        """Return the text of one document; None where there is none of that id."""
        found = self._file.read(self._select_one, (doc_id,)) if self.exists else []
        return found[0][0] if found else None

    def all(self) -> list[tuple[int, str]]:
        """Return ids and texts of all documents, in the order of their ids."""
        return (
            cast("list[tuple[int, str]]", self._file.read(self._select_all)) if self.exists else []
        )

    def count(self) -> int:
        """Return the number of documents."""
        return self._read_number(f"SELECT count(*) FROM {self._name}")

    def highest_id(self) -> int:
        """Return the highest id; 0 where there is none."""
        return self._read_number(f"SELECT max(id) FROM {self._name}")

    def upsert(self, rows: Iterable[tuple[int, str]]) -> None:
        """Insert documents or replace them."""
        self._file.execute_many(self._upsert, rows)

    def delete(self, ids: Iterable[int]) -> None:
        """Delete documents."""
        self._file.execute_many(self._delete, ((doc_id,) for doc_id in ids))

    def delete_all(self) -> None:
        """Delete all documents."""
        self._file.execute(f"DELETE FROM {self._name}")

    def _read_number(self, sql: str) -> int:
        return int(self._file.read(sql)[0][0] or 0) if self.exists else 0
