"""The watch over the files: alarms on the edge, and memory written back when the ledger is well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from bridge.errors import StoreError
from bridge.ports.alarms import Alarm
from bridge.services.health.store_watch import StoreWatch
from tests.support.fakes.ledger import RecordedEvents

pytestmark = pytest.mark.anyio


@dataclass
class File:
    """A file that is what it is told to be."""

    name: str
    trouble: StoreError | None = None
    losses: list[str] = field(default_factory=list)

    async def examine(self) -> StoreError | None:
        return self.trouble

    def take_losses(self) -> Sequence[str]:
        losses, self.losses = self.losses, []
        return losses


class Desk:
    """A watch over two files."""

    def __init__(self) -> None:
        self.ledger, self.audit = File("ledger.db"), File("audit.db")
        self.events = RecordedEvents()
        self.kept: dict[str, list[str]] = {}
        self.restored: list[bool] = []
        self.refusal: StoreError | None = None
        self.watch = StoreWatch(
            (self.audit,),
            ledger=self.ledger,
            events=self.events,
            damaged_copies=self.aside,
            restore=self.restore,
        )

    def aside(self) -> Mapping[str, Sequence[str]]:
        return {name: list(places) for name, places in self.kept.items()}

    async def restore(self, lost: bool) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.restored.append(lost)

    def said(self) -> list[tuple[str, str, bool]]:
        return [(alarm.name, alarm.subject, alarm.clear) for alarm in self.events.of(Alarm)]


async def test_trouble_is_said_once_and_taken_back_once() -> None:
    desk = Desk()
    desk.audit.trouble = StoreError("/srv/data/audit.db", "disk full")
    for _ in range(3):
        await desk.watch.check()
    desk.audit.trouble = None
    for _ in range(3):
        await desk.watch.check()

    assert desk.said() == [("store_down", "audit.db", False), ("store_down", "audit.db", True)]
    assert "/srv" not in desk.events.of(Alarm)[0].message


async def test_memory_is_written_back_only_to_a_ledger_that_is_well_and_until_it_took_it() -> None:
    desk = Desk()
    desk.ledger.trouble = StoreError("ledger.db", "disk full")
    desk.ledger.losses = ["was damaged"]
    await desk.watch.check()
    in_trouble = list(desk.restored)
    desk.ledger.trouble, desk.refusal = None, StoreError("ledger.db", "disk full again")
    await desk.watch.check()
    desk.refusal = None
    await desk.watch.check()
    await desk.watch.check()

    assert in_trouble == []
    assert desk.restored == [True, False]


async def test_damage_is_said_as_long_as_the_damaged_file_is_kept() -> None:
    desk = Desk()
    desk.kept = {"ledger.db": ["ledger.db.damaged"]}
    desk.ledger.losses = ["was damaged and is kept as ledger.db.damaged"]
    await desk.watch.check()
    await desk.watch.check()
    desk.kept = {}
    await desk.watch.check()

    assert desk.said() == [
        ("store_damaged", "ledger.db", False),
        ("store_damaged", "ledger.db", True),
    ]


async def test_a_file_kept_since_before_the_start_is_said_too() -> None:
    desk = Desk()
    desk.kept = {"audit.db": ["audit.db.damaged"], "ledger.db": ["ledger.db.missing"]}

    await desk.watch.check()

    words = {alarm.subject: alarm.message for alarm in desk.events.of(Alarm)}
    assert "was damaged" in words["audit.db"]
    assert "was missing" in words["ledger.db"]
