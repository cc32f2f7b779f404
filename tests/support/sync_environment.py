"""A simulated 1C, the real pull, a real directory file, and a referee that knows none of them.

The referee reads the company's own rows and what the writers of its phones meant: its result is
what callers must be answered from.
"""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.reading.source import ODataSource
from bridge.adapters.sqlite.directory.reader import SqliteDirectory
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.entities import EntityKind, Manager, Ref
from bridge.domain.phone.phone import PhoneNumber, PhoneRules
from bridge.lab.onec.infobase.infobase import CONTACT_PERSONS, COUNTERPARTIES, PARTNERS, USERS
from bridge.lab.onec.simulator import DEFAULT_PASSWORD, DEFAULT_USER, OneCLab
from bridge.ports.stores.directory import SyncReport
from bridge.services.sync.guard import ConfirmLoss
from bridge.services.sync.pull import DirectoryPull, PullRules, confirm_nothing
from tests.support.lab_transport import LabTransport
from tests.support.onec_lab import ATTRIBUTE, NOW

#: Whose number it is: reference, name, and the chain of (partner, its manager).
OwnerChainStep = tuple[str, str | None]
OwnerFacts = tuple[str, str, tuple[OwnerChainStep, ...]]
Index = dict[int, frozenset[OwnerFacts]]

_NOBODY = "00000000-0000-0000-0000-000000000000"
_STRANGER = "a user whom 1C does not list"
_PARTNER_OF = {CONTACT_PERSONS: "Owner_Key", COUNTERPARTIES: "Партнер_Key", PARTNERS: "Ref_Key"}


class LabConnection(LabTransport):
    """The connection to the lab; 1C may be changed just before the n-th request."""

    def __init__(self, lab: OneCLab) -> None:
        super().__init__(lab)
        self.requests = 0
        self.before: dict[int, Callable[[], object]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        self.before.pop(self.requests, lambda: None)()
        return await super().handle_async_request(request)


class NoProgress:
    """A progress that is ignored."""

    def listing(self, kind: EntityKind) -> None: ...
    def fetching(self, kind: EntityKind, total: int) -> None: ...
    def fetched(self, kind: EntityKind, count: int) -> None: ...
    def indexing(self) -> None: ...


class SyncEnvironment:
    """One publication, one directory file in *folder*, and runs between them."""

    def __init__(self, lab: OneCLab, folder: Path) -> None:
        self.lab = lab
        self.now: datetime = NOW
        self.path = folder / "directory.db"
        self.page_size: int | None = None
        self._memory = folder / "metadata.json"

    async def sync(
        self,
        *,
        confirm: ConfirmLoss = confirm_nothing,
        before: dict[int, Callable[[], object]] | None = None,
        **rules: Any,
    ) -> SyncReport:
        """Run once, as the sync process does.

        *before* changes 1C meanwhile, by number of the request.
        """
        self.now += timedelta(minutes=1)
        connection = LabConnection(self.lab)
        connection.before.update(before or {})
        config = ODataConfig("http://lab/ut11", DEFAULT_USER, DEFAULT_PASSWORD, reuse_sessions=True)
        source = ODataSource(
            ODataClient(config, transport=connection),
            rules=PhoneRules(area_code="495"),
            extension_attribute=ATTRIBUTE,
            metadata_cache=self._memory,
        )
        if self.page_size is not None:
            source._parts.page_size = self.page_size  # noqa: SLF001 - pages of a small set
        store = SqliteDirectoryStore(self.path)
        try:
            pull = DirectoryPull(
                source=source,
                store=store,
                clock=lambda: self.now,
                rules=PullRules(**rules),
                progress=NoProgress(),
                confirm_loss=confirm,
            )
            return await pull.run(store.report())
        finally:
            store.close()
            await source.aclose()

    def index(self) -> Index:
        """Return what callers are answered from now."""
        if not self.path.exists():
            return {}
        reader = SqliteDirectory(self.path, stale_after=timedelta(hours=1))
        try:
            return {number: self._whose(reader, number) for number in self._numbers()}
        finally:
            reader.close()

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of the file, table by table."""
        file = sqlite3.connect(self.path)
        try:
            names = file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {
                name: file.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 - our own
                for (name,) in names
                if not name.startswith("name")  # the full text index has tables of its own
            }
        finally:
            file.close()

    def _numbers(self) -> list[int]:
        return [int(str(number)) for number, _ in self.tables().get("phone", [])]

    def _whose(self, reader: SqliteDirectory, number: int) -> frozenset[OwnerFacts]:
        card = reader.look_up(PhoneNumber(number))
        assert card is not None
        listed = reader.managers()
        return frozenset(
            (
                str(c.ref),
                c.name,
                tuple((str(step.partner), _name_of(step.manager, listed)) for step in c.chain),
            )
            for c in card.candidates
        )


def _name_of(manager: Ref | None, listed: Mapping[Ref, Manager]) -> str | None:
    if manager is None:
        return None
    return str(manager) if manager in listed else _STRANGER


def expected_index(lab: OneCLab) -> Index:
    """Return what 1C itself implies, by the referee's own reading."""
    found: dict[int, set[OwnerFacts]] = {}
    for truth in lab.infobase.intended_phones:
        row = lab.infobase.tables[truth.owner_set].rows.get(truth.ref)
        if row is None or row.get("DeletionMark") or _is_predefined(row):
            continue
        partner = row.get(_PARTNER_OF[truth.owner_set], _NOBODY)
        whose = (truth.ref, str(row["Description"]), _chain(lab, partner))
        found.setdefault(int(truth.e164.removeprefix("+")), set()).add(whose)
    return {number: frozenset(owners) for number, owners in found.items()}


def _chain(lab: OneCLab, partner: str) -> tuple[OwnerChainStep, ...]:
    partners, users = lab.infobase.tables[PARTNERS].rows, lab.infobase.tables[USERS].rows
    steps: dict[str, str | None] = {}
    while partner in partners and partner not in steps and not _is_predefined(partners[partner]):
        manager = partners[partner].get("ОсновнойМенеджер_Key", _NOBODY)
        listed = manager if manager in users else _STRANGER
        steps[partner] = None if manager == _NOBODY else listed
        partner = partners[partner].get("Parent_Key", _NOBODY)
    return tuple(steps.items())


def _is_predefined(row: dict[str, Any]) -> bool:
    return bool(row.get("PredefinedDataName"))
