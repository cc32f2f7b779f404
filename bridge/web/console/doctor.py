"""The data doctor: what is wrong in 1C's data, each flaw with the calls it cost."""

from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.directory import Manager
from bridge.domain.flaws import Costs, Flaw, FlawKind, FlawList
from bridge.ports import AuditAct
from bridge.web.access.gate import works_here
from bridge.web.actions import note
from bridge.web.console.room import Room, get, number_in
from bridge.web.console.sheets import sheet
from bridge.web.console.words import FLAWS

_DAYS = (7, 30, 90)
_SHOWN = 50
_MOST_ROWS = 5_000


class DoctorRoom(Room):
    """The page of flaws."""

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        return [
            get("/console/doctor", self.page),
            get("/console/doctor.csv", self.download),
        ]

    async def page(self, request: Request) -> Response:
        """Show the flaws of each kind, the costly first."""
        viewer = await self.gate.admin(request.scope)
        days = number_in(request.query_params.get("days"), _DAYS, 30)
        costs, lists = await self._examine(days, _SHOWN)
        report = self.services.directory.report()
        return self.show(
            request,
            viewer,
            "doctor.html",
            days=days,
            choices=_DAYS,
            costs=costs,
            lists=lists,
            words=FLAWS,
            report=report,
        )

    async def download(self, request: Request) -> Response:
        """Give all of them as a file: a work list."""
        viewer = await self.gate.admin(request.scope)
        days = number_in(request.query_params.get("days"), _DAYS, 30)
        _, lists = await self._examine(days, _MOST_ROWS)
        await note(self.services, viewer, AuditAct.EXPORTED, "doctor")
        speech = self.pages.speech(request.scope)
        rows = [
            (speech.say(FLAWS[found.kind][0]), flaw.who, flaw.detail, flaw.calls, flaw.ref or "")
            for found in lists
            for flaw in found.flaws
        ]
        header = speech.say("Flaw; Who; What stands there; Calls it cost; Reference")
        return sheet(speech.lang, "doctor", header.split("; "), rows)

    async def _examine(self, days: int, limit: int) -> tuple[Costs, Sequence[FlawList]]:
        services = self.services
        costs = Costs()
        await services.history.each(services.clock() - timedelta(days=days), costs.note)
        return costs, (
            await services.flaws.unmanaged_partners(costs.partners, limit),
            silent_managers(list(services.directory.managers().values()), costs, limit),
            await services.flaws.unreadable_phones(costs.unknown_tails(), limit),
            costs.shared_numbers(limit),
        )


def silent_managers(managers: Sequence[Manager], costs: Costs, limit: int) -> FlawList:
    """List the users who work here and have no extension."""
    flaws = [
        Flaw(FlawKind.NO_EXTENSION, m.name, "", costs.managers.get(m.name, 0), m.ref)
        for m in managers
        if works_here(m) and not m.extension
    ]
    flaws.sort(key=lambda flaw: (-flaw.calls, flaw.who))
    calls = sum(flaw.calls for flaw in flaws)
    return FlawList(FlawKind.NO_EXTENSION, len(flaws), calls, flaws[:limit])
