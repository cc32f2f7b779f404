"""Rows of an entity set, asked for by the columns that this publication has.

Which those are is known from `$metadata`, and learnt from 1C's refusal where that is not to be
had or no longer true: an optional column that 1C does not know is dropped, a required one is
reported.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from bridge.adapters.onec.protocol.client import ODataClient, listing_query
from bridge.adapters.onec.protocol.errors import UnknownField
from bridge.adapters.onec.protocol.metadata import (
    Fields,
    Metadata,
    available_columns,
    require_columns,
)
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
        """Give the `$select` for those of *columns* that are there.

        Raises:
            OneCNotPublished: the set is not there, or a required column of it.
        """
        return _joined(await self._there(entity_set, columns))

    async def read_page(
        self,
        entity_set: str,
        columns: Columns,
        reader: Callable[[bytes], Answer],
        *,
        options: Mapping[str, str] | None = None,
        splittable: bool = False,
    ) -> Answer:
        """Ask for rows and give what *reader* makes of them; *options* go without their `$`.

        Raises:
            OneCError: as `ODataClient.read` does.
        """
        while True:
            there = await self._there(entity_set, columns)
            query = listing_query(_joined(there), **(options or {}))
            try:
                return await self.client.read(entity_set, query, reader, splittable=splittable)
            except UnknownField as error:
                if not await self._learn(entity_set, columns, there, error):
                    raise

    async def _there(self, entity_set: str, columns: Columns) -> Columns:
        fields = await self._metadata.fields()
        if fields is not None:
            try:
                require_columns(entity_set, columns, fields)
            except OneCNotPublished:
                # The memory may be older than the administrator's last click.
                fields = await self._metadata.refresh()
                if fields is not None:
                    require_columns(entity_set, columns, fields)
        return self._kept(entity_set, columns, fields)

    def _kept(self, entity_set: str, columns: Columns, fields: Fields | None) -> Columns:
        there = available_columns(entity_set, columns, fields)
        return tuple(c for c in there if (entity_set, c.path) not in self._dropped)

    async def _learn(
        self, entity_set: str, columns: Columns, asked: Columns, error: UnknownField
    ) -> bool:
        """Take 1C's word that a column is not there; tell whether to ask again without it."""
        fields = await self._metadata.refresh()
        if self._kept(entity_set, columns, fields) != asked:
            return True
        named = [c for c in asked if re.search(rf"(?<!\w){c.name}(?!\w)", error.detail)]
        if not named or any(c.required for c in named):
            return False
        self._dropped.update((entity_set, c.path) for c in named)
        return True


def _joined(columns: Columns) -> str:
    return ",".join(c.path for c in columns)
