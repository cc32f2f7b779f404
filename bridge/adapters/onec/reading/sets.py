"""Rows of an entity set, with the columns that this publication has.

`$metadata` lists them. Where it cannot be read, or is no longer true, 1C's refusal shows it:
an optional column that 1C does not know is left out from then on, a required one is an error.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.errors import UnknownField
from bridge.adapters.onec.protocol.metadata import (
    Fields,
    Metadata,
    available_columns,
    require_columns,
)
from bridge.adapters.onec.protocol.query import listing_query
from bridge.adapters.onec.schema import Column
from bridge.errors import OneCNotPublished

Answer = TypeVar("Answer")
Columns = tuple[Column, ...]


class EntitySetReader:
    """Reads rows of any set over one client."""

    def __init__(self, client: ODataClient, metadata: Metadata) -> None:
        self.client = client
        self._metadata = metadata
        self._dropped: set[tuple[str, str]] = set()

    async def select_option(self, entity_set: str, columns: Columns) -> str:
        """Return the value of `$select` for those of *columns* that are there.

        Raises:
            OneCNotPublished: the set is not there, or a required column of it.
        """
        return _joined(await self._available(entity_set, columns))

    async def read_page(
        self,
        entity_set: str,
        columns: Columns,
        decode: Callable[[bytes], Answer],
        *,
        options: Mapping[str, str] | None = None,
        splittable: bool = False,
    ) -> Answer:
        """Return what *decode* makes of an answer with rows; *options* are named without their `$`.

        Raises:
            OneCError: as `ODataClient.read` does.
        """
        while True:
            available = await self._available(entity_set, columns)
            query = listing_query(_joined(available), **(options or {}))
            try:
                return await self.client.read(entity_set, query, decode, splittable=splittable)
            except UnknownField as error:
                if not await self._learn(entity_set, columns, available, error):
                    raise

    async def _available(self, entity_set: str, columns: Columns) -> Columns:
        fields = await self._metadata.fields()
        if fields is not None:
            try:
                require_columns(entity_set, columns, fields)
            except OneCNotPublished:
                # The cache may be older than a change of what is published.
                fields = await self._metadata.refresh()
                if fields is not None:
                    require_columns(entity_set, columns, fields)
        return self._without_dropped(entity_set, columns, fields)

    def _without_dropped(self, entity_set: str, columns: Columns, fields: Fields | None) -> Columns:
        available = available_columns(entity_set, columns, fields)
        return tuple(c for c in available if (entity_set, c.path) not in self._dropped)

    async def _learn(
        self, entity_set: str, columns: Columns, requested: Columns, error: UnknownField
    ) -> bool:
        """Learn from *error* which column is not there; return whether to try again without it."""
        fields = await self._metadata.refresh()
        if self._without_dropped(entity_set, columns, fields) != requested:
            return True
        named = [c for c in requested if re.search(rf"(?<!\w){c.name}(?!\w)", error.detail)]
        if not named or any(c.required for c in named):
            return False
        self._dropped.update((entity_set, c.path) for c in named)
        return True


def _joined(columns: Columns) -> str:
    return ",".join(c.path for c in columns)
