"""Orders of outgoing calls, and the numbers of partners."""

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
    """Stores ordered calls; durable when a write returns.

    Every method may raise StoreError.
    """

    async def add_order(self, call: PhoneCall) -> PhoneCall:
        """Record the call of an order.

        Return the one that stands where its key was there already.
        """
        ...

    async def save_order(self, key: str, order: CallOrder) -> None:
        """Save the outcome of an order; its call may have had events meanwhile.

        Where there is no such order nothing is saved.
        """
        ...

    async def orders_being_sent(self) -> Sequence[PhoneCall]:
        """Return the calls whose orders are SENDING."""
        ...

    async def blocking_order(
        self, extension: str, number: PhoneNumber, now: datetime
    ) -> PhoneCall | None:
        """Return the latest order of this pair for which `blocks_repeat_order` is true."""
        ...


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """The outcome of a call that another process was asked to place; *words* is why it failed."""

    key: str
    state: OrderState
    words: str = ""


@dataclass(frozen=True, slots=True)
class OwnedPhone:
    """One number of a partner: its owner, and as it is typed in 1C."""

    number: PhoneNumber
    owner: Ref
    kind: CandidateKind
    name: str
    as_typed: str
    #: The extension typed behind the number («доб. 314»).
    extension: str | None = None
    #: The relation with the owner is over.
    ended: bool = False


class PartnerPhones(Protocol):
    """The numbers in the directory, for outgoing calls."""

    def phones_of(self, owner: Ref) -> Sequence[OwnedPhone] | None:
        """Return the numbers of a partner, or of a contact person; None where there is no such.

        A partner's own come first, then those of contact persons, then of counterparties; each
        once.
        Raises StoreError when the file cannot be read.
        """
        ...
