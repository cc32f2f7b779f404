"""The state of the data files, and the last resort for calls that the ledger refuses."""

from collections.abc import Sequence
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.delivery.entry import OutboxEntry
from bridge.errors import StoreError

RescuedCall = tuple[PhoneCall, OutboxEntry | None]


class StoredFile(Protocol):
    """A file that the service works with; *name* is its name in alarms."""

    @property
    def name(self) -> str:
        """Return the name of the file, without its folder."""
        ...

    async def examine(self) -> StoreError | None:
        """Return why the file cannot be used, after an attempt to repair it; None: it can."""
        ...

    def take_losses(self) -> Sequence[str]:
        """Return what happened to the file since the last call, as ends of a sentence."""
        ...


class CallRescue(Protocol):
    """Where calls are saved that the ledger refuses, until it takes them."""

    async def add(self, call: PhoneCall, entry: OutboxEntry | None) -> None:
        """Save *call* outside the ledger; never raises, the last resort is the error stream."""
        ...

    async def saved_calls(self) -> Sequence[RescuedCall]:
        """Return the saved calls, the oldest first. Raises StoreError."""
        ...

    async def delete_first(self, calls: int) -> None:
        """Delete the first *calls* of the saved ones: they are in the ledger."""
        ...
