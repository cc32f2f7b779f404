"""The directory as callers are answered from it: one indexed read, one decoding, no waiting.

The reader follows the file, not the process that writes it: a file that is not there yet is an
empty directory, one that was deleted goes on answering until another has taken its place, and a
broken one is said to be broken at every look-up, until a refresh finds it mended. Of damage it
leaves word to the writer, who sets the file aside. All calls come from one thread, the event
loop's.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from bridge.adapters.embedded import partner_phones
from bridge.adapters.embedded.caller_cards import unpack_card
from bridge.adapters.embedded.directory_documents import (
    BY_REF,
    CHECKPOINT,
    REPORT,
    TABLES,
    TOTALS,
    decode_noun,
    decode_report,
    owner_at,
)
from bridge.adapters.embedded.directory_opening import open_to_read
from bridge.adapters.embedded.directory_suspicion import identity_of, suspect
from bridge.adapters.embedded.name_index import NameIndex, fold
from bridge.adapters.embedded.sqlite_file import (
    NOT_OURS,
    SQLITE_ERRORS,
    Beside,
    DocumentRows,
    SqliteFile,
)
from bridge.domain.directory import (
    CallerCard,
    EntityKind,
    ExtensionOwner,
    Manager,
    Owner,
    Partner,
    Ref,
    owners_of_extension,
)
from bridge.domain.phone import PhoneNumber
from bridge.domain.routing import DataAge
from bridge.errors import StoreDamaged, StoreError
from bridge.ports import OwnedPhone, SyncReport

# ruff: noqa: S608 - tables are constants of this house.

#: More than any directory of ours; SQLite maps what there is.
_MAPPED_BYTES = 1 << 30

#: The index of names guesses; so many guesses are looked at before a question is cut short.
_GUESSES = 2_000

_NOBODY = ExtensionOwner(None)


class DirectoryReader:
    """`Directory` on SQLite. Data older than *stale_after*, or never proven, are stale."""

    def __init__(self, path: Path, *, stale_after: timedelta):
        self._path = path
        self._stale_after = stale_after
        self._file: SqliteFile | None = None
        self._trouble: StoreError | None = None
        self._beside = Beside.OTHERS
        self._identity: tuple[int, int] | None = None
        self._suspected: tuple[int, int] | None = None
        self._version = 0
        self._managers: Mapping[int, Manager] = {}
        self._extensions: Mapping[str, ExtensionOwner] = {}
        self._report: SyncReport | None = None
        self._proven_at: datetime | None = None
        self._numbers = 0
        self.refresh()

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        """Find all owners of *number*; raises StoreError when the file cannot be read."""
        if self._trouble is not None:
            raise self._trouble
        if self._file is None:
            return None
        try:
            row = self._file.connection.execute(
                "SELECT card FROM phone WHERE number = ?", (number,)
            ).fetchone()
            if row is None:
                return None
            card = unpack_card(number, row[0])
        except SQLITE_ERRORS as error:
            raise self._met(self._file.trouble(error)) from error
        except NOT_OURS as error:
            words = f"the card of a number is damaged: {error}"
            raise self._met(StoreDamaged(str(self._path), words)) from error
        managers = self._managers
        for candidate in card.candidates:
            for step in candidate.chain:
                # None or UNLISTED is no row; a row is unknown when a run has just committed.
                if step.manager is not None and step.manager > 0 and step.manager not in managers:
                    self.refresh()
                    return card
        return card

    def partner(self, ref: Ref) -> Partner | None:
        """Find a partner by reference; raises StoreError when the file cannot be read."""
        if self._trouble is not None:
            raise self._trouble
        if self._file is None:
            return None
        with self._noticing():
            rows = self._file.read(
                f"SELECT doc FROM {TABLES[EntityKind.PARTNER]} WHERE {BY_REF} = ?", (ref,)
            )
            noun = decode_noun(EntityKind.PARTNER, rows[0][0]) if rows else None
        return noun if isinstance(noun, Partner) else None

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        """Give the numbers of a partner or a contact person; see `ports.PhoneBook`."""
        if self._trouble is not None:
            raise self._trouble
        if self._file is None:
            return None
        with self._noticing():
            return partner_phones.phones_of(self._file, owner)

    def managers(self) -> Mapping[int, Manager]:
        """Give the managers by row number, as of the last refresh."""
        return self._managers

    def owner_of(self, extension: str) -> ExtensionOwner:
        """Find the 1C user behind an extension."""
        return self._extensions.get(extension, _NOBODY)

    def age(self, now: datetime) -> DataAge:
        """Tell when the directory was last proven equal to 1C, and whether that is too long ago."""
        proven_at = self._proven_at
        return DataAge(proven_at, proven_at is None or now - proven_at > self._stale_after)

    def report(self) -> SyncReport | None:
        """Give the report of the last run; None before the first."""
        return self._report

    def numbers(self) -> int:
        """Count the numbers in the index, as of the last refresh."""
        return self._numbers

    def refresh(self) -> bool:
        """Take up what the sync process committed, or another file; True when something changed.

        Never raises: what is wrong with the file is kept for `look_up` to say.
        """
        try:
            return self._reopen() or self._reread()
        except StoreError as error:
            was_well = self._trouble is None
            self._trouble = error
            return was_well

    def trouble(self) -> StoreError | None:
        """Give what is wrong with the file as a whole, as of the last refresh."""
        return self._trouble

    def find(self, words: str, limit: int = 20) -> Sequence[Owner | Manager]:
        """Search names by substrings, in any letter case; names that begin so come first."""
        wanted = fold(words).split()
        if self._file is None or not wanted:
            return ()
        with self._noticing():
            found = self._named(self._file, wanted, limit)
        begins = fold(words)
        found.sort(key=lambda n: (n.marked, not fold(n.name).startswith(begins), fold(n.name)))
        return found[:limit]

    @staticmethod
    def _named(file: SqliteFile, wanted: Sequence[str], limit: int) -> list[Owner | Manager]:
        found: list[Owner | Manager] = []
        for guesses, row in enumerate(NameIndex(file).rows_with(wanted)):
            kind, doc_id = owner_at(row)
            rows = file.read(f"SELECT doc FROM {TABLES[kind]} WHERE id = ?", (doc_id,))
            if rows:
                noun = decode_noun(kind, rows[0][0])
                name = fold(noun.name)
                if all(word in name for word in wanted):
                    found.append(noun)
            if guesses == _GUESSES or len(found) >= limit * 5:
                break
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _reopen(self) -> bool:
        """Open the file that is at the path now, if it is another one and can answer."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(str(self._path), error.strerror or str(error)) from error
        identity = identity_of(status)
        same = self._trouble is None and self._file is not None and identity == self._identity
        if same and self._beside is Beside.OTHERS:
            return False
        if status.st_size == 0:
            return False
        if same:
            self._let_writers_in()
        file, self._beside = open_to_read(self._path)
        try:
            checkpoint = DocumentRows(file, CHECKPOINT)
            # A file whose first run is still on its way must not put out the light of an older one.
            told = checkpoint.exist and (self._file is None or checkpoint.one(REPORT) is not None)
        except StoreError:
            file.close()
            raise
        if not told:
            file.close()
            return False
        self.close()
        file.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        report = self._report
        self._file, self._identity, self._version = file, identity, 0
        self._reread()
        self._trouble = None
        return not same or self._report != report

    def _let_writers_in(self) -> None:
        """Close a file that keeps writers out; it is opened again at once."""
        if self._beside is Beside.NOBODY:
            self.close()

    def _reread(self) -> bool:
        """Read anew what is kept in memory, if another process committed since."""
        if self._file is None:
            return False
        ((version,),) = self._file.read("PRAGMA data_version")
        if version == self._version:
            return False
        try:
            managers = {
                row: noun
                for row, text in self._file.read(
                    f"SELECT id, doc FROM {TABLES[EntityKind.MANAGER]}"
                )
                if isinstance(noun := decode_noun(EntityKind.MANAGER, text), Manager)
            }
            checkpoint = DocumentRows(self._file, CHECKPOINT)
            text, totals = checkpoint.one(REPORT), checkpoint.one(TOTALS)
            report = None if text is None else decode_report(text)
            self._numbers = 0 if totals is None else int(msgspec.json.decode(totals)["numbers"])
        except NOT_OURS as error:
            words = f"a document is damaged: {error}"
            raise self._met(StoreDamaged(str(self._path), words)) from error
        except StoreDamaged as error:
            self._met(error)
            raise
        self._managers = managers
        self._extensions = _by_extension(managers)
        self._report = report
        self._proven_at = None if report is None else report.proven_at
        self._version = version
        return True

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except NOT_OURS as error:
            words = f"a document is damaged: {error}"
            raise self._met(StoreDamaged(str(self._path), words)) from error
        except StoreDamaged as error:
            self._met(error)
            raise

    def _met(self, error: StoreError) -> StoreError:
        """Leave word of damage to the writer, once for each file."""
        identity = self._identity
        if isinstance(error, StoreDamaged) and identity not in {None, self._suspected}:
            self._suspected = identity
            suspect(self._path, identity, error)
        return error


def _by_extension(managers: Mapping[int, Manager]) -> dict[str, ExtensionOwner]:
    sharing: dict[str, dict[int, Manager]] = {}
    for row, manager in managers.items():
        if manager.extension:
            sharing.setdefault(manager.extension, {})[row] = manager
    return {extension: owners_of_extension(extension, some) for extension, some in sharing.items()}
