"""The desk's addresses: the page, its stream, its parts, and what its buttons do."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Route

from bridge.domain.calls import PhoneCall
from bridge.domain.desk import Standing, standing, telephones
from bridge.domain.orders import OrderState
from bridge.domain.phone import PhoneNumber, mask_phone
from bridge.errors import OrderRefused
from bridge.ports import AuditAct
from bridge.web.access import Gate, Viewer
from bridge.web.actions import choose_owner
from bridge.web.desk.cards import Sight
from bridge.web.desk.rendering import Rendering
from bridge.web.desk.search import MOST_FOUND, SHORTEST, Search
from bridge.web.desk.stream import desk_lines
from bridge.web.desk.words import ORDERS
from bridge.web.forms import read_form
from bridge.web.language import Speech
from bridge.web.pages import PAGE_HEADERS, Pages
from bridge.web.stream import STREAM_HEADERS
from bridge.web.surface import WebServices

#: Desks that may listen at once: of one telephone, and in all.
MOST_OF_ONE = 50
MOST_DESKS = 5000

_LONGEST_NOTE = 2000
_LONGEST_SEARCH = 100
_LONGEST_EXTENSION = 20


@dataclass(frozen=True, slots=True)
class Seat:
    """Who sits at a desk: *sight* tells whose telephone it shows and what he sees of numbers."""

    viewer: Viewer
    sight: Sight
    #: Whose telephone it is; empty for one that nobody or several have.
    owner: str
    speech: Speech

    @property
    def signs(self) -> str:
        """By what name he signs what he does."""
        return self.viewer.name or self.speech.say("administrator")


class Desk:
    """Shows the desk and does what its buttons say."""

    def __init__(self, services: WebServices, gate: Gate, pages: Pages) -> None:
        desk = services.desk
        self._services = services
        self._gate = gate
        self._pages = pages
        self._desk = desk
        self._board = desk.board
        self._book = desk.book
        self._rendering = Rendering(services, pages)
        self._search = Search(services.directory, services.phones, desk.open_in_onec)

    def routes(self) -> list[BaseRoute]:
        """Give the desk's routes."""
        call = "/desk/calls/{key}"
        return [
            Route("/desk", self.page, include_in_schema=False),
            Route("/desk/stream", self.stream, include_in_schema=False),
            Route("/desk/search", self.search, include_in_schema=False),
            Route(call, self.card, include_in_schema=False),
            Route(f"{call}/callback", self.call_back, methods=["POST"], include_in_schema=False),
            Route(f"{call}/note", self.note, methods=["POST"], include_in_schema=False),
            Route(f"{call}/owner", self.choose, methods=["POST"], include_in_schema=False),
            Route("/desk/order", self.order, methods=["POST"], include_in_schema=False),
        ]

    async def page(self, request: Request) -> Response:
        """Show the desk with every call that stands; its stream goes on from there."""
        seat = await self._seat(request)
        sight = seat.sight
        if not sight.extension:
            return self._choose_seat(seat)
        typed = request.query_params.get("q", "")[:_LONGEST_SEARCH]
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
            sight,
            seat=seat,
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
        seat = await self._seat(request)
        sight, board = seat.sight, self._board
        if not sight.extension:
            raise HTTPException(404, "There is no telephone to listen to.")
        if board.listening(sight.extension) >= MOST_OF_ONE or board.listening() >= MOST_DESKS:
            raise HTTPException(503, "Too many desks are open.", {"Retry-After": "10"})
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        lines = desk_lines(
            board,
            sight.extension,
            after[:64],
            write_card=lambda posted: self._rendering.card(posted, sight),
            debts=lambda: self._book.of(sight.extension),
            write_missed=lambda debts: self._rendering.missed(debts, sight),
            beat_s=self._services.heartbeat_s,
            now_words=lambda: self._services.clock().isoformat(),
        )
        return StreamingResponse(lines, headers=STREAM_HEADERS, media_type="text/event-stream")

    async def card(self, request: Request) -> Response:
        """Show one card as it reads now."""
        seat = await self._seat(request)
        posted = self._board.call(request.path_params["key"], seat.sight.extension)
        if posted is None:
            raise HTTPException(404, "This desk shows no such call.")
        text = await self._rendering.card(posted, seat.sight)
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))

    async def search(self, request: Request) -> Response:
        """Show whom the directory finds."""
        seat = await self._seat(request)
        typed = request.query_params.get("q", "")[:_LONGEST_SEARCH]
        return HTMLResponse(self._found(typed, seat.sight), headers=dict(PAGE_HEADERS))

    async def order(self, request: Request) -> Response:
        """Call a number that a search has found."""
        seat, form = await self._form(request)
        place = form.get("place", "0")
        number = self._search.number(
            form.get("q", "")[:_LONGEST_SEARCH],
            form.get("of", ""),
            int(place) if place.isascii() and place.isdigit() else -1,
            seat.sight,
        )
        if number is None:
            raise HTTPException(409, seat.speech.say("1C has nothing like it"))
        return await self._order(request, seat, number)

    async def call_back(self, request: Request) -> Response:
        """Call the caller of a call back."""
        seat, _ = await self._form(request)
        call = await self._call(request, seat)
        if call.caller.number is None:
            raise HTTPException(409, seat.speech.say("Nothing to call: the number is withheld."))
        return await self._order(request, seat, call.caller.number)

    async def note(self, request: Request) -> Response:
        """Write a note on a call, into its document in 1C too."""
        seat, form = await self._form(request)
        call = await self._call(request, seat)
        text = form.get("text", "").strip()[:_LONGEST_NOTE]
        if not text:
            raise HTTPException(422, seat.speech.say("The note is empty."))
        if await self._services.noting.annotate(call.key, seat.signs, text) is None:
            raise HTTPException(404, "There is no such call.")
        await self._record(seat, AuditAct.NOTED, call.key)
        return self._done(request, seat, seat.speech.say("Saved."))

    async def choose(self, request: Request) -> Response:
        """Keep the operator's word on whose number it is."""
        seat, form = await self._form(request)
        call = await self._call(request, seat)
        number = call.caller.number
        if number is None:
            raise HTTPException(409, seat.speech.say("Nothing to call: the number is withheld."))
        await choose_owner(self._services, seat.viewer, number, form.get("owner", ""))
        self._board.touch(number)
        return self._done(
            request,
            seat,
            seat.speech.say("Remembered: from the next call on the number leads to him."),
        )

    async def _seat(self, request: Request) -> Seat:
        """Tell who sits there: a manager at his own telephone, the administrator at any.

        Raises:
            HTTPException: what `Gate.viewer` does.
        """
        viewer = await self._gate.viewer(request.scope)
        named = request.query_params.get("extension", "")[:_LONGEST_EXTENSION]
        extension = named if viewer.is_admin else viewer.extension or ""
        owner = self._services.directory.owner_of(extension).manager if extension else None
        sight = Sight(extension, self._pages.language(request.scope), replace(viewer, address=""))
        return Seat(
            viewer, sight, "" if owner is None else owner.name, self._pages.speech(request.scope)
        )

    def _choose_seat(self, seat: Seat) -> Response:
        staff = self._services.directory.managers().values() if seat.viewer.is_admin else ()
        people = sorted((m for m in staff if m.reachable), key=lambda m: m.name)
        return self._html("desk_seats.html", seat.sight, seat=seat, people=people)

    async def _form(self, request: Request) -> tuple[Seat, Mapping[str, str]]:
        seat = await self._seat(request)
        return seat, await read_form(request)

    async def _call(self, request: Request, seat: Seat) -> PhoneCall:
        """Give the call of the path, if it concerns this telephone."""
        key, extension = request.path_params["key"], seat.sight.extension
        posted = self._board.call(key, extension)
        call = await self._services.ledger.call(key) if posted is None else posted.call
        mine = call is not None and (
            posted is not None
            or extension in telephones(call)
            or any(key in debt.calls for debt in self._book.of(extension))
        )
        if call is None or not mine:
            raise HTTPException(404, "This desk shows no such call.")
        return call

    async def _order(self, request: Request, seat: Seat, number: PhoneNumber) -> Response:
        originating, sight = self._services.originating, seat.sight
        if originating is None:
            raise HTTPException(
                404, seat.speech.say("No calls from here: access to the PBX is not set up.")
            )
        try:
            call = await originating.order(sight.extension, f"+{number}", by=seat.signs)
        except OrderRefused as refusal:
            raise HTTPException(409, str(refusal)) from refusal
        await self._record(seat, AuditAct.ORDERED, call.key, mask_phone(number))
        order = call.order
        state = OrderState.UNKNOWN if order is None else order.state
        said = seat.speech.say(
            ORDERS[state],
            extension=sight.extension,
            words="" if order is None else order.words,
        )
        if state is OrderState.REFUSED:
            raise HTTPException(409, said)
        return self._done(request, seat, said)

    async def _record(self, seat: Seat, act: AuditAct, subject: str, said: str = "") -> None:
        record = seat.viewer.record(self._services.clock(), act, subject, said)
        await self._services.audit.note(record)

    def _found(self, typed: str, sight: Sight) -> str:
        hits = self._search.find(typed, sight)
        return self._rendering.page(
            "desk_found.html",
            sight,
            hits=hits,
            typed=typed,
            more=len(hits) >= MOST_FOUND,
            short=len(typed.strip()) < SHORTEST,
        )

    def _done(self, request: Request, seat: Seat, said: str) -> Response:
        """Tell the page's script, or lead a browser without it back to the page."""
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"words": said}, headers={"Cache-Control": "no-store"})
        there = f"/desk?{urlencode({'extension': seat.sight.extension})}"
        return RedirectResponse(there, 303, headers=dict(PAGE_HEADERS))

    def _html(self, template: str, sight: Sight, **fields: object) -> Response:
        here = f"/desk?{urlencode({'extension': sight.extension})}" if sight.extension else "/desk"
        text = self._rendering.page(
            template, sight, here=here, signed=self._gate.has_password, **fields
        )
        return HTMLResponse(text, headers=dict(PAGE_HEADERS))
