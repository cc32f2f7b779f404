"""The directory file as a reader follows it: opened, opened again when it changes, kept in memory.

The reader follows the file, not the process that writes it. A file that is not there yet is an
empty directory; one that was deleted goes on answering until another has taken its place; a damaged
one is an error at every look-up, until a refresh finds it mended. Of damage it leaves a note to the
writer, who sets the file aside (`suspected_damage`).

Other programs may cut the file short, overwrite it or replace it while it is open. So it is read,
and not mapped into memory, where a page that is gone ends the process; a file that was written to
is opened again, as nothing read from it before can be trusted; and whatever is wrong with it is a
reason to sync at once (`needs_sync`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from bridge.adapters.sqlite.directory.documents import (
    CHECKPOINT_TABLE,
    REPORT_ID,
    TABLES,
    TOTALS_ID,
    decode_object_of_any_format,
    decode_report,
)
from bridge.adapters.sqlite.directory.index.caller_cards import (
    ManagerRefs,
)
from bridge.adapters.sqlite.directory.opening import open_for_reading
from bridge.adapters.sqlite.directory.suspected_damage import record_suspected_damage
from bridge.adapters.sqlite.file.document_rows import DocumentRows
from bridge.adapters.sqlite.file.identity import FileIdentity, identity_of
from bridge.adapters.sqlite.file.sqlite_file import OpenMode, SqliteFile
from bridge.adapters.sqlite.file.store_errors import DECODE_ERRORS
from bridge.adapters.sqlite.file.wal_index import MappedWalIndex
from bridge.domain.directory.entities import (
    EntityKind,
    ExtensionOwner,
    Manager,
    Ref,
    find_extension_owner,
)
from bridge.errors import StoreDamaged, StoreError
from bridge.ports.stores.directory import SyncReport

# ruff: noqa: S608 - tables are constants of ours.

#: What of the file SQLite keeps in memory: the upper pages of the index, and recent callers.
_CACHE_KIB: Final = 16_384


class FollowedDirectoryFile:
    """The open directory file, and what of it is kept in memory. Used by one thread."""

    def __init__(self, path: Path):
        self._path = path
        self._file: SqliteFile | None = None
        self._error: StoreError | None = None
        self._mode = OpenMode.SHARED
        self._identity: FileIdentity | None = None
        #: Size and time of the last change, when the file was opened.
        self._written: tuple[int, int] | None = None
        self._wal_index: MappedWalIndex | None = None
        #: Why the file at the path is not the one that answers, or not as new as one before it.
        self._mismatch = ""
        #: The start of the newest run that ever answered.
        self._newest_run: datetime | None = None
        self._damage: StoreError | None = None
        #: The file about whose damage a note was left to the writer.
        self._known_file: FileIdentity | None = None
        self._data_version = 0
        self._managers: Mapping[Ref, Manager] = {}
        self._manager_refs = ManagerRefs({})
        self._extensions: Mapping[str, ExtensionOwner] = {}
        self._report: SyncReport | None = None
        self._numbers = 0

    def refresh(self) -> bool:
        """Read what the sync process committed, or another file; return whether something changed.

        Never raises: what is wrong with the file is raised by `look_up`.
        """
        try:
            self._keep_mapped()
            if self._reopen():
                return True
            committed = self._reload()
        except StoreError as error:
            was_usable = self._error is None
            self._error = error
            return was_usable
        if committed:
            self._compare_age(committed=True)
        return committed

    def error(self) -> StoreError | None:
        """Return what is wrong with the file as a whole, as of the last refresh."""
        return self._error

    def needs_sync(self) -> str:
        """Return why a sync should run at once; empty where the file is as it should be.

        There is no need to wait for the next interval where callers go to the default, or are
        answered from a file that is gone, or older than one before it.
        """
        if self._error is not None:
            return str(self._error)
        return self._mismatch if self._damage is None else str(self._damage)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._keep_mapped()
            self._file.close()
            self._file = self._wal_index = None

    def _keep_mapped(self) -> None:
        if self._wal_index is not None:
            self._wal_index.restore_length()

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except DECODE_ERRORS as error:
            reason = f"a document is damaged: {error}"
            raise self._note_damage(StoreDamaged(str(self._path), reason)) from error
        except StoreDamaged as error:
            self._note_damage(error)
            raise

    def _note_damage(self, error: StoreError) -> StoreError:
        """Leave a note of damage to the writer, once for each file; return *error*."""
        identity = self._identity
        if isinstance(error, StoreDamaged):
            self._damage = error
        if isinstance(error, StoreDamaged) and identity not in {None, self._known_file}:
            self._known_file = identity
            record_suspected_damage(self._path, identity, error)
        return error

    def _reopen(self) -> bool:
        """Open the file that is at the path now, if it was written to or is another one."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            if self._file is not None:
                self._mismatch = f"{self._path} is gone; callers are answered from what was open"
            return False
        except OSError as error:
            raise StoreError(str(self._path), error.strerror or str(error)) from error
        identity, written = identity_of(status), (status.st_size, status.st_mtime_ns)
        is_usable = self._error is None and self._file is not None
        same = identity == self._identity
        unchanged = same and written == self._written and self._mode is OpenMode.SHARED
        mapped = self._wal_index is None or self._wal_index.restore_length()
        if is_usable and unchanged and mapped:
            return False
        committed = same and self._was_committed()
        held = self._file is not None
        if same:
            self._admit_writers()
        try:
            opened = self._open_finished(status.st_size, same=same, held=held)
        except StoreError as error:
            if self._file is None or same or self._error is not None:
                raise
            # Another file took the place and cannot be used: the open one still can.
            self._mismatch = f"{error}; callers are answered from the file of before"
            return False
        if opened is None:
            return False
        before = self._report
        self._answer_from(*opened, identity, written)
        self._compare_age(committed=committed)
        return committed or not (is_usable and same) or self._report != before

    def _was_committed(self) -> bool:
        """Return whether a sync run changed the open file, as only a sync run should."""
        if self._file is None or self._error is not None:
            return False
        try:
            return self._file.read("PRAGMA data_version") != [(self._data_version,)]
        except StoreError:
            return False

    def _open_finished(
        self, size: int, *, same: bool, held: bool
    ) -> tuple[SqliteFile, OpenMode] | None:
        """Open the file at the path; None where its first run has not finished."""
        if size == 0:
            if held:
                raise StoreDamaged(str(self._path), "the file is empty")
            return None
        file, mode = open_for_reading(self._path)
        try:
            checkpoint = DocumentRows(file, CHECKPOINT_TABLE)
            # Another file whose first run has not finished must not replace an older one.
            finished = checkpoint.exists and (
                same or not held or checkpoint.get(REPORT_ID) is not None
            )
            if finished:
                file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        except StoreError:
            file.close()
            raise
        if finished:
            return file, mode
        file.close()
        if held:
            raise StoreDamaged(str(self._path), "the file holds no finished run")
        return None

    def _answer_from(
        self,
        file: SqliteFile,
        mode: OpenMode,
        identity: FileIdentity,
        written: tuple[int, int],
    ) -> None:
        """Answer from *file* from now on."""
        self.close()
        self._file, self._identity, self._data_version = file, identity, 0
        self._mode = mode
        self._wal_index = file.wal_index
        self._damage = None
        self._reload()
        self._written = written
        self._error, self._mismatch = None, ""

    def _compare_age(self, *, committed: bool) -> None:
        """Record whether the file is older than one that answered before.

        What a run *committed* is the newest whatever its date: the clock may have been set back.
        """
        started_at = None if self._report is None else self._report.started_at
        newest = self._newest_run
        if committed or newest is None or (started_at is not None and started_at >= newest):
            self._newest_run, self._mismatch = started_at, ""
        else:
            self._mismatch = (
                f"{self._path} was replaced by an older one"
                if started_at is not None
                else f"{self._path} was replaced by one without a finished run"
            )

    def _admit_writers(self) -> None:
        """Close a file that keeps writers out; it is opened again at once."""
        if self._mode is OpenMode.EXCLUSIVE:
            self.close()

    def _reload(self) -> bool:
        """Read again what is kept in memory, if another process committed since."""
        if self._file is None:
            return False
        ((version,),) = self._file.read("PRAGMA data_version")
        if version == self._data_version:
            return False
        try:
            managers_by_row = {
                row: found
                for row, text in self._file.read(
                    f"SELECT id, doc FROM {TABLES[EntityKind.MANAGER]}"
                )
                if isinstance(
                    found := decode_object_of_any_format(EntityKind.MANAGER, text), Manager
                )
            }
            checkpoint = DocumentRows(self._file, CHECKPOINT_TABLE)
            text, totals = checkpoint.get(REPORT_ID), checkpoint.get(TOTALS_ID)
            report = None if text is None else decode_report(text)
            self._numbers = 0 if totals is None else int(msgspec.json.decode(totals)["numbers"])
        except DECODE_ERRORS as error:
            reason = f"a document is damaged: {error}"
            raise self._note_damage(StoreDamaged(str(self._path), reason)) from error
        except StoreDamaged as error:
            self._note_damage(error)
            raise
        managers = {manager.ref: manager for manager in managers_by_row.values()}
        self._managers = managers
        self._manager_refs = ManagerRefs({row: m.ref for row, m in managers_by_row.items()})
        self._extensions = _extension_owners(managers)
        self._report = report
        self._data_version = version
        return True


def _extension_owners(managers: Mapping[Ref, Manager]) -> dict[str, ExtensionOwner]:
    sharing: dict[str, dict[Ref, Manager]] = {}
    for ref, manager in managers.items():
        if manager.extension:
            sharing.setdefault(manager.extension, {})[ref] = manager
    return {extension: find_extension_owner(extension, some) for extension, some in sharing.items()}
