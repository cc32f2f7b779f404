"""`/api/v1/events/unread`: events of the PBX that could not be read, as they came."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from bridge.web.api.views.base import View
from bridge.web.web_services import WebServices


class UnreadEventView(View):
    """One event as it came, secrets of its address left out."""

    provider: str
    received_at: datetime
    fields: list[list[str]] = Field(description="name and value, in the order sent")
    body: str = Field(description="where no fields could be read; “base64:” before bytes")
    content_type: str


class UnreadEventsView(View):
    """Events that could not be read, oldest first."""

    count: int
    events: list[UnreadEventView]


class DismissedEventsView(View):
    """How many were let go."""

    dismissed: int


def add_unread_event_routes(router: APIRouter, services: WebServices) -> None:
    """Add the addresses about unread events to *router*."""

    @router.get("/events/unread")
    async def list_unread(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> UnreadEventsView:
        """List the events of the PBX that could not be read; a newer bridge may read them."""
        found = await services.ledger.unread_events(limit)
        count = await services.ledger.count_unread_events()
        return UnreadEventsView(count=count, events=[UnreadEventView.of(raw) for _, raw in found])

    @router.post("/events/unread/dismiss")
    async def dismiss_unread() -> DismissedEventsView:
        """Delete the unread events: the alarm is over, and no newer bridge reads them."""
        return DismissedEventsView(dismissed=await services.event_intake.dismiss_unread())
