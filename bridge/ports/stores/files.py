"""What the core asks of its files beside what is in them: are they well, and a last resort."""

from collections.abc import Sequence
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.errors import StoreError

RescuedCall = tuple[PhoneCall, OutboxEntry | None]


class StoredFile(Protocol):
    """A file that the service works with; *name* is what alarms call it."""

    @property
    def name(self) -> str:
        """Return the name of the file, without its folder."""
        ...

    async def examine(self) -> StoreError | None:
        """Return what keeps the file from being used, after a try to mend it; None: it is well."""
        ...

    def take_losses(self) -> Sequence[str]:
        """Return what happened to the file since this was asked last, as ends of a sentence."""
        ...


class CallRescue(Protocol):
    """Where calls are kept that the ledger does not take, until it takes them."""

    async def add(self, call: PhoneCall, entry: OutboxEntry | None) -> None:
        """Keep *call* outside of the ledger; never raises, the last place is the error stream."""
        ...

    async def saved_calls(self) -> Sequence[RescuedCall]:
        """Return what is kept, the oldest first."""
        ...

    async def delete_first(self, calls: int) -> None:
        """Delete what is kept: the first *calls* of it are in the ledger."""
        ...
