"""What every page of the console shares: its viewer, its rendering, its audit records."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bridge.web.access import AccessControl, Viewer
from bridge.web.shared.pages import PAGE_HEADERS, PageRenderer
from bridge.web.web_services import WebServices


class ConsolePage:
    """One page of the console, for the administrator alone."""

    def __init__(self, services: WebServices, access: AccessControl, pages: PageRenderer) -> None:
        self.services = services
        self.access = access
        self.pages = pages

    def render(self, request: Request, viewer: Viewer, template: str, **fields: object) -> Response:
        """Render *template*; it knows who looks, the time, and its own address."""
        query = request.url.query
        shared = {
            "viewer": viewer,
            "now": self.services.clock(),
            "here": request.url.path + (f"?{query}" if query else ""),
        }
        return self.pages.render(request, f"console/{template}", shared | fields)


def page_route(path: str, page: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return the route of a page."""
    return Route(path, page, include_in_schema=False)


def action_route(path: str, button: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return the route of a button."""
    return Route(path, button, methods=["POST"], include_in_schema=False)


def redirect_to(path: str) -> Response:
    """Redirect the browser after a button."""
    return RedirectResponse(path, 303, headers=dict(PAGE_HEADERS))


def read_choice(text: str | None, allowed: Sequence[int], otherwise: int) -> int:
    """Read one of a few numbers; anything else is *otherwise*."""
    return next((one for one in allowed if str(one) == text), otherwise)
