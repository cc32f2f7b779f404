"""The people who answer calls, and the links that open each one's desk."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.directory.entities import Manager, Ref
from bridge.ports.audit import AuditAct
from bridge.web.access import Viewer
from bridge.web.access.access_control import is_active
from bridge.web.actions import record_audit
from bridge.web.console.console_page import ConsolePage, action_route, page_route, redirect_to
from bridge.web.shared.language import translatable


class PeoplePage(ConsolePage):
    """The page of people."""

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        person = "/console/people/{ref}"
        return [
            page_route("/console/people", self.page),
            action_route(f"{person}/link", self.link),
            action_route(f"{person}/revoke", self.revoke),
        ]

    async def page(self, request: Request) -> Response:
        """Show who works here, with his extension."""
        return self._show(request, await self.access.require_admin(request.scope))

    async def link(self, request: Request) -> Response:
        """Show a person's link: this once, it is kept nowhere."""
        viewer = await self.access.require_admin(request.scope)
        manager = self._person(request)
        await record_audit(self.services, viewer, AuditAct.LINK_MADE, manager.ref, manager.name)
        sealed = self.access.tokens.create_personal_link(self.access.claim_of(manager))
        root = self.services.public_url or self._root(request)
        return self._show(request, viewer, linked=manager, link=f"{root}/enter/{sealed}")

    async def revoke(self, request: Request) -> Response:
        """Make a person's links and sessions worthless."""
        viewer = await self.access.require_admin(request.scope)
        manager = self._person(request)
        await self.access.revoke(manager.ref)
        await record_audit(self.services, viewer, AuditAct.LINK_REVOKED, manager.ref, manager.name)
        return redirect_to(f"/console/people#p-{manager.ref}")

    def _root(self, request: Request) -> str:
        scheme = "https" if self.access.is_encrypted(request.scope) else "http"
        return f"{scheme}://{request.headers.get('host', '')}"

    def _person(self, request: Request) -> Manager:
        manager = self.access.active_manager(Ref(request.path_params["ref"]))
        if manager is None:
            raise HTTPException(404, translatable("No such person works here."))
        return manager

    def _show(
        self, request: Request, viewer: Viewer, *, linked: Manager | None = None, link: str = ""
    ) -> Response:
        staff = [m for m in self.services.directory.managers().values() if is_active(m)]
        staff.sort(key=lambda m: (not m.extension, m.name))
        report = self.services.directory.report()
        return self.render(
            request,
            viewer,
            "people.html",
            staff=staff,
            shared={} if report is None else report.shared_extensions,
            linked=linked,
            link=link,
        )
