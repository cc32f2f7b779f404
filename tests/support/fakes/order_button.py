"""What stands behind the desk's call buttons, in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from bridge.domain.calls.call import PhoneCall, call_from_question
from bridge.domain.calls.events import Direction
from bridge.domain.calls.orders import CallOrder, OrderState, order_key
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.routing.decision import RouteDecision, Rule
from tests.support.builders import question


@dataclass
class FakeOriginator:
    """Takes every order, or answers with *state* and *words*."""

    clock: Callable[[], datetime]
    state: OrderState = OrderState.ACCEPTED
    message: str = ""
    orders: list[CallOrder] = field(default_factory=list)

    async def order(self, extension: str, number: str, *, by: str) -> PhoneCall:
        key = order_key(extension, number)
        called = PhoneNumber(int(number.removeprefix("+")))
        order = CallOrder(
            key, extension, called, self.clock(), self.state, reason=self.message, ordered_by=by
        )
        self.orders.append(order)
        begun = call_from_question(question(number), RouteDecision(Rule.NOBODY))
        return replace(
            begun, key=key, direction=Direction.OUTBOUND, placed_by=extension, order=order
        )
