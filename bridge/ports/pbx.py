"""A PBX as the core sees it: raw requests and replies as values, and one dialect that reads them.

Raw requests and replies are values, so a PBX adapter never meets the web framework.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.calls.events import CallEvent
from bridge.domain.calls.orders import CallOrder, OrderReply
from bridge.domain.routing.decision import RouteDecision, RouteQuestion


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A PBX's request as it came: *query* keeps repeats and order.

    *body* are its bytes and *content_type* is what the PBX called them. *query_string* is the query
    before it was decoded.
    """

    query: tuple[tuple[str, str], ...]
    content_type: str = ""
    body: bytes = b""
    query_string: bytes = b""


@dataclass(frozen=True, slots=True)
class RawReply:
    """What the PBX gets."""

    status: int
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A PBX event kept as it came, until the life of a call is told from it.

    *body* is there only where no fields could be read from it: its text, or "base64:" and its
    bytes; *content_type* is what the PBX called it.
    """

    provider: str
    received_at: datetime
    fields: tuple[tuple[str, str], ...]
    body: str = ""
    content_type: str = ""


class Telephony(Protocol):
    """One PBX's dialect: pure translation, nothing awaits, nothing raises on what a PBX sends."""

    @property
    def provider(self) -> str:
        """Name of the PBX in lower case, part of every call's identity."""
        ...

    def parse_question(self, request: RawRequest, received_at: datetime) -> RouteQuestion:
        """Read the routing question; what is missing or unreadable becomes empty."""
        ...

    def render_answer(self, question: RouteQuestion, decision: RouteDecision) -> RawReply:
        """Say *decision* in the form the PBX follows; a reply exists for every decision."""
        ...

    def parse_events(self, request: RawRequest, received_at: datetime) -> Sequence[RawEvent]:
        """Return the events in query and body, at least one; what cannot be read is in them raw."""
        ...

    def reparse_event(self, event: RawEvent) -> Sequence[RawEvent]:
        """Return the events in one that was kept raw, as `parse_events` would today."""
        ...

    def read_event(self, event: RawEvent) -> CallEvent | None:
        """Return a kept event in neutral words; None where it is no call's (a ping).

        Raises UnreadEvent where it may be a call's and cannot be read.
        """
        ...

    def render_ack(self) -> RawReply:
        """Acknowledge an event that is safely stored."""
        ...


class PbxControl(Protocol):
    """A PBX's own API, as orders and the settling of calls use it."""

    async def originate(self, order: CallOrder) -> OrderReply:
        """Order the call once: ring the extension, then the number. Never raises, never repeats.

        UNKNOWN where the order may have reached the PBX and no answer did.
        """
        ...

    async def history(self, since: datetime, until: datetime) -> Sequence[CallEvent]:
        """Give the finished calls that began in this time, each as one HISTORY event.

        Raises PbxError (PbxUnavailable, PbxRefused) where the PBX cannot or will not tell.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...
