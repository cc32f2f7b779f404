"""What stands behind the desk's buttons, in memory: orders, notes, debts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bridge.domain.calls import Note, PhoneCall
from bridge.domain.orders import CallOrder, OrderState, order_key
from bridge.domain.phone import PhoneNumber
from bridge.web.desk.surface import Debt


@dataclass
class OrdersInMemory:
    """Takes every order, or answers with *state* and *words*."""

    clock: Callable[[], datetime]
    state: OrderState = OrderState.ACCEPTED
    words: str = ""
    taken: list[CallOrder] = field(default_factory=list)

    async def order(self, extension: str, number: PhoneNumber, *, by: str) -> CallOrder:
        key = order_key(extension, str(number))
        order = CallOrder(key, extension, number, self.clock(), self.state, words=self.words, by=by)
        self.taken.append(order)
        return order


@dataclass
class NotesInMemory:
    """Puts notes into the calls of *stored*, and shows them with *post*."""

    clock: Callable[[], datetime]
    stored: dict[str, PhoneCall]
    post: Callable[[PhoneCall], None]

    async def add(self, key: str, *, by: str, text: str) -> PhoneCall | None:
        call = self.stored.get(key)
        if call is None:
            return None
        noted = replace(call, notes=(*call.notes, Note(self.clock(), by, text)))
        self.stored[key] = noted
        self.post(noted)
        return noted


@dataclass(frozen=True)
class DebtInMemory:
    """A client whom nobody has called back."""

    key: str
    client: str
    number: PhoneNumber
    name: str
    extension: str
    calls: int
    first_at: datetime
    last_at: datetime


@dataclass
class DebtsInMemory:
    """Keeps the debts it is given."""

    kept: list[Debt] = field(default_factory=list)

    async def open(self) -> Sequence[Debt]:
        return list(self.kept)
