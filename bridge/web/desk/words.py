"""The names the desk gives to what becomes of calls and orders; marked for the catalogues."""

from collections.abc import Mapping
from typing import Final

from bridge.domain.desk import Standing
from bridge.domain.orders import OrderState
from bridge.web.language import mark

STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.RINGING: mark("Ringing"),
    Standing.PASSED: mark("Rings a colleague"),
    Standing.CALLING: mark("Calling"),
    Standing.TALKING: mark("Talking"),
    Standing.TAKEN: mark("A colleague answered"),
    Standing.TALKED: mark("Talked"),
    Standing.ANSWERED: mark("A colleague answered"),
    Standing.MISSED: mark("Missed"),
    Standing.NOT_REACHED: mark("Not reached"),
    Standing.IN_DOUBT: mark("Unknown: look at the PBX"),
    Standing.SILENT: mark("The PBX did not tell how it ended"),
}

_UNANSWERED: Final = mark(
    "The PBX did not answer the order. Whether the call is placed is unknown: look at the PBX."
)

ORDERS: Final[Mapping[OrderState, str]] = {
    OrderState.SENDING: _UNANSWERED,
    OrderState.ACCEPTED: mark("Calling. Pick up %(extension)s: the PBX rings you first."),
    OrderState.REFUSED: mark("The PBX refused: %(words)s"),
    OrderState.UNKNOWN: _UNANSWERED,
}
