"""An application whose PBX answers as the test wants."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from bridge.domain.directory.entities import Ref
from bridge.ports.orders import OwnedPhone
from bridge.services.orders.originate import CallOriginator
from tests.support.builders import NOON, RULES, decision
from tests.support.fakes.orders import FakePbx, MemoryOrderStore
from tests.web.web_fixture import WebFixture, web_with_known_caller


@dataclass
class OrdersFixture:
    """An application that can call, its PBX, and the partners' phones."""

    pbx: FakePbx = field(default_factory=FakePbx)
    phones: dict[Ref, Sequence[OwnedPhone]] = field(default_factory=dict)
    web: WebFixture = field(default_factory=web_with_known_caller)

    def __post_init__(self) -> None:
        store = MemoryOrderStore(self.web.ledger.stored)
        self.web.partner_phones = self
        self.web.call_ordering = CallOriginator(
            pbx=self.pbx,
            provider="sipuni",
            order_store=store,
            decide=lambda _: decision(),
            phones=RULES,
            lang="en",
            clock=lambda: NOON,
        )

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        return self.phones.get(owner)

    async def place_order(self, order: dict[str, str]) -> httpx.Response:
        async with self.web.admin() as admin:
            return await admin.post("/api/v1/calls", json=order)
