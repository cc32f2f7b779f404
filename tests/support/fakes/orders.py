"""An `OrderBook` in memory, and a PBX that takes orders and answers as it is told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.domain.calls.call import PhoneCall, blocks_repeat_order, with_order
from bridge.domain.calls.events import CallEvent
from bridge.domain.calls.orders import CallOrder, OrderReply, OrderState
from bridge.domain.phone.phone import PhoneNumber
from bridge.errors import PbxError, StoreError


@dataclass(slots=True)
class MemoryOrderStore:
    """*broken* refuses every write; *broken_behind* writes an order down, and says it did not."""

    calls: dict[str, PhoneCall] = field(default_factory=dict)
    broken: bool = False
    fails_after_write: bool = False

    async def add_order(self, call: PhoneCall) -> PhoneCall:
        await asyncio.sleep(0)  # others run meanwhile, as they do while a disk writes
        self._write()
        standing = self.calls.setdefault(call.key, call)
        if self.fails_after_write:
            raise StoreError("ledger.db", "disk full")
        return standing

    async def save_order(self, key: str, order: CallOrder) -> None:
        await asyncio.sleep(0)
        self._write()
        if key in self.calls:
            self.calls[key] = with_order(self.calls[key], order)

    async def orders_being_sent(self) -> Sequence[PhoneCall]:
        return [call for call, order in self._ordered() if order.state is OrderState.SENDING]

    async def blocking_order(
        self, extension: str, number: PhoneNumber, now: datetime
    ) -> PhoneCall | None:
        await asyncio.sleep(0)
        found = [
            call
            for call, order in self._ordered()
            if (order.extension, order.number) == (extension, number)
            and blocks_repeat_order(call, now)
        ]
        return found[-1] if found else None

    def states(self) -> list[OrderState]:
        return [order.state for _, order in self._ordered()]

    def messages(self) -> list[str]:
        return [order.reason for _, order in self._ordered()]

    def _ordered(self) -> list[tuple[PhoneCall, CallOrder]]:
        return [(call, call.order) for call in self.calls.values() if call.order is not None]

    def _write(self) -> None:
        if self.broken:
            raise StoreError("ledger.db", "disk full")


@dataclass(slots=True)
class FakePbx:
    """Answers every order with *reply*; *before_reply* happens while it is on its way."""

    reply: OrderReply = field(default_factory=lambda: OrderReply(OrderState.ACCEPTED, "00ff"))
    before_reply: Callable[[], None] = lambda: None
    orders: list[CallOrder] = field(default_factory=list)
    #: How it answers when its statistics are asked.
    failure: PbxError | None = None

    async def originate(self, order: CallOrder) -> OrderReply:
        self.orders.append(order)
        await asyncio.sleep(0)
        self.before_reply()
        return self.reply

    async def history(self, since: datetime, until: datetime) -> Sequence[CallEvent]:
        del since, until
        if self.failure is not None:
            raise self.failure
        return ()

    async def aclose(self) -> None:
        pass

    def originated(self) -> list[tuple[str, str]]:
        """Give what rang: the extensions and the numbers behind them."""
        return [(order.extension, str(order.number)) for order in self.orders]
