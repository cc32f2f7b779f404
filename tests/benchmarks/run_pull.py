"""Child: one full pull into a directory, or its floor: the same answers downloaded and parsed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.reading.source import ODataSource
from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.bootstrap.process import lower_priority
from bridge.domain.directory.entities import EntityKind, Ref
from bridge.domain.phone.phone import PhoneRules
from bridge.lab.onec.simulator import DEFAULT_PASSWORD, DEFAULT_USER
from bridge.ports.onec import DirectoryObject, Listing
from bridge.services.sync.pull import DirectoryPull, PullRules
from tests.benchmarks.children import given, peak_mib, send_message

CONCURRENCY = 2


class Silent:
    """A progress that nobody looks at."""

    def listing(self, kind: EntityKind) -> None: ...
    def fetching(self, kind: EntityKind, total: int) -> None: ...
    def fetched(self, kind: EntityKind, count: int) -> None: ...
    def indexing(self) -> None: ...


class Stages:
    """Where the time of a run goes, by wall clock."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + spent


class TimedSource:
    """A source whose listings and batches are timed."""

    def __init__(self, source: ODataSource, stages: Stages) -> None:
        self._source = source
        self._stages = stages
        self.traffic = source.traffic
        self.extension_sources = source.extension_sources
        self.aclose = source.aclose

    async def listing(self, kind: EntityKind, known_fingerprint: str = "") -> Listing:
        with self._stages.timed("listing"):
            return await self._source.listing(kind, known_fingerprint)

    async def fetch(
        self, kind: EntityKind, refs: Sequence[Ref], listed: int
    ) -> AsyncIterator[Sequence[DirectoryObject]]:
        batches = aiter(self._source.fetch(kind, refs, listed))
        while True:
            try:
                with self._stages.timed("fetch, decode, convert"):
                    batch = await anext(batches)
            except StopAsyncIteration:
                return
            yield batch


class TimedRun:
    """A transaction whose documents and cards are timed."""

    def __init__(self, run: Any, stages: Stages) -> None:
        self._run = run
        self._stages = stages

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def put(self, kind: EntityKind, objects: Iterable[DirectoryObject]) -> None:
        with self._stages.timed("documents, names"):
            self._run.put(kind, objects)

    def reindex(self) -> int:
        with self._stages.timed("cards, indexes"):
            numbers: int = self._run.reindex()
            return numbers


class TimedStore:
    """A store whose commit is timed."""

    def __init__(self, store: SqliteDirectoryStore, stages: Stages) -> None:
        self._store = store
        self._stages = stages
        self.versions = store.versions
        self.report = store.report
        self.close = store.close

    @contextmanager
    def transaction(self) -> Iterator[TimedRun]:
        inner = self._store.transaction()
        run = inner.__enter__()
        try:
            yield TimedRun(run, self._stages)
        except BaseException as error:
            inner.__exit__(type(error), error, error.__traceback__)
            raise
        with self._stages.timed("commit"):
            inner.__exit__(None, None, None)


async def pull(port: int, path: Path, *, full: bool) -> None:
    """Run one pull and return how it went."""
    stages = Stages()
    started = time.perf_counter()
    config = ODataConfig(
        f"http://127.0.0.1:{port}/ut11",
        DEFAULT_USER,
        DEFAULT_PASSWORD,
        concurrency=CONCURRENCY,
    )
    source = ODataSource(
        ODataClient(config),
        rules=PhoneRules(),
        extension_attribute="Внутренний номер",
        metadata_cache=path.with_suffix(".metadata"),
    )
    store = SqliteDirectoryStore(path)
    run = DirectoryPull(
        source=TimedSource(source, stages),
        store=TimedStore(store, stages),
        clock=lambda: datetime.now(UTC),
        rules=PullRules(full=full),
        progress=Silent(),
    )
    report = await run.run(store.report())
    store.close()
    await source.aclose()
    send_message(
        seconds=time.perf_counter() - started,
        numbers=report.numbers,
        changed=report.changed,
        file_mib=_mib(path),
        partners=sum(e.held for e in report.entities if e.kind is EntityKind.PARTNER),
        mib=source.traffic.bytes / (1 << 20),
        stages=stages.seconds,
        peak_mib=peak_mib(),
    )


def _mib(path: Path) -> float:
    return path.stat().st_size / (1 << 20)


async def download(port: int, urls: Sequence[str]) -> None:
    """Download and parse the same answers, and do nothing with them."""
    started = time.perf_counter()
    waiting = iter(urls)
    credentials = httpx.BasicAuth(DEFAULT_USER.encode(), DEFAULT_PASSWORD.encode())
    rows = 0
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", auth=credentials, trust_env=False, timeout=60
    ) as client:

        async def reader() -> None:
            nonlocal rows
            for url in waiting:
                answer = await client.get(url)
                answer.raise_for_status()
                if answer.headers["content-type"].startswith("application/json"):
                    rows += len(orjson.loads(answer.content).get("value", ()))

        await asyncio.gather(*(reader() for _ in range(CONCURRENCY)))
    send_message(seconds=time.perf_counter() - started, rows=rows, peak_mib=peak_mib())


def main() -> None:
    spec = given()
    if spec.get("aside", False):
        lower_priority()
    if "urls" in spec:
        asyncio.run(download(spec["port"], spec["urls"]))
    else:
        asyncio.run(pull(spec["port"], Path(spec["path"]), full=spec.get("full", True)))


if __name__ == "__main__":
    main()
