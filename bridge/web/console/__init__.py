"""The console: the administrator's pages, each rendered here and readable without a script."""

from starlette.routing import BaseRoute

from bridge.web.access import AccessControl
from bridge.web.console.audit import AuditPage
from bridge.web.console.calls import CallsPage
from bridge.web.console.data_quality import DataQualityPage
from bridge.web.console.figures import FiguresPage
from bridge.web.console.outbox import OutboxPage
from bridge.web.console.overview import OverviewPage
from bridge.web.console.people import PeoplePage
from bridge.web.console.sync import SyncPage
from bridge.web.shared.pages import PageRenderer
from bridge.web.web_services import WebServices

_PAGES = (
    OverviewPage,
    CallsPage,
    FiguresPage,
    OutboxPage,
    SyncPage,
    DataQualityPage,
    PeoplePage,
    AuditPage,
)


def console_routes(
    services: WebServices, access: AccessControl, pages: PageRenderer
) -> list[BaseRoute]:
    """Build the routes of all pages."""
    return [
        route for page_class in _PAGES for route in page_class(services, access, pages).routes()
    ]
