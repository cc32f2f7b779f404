"""Reads and writes rows of the infobase directly, as no client of the OData interface can."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random

from bridge.lab.onec.infobase.infobase import (
    CONTACT_STATES,
    PHONE_CALLS,
    REMINDERS,
    STRING_CONTACTS,
    SUBJECTS,
    Infobase,
)
from bridge.lab.onec.infobase.tables import Row


class InfobaseAccess:
    """One infobase and its server's clock; *server_time* gives naive wall time."""

    def __init__(self, infobase: Infobase, server_time: Callable[[], datetime]) -> None:
        self.infobase = infobase
        self._wall_time = server_time
        self._rng = Random(f"{infobase.seed}/by hand")  # noqa: S311 - composed data

    def edit(self, set_name: str, ref: str, **values: object) -> None:
        """Set attributes of one object and bump its version."""
        table = self.infobase.tables[set_name]
        table.replace(ref, {**table.rows[ref], **values})

    def phone_calls(self) -> list[Row]:
        """Return all telephone calls, complete rows in the order they were written."""
        return self.infobase.rows(PHONE_CALLS)

    def reminders(self) -> list[Row]:
        """Return all reminders."""
        return self.infobase.rows(REMINDERS)

    def subjects(self) -> list[Row]:
        """Return the records that make calls visible in the partner's list."""
        return self.infobase.rows(SUBJECTS)

    def string_contacts(self) -> list[Row]:
        """Return the contacts 1C made of unknown callers."""
        return self.infobase.rows(STRING_CONTACTS)

    def contact_states(self) -> list[Row]:
        """Return the counters of interactions per contact."""
        return self.infobase.rows(CONTACT_STATES)
