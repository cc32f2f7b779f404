"""What the desk's buttons do: call, call back, note, "this is …", show a hidden number.

The page's script gets words to show, with the parts of the page that changed; a browser without it
is led back to the page.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.domain.orders import OrderState
from bridge.domain.phone import PhoneNumber, format_phone, mask_phone
from bridge.domain.whole_numbers import read_whole
from bridge.errors import OrderRefused
from bridge.ports import AuditAct
from bridge.web.actions import calling_telephone, choose_owner
from bridge.web.desk.rendering import Rendering
from bridge.web.desk.search import LONGEST_SEARCH, Hit, Phone, Search
from bridge.web.desk.seats import Seat, Seats
from bridge.web.desk.words import ORDERS
from bridge.web.language import mark
from bridge.web.pages import PAGE_HEADERS
from bridge.web.surface import WebServices

_LONGEST_NOTE = 2000

_WITHHELD = mark("Nothing to call: the number is withheld or too short.")
_SHOWN = mark("%(number)s. That you asked to see it stands in the audit list.")
_NOTHING_HIDDEN = mark("Nothing to show: the number is withheld or too short.")
_NOT_FOUND = mark("1C has nothing like it")


class Buttons:
    """Does what the desk's buttons say."""

    def __init__(
        self, services: WebServices, seats: Seats, rendering: Rendering, search: Search
    ) -> None:
        self._services = services
        self._seats = seats
        self._board = services.desk.board
        self._book = services.desk.book
        self._rendering = rendering
        self._search = search

    def routes(self) -> list[BaseRoute]:
        """Give the buttons' routes."""
        call = "/desk/calls/{key}"
        return [
            Route(path, button, methods=["POST"], include_in_schema=False)
            for path, button in (
                (f"{call}/callback", self.call_back),
                (f"{call}/note", self.note),
                (f"{call}/owner", self.choose),
                (f"{call}/number", self.show_caller),
                ("/desk/order", self.order),
                ("/desk/number", self.show_found),
            )
        ]

    async def order(self, request: Request) -> Response:
        """Call a number that a search has found."""
        seat, form = await self._seats.form(request)
        _, phone = self._found(seat, form)
        return await self._order(request, seat, phone.number)

    async def call_back(self, request: Request) -> Response:
        """Call the caller of a call back."""
        seat, _ = await self._seats.form(request)
        call = await self._seats.call(request, seat)
        if call.caller.number is None:
            raise HTTPException(409, seat.speech.say(_WITHHELD))
        return await self._order(request, seat, call.caller.number)

    async def note(self, request: Request) -> Response:
        """Write a note on a call, into its document in 1C too."""
        seat, form = await self._seats.form(request)
        call = await self._seats.call(request, seat)
        text = form.get("text", "").strip()[:_LONGEST_NOTE]
        if not text:
            raise HTTPException(422, seat.speech.say("The note is empty."))
        if await self._services.noting.annotate(call.key, seat.signs, text) is None:
            raise HTTPException(404, seat.speech.say("There is no such call."))
        await self._seats.record(seat, AuditAct.NOTED, call.key)
        return _done(request, seat, seat.speech.say("Saved."))

    async def choose(self, request: Request) -> Response:
        """Keep the operator's word on whose number it is."""
        seat, form = await self._seats.form(request)
        call = await self._seats.call(request, seat)
        number = call.caller.number
        if number is None:
            raise HTTPException(409, seat.speech.say(_WITHHELD))
        try:
            await choose_owner(self._services, seat.viewer, number, form.get("owner", ""))
        except HTTPException as refusal:
            said = seat.speech.say(str(refusal.detail))
            raise HTTPException(refusal.status_code, said) from refusal
        self._board.touch(number)
        return _done(
            request,
            seat,
            seat.speech.say("Remembered: from the next call on the number leads to him."),
        )

    async def show_caller(self, request: Request) -> Response:
        """Show the hidden number of a call, to him and from now on."""
        seat, _ = await self._seats.form(request)
        call = await self._seats.call(request, seat)
        if call.caller.number is None:
            raise HTTPException(409, seat.speech.say(_NOTHING_HIDDEN))
        await self._reveal(seat, call.caller.number, call.key, mask_phone(call.caller.number))
        return await self._shown(request, seat, call.caller.number, call.key)

    async def show_found(self, request: Request) -> Response:
        """Show the hidden number of somebody whom a search has found."""
        seat, form = await self._seats.form(request)
        hit, phone = self._found(seat, form)
        await self._reveal(seat, phone.number, mask_phone(phone.number), hit.name)
        typed = form.get("q", "")[:LONGEST_SEARCH]
        return await self._shown(request, seat, phone.number, typed=typed)

    def _found(self, seat: Seat, form: Mapping[str, str]) -> tuple[Hit, Phone]:
        place = read_whole(form.get("place", "0"))
        found = self._search.pick(
            form.get("q", "")[:LONGEST_SEARCH],
            form.get("of", ""),
            -1 if place is None else place,
            seat.sight,
        )
        if found is None:
            raise HTTPException(409, seat.speech.say(_NOT_FOUND))
        return found

    async def _order(self, request: Request, seat: Seat, number: PhoneNumber) -> Response:
        originating, sight = self._services.originating, seat.sight
        extension = await calling_telephone(
            self._services, seat.viewer, seat.speech, sight.extension
        )
        if originating is None:
            raise HTTPException(
                404, seat.speech.say("No calls from here: access to the PBX is not set up.")
            )
        try:
            call = await originating.order(extension, f"+{number}", by=seat.signs)
        except OrderRefused as refusal:
            raise HTTPException(409, str(refusal)) from refusal
        await self._seats.record(seat, AuditAct.ORDERED, call.key, mask_phone(number))
        order = call.order
        state = OrderState.UNKNOWN if order is None else order.state
        said = seat.speech.say(
            ORDERS[state],
            extension=extension,
            words="" if order is None else order.words,
        )
        if state is OrderState.REFUSED:
            raise HTTPException(409, said)
        return _done(request, seat, said)

    async def _reveal(self, seat: Seat, number: PhoneNumber, subject: str, words: str) -> None:
        """Let him see *number*, once it stands in the audit list that he asked."""
        viewer = seat.viewer
        if not viewer.masked or viewer.manager is None or number in seat.sight.revealed:
            return
        await self._seats.record(seat, AuditAct.REVEALED, subject, words)
        self._seats.reveals.add(viewer.manager, number)
        self._board.touch(number)

    async def _shown(
        self, request: Request, seat: Seat, number: PhoneNumber, key: str = "", typed: str = ""
    ) -> Response:
        """Tell *number*, with the card, the debts or the search in which it now stands."""
        sight = self._seats.now(seat.sight)
        owed = self._book.of(sight.extension)
        parts = {"missed": self._rendering.missed(owed, sight)}
        posted = self._board.call(key, sight.extension)
        if posted is not None:
            parts["card"] = await self._rendering.card(posted, sight)
        if typed:
            parts["found"] = self._rendering.found(typed, self._search.find(typed, sight), sight)
        said = format_phone(number)
        if sight.viewer.masked:
            said = seat.speech.say(_SHOWN, number=said)
        return _done(request, seat, said, parts, typed=typed)


def _done(
    request: Request,
    seat: Seat,
    said: str,
    parts: Mapping[str, str] | None = None,
    *,
    typed: str = "",
) -> Response:
    """Tell the page's script, or lead a browser without it back to the page."""
    if "application/json" in request.headers.get("accept", ""):
        told = {"words": said, **(parts or {})}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})
    fields = {"extension": seat.sight.extension} | ({"q": typed} if typed else {})
    return RedirectResponse(f"/desk?{urlencode(fields)}", 303, headers=dict(PAGE_HEADERS))
