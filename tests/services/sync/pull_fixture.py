"""A source in memory, a store, and runs between them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bridge.domain.directory.entities import (
    AttributeValue,
    EntityKind,
    ExtensionSources,
    Manager,
    Ref,
    Version,
)
from bridge.errors import (
    OneCError,
    OneCNotPublished,
    OneCUnavailable,
)
from bridge.ports.onec import DirectoryObject, Listing, Traffic
from bridge.ports.stores.directory import EntitySync, SyncReport
from bridge.services.sync.guard import ConfirmLoss
from bridge.services.sync.pull import DirectoryPull, PullRules, confirm_nothing
from tests.support import builders as b
from tests.support.fakes.directory import MemoryDirectoryStore

pytestmark = pytest.mark.anyio


PROPERTY = b.ref("Внутренний номер")


class SourceOfObjects:
    """1C as a pull reads it: objects by kind, and a failure of the n-th request."""

    def __init__(self) -> None:
        self.objects: dict[EntityKind, dict[Ref, DirectoryObject]] = {
            kind: {} for kind in EntityKind
        }
        self.sources = ExtensionSources(attribute_ref=PROPERTY)
        self.no_sources: OneCNotPublished | None = None
        self.traffic = Traffic()
        self.fetched: list[Ref] = []
        self.not_published: set[EntityKind] = set()
        self.fails_at: int | None = None
        self.error: OneCError = OneCUnavailable("1c", "connection reset")
        #: Called between the listings and the bodies of the next run.
        self.meanwhile: Callable[[], object] = lambda: None
        self.listing_takes_time: Callable[[], None] = lambda: None

    def has(self, *objects: DirectoryObject) -> None:
        kinds = dict(
            zip(("Manager", "Partner", "ContactPerson", "Counterparty"), EntityKind, strict=True)
        )
        for one in objects:
            self.objects[kinds[type(one).__name__]][one.ref] = one

    async def listing(self, kind: EntityKind, known_fingerprint: str = "") -> Listing:
        self._request()
        if kind in self.not_published:
            raise OneCNotPublished(kind.value, "no such entity set")
        listed = {ref: one.version for ref, one in self.objects[kind].items()}
        fingerprint = repr(listed)
        self.listing_takes_time()
        return Listing(None if fingerprint == known_fingerprint else listed, fingerprint)

    async def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[DirectoryObject]]:
        assert listed >= len(refs)
        self.meanwhile()
        for start in range(0, len(refs), 2):
            self._request()
            batch = [
                self.objects[kind][r] for r in refs[start : start + 2] if r in self.objects[kind]
            ]
            self.fetched.extend(one.ref for one in batch)
            yield batch

    async def extension_sources(self) -> ExtensionSources:
        self._request()
        if self.no_sources is not None:
            raise self.no_sources
        return self.sources

    async def aclose(self) -> None:
        pass

    def _request(self) -> None:
        if self.traffic.requests == self.fails_at:
            raise self.error
        self.traffic.requests += 1
        self.traffic.bytes += 100


@dataclass(slots=True)
class Steps:
    """A progress bar that remembers."""

    steps: list[tuple[str, str, int]] = field(default_factory=list)

    def listing(self, kind: EntityKind) -> None:
        self.steps.append(("listing", kind.value, 0))

    def fetching(self, kind: EntityKind, total: int) -> None:
        self.steps.append(("fetching", kind.value, total))

    def fetched(self, kind: EntityKind, count: int) -> None:
        self.steps.append(("fetched", kind.value, count))

    def indexing(self) -> None:
        self.steps.append(("indexing", "", 0))


def user(name: str, extension: str | None, version: str = "1") -> Manager:
    attribute = None if extension is None else AttributeValue(extension)
    return Manager(b.ref(name), Version(version), name, attribute=attribute)


class PullSetup:
    """A source, a store, and runs between them."""

    def __init__(self) -> None:
        self.now = b.NOON
        self.source = SourceOfObjects()
        self.store = MemoryDirectoryStore()
        self.steps = Steps()
        self.source.has(
            user("Анна Петрова", "205"),
            user("Олег Ким", "207"),
            b.partner(phones=["8 (4852) 55-01-02"]),
            b.partner("ЗАО Клён", manager="Олег Ким"),
            *(b.partner(f"ООО Склад {n}", phones=[f"+7 495 123-45-{n}"]) for n in range(10, 18)),
            b.contact(),
            b.contact("Сидоров", phones=["позже сообщит"]),
            b.counterparty(),
        )

    async def runs(
        self, rules: PullRules | None = None, confirm: ConfirmLoss = confirm_nothing
    ) -> SyncReport:
        self.source.fetched.clear()
        self.steps.steps.clear()
        self.source.traffic.requests = 0
        self.now += timedelta(minutes=1)
        seconds = iter(range(1000))
        pull = DirectoryPull(
            source=self.source,
            store=self.store,
            clock=lambda: self.now,
            rules=rules or PullRules(),
            progress=self.steps,
            confirm_loss=confirm,
            stopwatch=lambda: float(next(seconds)),
        )
        return await pull.run(self.store.report())

    def extension(self, name: str) -> str | None:
        manager = self.store.objects[EntityKind.MANAGER][b.ref(name)]
        assert isinstance(manager, Manager)
        return manager.extension

    def names(self, kind: EntityKind) -> set[str]:
        return {one.name for one in self.store.objects[kind].values()}

    def loses(self, kind: EntityKind, share: float) -> None:
        rows = self.source.objects[kind]
        for ref in list(rows)[: round(len(rows) * share)]:
            del rows[ref]


def of(report: SyncReport, kind: EntityKind) -> EntitySync:
    return next(entity for entity in report.entities if entity.kind is kind)
