"""The data doctor: what is wrong in 1C's data, each flaw with the calls it cost."""

from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.directory.entities import Manager
from bridge.domain.reporting.data_quality import (
    DataQualityIssue,
    DataQualityIssueKind,
    DataQualityIssues,
    IssueCosts,
)
from bridge.ports.audit import AuditAct
from bridge.web.access.access_control import is_active
from bridge.web.actions import record_audit
from bridge.web.console.console_page import ConsolePage, page_route, read_choice
from bridge.web.console.csv_file import csv_response
from bridge.web.shared.labels import DATA_QUALITY_LABELS

_DAYS = (7, 30, 90)
_SHOWN = 50
_MOST_ROWS = 5_000


class DataQualityPage(ConsolePage):
    """The page of flaws."""

    def routes(self) -> list[BaseRoute]:
        """Give the routes."""
        return [
            page_route("/console/doctor", self.page),
            page_route("/console/doctor.csv", self.download),
        ]

    async def page(self, request: Request) -> Response:
        """Show the flaws of each kind, the costly first."""
        viewer = await self.access.require_admin(request.scope)
        days = read_choice(request.query_params.get("days"), _DAYS, 30)
        costs, lists = await self._examine(days, _SHOWN)
        report = self.services.directory.report()
        return self.render(
            request,
            viewer,
            "doctor.html",
            days=days,
            choices=_DAYS,
            costs=costs,
            lists=lists,
            labels=DATA_QUALITY_LABELS,
            report=report,
        )

    async def download(self, request: Request) -> Response:
        """Give all of them as a file: a work list."""
        viewer = await self.access.require_admin(request.scope)
        days = read_choice(request.query_params.get("days"), _DAYS, 30)
        _, lists = await self._examine(days, _MOST_ROWS)
        await record_audit(self.services, viewer, AuditAct.CALLS_EXPORTED, "doctor")
        localizer = self.pages.localizer_of(request.scope)
        rows = [
            (
                localizer.translate(DATA_QUALITY_LABELS[found.kind][0]),
                flaw.owner_name,
                flaw.detail,
                flaw.call_count,
                flaw.ref or "",
            )
            for found in lists
            for flaw in found.issues
        ]
        header = localizer.translate("Flaw; Who; What stands there; Calls it cost; Reference")
        return csv_response(localizer.lang, "doctor", header.split("; "), rows)

    async def _examine(
        self, days: int, limit: int
    ) -> tuple[IssueCosts, Sequence[DataQualityIssues]]:
        services = self.services
        costs = IssueCosts()
        await services.call_journal.each(services.clock() - timedelta(days=days), costs.add_call)
        return costs, (
            await services.data_quality.unmanaged_partners(costs.by_partner, limit),
            managers_without_extension(list(services.directory.managers().values()), costs, limit),
            await services.data_quality.unreadable_phones(costs.unknown_last_digits(), limit),
            costs.shared_numbers(limit),
        )


def managers_without_extension(
    managers: Sequence[Manager], costs: IssueCosts, limit: int
) -> DataQualityIssues:
    """List the users who work here and have no extension."""
    flaws = [
        DataQualityIssue(
            DataQualityIssueKind.NO_EXTENSION, m.name, "", costs.by_manager.get(m.name, 0), m.ref
        )
        for m in managers
        if is_active(m) and not m.extension
    ]
    flaws.sort(key=lambda flaw: (-flaw.call_count, flaw.owner_name))
    calls = sum(flaw.call_count for flaw in flaws)
    return DataQualityIssues(DataQualityIssueKind.NO_EXTENSION, len(flaws), calls, flaws[:limit])
