"""Child: builds a directory straight through the writer; reports seconds and its peak memory."""

import time
from datetime import UTC, datetime
from pathlib import Path

from bridge.adapters.sqlite.directory.store import SqliteDirectoryStore
from bridge.domain.directory.entities import EntityKind
from bridge.ports.stores.directory import EntitySync, SyncReport
from tests.benchmarks.children import given, peak_mib, send_message
from tests.benchmarks.company import managers, partners


def main() -> None:
    spec = given()
    path = Path(spec["path"])
    before = peak_mib()
    started = time.perf_counter()
    store = SqliteDirectoryStore(path)
    with store.transaction() as tx:
        tx.put(EntityKind.MANAGER, managers())
        tx.put(EntityKind.PARTNER, partners(spec["partners"], spec["each"]))
        numbers = tx.reindex()
        now = datetime.now(UTC)
        entities = tuple(EntitySync(kind, proven_at=now) for kind in EntityKind)
        tx.save_report(SyncReport(now, 0.0, True, True, numbers, entities))
    store.close()
    seconds = time.perf_counter() - started
    size = sum(p.stat().st_size for p in path.parent.glob(path.name + "*"))
    send_message(
        seconds=seconds, numbers=numbers, bytes=size, peak_mib=peak_mib(), before_mib=before
    )


if __name__ == "__main__":
    main()
