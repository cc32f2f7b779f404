"""A house whose telephones ring a PBX that answers as it is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from bridge.domain.directory import Ref
from bridge.ports import OwnedPhone
from bridge.services.originate import Originating
from tests.support.builders import NOON, RULES, decision
from tests.support.memory_orders import MemoryOrders, ToldPbx
from tests.web.support import House, known_house


@dataclass
class Desk:
    """A house that can call, its PBX, and a phone book."""

    pbx: ToldPbx = field(default_factory=ToldPbx)
    phones: dict[Ref, Sequence[OwnedPhone]] = field(default_factory=dict)
    house: House = field(default_factory=known_house)

    def __post_init__(self) -> None:
        book = MemoryOrders(self.house.ledger.stored)
        self.house.phone_book = self
        self.house.originating = Originating(
            pbx=self.pbx,
            provider="sipuni",
            book=book,
            decide=lambda _: decision(),
            phones=RULES,
            lang="en",
            clock=lambda: NOON,
        )

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        return self.phones.get(owner)

    async def asks(self, wish: dict[str, str]) -> httpx.Response:
        async with self.house.admin() as admin:
            return await admin.post("/api/v1/calls", json=wish)
