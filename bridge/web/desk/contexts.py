"""The context of a desk's request: its extension, its viewer, which numbers and calls it shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.requests import Request

from bridge.domain.calls.call import PhoneCall
from bridge.domain.reporting.desk import involved_extensions
from bridge.ports.audit import AuditAct
from bridge.web.access import AccessControl, Viewer
from bridge.web.desk.cards import DeskAudience
from bridge.web.desk.revealed_numbers import RevealedNumbers
from bridge.web.shared.forms import read_form
from bridge.web.shared.language import Localizer, translatable
from bridge.web.shared.pages import PageRenderer
from bridge.web.web_services import WebServices

_LONGEST_EXTENSION = 20

_NO_SUCH_CALL = translatable("This desk shows no such call.")


@dataclass(frozen=True, slots=True)
class DeskContext:
    """A desk's request: who asks, and for which extension (*audience*)."""

    viewer: Viewer
    audience: DeskAudience
    #: The only owner of the extension; empty where there is none or several.
    owner: str
    #: The names of all who have this extension in 1C, where they are several.
    shared: tuple[str, ...]
    localizer: Localizer

    @property
    def author(self) -> str:
        """Return the name under which the viewer writes notes and orders calls."""
        return self.viewer.name or self.localizer.translate("administrator")


class DeskContexts:
    """Finds the context of requests, and keeps which hidden numbers were revealed."""

    def __init__(self, services: WebServices, access: AccessControl, pages: PageRenderer) -> None:
        self._services = services
        self._access = access
        self._pages = pages
        self.reveals = RevealedNumbers(services.clock)

    async def of_request(self, request: Request) -> DeskContext:
        """Return the context: a manager at the own extension, the administrator at any.

        Raises:
            HTTPException: as `AccessControl.require_viewer`.
        """
        viewer = await self._access.require_viewer(request.scope)
        named = request.query_params.get("extension", "")[:_LONGEST_EXTENSION]
        extension = named if viewer.is_admin else viewer.extension or ""
        found = self._services.directory.owner_of(extension)
        owner = viewer.name or ("" if found.manager is None else found.manager.name)
        audience = DeskAudience(
            extension, self._pages.language_of(request.scope), replace(viewer, address="")
        )
        return DeskContext(
            viewer,
            self.with_revealed(audience),
            owner,
            tuple(manager.name for manager in found.shared),
            self._pages.localizer_of(request.scope),
        )

    def with_revealed(self, audience: DeskAudience) -> DeskAudience:
        """Return *audience* with the numbers revealed by now."""
        return replace(audience, revealed_numbers=self.reveals.of_manager(audience.viewer.manager))

    async def of_form(self, request: Request) -> tuple[DeskContext, Mapping[str, str]]:
        """Return the context of a form, and its fields."""
        context = await self.of_request(request)
        return context, await read_form(request)

    async def require_call(self, request: Request, context: DeskContext) -> PhoneCall:
        """Return the call of the path, if it concerns this telephone.

        Raises:
            HTTPException: 404.
        """
        desk, key, extension = (
            self._services.desk_state,
            request.path_params["key"],
            context.audience.extension,
        )
        update = desk.calls.find_call(key, extension)
        call = await self._services.ledger.call(key) if update is None else update.call
        mine = call is not None and (
            update is not None
            or extension in involved_extensions(call)
            or any(
                key in missed_call.call_keys
                for missed_call in desk.missed_calls.of_extension(extension)
            )
        )
        if call is None or not mine:
            raise HTTPException(404, context.localizer.translate(_NO_SUCH_CALL))
        return call

    async def record_audit(
        self, context: DeskContext, act: AuditAct, subject: str, details: str = ""
    ) -> None:
        """Record in the audit list what the viewer did."""
        await self._services.audit.append(
            context.viewer.audit_record(self._services.clock(), act, subject, details)
        )
