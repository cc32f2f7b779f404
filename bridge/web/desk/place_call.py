"""The page behind a link or `tel:` address: it shows who would be called, and calls on a click.

A GET never rings a telephone: browsers prefetch links and load images. The page asks first, and its
form is accepted from our own page alone. A manager calls from the own extension, whatever the link
names; the administrator chooses.
"""

from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.orders import read_dialled_number
from bridge.domain.delivery.caller_names import candidate_name
from bridge.domain.phone.formatting import format_phone
from bridge.errors import OrderRefused, OrderRepeated
from bridge.web.access import AccessControl, Viewer
from bridge.web.actions import NO_EXTENSION, calling_extension, order_call
from bridge.web.shared.forms import read_form
from bridge.web.shared.pages import PAGE_HEADERS, PageRenderer
from bridge.web.web_services import WebServices

_MAX_NUMBER_LENGTH = 200


class PlaceCallPage:
    """The page behind a link: it shows who would be called, and calls when the form is sent."""

    def __init__(self, services: WebServices, access: AccessControl, pages: PageRenderer) -> None:
        self._services = services
        self._access = access
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes; a number may come as a whole `tel:` address."""
        path = "/call/{number:path}"
        return [
            Route(path, self.show, include_in_schema=False),
            Route(path, self.place, methods=["POST"], include_in_schema=False),
        ]

    async def show(self, request: Request) -> Response:
        """Show whom the number belongs to and ask; behind an order, what became of it."""
        viewer = await self._access.require_order_placer(request.scope)
        key = request.query_params.get("placed", "")
        placed = await self._services.ledger.call(key) if key else None
        if placed is not None and not viewer.took_part(placed):
            placed = None
        named = request.query_params.get("extension", "")
        return self._render(request, viewer, _number_in(request), named, placed)

    async def place(self, request: Request) -> Response:
        """Order the call, and show what became of it at an address that orders nothing."""
        viewer = await self._access.require_order_placer(request.scope)
        number = _number_in(request)
        named = (await read_form(request)).get("extension", "").strip()
        services, localizer = self._services, self._pages.localizer_of(request.scope)
        try:
            extension = await calling_extension(services, viewer, localizer, named)
        except HTTPException as denial:
            reason = str(denial.detail)
            return self._render(request, viewer, number, refusal=reason, status=denial.status_code)
        try:
            by = viewer.name or "page"
            call = await order_call(services, viewer, extension, number, by=by)
        except OrderRefused as refusal:
            status = 409 if isinstance(refusal, OrderRepeated) else 422
            return self._render(
                request, viewer, number, extension, refusal=str(refusal), status=status
            )
        query = urlencode({"extension": extension, "placed": call.key})
        return RedirectResponse(f"/call/{quote(number, safe='+')}?{query}", 303, dict(PAGE_HEADERS))

    def _render(
        self,
        request: Request,
        viewer: Viewer,
        number: str,
        named: str = "",
        placed: PhoneCall | None = None,
        *,
        refusal: str = "",
        status: int = 200,
    ) -> Response:
        services = self._services
        called = read_dialled_number(number, services.phones)
        name = ""
        if called.number is not None:
            _, decision = services.route_answers.explain(f"+{called.number}", "")
            name = "" if decision.candidate is None else candidate_name(decision.candidate)
        extension = named if viewer.is_admin else viewer.extension or ""
        owner = services.directory.owner_of(extension)
        fields = {
            "viewer": viewer,
            "number": called.raw if called.number is None else format_phone(called.number),
            "name": name,
            "extension": extension,
            "named": named,
            "shared": [] if viewer.is_admin else [manager.name for manager in owner.shared],
            "no_extension": NO_EXTENSION,
            "can_call": called.number is not None and services.call_ordering is not None,
            "order": None if placed is None else placed.order,
            "refusal": refusal,
            "is_set_up": services.call_ordering is not None,
        }
        return self._pages.render(request, "calling.html", fields, status=status)


def _number_in(request: Request) -> str:
    number: str = request.path_params["number"]
    return number[:_MAX_NUMBER_LENGTH]
