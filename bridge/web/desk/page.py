"""The desk's addresses: the page, its stream, its parts; what its buttons do is `buttons`."""

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.domain.desk import Standing, standing
from bridge.web.access import Gate
from bridge.web.desk.buttons import Buttons
from bridge.web.desk.cards import Sight
from bridge.web.desk.rendering import Rendering
from bridge.web.desk.search import LONGEST_SEARCH, Search
from bridge.web.desk.seats import Seat, Seats
from bridge.web.desk.stream import desk_lines
from bridge.web.pages import PAGE_HEADERS, Pages
from bridge.web.stream_places import EventStream
from bridge.web.surface import WebServices


class Desk:
    """Shows the desk."""

    def __init__(self, services: WebServices, gate: Gate, pages: Pages) -> None:
        desk = services.desk
        self._services = services
        self._gate = gate
        self._board = desk.board
        self._book = desk.book
        self._seats = Seats(services, gate, pages)
        self._rendering = Rendering(services, pages)
        self._search = Search(services.directory, services.phones, desk.open_in_onec)
        self._buttons = Buttons(services, self._seats, self._rendering, self._search)

    def routes(self) -> list[BaseRoute]:
        """Give the desk's routes."""
        return [
            Route("/desk", self.page, include_in_schema=False),
            Route("/desk/stream", self.stream, include_in_schema=False),
            Route("/desk/search", self.search, include_in_schema=False),
            Route("/desk/calls/{key}", self.card, include_in_schema=False),
            *self._buttons.routes(),
        ]

    async def page(self, request: Request) -> Response:
        """Show the desk with every call that stands; its stream goes on from there."""
        seat = await self._seats.of(request)
        sight = seat.sight
        if not sight.extension:
            return self._choose_seat(seat)
        typed = request.query_params.get("q", "")[:LONGEST_SEARCH]
        # Before anything is awaited: what happens meanwhile comes by the stream.
        news = self._board.news(sight.extension, "")
        over: list[str] = []
        running: list[str] = []
        now = self._services.clock()
        stands = [(standing(p.call, sight.extension, now), p) for p in reversed(news.posted)]
        # What rings stands first: it cannot wait.
        for where, posted in sorted(stands, key=lambda pair: pair[0] is not Standing.RINGING):
            text = await self._rendering.card(posted, sight)
            (over if where.is_over else running).append(text)
        return self._html(
            "desk.html",
            seat,
            after=news.id,
            running=running,
            over=over,
            missed=self._rendering.missed(self._book.of(sight.extension), sight),
            typed=typed,
            found=self._found(typed, sight) if typed else "",
            beat_s=self._services.heartbeat_s,
        )

    async def stream(self, request: Request) -> Response:
        """Stream what happens at this telephone; 503 when too many listen already."""
        seat = await self._seats.of(request)
        sight, board = seat.sight, self._board
        if not sight.extension:
            raise HTTPException(404, "There is no telephone to listen to.")
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        lines = desk_lines(
            board,
            sight.extension,
            after[:64],
            # He may have asked to see a number since the stream began.
            write_card=lambda posted: self._rendering.card(posted, self._seats.now(sight)),
            debts=lambda: self._book.of(sight.extension),
            write_missed=lambda debts: self._rendering.missed(debts, self._seats.now(sight)),
            beat_s=self._services.heartbeat_s,
            now_words=lambda: self._services.clock().isoformat(),
        )
        may_read = self._gate.lasting(request.scope, seat.viewer)
        guarded = self._gate.live.guarded(lines, may_read, self._services.heartbeat_s)
        return EventStream(guarded, self._services.streams, f"telephone {sight.extension}")

    async def card(self, request: Request) -> Response:
        """Show one card as it reads now."""
        seat = await self._seats.of(request)
        posted = self._board.call(request.path_params["key"], seat.sight.extension)
        if posted is None:
            raise HTTPException(404, "This desk shows no such call.")
        text = await self._rendering.card(posted, seat.sight)
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))

    async def search(self, request: Request) -> Response:
        """Show whom the directory finds."""
        seat = await self._seats.of(request)
        typed = request.query_params.get("q", "")[:LONGEST_SEARCH]
        return HTMLResponse(self._found(typed, seat.sight), headers=dict(PAGE_HEADERS))

    def _found(self, typed: str, sight: Sight) -> str:
        return self._rendering.found(typed, self._search.find(typed, sight), sight)

    def _choose_seat(self, seat: Seat) -> Response:
        staff = self._services.directory.managers().values() if seat.viewer.is_admin else ()
        people = sorted((m for m in staff if m.reachable), key=lambda m: m.name)
        telephones = [person.extension for person in people]
        shared = {one for one in telephones if telephones.count(one) > 1}
        return self._html("desk_seats.html", seat, people=people, shared=shared)

    def _html(self, template: str, seat: Seat, **fields: object) -> Response:
        extension = seat.sight.extension
        here = f"/desk?{urlencode({'extension': extension})}" if extension else "/desk"
        text = self._rendering.page(template, seat.sight, seat=seat, here=here, **fields)
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))
