"""Calls as they are recorded, and how lists of them are filtered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.entry import OutboxEntry
from bridge.domain.phone.phone import PhoneNumber


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls a list shows; what is None does not count. *since* ≤ received < *until*.

    *client* is that of `PhoneCall.client`; *extension* one that rang, talked, dialled or was told.
    """

    number: PhoneNumber | None = None
    client: str | None = None
    extension: str | None = None
    direction: Direction | None = None
    dispositions: tuple[Disposition, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


_EVERYTHING = CallFilter()


@dataclass(frozen=True, slots=True)
class CallSearch:
    """A filter, and what only a person asks for; empty parts do not count.

    *digits* are a part of a number; *name* a part of the caller's, his company's or the manager's
    name, in any letter case.
    """

    filter: CallFilter = _EVERYTHING
    digits: str = ""
    name: str = ""


class CallRecords(Protocol):
    """Calls on disk. Async writes return when durable; every method may raise StoreError."""

    async def record_call(self, call: PhoneCall, entry: OutboxEntry | None) -> PhoneCall:
        """Write the call and its debt in one transaction, once.

        When a call of this key is there already nothing is written and that call is returned;
        but where that one began with its events, the question of *call* joins it.
        """
        ...

    async def call(self, key: str) -> PhoneCall | None:
        """Give one call."""
        ...

    async def calls(
        self,
        *,
        limit: int = 50,
        before: datetime | None = None,
        number: PhoneNumber | None = None,
        matching: CallFilter | None = None,
    ) -> Sequence[PhoneCall]:
        """List calls, newest first by `received_at`; *before* is such a moment too."""
        ...

    async def calls_since(
        self, moment: datetime, until: datetime | None = None
    ) -> Sequence[PhoneCall]:
        """Give the calls received since *moment*, and before *until*, oldest first.

        A wall clock that was wrong leaves calls of the future behind.
        """
        ...

    async def call_by_ref(self, ref: str) -> PhoneCall | None:
        """Give the latest call that the PBX knows by *ref*."""
        ...
