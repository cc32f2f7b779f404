"""The directory as callers are answered from it: one indexed read, one decoding, no waiting.

All calls come from one thread, the event loop's.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bridge.adapters.sqlite.directory import partner_phones
from bridge.adapters.sqlite.directory.documents import (
    REF_EXPRESSION,
    TABLES,
    decode_object_of_any_format,
    owner_of_row_id,
)
from bridge.adapters.sqlite.directory.followed_file import FollowedDirectoryFile
from bridge.adapters.sqlite.directory.index.caller_cards import (
    UnknownManagerRow,
    unpack_card,
    with_unknown_rows,
)
from bridge.adapters.sqlite.directory.index.name_index import NameIndex, fold_name
from bridge.adapters.sqlite.file.sqlite_file import SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS, SQLITE_ERRORS
from bridge.domain.clock import TOLERANCE, ClockReading, age_of
from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionOwner,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import DataAge
from bridge.errors import StoreDamaged
from bridge.ports.clock import Monotonic
from bridge.ports.orders import OwnedPhone
from bridge.ports.stores.directory import SyncReport

# ruff: noqa: S608 - tables are constants of ours.

#: The index of names returns candidates; so many are verified before a search is cut short.
_MAX_CANDIDATES = 2_000

_NOBODY = ExtensionOwner(None)


class SqliteDirectory(FollowedDirectoryFile):
    """`Directory` on SQLite. Data older than *stale_after*, or never proven, are stale."""

    def __init__(
        self, path: Path, *, stale_after: timedelta, monotonic: Monotonic = time.monotonic
    ):
        super().__init__(path)
        self._stale_after = stale_after
        self._monotonic = monotonic
        #: The proof whose age was asked for, and when it was asked for first.
        self._aged_proof: datetime | None = None
        self._age_read_at: ClockReading | None = None
        self.refresh()

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        """Return all owners of *number*; raises StoreError where the file cannot be read."""
        if self._error is not None:
            raise self._error
        if self._file is None:
            return None
        try:
            self._keep_mapped()
            row = self._file.connection.execute(
                "SELECT card FROM phone WHERE number = ?", (number,)
            ).fetchone()
            if row is None:
                return None
            try:
                return unpack_card(number, row[0], self._manager_refs)
            except UnknownManagerRow:
                self.refresh()
                return unpack_card(number, row[0], with_unknown_rows(self._manager_refs))
        except SQLITE_ERRORS as error:
            raise self._note_damage(self._file.as_store_error(error)) from error
        except DECODE_ERRORS as error:
            reason = f"the card of a number is damaged: {error}"
            raise self._note_damage(StoreDamaged(str(self._path), reason)) from error

    def partner(self, ref: Ref) -> Partner | None:
        """Return a partner by reference; raises StoreError where the file cannot be read."""
        if self._error is not None:
            raise self._error
        if self._file is None:
            return None
        with self._noting_damage():
            self._keep_mapped()
            rows = self._file.read(
                f"SELECT doc FROM {TABLES[EntityKind.PARTNER]} WHERE {REF_EXPRESSION} = ?", (ref,)
            )
            found = decode_object_of_any_format(EntityKind.PARTNER, rows[0][0]) if rows else None
        return found if isinstance(found, Partner) else None

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        """Return the numbers of a partner or a contact person; see the port `PartnerPhones`."""
        if self._error is not None:
            raise self._error
        if self._file is None:
            return None
        with self._noting_damage():
            self._keep_mapped()
            return partner_phones.read_partner_phones(self._file, owner)

    def managers(self) -> Mapping[Ref, Manager]:
        """Return the managers by reference, as of the last refresh."""
        return self._managers

    def owner_of(self, extension: str) -> ExtensionOwner:
        """Return the 1C user behind an extension."""
        return self._extensions.get(extension, _NOBODY)

    def age(self, now: datetime) -> DataAge:
        """Return when the directory was last proven equal to 1C, and whether that is too long ago.

        By the wall clock of *now*, which may have stepped since. A proof from the future is stale.
        """
        proven_at = None if self._report is None else self._report.proven_at
        if proven_at is None:
            return DataAge(None, is_stale=True)
        reading = ClockReading(now, self._monotonic())
        if self._age_read_at is None or proven_at != self._aged_proof:
            self._aged_proof, self._age_read_at = proven_at, reading
        age = age_of(proven_at, self._age_read_at, reading)
        if age is None:
            return DataAge(proven_at, is_stale=True)
        if abs(now - proven_at - age) > TOLERANCE:
            proven_at = now - age
        return DataAge(proven_at, age > self._stale_after)

    def report(self) -> SyncReport | None:
        """Return the report of the last run; None before the first."""
        return self._report

    def count_numbers(self) -> int:
        """Return the number of phone numbers in the index, as of the last refresh."""
        return self._numbers

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        """Search names by substrings, in any letter case; names that begin so come first."""
        name_words = fold_name(text).split()
        if self._file is None or not name_words:
            return ()
        with self._noting_damage():
            self._keep_mapped()
            found = self._named(self._file, name_words, limit)
        begins = fold_name(text)
        found.sort(
            key=lambda n: (
                n.deletion_mark,
                not fold_name(n.name).startswith(begins),
                fold_name(n.name),
            )
        )
        return found[:limit]

    @staticmethod
    def _named(
        file: SqliteFile, name_words: Sequence[str], limit: int
    ) -> list[PhoneOwner | Manager]:
        found: list[PhoneOwner | Manager] = []
        for count, row in enumerate(NameIndex(file).find_rows(name_words)):
            kind, doc_id = owner_of_row_id(row)
            rows = file.read(f"SELECT doc FROM {TABLES[kind]} WHERE id = ?", (doc_id,))
            if rows:
                candidate = decode_object_of_any_format(kind, rows[0][0])
                name = fold_name(candidate.name)
                if all(word in name for word in name_words):
                    found.append(candidate)
            if count == _MAX_CANDIDATES or len(found) >= limit * 5:
                break
        return found
