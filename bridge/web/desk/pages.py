"""The desk's addresses: the page, its stream, its parts; what its buttons do is `buttons`."""

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

    def __init__(self, services: WebServices, gate: AccessControl, pages: PageRenderer) -> None:
        desk = services.desk_state
        self._services = services
        self._gate = gate
        self._board = desk.calls
        self._book = desk.missed_calls
        self._seats = DeskContexts(services, gate, pages)
        self._rendering = DeskRenderer(services, pages)
        self._search = DirectorySearch(services.directory, services.phones, desk.onec_link)
        self._buttons = DeskActions(services, self._seats, self._rendering, self._search)

    def routes(self) -> list[BaseRoute]:
        """Give the desk's routes."""
        return [
            Route("/desk", self.show_desk, include_in_schema=False),
            Route("/desk/stream", self.stream, include_in_schema=False),
            Route("/desk/search", self.show_search, include_in_schema=False),
            Route("/desk/calls/{key}", self.show_card, include_in_schema=False),
            *self._buttons.routes(),
        ]

    async def show_desk(self, request: Request) -> Response:
        """Show the desk with every call that stands; its stream goes on from there."""
        seat = await self._seats.of_request(request)
        sight = seat.audience
        if not sight.extension:
            return self._choose_seat(seat)
        typed = request.query_params.get("q", "")[:MAX_SEARCH_LENGTH]
        # Before anything is awaited: what happens meanwhile comes by the stream.
        news = self._board.updates_since(sight.extension, "")
        over: list[str] = []
        running: list[str] = []
        now = self._services.clock()
        stands = [
            (find_desk_status(p.call, sight.extension, now), p) for p in reversed(news.updates)
        ]
        # What rings stands first: it cannot wait.
        for where, posted in sorted(stands, key=lambda pair: pair[0] is not DeskStatus.RINGING):
            text = await self._rendering.render_card(posted, sight)
            (over if where.is_over else running).append(text)
        return self._html(
            "desk.html",
            seat,
            after=news.last_id,
            running=running,
            over=over,
            missed=self._rendering.render_missed_calls(
                self._book.of_extension(sight.extension), sight
            ),
            typed=typed,
            found=self._found(typed, sight) if typed else "",
            beat_s=self._services.heartbeat_s,
        )

    async def stream(self, request: Request) -> Response:
        """Stream what happens at this telephone; 503 when too many listen already."""
        seat = await self._seats.of_request(request)
        sight, board = seat.audience, self._board
        if not sight.extension:
            raise HTTPException(404, "There is no telephone to listen to.")
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        lines = desk_lines(
            board,
            sight.extension,
            after[:64],
            # He may have asked to see a number since the stream began.
            write_card=lambda posted: self._rendering.render_card(
                posted, self._seats.with_revealed(sight)
            ),
            missed_calls=lambda: self._book.of_extension(sight.extension),
            write_missed_calls=lambda debts: self._rendering.render_missed_calls(
                debts, self._seats.with_revealed(sight)
            ),
            heartbeat_s=self._services.heartbeat_s,
            time_text=lambda: self._services.clock().isoformat(),
        )
        may_read = self._gate.access_check(request.scope, seat.viewer)
        guarded = self._gate.streams.guard(lines, may_read, self._services.heartbeat_s)
        return EventStream(guarded, self._services.stream_limits, f"telephone {sight.extension}")

    async def show_card(self, request: Request) -> Response:
        """Show one card as it reads now."""
        seat = await self._seats.of_request(request)
        posted = self._board.find_call(request.path_params["key"], seat.audience.extension)
        if posted is None:
            raise HTTPException(404, "This desk shows no such call.")
        text = await self._rendering.render_card(posted, seat.audience)
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))

    async def show_search(self, request: Request) -> Response:
        """Show whom the directory finds."""
        seat = await self._seats.of_request(request)
        typed = request.query_params.get("q", "")[:MAX_SEARCH_LENGTH]
        return HTMLResponse(self._found(typed, seat.audience), headers=dict(PAGE_HEADERS))

    def _found(self, typed: str, sight: DeskAudience) -> str:
        return self._rendering.render_hits(typed, self._search.find(typed, sight), sight)

    def _choose_seat(self, seat: DeskContext) -> Response:
        staff = self._services.directory.managers().values() if seat.viewer.is_admin else ()
        people = sorted((m for m in staff if m.is_reachable), key=lambda m: m.name)
        telephones = [person.extension for person in people]
        shared = {one for one in telephones if telephones.count(one) > 1}
        return self._html("desk_seats.html", seat, people=people, shared=shared)

    def _html(self, template: str, seat: DeskContext, **fields: object) -> Response:
        extension = seat.audience.extension
        here = f"/desk?{urlencode({'extension': extension})}" if extension else "/desk"
        text = self._rendering.render_part(template, seat.audience, seat=seat, here=here, **fields)
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))
