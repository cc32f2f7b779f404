"""The console: the administrator's pages, each rendered here and readable without a script."""

from starlette.routing import BaseRoute

from bridge.web.access import Gate
from bridge.web.console.audit import AuditRoom
from bridge.web.console.calls import CallsRoom
from bridge.web.console.doctor import DoctorRoom
from bridge.web.console.figures import FiguresRoom
from bridge.web.console.outbox import OutboxRoom
from bridge.web.console.overview import OverviewRoom
from bridge.web.console.people import PeopleRoom
from bridge.web.console.sync import SyncRoom
from bridge.web.pages import Pages
from bridge.web.surface import WebServices

_ROOMS = (
    OverviewRoom,
    CallsRoom,
    FiguresRoom,
    OutboxRoom,
    SyncRoom,
    DoctorRoom,
    PeopleRoom,
    AuditRoom,
)


def console_routes(services: WebServices, gate: Gate, pages: Pages) -> list[BaseRoute]:
    """Build the routes of all pages."""
    return [route for room in _ROOMS for route in room(services, gate, pages).routes()]
