"""The desk's addresses: the page, its stream, its parts; its buttons are in `actions`."""

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.domain.reporting.desk import DeskStatus, find_desk_status
from bridge.web.access import AccessControl
from bridge.web.desk.actions import DeskActions
from bridge.web.desk.cards import DeskAudience
from bridge.web.desk.contexts import DeskContext, DeskContexts
from bridge.web.desk.rendering import DeskRenderer
from bridge.web.desk.search import MAX_SEARCH_LENGTH, DirectorySearch
from bridge.web.desk.stream import desk_lines
from bridge.web.shared.event_stream import EventStream
from bridge.web.shared.pages import PAGE_HEADERS, PageRenderer
from bridge.web.web_services import WebServices


class DeskPages:
    """Shows the desk."""

    def __init__(self, services: WebServices, access: AccessControl, pages: PageRenderer) -> None:
        desk = services.desk_state
        self._services = services
        self._access = access
        self._desk_calls = desk.calls
        self._missed_calls = desk.missed_calls
        self._contexts = DeskContexts(services, access, pages)
        self._renderer = DeskRenderer(services, pages)
        self._search = DirectorySearch(services.directory, services.phones, desk.onec_link)
        self._buttons = DeskActions(services, self._contexts, self._renderer, self._search)

    def routes(self) -> list[BaseRoute]:
        """Return the desk's routes."""
        return [
            Route("/desk", self.show_desk, include_in_schema=False),
            Route("/desk/stream", self.stream, include_in_schema=False),
            Route("/desk/search", self.show_search, include_in_schema=False),
            Route("/desk/calls/{key}", self.show_card, include_in_schema=False),
            *self._buttons.routes(),
        ]

    async def show_desk(self, request: Request) -> Response:
        """Show the desk with every call that stands; its stream goes on from there."""
        context = await self._contexts.of_request(request)
        audience = context.audience
        if not audience.extension:
            return self._choose_extension(context)
        typed = request.query_params.get("q", "")[:MAX_SEARCH_LENGTH]
        # Before anything is awaited: what happens meanwhile comes by the stream.
        updates = self._desk_calls.updates_since(audience.extension, "")
        over: list[str] = []
        running: list[str] = []
        now = self._services.clock()
        shown = [
            (find_desk_status(p.call, audience.extension, now), p)
            for p in reversed(updates.updates)
        ]
        # What rings stands first: it cannot wait.
        for status, update in sorted(shown, key=lambda pair: pair[0] is not DeskStatus.RINGING):
            text = await self._renderer.render_card(update, audience)
            (over if status.is_over else running).append(text)
        return self._html(
            "desk.html",
            context,
            after=updates.last_id,
            running=running,
            over=over,
            missed=self._renderer.render_missed_calls(
                self._missed_calls.of_extension(audience.extension), audience
            ),
            typed=typed,
            found=self._found(typed, audience) if typed else "",
            beat_s=self._services.heartbeat_s,
        )

    async def stream(self, request: Request) -> Response:
        """Stream what happens at this telephone; 503 when too many listen already."""
        context = await self._contexts.of_request(request)
        audience, desk_calls = context.audience, self._desk_calls
        if not audience.extension:
            raise HTTPException(404, "There is no telephone to listen to.")
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        lines = desk_lines(
            desk_calls,
            audience.extension,
            after[:64],
            # A number may have been revealed since the stream began.
            write_card=lambda update: self._renderer.render_card(
                update, self._contexts.with_revealed(audience)
            ),
            missed_calls=lambda: self._missed_calls.of_extension(audience.extension),
            write_missed_calls=lambda missed_calls: self._renderer.render_missed_calls(
                missed_calls, self._contexts.with_revealed(audience)
            ),
            heartbeat_s=self._services.heartbeat_s,
            time_text=lambda: self._services.clock().isoformat(),
        )
        may_read = self._access.access_check(request.scope, context.viewer)
        guarded = self._access.streams.guard(lines, may_read, self._services.heartbeat_s)
        return EventStream(guarded, self._services.stream_limits, f"telephone {audience.extension}")

    async def show_card(self, request: Request) -> Response:
        """Show one card as it reads now."""
        context = await self._contexts.of_request(request)
        update = self._desk_calls.find_call(request.path_params["key"], context.audience.extension)
        if update is None:
            raise HTTPException(404, "This desk shows no such call.")
        text = await self._renderer.render_card(update, context.audience)
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))

    async def show_search(self, request: Request) -> Response:
        """Show whom the directory finds."""
        context = await self._contexts.of_request(request)
        typed = request.query_params.get("q", "")[:MAX_SEARCH_LENGTH]
        return HTMLResponse(self._found(typed, context.audience), headers=dict(PAGE_HEADERS))

    def _found(self, typed: str, audience: DeskAudience) -> str:
        return self._renderer.render_hits(typed, self._search.find(typed, audience), audience)

    def _choose_extension(self, context: DeskContext) -> Response:
        staff = self._services.directory.managers().values() if context.viewer.is_admin else ()
        people = sorted((m for m in staff if m.is_reachable), key=lambda m: m.name)
        telephones = [person.extension for person in people]
        shared = {one for one in telephones if telephones.count(one) > 1}
        return self._html("desk_seats.html", context, people=people, shared=shared)

    def _html(self, template: str, context: DeskContext, **fields: object) -> Response:
        extension = context.audience.extension
        here = f"/desk?{urlencode({'extension': extension})}" if extension else "/desk"
        text = self._renderer.render_part(
            template, context.audience, context=context, here=here, **fields
        )
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))
