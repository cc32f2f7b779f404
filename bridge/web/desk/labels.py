"""The names the desk gives to what becomes of calls and orders; marked for the catalogues."""

from collections.abc import Mapping
from typing import Final

from bridge.domain.calls.orders import OrderState
from bridge.domain.reporting.desk import DeskStatus
from bridge.web.shared.language import translatable

STATUS_LABELS: Final[Mapping[DeskStatus, str]] = {
    DeskStatus.RINGING: translatable("Ringing"),
    DeskStatus.RINGS_COLLEAGUE: translatable("Rings a colleague"),
    DeskStatus.CALLING: translatable("Calling"),
    DeskStatus.TALKING: translatable("Talking"),
    DeskStatus.COLLEAGUE_TALKS: translatable("A colleague answered"),
    DeskStatus.TALKED: translatable("Talked"),
    DeskStatus.ANSWERED: translatable("A colleague answered"),
    DeskStatus.MISSED: translatable("Missed"),
    DeskStatus.NOT_REACHED: translatable("Not reached"),
    DeskStatus.IN_DOUBT: translatable("Unknown: look at the PBX"),
    DeskStatus.SILENT: translatable("The PBX did not tell how it ended"),
}

_UNANSWERED: Final = translatable(
    "The PBX did not answer the order. Whether the call is placed is unknown: look at the PBX."
)

ORDER_LABELS: Final[Mapping[OrderState, str]] = {
    OrderState.SENDING: _UNANSWERED,
    OrderState.ACCEPTED: translatable("Calling. Pick up %(extension)s: the PBX rings you first."),
    OrderState.REFUSED: translatable("The PBX refused: %(words)s"),
    OrderState.UNKNOWN: _UNANSWERED,
}
