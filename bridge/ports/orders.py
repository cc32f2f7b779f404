"""Orders of calls as the core keeps them, and the numbers that may be called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.orders import CallOrder, OrderState
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.phone import PhoneNumber


class OrderStore(Protocol):
    """Where ordered calls stand, durable when a write returns.

    Every method may raise StoreError.
    """

    async def add_order(self, call: PhoneCall) -> PhoneCall:
        """Have the call of an order on disk; give the one that stands when its key was there."""
        ...

    async def save_order(self, key: str, order: CallOrder) -> None:
        """Keep what became of an order; its call may have heard events meanwhile.

        Where there is no such order nothing is kept.
        """
        ...

    async def orders_being_sent(self) -> Sequence[PhoneCall]:
        """Give the calls whose orders are SENDING."""
        ...

    async def blocking_order(
        self, extension: str, number: PhoneNumber, now: datetime
    ) -> PhoneCall | None:
        """Return the latest call ordered for this pair that bars a repeat (`calls.bars_repeat`)."""
        ...


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """What became of a call that another process was asked to place; *words* of a failure."""

    key: str
    state: OrderState
    words: str = ""


@dataclass(frozen=True, slots=True)
class OwnedPhone:
    """One number of a partner: whose it is, and as typed in 1C."""

    number: PhoneNumber
    owner: Ref
    kind: CandidateKind
    name: str
    as_typed: str
    #: The extension typed behind the number («доб. 314»).
    extension: str | None = None
    #: The relation with its owner is over.
    ended: bool = False


class PartnerPhones(Protocol):
    """The directory as somebody reads it who wants to call."""

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        """Give the numbers of a partner, or of a contact person; None when 1C has no such.

        A partner's own come first, then his contact persons', then his legal entities', each once.
        Raises StoreError when the file cannot be read.
        """
        ...
