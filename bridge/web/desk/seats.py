"""Who sits at a desk: whose telephone it shows, what he sees of numbers, which calls are his."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.requests import Request

from bridge.domain.calls import PhoneCall
from bridge.domain.desk import telephones
from bridge.ports import AuditAct
from bridge.web.access import Gate, Viewer
from bridge.web.desk.cards import Sight
from bridge.web.desk.reveals import Reveals
from bridge.web.forms import read_form
from bridge.web.language import Speech, mark
from bridge.web.pages import Pages
from bridge.web.surface import WebServices

_LONGEST_EXTENSION = 20

_NO_SUCH_CALL = mark("This desk shows no such call.")


@dataclass(frozen=True, slots=True)
class Seat:
    """Who sits at a desk: *sight* tells whose telephone it shows and what he sees of numbers."""

    viewer: Viewer
    sight: Sight
    #: Whose telephone it is; empty for one that nobody or several have.
    owner: str
    #: The names of all who have this extension in 1C, where they are several.
    shared: tuple[str, ...]
    speech: Speech

    @property
    def signs(self) -> str:
        """By what name he signs what he does."""
        return self.viewer.name or self.speech.say("administrator")


class Seats:
    """Tells who sits where, and remembers which hidden numbers he asked to see."""

    def __init__(self, services: WebServices, gate: Gate, pages: Pages) -> None:
        self._services = services
        self._gate = gate
        self._pages = pages
        self.reveals = Reveals(services.clock)

    async def of(self, request: Request) -> Seat:
        """Tell who sits there: a manager at his own telephone, the administrator at any.

        Raises:
            HTTPException: what `Gate.viewer` does.
        """
        viewer = await self._gate.viewer(request.scope)
        named = request.query_params.get("extension", "")[:_LONGEST_EXTENSION]
        extension = named if viewer.is_admin else viewer.extension or ""
        found = self._services.directory.owner_of(extension)
        owner = viewer.name or ("" if found.manager is None else found.manager.name)
        sight = Sight(extension, self._pages.language(request.scope), replace(viewer, address=""))
        return Seat(
            viewer,
            self.now(sight),
            owner,
            tuple(manager.name for manager in found.shared),
            self._pages.speech(request.scope),
        )

    def now(self, sight: Sight) -> Sight:
        """Give *sight* with the numbers he has asked to see by now."""
        return replace(sight, revealed=self.reveals.of(sight.viewer.manager))

    async def form(self, request: Request) -> tuple[Seat, Mapping[str, str]]:
        """Tell who sent a form, and read it."""
        seat = await self.of(request)
        return seat, await read_form(request)

    async def call(self, request: Request, seat: Seat) -> PhoneCall:
        """Give the call of the path, if it concerns this telephone.

        Raises:
            HTTPException: 404.
        """
        desk, key, extension = self._services.desk, request.path_params["key"], seat.sight.extension
        posted = desk.board.call(key, extension)
        call = await self._services.ledger.call(key) if posted is None else posted.call
        mine = call is not None and (
            posted is not None
            or extension in telephones(call)
            or any(key in debt.calls for debt in desk.book.of(extension))
        )
        if call is None or not mine:
            raise HTTPException(404, seat.speech.say(_NO_SUCH_CALL))
        return call

    async def record(self, seat: Seat, act: AuditAct, subject: str, said: str = "") -> None:
        """Put what he did into the audit list."""
        await self._services.audit.note(
            seat.viewer.record(self._services.clock(), act, subject, said)
        )
