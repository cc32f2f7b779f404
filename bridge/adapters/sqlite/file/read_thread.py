"""Queries of one SQLite file in a thread of their own: off the event loop, blocked by no writer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.adapters.sqlite.file.store_errors import decoding_documents
from bridge.errors import StoreError

T = TypeVar("T")


class ReadThread:
    """A read-only connection to the file at *path*, opened again after an error or a replacement.

    *on_error* is called with an error of the file that stands at the path.
    """

    def __init__(
        self, path: Path, name: str, on_error: Callable[[StoreError], None] = lambda _: None
    ) -> None:
        self._path = path
        self._on_error = on_error
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._file: SqliteFile | None = None

    async def run(self, query: Callable[[SqliteFile], T]) -> T:
        """Return what *query* returns; raises StoreError where the file cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._query, query)

    async def close(self) -> None:
        """Close the file and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close_file)
        self._executor.shutdown()

    def _query(self, query: Callable[[SqliteFile], T]) -> T:
        try:
            if self._file is not None and self._file.was_replaced():
                self._close_file()
            if self._file is None:
                self._file = SqliteFile(self._path, read_only=True)
            with decoding_documents(self._path):
                return query(self._file)
        except StoreError as error:
            if self._file is not None and not self._file.was_replaced():
                self._on_error(error)
            self._close_file()
            raise

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
