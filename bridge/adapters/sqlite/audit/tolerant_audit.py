"""The audit list of the running service: a file that cannot be written stops no administrator.

A record that the file does not take goes to the log at once, and waits in memory until the file
takes it. Only revealing a number and exporting calls need a durable record first.
"""

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from bridge.adapters.sqlite.audit.store import SqliteAudit
from bridge.adapters.sqlite.file.set_aside import record_missing, set_aside
from bridge.domain.directory.entities import Ref
from bridge.errors import StoreDamaged, StoreError
from bridge.ports.audit import AuditAct, AuditRecord
from bridge.ports.clock import Clock

_log = logging.getLogger(__name__)

#: Records that wait in memory at most; of more, the oldest stand in the log alone.
MAX_WAITING: Final = 10_000

#: Hidden numbers are shown, and calls exported, only with a durable record.
_NEEDS_THE_FILE: Final = frozenset({AuditAct.NUMBER_REVEALED, AuditAct.CALLS_EXPORTED})

_REPLACED: Final = (
    "was replaced while the service ran: who did what before may be lost, and links made before "
    "may open nothing"
)

#: Greater than the numbers of all records in the file.
_WAITING_FROM: Final = 1 << 52


class TolerantAudit:
    """`Audit`, `PersonalLinks` and `StoredFile` over a `SqliteAudit` that may be broken.

    While the file cannot be read, earlier links are valid only where their generation is cached.
    """

    name = "audit.db"

    def __init__(self, path: Path, clock: Clock, *, keep: timedelta) -> None:
        self._path = path
        self._clock = clock
        self._keep = keep
        self._known_mark = path.with_suffix(".known")
        self._store: SqliteAudit | None = None
        self._error: StoreError | None = None
        self._waiting: deque[AuditRecord] = deque(maxlen=MAX_WAITING)
        self._losses: list[str] = []
        #: By manager, as last read; counted up where a revocation waits for the file.
        self._generations: dict[Ref, int] = {}
        self._revoked: dict[Ref, None] = {}
        #: Of all others while the file cannot be read: no earlier link has it.
        self._fallback_generation = int(clock().timestamp())
        with suppress(StoreError):
            self._opened()

    # ------------------------------------------------------------ audit
    async def append(self, record: AuditRecord) -> None:
        """Append *record* to the file, or else keep it in memory and log it.

        Raises StoreError only for acts that need a durable record.
        """
        try:
            if self._waiting:
                await self._write_waiting()
            await self._opened().append(record)
        except StoreError as error:
            self._failed(error)
            if record.act in _NEEDS_THE_FILE:
                raise
            self._waiting.append(record)
            extra = {
                "act": record.act.value,
                "role": record.role,
                "who": record.who,
                "client": record.address,
                "subject": record.subject,
                "words": record.words,
                "reason": error.reason,
            }
            _log.warning("audit_record_waits", extra=extra)

    async def records(
        self, *, limit: int = 100, before: int | None = None, act: AuditAct | None = None
    ) -> Sequence[tuple[int, AuditRecord]]:
        """Return records with their numbers, newest first: those that wait, then the file's."""
        waiting = [
            (number, record)
            for number, record in reversed(list(enumerate(self._waiting, _WAITING_FROM)))
            if (before is None or number < before) and act in (None, record.act)
        ][:limit]
        try:
            kept = await self._opened().records(limit=limit, before=before, act=act)
        except StoreError as error:
            self._failed(error)
            kept = []
        return [*waiting, *kept][:limit]

    async def delete_old(self, days: Sequence[date]) -> int:
        """Delete records older than the last days to be kept, of *days*; return their number."""
        try:
            return await self._opened().delete_old(days)
        except StoreError as error:
            self._failed(error)
            return 0

    # ------------------------------------------------------------ links
    def generation(self, manager: Ref) -> int:
        """Return the generation of links that is valid now."""
        if manager not in self._revoked:
            try:
                self._generations[manager] = self._opened().generation(manager)
            except StoreError as error:
                self._failed(error)
        return self._generations.get(manager, self._fallback_generation)

    async def revoke(self, manager: Ref) -> int:
        """Invalidate earlier links; in memory alone, until the file takes it."""
        try:
            if manager not in self._revoked:
                self._generations[manager] = await self._opened().revoke(manager)
                return self._generations[manager]
        except StoreError as error:
            self._failed(error)
        self._generations[manager] = self.generation(manager) + 1
        self._revoked[manager] = None
        _log.warning("revocation_waits", extra={"manager": manager})
        return self._generations[manager]

    # ------------------------------------------------------------ health
    async def examine(self) -> StoreError | None:
        """Return why the list cannot be written, after a try to mend it."""
        try:
            store = self._opened()
            if store.was_replaced():
                if self._path.exists():  # a missing one is reported when it is created again
                    self._losses.append(_REPLACED)
                await self._close_store()
                store = self._opened()
            for manager in list(self._revoked):
                await store.revoke(manager)
                del self._revoked[manager]
            await self._write_waiting()
        except StoreDamaged as error:
            await self._close_store()  # opening reads all of it, and sets it aside
            self._failed(error)
        except StoreError as error:
            self._failed(error)
        else:
            if self._error is None or self._store is None:
                return self._error
            return await self._probe()
        return self._error

    def take_losses(self) -> Sequence[str]:
        """Return what happened to the file since the last call."""
        losses, self._losses = self._losses, []
        return losses

    async def close(self) -> None:
        """Write what waits, and close the file."""
        with suppress(StoreError):
            await self._write_waiting()
        await self._close_store()

    async def _probe(self) -> StoreError | None:
        """Find out by writing whether the file can be written again."""
        try:
            await self._opened().probe()
        except StoreError as error:
            self._failed(error)
        else:
            self._error = None
        return self._error

    async def _write_waiting(self) -> None:
        while self._waiting:
            await self._opened().append(self._waiting[0])
            self._waiting.popleft()

    def _opened(self) -> SqliteAudit:
        """Return the store, opened; a damaged file is set aside. Raises StoreError."""
        if self._store is None:
            try:
                self._store = self._open()
            except StoreError as error:
                self._failed(error)
                raise
            with suppress(OSError):  # the next start writes it
                self._known_mark.touch(mode=0o600)
        return self._store

    def _open(self) -> SqliteAudit:
        if self._known_mark.exists() and not self._path.exists():
            loss = "was missing: who did what before is lost, links made before open nothing"
            record_missing(self._path, f"{self.name} {loss}")
            self._losses.append(loss)
            self._known_mark.unlink()
        try:
            return SqliteAudit(self._path, self._clock, keep=self._keep)
        except StoreDamaged as error:
            aside = set_aside(self._path)
            extra = {"path": error.path, "reason": error.reason, "kept": str(aside)}
            _log.error("store_damaged", extra=extra)
            loss = f"was damaged and is kept as {aside.name}: links made before open nothing"
            self._losses.append(loss)
        return SqliteAudit(self._path, self._clock, keep=self._keep)

    async def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            await store.close()

    def _failed(self, error: StoreError) -> None:
        self._error = error
