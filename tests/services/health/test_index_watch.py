"""An index that is of no use is made anew at once, and not again and again."""

from dataclasses import dataclass, field

import pytest

from bridge.ports.alarms import Alarm
from bridge.services.health.index_watch import SYNC_PAUSE, IndexWatch
from tests.support.fakes.ledger import RecordedEvents


@dataclass
class WatchedIndex:
    """An index, a clock, and the syncs that were started."""

    reason: str = ""
    now: float = 1000.0
    syncs: list[float] = field(default_factory=list)
    events: RecordedEvents = field(default_factory=RecordedEvents)

    def __post_init__(self) -> None:
        self.watch = IndexWatch(
            index=self,
            events=self.events,
            sync_now=lambda: self.syncs.append(self.now),
            monotonic=lambda: self.now,
        )

    def needs_sync(self) -> str:
        return self.reason

    def passes(self, seconds: int, reason: str) -> None:
        self.reason = reason
        for _ in range(seconds):
            self.watch.check()
            self.now += 1

    def alarms(self) -> list[tuple[str, bool]]:
        return [(alarm.message, alarm.clear) for alarm in self.events.of(Alarm)]


def test_a_sync_starts_at_once_and_once_however_long_it_takes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = WatchedIndex()

    watched.passes(5, "")
    watched.passes(3600, "directory.db is empty")  # 1C is away for an hour
    watched.passes(5, "")

    assert watched.syncs == [1005.0]
    assert watched.alarms() == [
        ("directory.db is empty", False),
        ("the index is well again", True),
    ]
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == ["index_needs_sync"]


def test_an_index_that_breaks_again_and_again_does_not_sync_without_a_pause() -> None:
    watched = WatchedIndex()

    for _ in range(30):
        watched.passes(2, "broken")
        watched.passes(2, "")

    assert watched.syncs == [1000.0, 1000.0 + SYNC_PAUSE.total_seconds()]
