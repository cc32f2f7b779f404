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
    """A file in the state that a test sets."""

    name: str
    trouble: StoreError | None = None
    losses: list[str] = field(default_factory=list)

    async def examine(self) -> StoreError | None:
        return self.trouble

    def take_losses(self) -> Sequence[str]:
        losses, self.losses = self.losses, []
        return losses


class Setup:
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

    def alarms(self) -> list[tuple[str, str, bool]]:
        return [(alarm.name, alarm.subject, alarm.clear) for alarm in self.events.of(Alarm)]


async def test_trouble_is_reported_once_and_cleared_once() -> None:
    env = Setup()
    env.audit.trouble = StoreError("/srv/data/audit.db", "disk full")
    for _ in range(3):
        await env.watch.check()
    env.audit.trouble = None
    for _ in range(3):
        await env.watch.check()

    assert env.alarms() == [("store_down", "audit.db", False), ("store_down", "audit.db", True)]
    assert "/srv" not in env.events.of(Alarm)[0].message


async def test_memory_is_written_back_only_to_a_ledger_that_is_well_and_until_it_took_it() -> None:
    env = Setup()
    env.ledger.trouble = StoreError("ledger.db", "disk full")
    env.ledger.losses = ["was damaged"]
    await env.watch.check()
    in_trouble = list(env.restored)
    env.ledger.trouble, env.refusal = None, StoreError("ledger.db", "disk full again")
    await env.watch.check()
    env.refusal = None
    await env.watch.check()
    await env.watch.check()

    assert in_trouble == []
    assert env.restored == [True, False]


async def test_the_alarm_about_damage_stays_as_long_as_the_damaged_file_is_kept() -> None:
    env = Setup()
    env.kept = {"ledger.db": ["ledger.db.damaged"]}
    env.ledger.losses = ["was damaged and is kept as ledger.db.damaged"]
    await env.watch.check()
    await env.watch.check()
    env.kept = {}
    await env.watch.check()

    assert env.alarms() == [
        ("store_damaged", "ledger.db", False),
        ("store_damaged", "ledger.db", True),
    ]


async def test_a_damaged_file_from_before_the_start_raises_the_alarm_too() -> None:
    env = Setup()
    env.kept = {"audit.db": ["audit.db.damaged"], "ledger.db": ["ledger.db.missing"]}

    await env.watch.check()

    messages = {alarm.subject: alarm.message for alarm in env.events.of(Alarm)}
    assert "was damaged" in messages["audit.db"]
    assert "was missing" in messages["ledger.db"]
