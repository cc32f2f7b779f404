"""Days in which 1C is away and tens of thousands of calls wait for it, in virtual time.

    python -m tests.stories.long_outage --waiting 20000 --days 5

The delivery looks every two simulated minutes, calls go on coming, old ones are forgotten. What
must hold: memory is as flat on the last day as on the second, 1C is asked a few times a minute at
most while it is away, and when it is back every call is one document.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

from bridge.adapters.sqlite.calls.store import SqliteLedger
from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import DeliveryRules, OutboxEntry
from bridge.errors import OneCUnavailable
from bridge.services.delivery.deliver import Delivery
from tests.services.delivery.delivery_fixture import RefusingOneC
from tests.support import builders as b
from tests.support.clocks import seconds_of
from tests.support.fakes.ledger import RecordedEvents

_STEP = timedelta(minutes=2)
_NEW_CALLS_A_DAY = 200


@dataclass(frozen=True)
class OutageReport:
    """What was seen: objects alive at the end of each day, requests an hour while 1C was away."""

    objects: tuple[int, ...]
    requests_an_hour: float
    waiting: int
    documents: int
    doubled: int
    left: int


class LongOutage:
    """One bridge whose 1C is away for days."""

    def __init__(self, folder: Path) -> None:
        self.now = b.NOON
        self.onec = RefusingOneC(lambda: self.now)
        self.ledger = SqliteLedger.open(folder / "ledger.db", clock=lambda: self.now)
        self.events = RecordedEvents()
        self.delivery = Delivery(
            ledger=self.ledger,
            journal=self.onec,
            events=self.events,
            clock=lambda: self.now,
            lang="ru",
            zone=UTC,
            rules=DeliveryRules(),
            monotonic=seconds_of(lambda: self.now),
        )
        self._made = 0

    async def add_calls(self, count: int) -> None:
        """Record so many calls."""
        new = [self._call() for _ in range(count)]
        await asyncio.gather(*(self.ledger.record_call(c, self._entry(c)) for c in new))

    async def day(self) -> None:
        """Let a day pass with its calls."""
        steps = int(timedelta(days=1) / _STEP)
        for step in range(steps):
            if step * _NEW_CALLS_A_DAY % steps < _NEW_CALLS_A_DAY:
                await self.add_calls(1)
            self.now += _STEP
            await self.delivery.drain()
        self.events.published.clear()

    async def recover_after_crash(self) -> int:
        """Bring 1C back, and deliver until nothing is pending; return what is left."""
        self.onec.is_well()
        for _ in range(60):
            self.now += timedelta(minutes=2)
            await self.delivery.drain()
            counts = await self.ledger.count_entries()
            if not counts.due and not counts.sending:
                return counts.dead
        return counts.due + counts.sending + counts.dead

    def _call(self) -> PhoneCall:
        self._made += 1
        asked = b.question(asked_time=str(self._made), received_at=self.now)
        return b.call(asked, b.decision())

    @staticmethod
    def _entry(call: PhoneCall) -> OutboxEntry:
        return OutboxEntry(key=call.key, created_at=call.received_at, due_at=call.received_at)


async def run_long_outage(folder: Path, waiting: int, days: int) -> OutageReport:
    """Return what was seen of *waiting* calls and those of *days* more."""
    plant = LongOutage(folder)
    try:
        await plant.add_calls(waiting)
        plant.onec.judges.append(_away)
        objects = []
        for _ in range(days):
            await plant.day()
            gc.collect()
            objects.append(len(gc.get_objects()))
        asked = len(plant.onec.requests)
        left = await plant.recover_after_crash()
    finally:
        await plant.ledger.close()
    documents = Counter(
        marker for marker, found in plant.onec.documents.values() if not found.deletion_mark
    )
    return OutageReport(
        objects=tuple(objects),
        requests_an_hour=asked / (days * 24),
        waiting=waiting + days * _NEW_CALLS_A_DAY,
        documents=len(documents),
        doubled=sum(count > 1 for count in documents.values()),
        left=left,
    )


def _away(method: str, key: str) -> Exception:
    # A new one each time: an exception that is raised again keeps all its tracebacks.
    del key
    return OneCUnavailable(method, "connection refused")


def main() -> int:
    """Run it from the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--waiting", type=int, default=20_000)
    options.add_argument("--days", type=int, default=5)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(run_long_outage(Path(folder), asked.waiting, asked.days))
    print(seen)  # noqa: T201 - a script
    return 0 if seen.left == seen.doubled == 0 and seen.documents == seen.waiting else 1


if __name__ == "__main__":
    sys.exit(main())
