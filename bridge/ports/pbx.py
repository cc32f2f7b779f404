"""A PBX: raw requests and replies as values, and the dialect that translates them.

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
    """The reply to the PBX."""

    status: int
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A PBX event stored as it came, until it is applied to its call.

    *body* is set only where no fields could be read from it: its text, or "base64:" and its
    bytes; *content_type* is what the PBX called it.
    """

    provider: str
    received_at: datetime
    fields: tuple[tuple[str, str], ...]
    body: str = ""
    content_type: str = ""


class Telephony(Protocol):
    """One PBX's dialect: pure translation; nothing awaits or raises, whatever the PBX sends."""

    @property
    def provider(self) -> str:
        """Return the name of the PBX in lower case, part of every call's identity."""
        ...

    def parse_question(self, request: RawRequest, received_at: datetime) -> RouteQuestion:
        """Return the routing question; what is missing or unreadable is empty in it."""
        ...

    def render_answer(self, question: RouteQuestion, decision: RouteDecision) -> RawReply:
        """Return *decision* in the form the PBX follows; a reply exists for every decision."""
        ...

    def parse_events(self, request: RawRequest, received_at: datetime) -> Sequence[RawEvent]:
        """Return the events in query and body, at least one; unreadable ones as they came."""
        ...

    def reparse_event(self, event: RawEvent) -> Sequence[RawEvent]:
        """Return the events in one that was stored raw, as `parse_events` would today."""
        ...

    def read_event(self, event: RawEvent) -> CallEvent | None:
        """Return a stored event as a neutral one; None where it is about no call (a ping).

        Raises UnreadableEvent where it may be a call's and cannot be read.
        """
        ...

    def render_ack(self) -> RawReply:
        """Return the acknowledgement of an event that is durable."""
        ...


class PbxControl(Protocol):
    """A PBX's own API, for orders and for the history of calls."""

    async def originate(self, order: CallOrder) -> OrderReply:
        """Order the call once: ring the extension, then the number. Never raises, never repeats.

        UNKNOWN where the order may have reached the PBX but no answer came.
        """
        ...

    async def history(self, since: datetime, until: datetime) -> Sequence[CallEvent]:
        """Return the finished calls that began in this time, each as one HISTORY event.

        Raises PbxError (PbxUnavailable, PbxRefused) where the PBX cannot or will not answer.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
