"""Calls that people order: the API for scripts and pages, and the page behind a link or `tel:`.

A GET never rings a telephone: browsers prefetch links and load images. The page asks for a word,
and its form is heeded from our own page alone. A manager calls from his own telephone, whatever a
link or a script names; the administrator chooses.
"""

from typing import Annotated, Self
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.orders import OrderState, read_dialled_number
from bridge.domain.delivery.caller_names import candidate_name
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.formatting import format_phone, mask_phone
from bridge.errors import OrderRefused, OrderRepeated
from bridge.ports.audit import AuditAct
from bridge.ports.orders import OwnedPhone
from bridge.web.access import AccessControl, Viewer
from bridge.web.actions import NO_EXTENSION, calling_extension, record_audit
from bridge.web.api.views.calls import ErrorView, View
from bridge.web.shared.bodies import route_class_admitting_first
from bridge.web.shared.forms import read_form
from bridge.web.shared.language import translatable
from bridge.web.shared.pages import PAGE_HEADERS, PageRenderer
from bridge.web.web_services import CallOrdering, WebServices

_PROBLEMS: dict[int | str, dict[str, object]] = {
    401: {"model": ErrorView, "description": "The admin password is missing or wrong."},
    403: {"model": ErrorView, "description": "Not from here, or not from this telephone."},
    404: {"model": ErrorView, "description": "There is no such partner, or he has no number."},
    409: {"model": ErrorView, "description": "The PBX refused, rings already, or is not set up."},
    422: {"model": ErrorView, "description": "The wish makes no sense; the sentence says why."},
    503: {"model": ErrorView, "description": "The store cannot be read or written."},
}
_REF = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_MAX_TYPED = 200

_WHOSE = translatable("extension: say which telephone rings first.")
_NOT_SET_UP = "Nothing opens the PBX's API: set BRIDGE_SIPUNI_USER and BRIDGE_SIPUNI_KEY."


class NewOrder(BaseModel):
    """From which extension to call whom: a number typed in any way, or a partner in 1C."""

    model_config = ConfigDict(extra="forbid")

    extension: str | None = Field(
        default=None,
        min_length=1,
        max_length=10,
        description="the telephone that rings first; a signed-in manager's is his own",
    )
    number: str | None = Field(default=None, min_length=1, max_length=_MAX_TYPED)
    partner: str | None = Field(default=None, pattern=_REF, description="his first number is taken")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.number is None) == (self.partner is None):
            raise ValueError("give either number or partner")
        return self


class PlacedOrderView(View):
    """What became of an order."""

    key: str = Field(description="key of the call in the journal")
    state: OrderState
    extension: str
    number: str = Field(description="E.164 with the plus; masked where it is hidden from you")
    words: str = Field(description="what the PBX said of a failure")

    @classmethod
    def of(cls, call: PhoneCall, *, whole: bool = True) -> Self:
        """Show the order of *call*; its number in full, if *whole*."""
        order = call.order
        number = f"+{call.caller.number}"
        return cls(
            key=call.key,
            state=OrderState.UNKNOWN if order is None else order.state,
            extension=call.placed_by,
            number=number if whole else mask_phone(number),
            words="" if order is None else order.reason,
        )


class PhoneView(View):
    """One number of a partner."""

    number: str = Field(description="E.164 with the plus")
    formatted: str
    typed: str = Field(description="as it stands in 1C")
    extension: str | None = Field(description="typed behind the number")
    owner: str
    kind: CandidateKind = Field(description="1 contact person, 2 partner, 3 counterparty")
    name: str = Field(description="whose number it is")
    ended: bool = Field(description="the relation with its owner is over")

    @classmethod
    def of(cls, phone: OwnedPhone) -> Self:
        """Show *phone*."""
        return cls(
            number=f"+{phone.number}",
            formatted=format_phone(phone.number),
            typed=phone.as_typed,
            extension=phone.extension,
            owner=phone.owner,
            kind=phone.kind,
            name=phone.name,
            ended=phone.ended,
        )


class PhonesView(View):
    """All numbers of a partner and his people, in the order in which one would try them."""

    phones: list[PhoneView]


def orders_router(services: WebServices, access: AccessControl, pages: PageRenderer) -> APIRouter:
    """Build the API of ordered calls."""

    async def admitted(request: Request) -> Viewer:
        return await access.require_admin(request.scope)

    async def calling(request: Request) -> Viewer:
        return await access.require_order_placer(request.scope)

    router = APIRouter(
        prefix="/api/v1",
        tags=["api"],
        responses=_PROBLEMS,
        route_class=route_class_admitting_first(calling),
    )

    @router.post(
        "/calls",
        status_code=201,
        responses={202: {"model": PlacedOrderView, "description": "No answer: it may ring."}},
    )
    async def place_call(
        wish: NewOrder,
        request: Request,
        response: Response,
        viewer: Annotated[Viewer, Depends(calling)],
    ) -> PlacedOrderView:
        """Ring the extension, then the number. An order is sent once, whatever its answer.

        A signed-in manager calls from his own extension, which he need not give.
        """
        localizer = pages.localizer_of(request.scope)
        extension = await calling_extension(services, viewer, localizer, wish.extension or "")
        if not extension:
            raise HTTPException(422, localizer.translate(_WHOSE))
        number = wish.number or _number_of(services, Ref((wish.partner or "").lower()))
        call = await _originating(services).order(extension, number, by=viewer.name or "api")
        await _noted(services, viewer, call)
        # Who typed the number knows it; a partner's may be hidden from him.
        view = PlacedOrderView.of(call, whole=bool(wish.number) or _sees(services, viewer, call))
        if view.state is OrderState.REFUSED:
            raise HTTPException(409, view.words)
        if view.state is not OrderState.ACCEPTED:
            response.status_code = 202
        return view

    @router.get("/partners/{ref}/phones", dependencies=[Depends(admitted)])
    async def list_phones(ref: Annotated[str, Path(pattern=_REF)]) -> PhonesView:
        """List the numbers of a partner, his contact persons and legal entities."""
        return PhonesView(phones=[PhoneView.of(p) for p in _phones_of(services, Ref(ref.lower()))])

    return router


class PlaceCallPage:
    """The page behind a link: it shows who would be called, and calls when told to."""

    def __init__(self, services: WebServices, access: AccessControl, pages: PageRenderer) -> None:
        self._services = services
        self._access = access
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        """Give the page's routes; a number may come as a whole `tel:` address."""
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
            words = str(denial.detail)
            return self._render(request, viewer, number, refusal=words, status=denial.status_code)
        try:
            by = viewer.name or "page"
            call = await _originating(services).order(extension, number, by=by)
        except OrderRefused as refusal:
            status = 409 if isinstance(refusal, OrderRepeated) else 422
            return self._render(
                request, viewer, number, extension, refusal=str(refusal), status=status
            )
        await _noted(self._services, viewer, call)
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
            "no_telephone": NO_EXTENSION,
            "can_call": called.number is not None and services.call_ordering is not None,
            "order": None if placed is None else placed.order,
            "refusal": refusal,
            "set_up": services.call_ordering is not None,
        }
        return self._pages.render(request, "calling.html", fields, status=status)


async def _noted(services: WebServices, viewer: Viewer, call: PhoneCall) -> None:
    await record_audit(services, viewer, AuditAct.CALL_ORDERED, call.key, call.placed_by)


def _sees(services: WebServices, viewer: Viewer, call: PhoneCall) -> bool:
    number, directory = call.caller.number, services.directory
    card = None if number is None else directory.look_up(number)
    return viewer.may_see_number(card, directory.managers())


def _originating(services: WebServices) -> CallOrdering:
    if services.call_ordering is None:
        raise HTTPException(409, _NOT_SET_UP)
    return services.call_ordering


def _phones_of(services: WebServices, ref: Ref) -> list[OwnedPhone]:
    book = services.partner_phones
    phones = None if book is None else book.phones_of(ref)
    if phones is None:
        raise HTTPException(404, "There is no such partner in the directory.")
    return list(phones)


def _number_of(services: WebServices, ref: Ref) -> str:
    phones = _phones_of(services, ref)
    if not phones:
        raise HTTPException(404, "This partner has no telephone number.")
    return f"+{phones[0].number}"


def _number_in(request: Request) -> str:
    number: str = request.path_params["number"]
    return number[:_MAX_TYPED]
