"""`POST /api/v1/calls` and the numbers of a partner: calls that scripts order.

A manager calls from the own extension, whatever a script names; the administrator chooses.
"""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from bridge.domain.calls.call import PhoneCall
from bridge.domain.calls.orders import OrderState
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref
from bridge.domain.phone.formatting import format_phone, mask_phone
from bridge.ports.orders import OwnedPhone
from bridge.web.access import AccessControl, Viewer
from bridge.web.actions import calling_extension, order_call
from bridge.web.api.views.base import ErrorView, Source, View, format_e164
from bridge.web.shared.bodies import route_class_admitting_first
from bridge.web.shared.language import translatable
from bridge.web.shared.pages import PageRenderer
from bridge.web.web_services import WebServices

_PROBLEMS: dict[int | str, dict[str, object]] = {
    401: {"model": ErrorView, "description": "The admin password is missing or wrong."},
    403: {"model": ErrorView, "description": "Not from here, or not from this telephone."},
    404: {"model": ErrorView, "description": "There is no such partner, or it has no number."},
    409: {"model": ErrorView, "description": "The PBX refused, rings already, or is not set up."},
    422: {"model": ErrorView, "description": "The order makes no sense; the sentence says why."},
    503: {"model": ErrorView, "description": "The store cannot be read or written."},
}
_REF = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_MAX_TYPED = 200

_WHOSE = translatable("extension: say which telephone rings first.")


class NewOrder(BaseModel):
    """From which extension to call whom: a number typed in any way, or a partner in 1C."""

    model_config = ConfigDict(extra="forbid")

    extension: str | None = Field(
        default=None,
        min_length=1,
        max_length=10,
        description="the telephone that rings first; a signed-in manager's own is the default",
    )
    number: str | None = Field(default=None, min_length=1, max_length=_MAX_TYPED)
    partner: str | None = Field(default=None, pattern=_REF, description="the first number is taken")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.number is None) == (self.partner is None):
            raise ValueError("give either number or partner")
        return self


class PlacedOrderView(View):
    """What became of an order."""

    key: str = Field(description="key of the call in the journal")
    state: Annotated[
        OrderState, Source(lambda call: call.order.state if call.order else OrderState.UNKNOWN)
    ]
    extension: Annotated[str, Source(lambda call: call.placed_by)]
    number: str = Field(description="E.164 with the plus; masked where it is hidden from you")
    words: Annotated[str, Source(lambda call: call.order.reason if call.order else "")] = Field(
        description="what the PBX said of a failure"
    )


class PhoneView(View):
    """One number of a partner."""

    number: Annotated[str, Source(lambda phone: format_e164(phone.number))] = Field(
        description="E.164 with the plus"
    )
    formatted: Annotated[str, Source(lambda phone: format_phone(phone.number))]
    typed: Annotated[str, Source(lambda phone: phone.as_typed)] = Field(
        description="as it stands in 1C"
    )
    extension: str | None = Field(description="typed behind the number")
    owner: str
    kind: CandidateKind = Field(description="1 contact person, 2 partner, 3 counterparty")
    name: str = Field(description="whose number it is")
    ended: bool = Field(description="the relation with its owner is over")


class PhonesView(View):
    """All numbers of a partner and its people, in the order to try them."""

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
        order: NewOrder,
        request: Request,
        response: Response,
        viewer: Annotated[Viewer, Depends(calling)],
    ) -> PlacedOrderView:
        """Ring the extension, then the number. An order is sent once, whatever its answer.

        A signed-in manager calls from the own extension, which need not be given.
        """
        localizer = pages.localizer_of(request.scope)
        extension = await calling_extension(services, viewer, localizer, order.extension or "")
        if not extension:
            raise HTTPException(422, localizer.translate(_WHOSE))
        number = order.number or _number_of(services, Ref((order.partner or "").lower()))
        call = await order_call(services, viewer, extension, number, by=viewer.name or "api")
        # Who typed the number knows it; a partner's may be hidden.
        shown = f"+{call.caller.number}"
        if not order.number and not _sees(services, viewer, call):
            shown = mask_phone(shown)
        view = PlacedOrderView.of(call, number=shown)
        if view.state is OrderState.REFUSED:
            raise HTTPException(409, view.words)
        if view.state is not OrderState.ACCEPTED:
            response.status_code = 202
        return view

    @router.get("/partners/{ref}/phones", dependencies=[Depends(admitted)])
    async def list_phones(ref: Annotated[str, Path(pattern=_REF)]) -> PhonesView:
        """List the numbers of a partner, its contact persons and legal entities."""
        return PhonesView(phones=[PhoneView.of(p) for p in _phones_of(services, Ref(ref.lower()))])

    return router


def _sees(services: WebServices, viewer: Viewer, call: PhoneCall) -> bool:
    number, directory = call.caller.number, services.directory
    card = None if number is None else directory.look_up(number)
    return viewer.may_see_number(card, directory.managers())


def _phones_of(services: WebServices, ref: Ref) -> list[OwnedPhone]:
    partner_phones = services.partner_phones
    phones = None if partner_phones is None else partner_phones.phones_of(ref)
    if phones is None:
        raise HTTPException(404, "There is no such partner in the directory.")
    return list(phones)


def _number_of(services: WebServices, ref: Ref) -> str:
    phones = _phones_of(services, ref)
    if not phones:
        raise HTTPException(404, "This partner has no telephone number.")
    return f"+{phones[0].number}"
