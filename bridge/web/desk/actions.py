"""The desk's buttons: call, call back, add a note, choose the owner, show a hidden number.

The page's script gets a message to show, with the parts of the page that changed; a browser without
it is led back to the page.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.domain.calls.orders import OrderState
from bridge.domain.phone.formatting import format_phone, mask_phone
from bridge.domain.phone.phone import PhoneNumber
from bridge.domain.whole_numbers import read_whole_number
from bridge.errors import OrderRefused
from bridge.ports.audit import AuditAct
from bridge.web.actions import calling_extension, choose_owner
from bridge.web.desk.contexts import DeskContext, DeskContexts
from bridge.web.desk.labels import ORDER_LABELS
from bridge.web.desk.rendering import DeskRenderer
from bridge.web.desk.search import MAX_SEARCH_LENGTH, DirectorySearch, FoundPhone, SearchHit
from bridge.web.shared.language import translatable
from bridge.web.shared.pages import PAGE_HEADERS
from bridge.web.web_services import WebServices

_LONGEST_NOTE = 2000

_WITHHELD = translatable("Nothing to call: the number is withheld or too short.")
_SHOWN = translatable("%(number)s. This is recorded in the audit list.")
_NOTHING_HIDDEN = translatable("Nothing to show: the number is withheld or too short.")
_NOT_FOUND = translatable("Nothing found in 1C")


class DeskActions:
    """Does what the desk's buttons stand for."""

    def __init__(
        self,
        services: WebServices,
        contexts: DeskContexts,
        rendering: DeskRenderer,
        search: DirectorySearch,
    ) -> None:
        self._services = services
        self._contexts = contexts
        self._desk_calls = services.desk_state.calls
        self._missed_calls = services.desk_state.missed_calls
        self._renderer = rendering
        self._search = search

    def routes(self) -> list[BaseRoute]:
        """Return the buttons' routes."""
        call = "/desk/calls/{key}"
        return [
            Route(path, button, methods=["POST"], include_in_schema=False)
            for path, button in (
                (f"{call}/callback", self.call_back),
                (f"{call}/note", self.add_note),
                (f"{call}/owner", self.choose_owner),
                (f"{call}/number", self.reveal_caller),
                ("/desk/order", self.order),
                ("/desk/number", self.reveal_hit),
            )
        ]

    async def order(self, request: Request) -> Response:
        """Call a number that a search has found."""
        context, form = await self._contexts.of_form(request)
        _, phone = self._found(context, form)
        return await self._order(request, context, phone.number)

    async def call_back(self, request: Request) -> Response:
        """Call the caller of a call back."""
        context, _ = await self._contexts.of_form(request)
        call = await self._contexts.require_call(request, context)
        if call.caller.number is None:
            raise HTTPException(409, context.localizer.translate(_WITHHELD))
        return await self._order(request, context, call.caller.number)

    async def add_note(self, request: Request) -> Response:
        """Write a note on a call, into its document in 1C too."""
        context, form = await self._contexts.of_form(request)
        call = await self._contexts.require_call(request, context)
        text = form.get("text", "").strip()[:_LONGEST_NOTE]
        if not text:
            raise HTTPException(422, context.localizer.translate("The note is empty."))
        if await self._services.call_notes.annotate(call.key, context.author, text) is None:
            raise HTTPException(404, context.localizer.translate("There is no such call."))
        await self._contexts.record_audit(context, AuditAct.NOTE_WRITTEN, call.key)
        return _done(request, context, context.localizer.translate("Saved."))

    async def choose_owner(self, request: Request) -> Response:
        """Save whose number it is, as the manager chose."""
        context, form = await self._contexts.of_form(request)
        call = await self._contexts.require_call(request, context)
        number = call.caller.number
        if number is None:
            raise HTTPException(409, context.localizer.translate(_WITHHELD))
        try:
            await choose_owner(self._services, context.viewer, number, form.get("owner", ""))
        except HTTPException as refusal:
            message = context.localizer.translate(str(refusal.detail))
            raise HTTPException(refusal.status_code, message) from refusal
        self._desk_calls.refresh_number(number)
        return _done(
            request,
            context,
            context.localizer.translate(
                "Saved: the next call from this number goes to this owner's manager."
            ),
        )

    async def reveal_caller(self, request: Request) -> Response:
        """Show the hidden number of a call, to this viewer from now on."""
        context, _ = await self._contexts.of_form(request)
        call = await self._contexts.require_call(request, context)
        if call.caller.number is None:
            raise HTTPException(409, context.localizer.translate(_NOTHING_HIDDEN))
        await self._reveal(context, call.caller.number, call.key, mask_phone(call.caller.number))
        return await self._shown(request, context, call.caller.number, call.key)

    async def reveal_hit(self, request: Request) -> Response:
        """Show the hidden number of a search hit."""
        context, form = await self._contexts.of_form(request)
        hit, phone = self._found(context, form)
        await self._reveal(context, phone.number, mask_phone(phone.number), hit.name)
        typed = form.get("q", "")[:MAX_SEARCH_LENGTH]
        return await self._shown(request, context, phone.number, typed=typed)

    def _found(self, context: DeskContext, form: Mapping[str, str]) -> tuple[SearchHit, FoundPhone]:
        place = read_whole_number(form.get("place", "0"))
        found = self._search.pick(
            form.get("q", "")[:MAX_SEARCH_LENGTH],
            form.get("of", ""),
            -1 if place is None else place,
            context.audience,
        )
        if found is None:
            raise HTTPException(409, context.localizer.translate(_NOT_FOUND))
        return found

    async def _order(self, request: Request, context: DeskContext, number: PhoneNumber) -> Response:
        originating, audience = self._services.call_ordering, context.audience
        extension = await calling_extension(
            self._services, context.viewer, context.localizer, audience.extension
        )
        if originating is None:
            raise HTTPException(
                404,
                context.localizer.translate("No calls from here: access to the PBX is not set up."),
            )
        try:
            call = await originating.order(extension, f"+{number}", by=context.author)
        except OrderRefused as refusal:
            raise HTTPException(409, str(refusal)) from refusal
        await self._contexts.record_audit(
            context, AuditAct.CALL_ORDERED, call.key, mask_phone(number)
        )
        order = call.order
        state = OrderState.UNKNOWN if order is None else order.state
        message = context.localizer.translate(
            ORDER_LABELS[state],
            extension=extension,
            words="" if order is None else order.reason,
        )
        if state is OrderState.REFUSED:
            raise HTTPException(409, message)
        return _done(request, context, message)

    async def _reveal(
        self, context: DeskContext, number: PhoneNumber, subject: str, message: str
    ) -> None:
        """Show *number* to the viewer from now on, once this is in the audit list."""
        viewer = context.viewer
        if (
            not viewer.masks_numbers
            or viewer.manager is None
            or number in context.audience.revealed_numbers
        ):
            return
        await self._contexts.record_audit(context, AuditAct.NUMBER_REVEALED, subject, message)
        self._contexts.reveals.add(viewer.manager, number)
        self._desk_calls.refresh_number(number)

    async def _shown(
        self,
        request: Request,
        context: DeskContext,
        number: PhoneNumber,
        key: str = "",
        typed: str = "",
    ) -> Response:
        """Answer with *number* and the card, the missed calls or the search that now show it."""
        audience = self._contexts.with_revealed(context.audience)
        missed_calls = self._missed_calls.of_extension(audience.extension)
        parts = {"missed": self._renderer.render_missed_calls(missed_calls, audience)}
        update = self._desk_calls.find_call(key, audience.extension)
        if update is not None:
            parts["card"] = await self._renderer.render_card(update, audience)
        if typed:
            parts["found"] = self._renderer.render_hits(
                typed, self._search.find(typed, audience), audience
            )
        message = format_phone(number)
        if audience.viewer.masks_numbers:
            message = context.localizer.translate(_SHOWN, number=message)
        return _done(request, context, message, parts, typed=typed)


def _done(
    request: Request,
    context: DeskContext,
    message: str,
    parts: Mapping[str, str] | None = None,
    *,
    typed: str = "",
) -> Response:
    """Answer the page's script with JSON, or redirect a browser without it to the page."""
    if "application/json" in request.headers.get("accept", ""):
        answer = {"words": message, **(parts or {})}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})
    fields = {"extension": context.audience.extension} | ({"q": typed} if typed else {})
    return RedirectResponse(f"/desk?{urlencode(fields)}", 303, headers=dict(PAGE_HEADERS))
