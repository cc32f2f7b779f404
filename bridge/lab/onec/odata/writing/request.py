"""One request that changes something in the infobase."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random

from bridge.lab.onec.infobase.schema import EntitySet
from bridge.lab.onec.infobase.tables import EntityTable, Row
from bridge.lab.onec.odata.publication import Publication


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One request that changes something.

    `now` is the server's wall time without zone; `is_data_load` is the data-load mode of a header.
    """

    publication: Publication
    entity_set: EntitySet
    body: Row
    now: datetime
    rng: Random
    is_data_load: bool = False
    if_match: str = ""

    @property
    def table(self) -> EntityTable:
        """Return where the rows of the set are kept."""
        return self.publication.table(self.entity_set)
