"""What the street needs from the house: the services behind it, as Protocols, in one bundle."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from typing import Protocol

from bridge.domain.calls import PhoneCall
from bridge.domain.decision import RouteDecision, RouteQuestion, Rule
from bridge.domain.phone import PhoneRules
from bridge.domain.texts import Language
from bridge.ports import (
    Alarm,
    Audit,
    Clock,
    DeskKeys,
    Directory,
    Event,
    Events,
    Ledger,
    OneCMood,
    OneCSignIn,
    OutboxCounts,
    PhoneBook,
    RawEvent,
    Telephony,
)
from bridge.web.access import AdminAccess, HookAccess
from bridge.web.desk.parts import DeskParts


class Answering(Protocol):
    """Answers routing questions; a returned answer is recorded."""

    def answer(self, question: RouteQuestion, /) -> Awaitable[RouteDecision]:
        """Decide and record; one call asks several times and is answered once."""
        ...

    def fallback(self, question: RouteQuestion, /) -> RouteDecision:
        """Decide with nothing but the settings; never raises."""
        ...

    def explain(self, caller: str, did: str, /) -> tuple[RouteQuestion, RouteDecision]:
        """Tell what the PBX would be told, and why; records nothing."""
        ...


class Receiving(Protocol):
    """Takes in PBX events."""

    def receive(self, event: RawEvent, /) -> Awaitable[None]:
        """Store *event*; done means durable. Raises StoreError when it is not."""
        ...


class Originating(Protocol):
    """Orders calls through the PBX."""

    async def order(self, extension: str, number: str, *, by: str) -> PhoneCall:
        """Ring *extension*, then *number*; the call tells what became of it.

        Raises OrderRefused (OrderRepeated) where nothing was ordered.
        """
        ...


class Noting(Protocol):
    """Keeps what operators write about calls."""

    def annotate(self, key: str, by: str, text: str, /) -> Awaitable[PhoneCall | None]:
        """Keep *text* with the call of *key* and owe it to its document; None: no such call."""
        ...


class Hub(Protocol):
    """Where pages listen to what happens."""

    @property
    def latest(self) -> str:
        """Id of the last event."""
        ...

    def subscribe(
        self, kinds: Collection[type[Event]], after: str = ""
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, Event | None]]]:
        """Listen, from behind the id *after* if given; None for an event marks a gap.

        The iterator ends when the house stops; cancelling a wait for its next loses nothing.
        """
        ...


class Meter(Protocol):
    """Counts what goes over the street, and shows the figures."""

    @property
    def content_type(self) -> str:
        """The exposition's content type."""
        ...

    def routed(self, provider: str, rule: Rule, seconds: float, /) -> None:
        """Count one answered question."""
        ...

    def route_failed(self, provider: str, /) -> None:
        """Count a question that only the fallback could answer."""
        ...

    def event_stored(self, provider: str, /) -> None:
        """Count one stored PBX event."""
        ...

    def expose(self, counts: OutboxCounts, age: timedelta | None, numbers: int, /) -> bytes:
        """Give the exposition; the arguments are what stands in the stores at this moment."""
        ...


@dataclass(frozen=True, slots=True)
class WebServices:
    """Everything the street is built from; ready to use when given.

    *zone* is the one the administrator's clock shows. *kick* wakes the delivery. *heartbeat_s* is
    the longest silence on a stream: proxies cut lines that say nothing for a minute.
    """

    telephony: Telephony
    answering: Answering
    receiving: Receiving
    noting: Noting
    ledger: Ledger
    directory: Directory
    hub: Hub
    events: Events
    meter: Meter
    audit: Audit
    desk_keys: DeskKeys
    onec_sign_in: OneCSignIn
    desk: DeskParts
    clock: Clock
    mood: Callable[[], OneCMood | None]
    alarms: Callable[[], Sequence[Alarm]]
    kick: Callable[[], None]
    hook_access: HookAccess = field(default_factory=HookAccess)
    admin_access: AdminAccess = field(default_factory=AdminAccess)
    phones: PhoneRules = field(default_factory=PhoneRules)
    lang: Language = "ru"
    zone: tzinfo = UTC
    heartbeat_s: float = 15.0
    #: None: nothing opens the PBX's API, so nothing can be called through it.
    originating: Originating | None = None
    phone_book: PhoneBook | None = None
