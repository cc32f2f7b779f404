"""What the desk needs from the house beside the street's own: orders, notes, debts, links."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from bridge.domain.calls import PhoneCall
from bridge.domain.directory import CandidateKind, Ref
from bridge.domain.orders import CallOrder
from bridge.domain.phone import PhoneNumber

#: Gives the address that opens an owner of a number in 1C; None where there is no web client.
OpenInOneC = Callable[[CandidateKind, Ref], str | None]


def no_web_client(kind: CandidateKind, ref: Ref) -> None:
    """Give no link: BRIDGE_ONEC_WEB_URL is not set."""
    del kind, ref


class Orders(Protocol):
    """Starts calls through the PBX."""

    async def order(self, extension: str, number: PhoneNumber, *, by: str) -> CallOrder:
        """Ring *extension*, then *number*; the order tells what became of it, with words.

        Asked again within `domain.orders.REPEAT_PAUSE` it rings nobody and gives the first order.
        May raise StoreError, and nothing was ordered then.
        """
        ...


class Notes(Protocol):
    """Keeps what operators write about calls."""

    async def add(self, key: str, *, by: str, text: str) -> PhoneCall | None:
        """Keep *text* with the call of *key* and owe it to its document in 1C.

        Done means durable, and told to everybody as CallChanged; None when there is no such call.
        May raise StoreError.
        """
        ...


class Debt(Protocol):
    """A client whom nobody has called back yet, however often he tried."""

    @property
    def key(self) -> str:
        """Key of his last missed call."""
        ...

    @property
    def client(self) -> str:
        """By what he is known: `PhoneCall.client`."""
        ...

    @property
    def number(self) -> PhoneNumber:
        """The number he called from last."""
        ...

    @property
    def name(self) -> str:
        """Who he is, in words; empty for a stranger."""
        ...

    @property
    def extension(self) -> str:
        """The telephone whose owner has to call him back now."""
        ...

    @property
    def calls(self) -> int:
        """How often he called in vain."""
        ...

    @property
    def first_at(self) -> datetime:
        """When he did so first."""
        ...

    @property
    def last_at(self) -> datetime:
        """When he did so last."""
        ...


class Debts(Protocol):
    """Missed calls that nobody has made good."""

    async def open(self) -> Sequence[Debt]:
        """Give all that are open, the oldest first. May raise StoreError."""
        ...
