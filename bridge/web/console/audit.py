"""The audit list: sign-ins, revealed numbers, changes."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bridge.domain.whole_numbers import read_whole_number
from bridge.ports.audit import AuditAct
from bridge.web.actions import record_audit
from bridge.web.console.console_page import ConsolePage, page_route
from bridge.web.console.csv_file import csv_response
from bridge.web.shared.labels import AUDIT_LABELS

_PAGE = 100
_MOST_ROWS = 20_000


class AuditPage(ConsolePage):
    """The page of the audit list."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            page_route("/console/audit", self.page),
            page_route("/console/audit.csv", self.download),
        ]

    async def page(self, request: Request) -> Response:
        """Show the records of one act, or all, newest first."""
        viewer = await self.access.require_admin(request.scope)
        act = _act(request)
        records = await self.services.audit.records(
            limit=_PAGE + 1,
            before=read_whole_number(request.query_params.get("before", "")),
            act=act,
        )
        more = records[_PAGE - 1][0] if len(records) > _PAGE else None
        return self.render(
            request,
            viewer,
            "audit.html",
            records=records[:_PAGE],
            act=act,
            acts=AUDIT_LABELS,
            more=more,
            names={m.ref: m.name for m in self.services.directory.managers().values()},
        )

    async def download(self, request: Request) -> Response:
        """Return the records as a file."""
        viewer = await self.access.require_admin(request.scope)
        await record_audit(self.services, viewer, AuditAct.CALLS_EXPORTED, "audit")
        localizer, zone = self.pages.localizer_of(request.scope), self.services.zone
        rows = [
            (
                record.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
                record.role,
                record.who,
                record.address,
                localizer.translate(AUDIT_LABELS[record.act]),
                record.subject,
                record.words,
            )
            for _, record in await self.services.audit.records(limit=_MOST_ROWS, act=_act(request))
        ]
        header = localizer.translate("Time; Role; Who; Address; What; Of what; Details")
        return csv_response(localizer.lang, "audit", header.split("; "), rows)


def _act(request: Request) -> AuditAct | None:
    asked = request.query_params.get("act")
    return next((act for act in AuditAct if act.value == asked), None)
