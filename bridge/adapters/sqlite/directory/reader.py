"""The directory as callers are answered from it: one indexed read, one decoding, no waiting.

The reader follows the file, not the process that writes it: a file that is not there yet is an
empty directory, one that was deleted goes on answering until another has taken its place, and a
broken one is said to be broken at every look-up, until a refresh finds it mended. Of damage it
leaves word to the writer, who sets the file aside. All calls come from one thread, the event
loop's.

Anybody may cut the file short, overwrite it or put another in its place while it is open. So it is
read, and not mapped into memory, where a page that is gone ends the process; a file that was
written to is opened anew, as nothing read from it before may be trusted; and whatever is wrong with
it is a reason to sync at once (`needs_sync`).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from bridge.adapters.sqlite.directory import partner_phones
from bridge.adapters.sqlite.directory.documents import (
    CHECKPOINT_TABLE,
    REF_EXPRESSION,
    REPORT_ID,
    TABLES,
    TOTALS_ID,
    decode_object_of_any_format,
    decode_report,
    owner_of_row_id,
)
from bridge.adapters.sqlite.directory.index.caller_cards import (
    ManagerRefs,
    UnknownManagerRow,
    unpack_card,
    with_unknown_rows,
)
from bridge.adapters.sqlite.directory.index.name_index import NameIndex, fold_name
from bridge.adapters.sqlite.directory.opening import open_for_reading
from bridge.adapters.sqlite.directory.suspected_damage import record_suspected_damage
from bridge.adapters.sqlite.file.document_rows import DocumentRows
from bridge.adapters.sqlite.file.identity import identity_of
from bridge.adapters.sqlite.file.sqlite_file import OpenMode, SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS, SQLITE_ERRORS
from bridge.adapters.sqlite.file.wal_index import MappedWalIndex
from bridge.domain.clock import TOLERANCE, ClockReading, age_of
from bridge.domain.directory.caller_card import CallerCard
from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionOwner,
    Manager,
    Partner,
    PhoneOwner,
    Ref,
    find_extension_owner,
)
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import DataAge
from bridge.errors import StoreDamaged, StoreError
from bridge.ports.clock import Monotonic
from bridge.ports.orders import OwnedPhone
from bridge.ports.stores.directory import SyncReport

# ruff: noqa: S608 - tables are constants of this house.

#: What of the file SQLite keeps in memory: the upper pages of the index, and callers of today.
_CACHE_KIB = 16_384

#: The index of names guesses; so many guesses are looked at before a question is cut short.
_GUESSES = 2_000

_NOBODY = ExtensionOwner(None)


class SqliteDirectory:
    """`Directory` on SQLite. Data older than *stale_after*, or never proven, are stale."""

    def __init__(
        self, path: Path, *, stale_after: timedelta, monotonic: Monotonic = time.monotonic
    ):
        self._path = path
        self._stale_after = stale_after
        self._monotonic = monotonic
        self._file: SqliteFile | None = None
        self._trouble: StoreError | None = None
        self._beside = OpenMode.SHARED
        self._identity: tuple[int, int] | None = None
        self._written: tuple[int, int] | None = None
        self._wal_index: MappedWalIndex | None = None
        #: Why the file at the path is not the one that answers, or not as new as one before it.
        self._astray = ""
        self._newest: datetime | None = None
        self._damage: StoreError | None = None
        self._suspected: tuple[int, int] | None = None
        self._version = 0
        self._managers: Mapping[Ref, Manager] = {}
        self._manager_refs = ManagerRefs({})
        self._extensions: Mapping[str, ExtensionOwner] = {}
        self._report: SyncReport | None = None
        self._proven_at: datetime | None = None
        #: When the age of this proof was first asked for.
        self._noted: ClockReading | None = None
        self._numbers = 0
        self.refresh()

    def look_up(self, number: PhoneNumber) -> CallerCard | None:
        """Find all owners of *number*; raises StoreError when the file cannot be read."""
        if self._trouble is not None:
            raise self._trouble
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
            raise self._met(self._file.as_store_error(error)) from error
        except DECODE_ERRORS as error:
            words = f"the card of a number is damaged: {error}"
            raise self._met(StoreDamaged(str(self._path), words)) from error

    def partner(self, ref: Ref) -> Partner | None:
        """Find a partner by reference; raises StoreError when the file cannot be read."""
        if self._trouble is not None:
            raise self._trouble
        if self._file is None:
            return None
        with self._noticing():
            self._keep_mapped()
            rows = self._file.read(
                f"SELECT doc FROM {TABLES[EntityKind.PARTNER]} WHERE {REF_EXPRESSION} = ?", (ref,)
            )
            noun = decode_object_of_any_format(EntityKind.PARTNER, rows[0][0]) if rows else None
        return noun if isinstance(noun, Partner) else None

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        """Give the numbers of a partner or a contact person; see `ports.PhoneBook`."""
        if self._trouble is not None:
            raise self._trouble
        if self._file is None:
            return None
        with self._noticing():
            self._keep_mapped()
            return partner_phones.read_partner_phones(self._file, owner)

    def managers(self) -> Mapping[Ref, Manager]:
        """Return the managers by reference, as of the last refresh."""
        return self._managers

    def owner_of(self, extension: str) -> ExtensionOwner:
        """Find the 1C user behind an extension."""
        return self._extensions.get(extension, _NOBODY)

    def age(self, now: datetime) -> DataAge:
        """Tell when the directory was last proven equal to 1C, and whether that is too long ago.

        By the wall clock of *now*, which may have stepped since. A proof from the future is stale.
        """
        proven_at = self._proven_at
        if proven_at is None:
            return DataAge(None, is_stale=True)
        reading = ClockReading(now, self._monotonic())
        if self._noted is None:
            self._noted = reading
        age = age_of(proven_at, self._noted, reading)
        if age is None:
            return DataAge(proven_at, is_stale=True)
        if abs(now - proven_at - age) > TOLERANCE:
            proven_at = now - age
        return DataAge(proven_at, age > self._stale_after)

    def report(self) -> SyncReport | None:
        """Give the report of the last run; None before the first."""
        return self._report

    def count_numbers(self) -> int:
        """Count the numbers in the index, as of the last refresh."""
        return self._numbers

    def refresh(self) -> bool:
        """Take up what the sync process committed, or another file; True when something changed.

        Never raises: what is wrong with the file is kept for `look_up` to say.
        """
        try:
            self._keep_mapped()
            if self._reopen():
                return True
            committed = self._reread()
        except StoreError as error:
            was_well = self._trouble is None
            self._trouble = error
            return was_well
        if committed:
            self._note_age(committed=True)
        return committed

    def error(self) -> StoreError | None:
        """Give what is wrong with the file as a whole, as of the last refresh."""
        return self._trouble

    def needs_sync(self) -> str:
        """Return why the file should be made anew or brought level at once; empty when it is well.

        Nobody needs to wait for the next interval where callers go to the default, or are answered
        from a file that is gone, or older than what was known before.
        """
        if self._trouble is not None:
            return str(self._trouble)
        return self._astray if self._damage is None else str(self._damage)

    def find_by_name(self, text: str, limit: int = 20) -> Sequence[PhoneOwner | Manager]:
        """Search names by substrings, in any letter case; names that begin so come first."""
        wanted = fold_name(text).split()
        if self._file is None or not wanted:
            return ()
        with self._noticing():
            self._keep_mapped()
            found = self._named(self._file, wanted, limit)
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
    def _named(file: SqliteFile, wanted: Sequence[str], limit: int) -> list[PhoneOwner | Manager]:
        found: list[PhoneOwner | Manager] = []
        for guesses, row in enumerate(NameIndex(file).find_rows(wanted)):
            kind, doc_id = owner_of_row_id(row)
            rows = file.read(f"SELECT doc FROM {TABLES[kind]} WHERE id = ?", (doc_id,))
            if rows:
                noun = decode_object_of_any_format(kind, rows[0][0])
                name = fold_name(noun.name)
                if all(word in name for word in wanted):
                    found.append(noun)
            if guesses == _GUESSES or len(found) >= limit * 5:
                break
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._keep_mapped()
            self._file.close()
            self._file = self._wal_index = None

    def _keep_mapped(self) -> None:
        if self._wal_index is not None:
            self._wal_index.restore_length()

    def _reopen(self) -> bool:
        """Open the file that is at the path now, if it was written to or is another one."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            if self._file is not None:
                self._astray = f"{self._path} is gone; callers are answered from what was open"
            return False
        except OSError as error:
            raise StoreError(str(self._path), error.strerror or str(error)) from error
        identity, written = identity_of(status), (status.st_size, status.st_mtime_ns)
        well = self._trouble is None and self._file is not None
        same = identity == self._identity
        unchanged = same and written == self._written and self._beside is OpenMode.SHARED
        mapped = self._wal_index is None or self._wal_index.restore_length()
        if well and unchanged and mapped:
            return False
        committed = same and self._was_committed()
        held = self._file is not None
        if same:
            self._let_writers_in()
        try:
            opened = self._open_told(status.st_size, same=same, held=held)
        except StoreError as error:
            if self._file is None or same or self._trouble is not None:
                raise
            # Another file took the place, and is of no use: the one that is open still is.
            self._astray = f"{error}; callers are answered from the file of before"
            return False
        if opened is None:
            return False
        before = self._report
        self._take(*opened, identity, written)
        self._note_age(committed=committed)
        return committed or not (well and same) or self._report != before

    def _was_committed(self) -> bool:
        """Return whether a run changed the open file, which is what changes files by rights."""
        if self._file is None or self._trouble is not None:
            return False
        try:
            return self._file.read("PRAGMA data_version") != [(self._version,)]
        except StoreError:
            return False

    def _open_told(
        self, size: int, *, same: bool, held: bool
    ) -> tuple[SqliteFile, OpenMode] | None:
        """Open the file at the path; None where its first run is still on its way."""
        if size == 0:
            if held:
                raise StoreDamaged(str(self._path), "the file is empty")
            return None
        file, beside = open_for_reading(self._path)
        try:
            checkpoint = DocumentRows(file, CHECKPOINT_TABLE)
            # Another file whose first run is still on its way must not put out an older one.
            finished = checkpoint.exists and (
                same or not held or checkpoint.get(REPORT_ID) is not None
            )
            if finished:
                file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        except StoreError:
            file.close()
            raise
        if finished:
            return file, beside
        file.close()
        if held:
            raise StoreDamaged(str(self._path), "the file holds no finished run")
        return None

    def _take(
        self,
        file: SqliteFile,
        beside: OpenMode,
        identity: tuple[int, int],
        written: tuple[int, int],
    ) -> None:
        """Answer from *file* from now on."""
        self.close()
        self._file, self._identity, self._version = file, identity, 0
        self._beside = beside
        self._wal_index = file.wal_index
        self._damage = None
        self._reread()
        self._written = written
        self._trouble, self._astray = None, ""

    def _note_age(self, *, committed: bool) -> None:
        """Note where the file is older than one that answered before.

        What a run *committed* is the newest whatever its date: the clock may have been set back.
        """
        started_at = None if self._report is None else self._report.started_at
        newest = self._newest
        if committed or newest is None or (started_at is not None and started_at >= newest):
            self._newest, self._astray = started_at, ""
        else:
            self._astray = (
                f"{self._path} was replaced by an older one"
                if started_at is not None
                else f"{self._path} was replaced by one without a finished run"
            )

    def _let_writers_in(self) -> None:
        """Close a file that keeps writers out; it is opened again at once."""
        if self._beside is OpenMode.EXCLUSIVE:
            self.close()

    def _reread(self) -> bool:
        """Read anew what is kept in memory, if another process committed since."""
        if self._file is None:
            return False
        ((version,),) = self._file.read("PRAGMA data_version")
        if version == self._version:
            return False
        try:
            managers_by_row = {
                row: noun
                for row, text in self._file.read(
                    f"SELECT id, doc FROM {TABLES[EntityKind.MANAGER]}"
                )
                if isinstance(
                    noun := decode_object_of_any_format(EntityKind.MANAGER, text), Manager
                )
            }
            checkpoint = DocumentRows(self._file, CHECKPOINT_TABLE)
            text, totals = checkpoint.get(REPORT_ID), checkpoint.get(TOTALS_ID)
            report = None if text is None else decode_report(text)
            self._numbers = 0 if totals is None else int(msgspec.json.decode(totals)["numbers"])
        except DECODE_ERRORS as error:
            words = f"a document is damaged: {error}"
            raise self._met(StoreDamaged(str(self._path), words)) from error
        except StoreDamaged as error:
            self._met(error)
            raise
        managers = {manager.ref: manager for manager in managers_by_row.values()}
        self._managers = managers
        self._manager_refs = ManagerRefs({row: m.ref for row, m in managers_by_row.items()})
        self._extensions = _by_extension(managers)
        self._report = report
        proven_at = None if report is None else report.proven_at
        if proven_at != self._proven_at:
            self._proven_at, self._noted = proven_at, None
        self._version = version
        return True

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except DECODE_ERRORS as error:
            words = f"a document is damaged: {error}"
            raise self._met(StoreDamaged(str(self._path), words)) from error
        except StoreDamaged as error:
            self._met(error)
            raise

    def _met(self, error: StoreError) -> StoreError:
        """Leave word of damage to the writer, once for each file."""
        identity = self._identity
        if isinstance(error, StoreDamaged):
            self._damage = error
        if isinstance(error, StoreDamaged) and identity not in {None, self._suspected}:
            self._suspected = identity
            record_suspected_damage(self._path, identity, error)
        return error


def _by_extension(managers: Mapping[Ref, Manager]) -> dict[str, ExtensionOwner]:
    sharing: dict[str, dict[Ref, Manager]] = {}
    for ref, manager in managers.items():
        if manager.extension:
            sharing.setdefault(manager.extension, {})[ref] = manager
    return {extension: find_extension_owner(extension, some) for extension, some in sharing.items()}
